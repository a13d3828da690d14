//! Where a PostgreSQL database is, and how it is spoken to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a database is, and as whom it is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresConnection {
    /// The host, or the folder of its socket.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The password, which debugging does not show.
    pub password: Option<String>,
    /// The schema of its tables, in place of the one that the source says.
    pub schema: Option<String>,
    /// Whether connections are encrypted.
    pub tls: PostgresTls,
    /// The certificates that are trusted, in place of the machine's.
    pub root_certificates: Option<PathBuf>,
    /// How long connecting may take.
    pub timeout: Duration,
}

impl PostgresConnection {
    /// The database in words.
    pub fn place(&self) -> String {
        format!("{} at {}:{}", self.database, self.host, self.port)
    }
}

impl fmt::Debug for PostgresConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConnection")
            .field("place", &self.place())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What libpq's `sslmode` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresTls {
    /// Never.
    Disable,
    /// Where the server offers it; whoever it is.
    #[default]
    Prefer,
    /// Always; whoever it is.
    Require,
    /// Always, with a certificate that is trusted.
    VerifyCa,
    /// Always, with a certificate that is trusted and names the host.
    VerifyFull,
}

impl PostgresTls {
    /// Each with libpq's word for it.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}
