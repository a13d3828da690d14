//! A connection, and one transaction over it.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use postgres::config::SslMode;
use postgres::{Client, Config, NoTls, Row};
use postgres_openssl::MakeTlsConnector;

use super::PostgresError;
use mep_core::connection::{PostgresConnection, PostgresTls};
use mep_core::quantity::plural;

/// How values are written, whatever the database's own settings are: hashes are made of these texts. They hold in the transaction alone, as a pool of
/// connections between mep and the database asks for.
const SETTINGS: &str = "set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; set local timezone = 'UTC'; \
                        set local extra_float_digits = 1; set local bytea_output = 'hex'; set local lc_monetary = 'C'; \
                        set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
/// After how long without a word it is asked whether the other side is still there, how often, and how long each time.
const KEEPALIVE: (Duration, u32, Duration) = (Duration::from_mins(1), 6, Duration::from_secs(10));
/// The first version that has `hashtextextended`.
const OLDEST: i32 = 110_000;

/// A read-only transaction that sees the database as it was at its first query.
pub(super) struct Snapshot {
    client: Client,
}

impl Snapshot {
    /// Begins one.
    pub(super) fn begin(connection: &PostgresConnection) -> Result<Self, PostgresError> {
        let unreachable = |reason: String| PostgresError::Unreachable { place: connection.place(), reason };
        // The driver's limit is that of a socket: one that is taken and never answered would be waited for without end.
        let (sender, receiver) = sync_channel(1);
        let asked = connection.clone();
        std::thread::spawn(move || {
            // Nobody listens any more where it took too long.
            let _ = sender.send(connect(&asked).map_err(|error| plain(error.as_ref())));
        });
        let limit = connection.timeout;
        let connected = receiver.recv_timeout(limit);
        let client = connected
            .map_err(|_| unreachable(format!("no answer for {}", plural(limit.as_secs(), "second"))))?
            .map_err(unreachable)?;
        let mut this = Self { client };
        let version = this.rows(
            "ask for its version",
            "select current_setting('server_version_num')::int, current_setting('server_version')",
            &[],
        )?;
        if let Some(row) = version.first().filter(|row| row.get::<_, i32>(0) < OLDEST) {
            return Err(PostgresError::TooOld { place: connection.place(), found: row.get(1) });
        }
        this.execute("begin a transaction", "begin isolation level repeatable read read only")?;
        this.execute("set how values are written", SETTINGS)?;
        Ok(this)
    }

    /// The rows of a query; each parameter is a text.
    pub(super) fn rows(&mut self, doing: &str, sql: &str, texts: &[&str]) -> Result<Vec<Row>, PostgresError> {
        let values: Vec<&(dyn postgres::types::ToSql + Sync)> =
            texts.iter().map(|text| text as &(dyn postgres::types::ToSql + Sync)).collect();
        self.client.query(sql, &values).map_err(|error| refused(doing, &error))
    }

    /// Carries out statements that give no rows.
    pub(super) fn execute(&mut self, doing: &str, sql: &str) -> Result<(), PostgresError> {
        self.client.batch_execute(sql).map_err(|error| refused(doing, &error))
    }

    /// Whether the connection was lost.
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }
}

fn connect(connection: &PostgresConnection) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let mut config = Config::new();
    config
        .host(&connection.host)
        .port(connection.port)
        .dbname(&connection.database)
        .user(&connection.user)
        .application_name("mep")
        .connect_timeout(connection.timeout)
        .keepalives_idle(KEEPALIVE.0)
        .keepalives_retries(KEEPALIVE.1)
        .keepalives_interval(KEEPALIVE.2);
    if let Some(password) = &connection.password {
        config.password(password);
    }
    let mode = match connection.tls {
        PostgresTls::Disable => return Ok(config.ssl_mode(SslMode::Disable).connect(NoTls)?),
        PostgresTls::Prefer => SslMode::Prefer,
        PostgresTls::Require | PostgresTls::VerifyCa | PostgresTls::VerifyFull => SslMode::Require,
    };
    let mut builder = SslConnector::builder(SslMethod::tls())?;
    if let Some(file) = &connection.root_certificates {
        builder.set_ca_file(file)?;
    }
    if matches!(connection.tls, PostgresTls::Prefer | PostgresTls::Require) {
        builder.set_verify(SslVerifyMode::NONE);
    }
    let mut connector = MakeTlsConnector::new(builder.build());
    if connection.tls != PostgresTls::VerifyFull {
        connector.set_callback(|config, _| {
            config.set_verify_hostname(false);
            Ok(())
        });
    }
    Ok(config.ssl_mode(mode).connect(connector)?)
}

fn refused(doing: &str, error: &postgres::Error) -> PostgresError {
    PostgresError::Refused { doing: doing.to_owned(), reason: plain(error) }
}

/// What an error says, with the last of its causes: the driver's own words tell where it arose, and the database's what is wrong.
fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    match last.downcast_ref::<postgres::error::DbError>() {
        Some(said) => said.message().to_owned(),
        None => last.to_string(),
    }
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub(super) fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
