//! A connection of type `postgres`: a database, and as whom it is asked. Keys are called as dbt's adapter calls them.

use std::time::Duration;

use super::Problems;
use super::item::Mapping;
use mep_core::connection::{PostgresConnection, PostgresTls};
use mep_core::keys::{Key, Section, Shape, key};

const KEYS: [Key; 10] = [
    key("type", "postgres", "needed", "Tables of a PostgreSQL database, from version 11 on."),
    key("host", "name", "needed", "Where it is.").of(Shape::Text),
    key("port", "1 to 65535", "5432", "Its port.").of(Shape::Number),
    key("dbname", "name", "needed", "The database.").of(Shape::Text),
    key("user", "name", "needed", "The user.").of(Shape::Text),
    key("password", "text", "", "The password: take it from the environment by `env_var()`.").of(Shape::Text),
    key("schema", "name", "that of the source", "The schema that its tables are in.").of(Shape::Text),
    key("sslmode", "", "prefer", "Whether connections are encrypted, as libpq has it.")
        .of(Shape::Words(modes)),
    key("sslrootcert", "file", "the machine's", "The certificates that are trusted.").of(Shape::Text),
    key("connect_timeout", "seconds", "10", "How long connecting may take.").of(Shape::Number),
];

const PORT: u64 = 5432;
const TIMEOUT: u64 = 10;

fn modes() -> Vec<&'static str> {
    PostgresTls::WORDS.iter().map(|(word, _)| *word).collect()
}

/// The keys of the connection.
pub(super) fn reference() -> Section {
    Section::of("A connection of type postgres", &[&KEYS])
}

/// Reads the connection; `None`, with problems, where something that it needs is missing.
pub(super) fn read_postgres(mapping: Mapping<'_>, problems: &mut Problems) -> Option<PostgresConnection> {
    const WHAT: &str = "a connection of type `postgres`";
    mapping.refuse_unknown(WHAT, &[&KEYS], problems);
    let host = mapping.required("host", WHAT, problems);
    let database = mapping.required("dbname", WHAT, problems);
    let user = mapping.required("user", WHAT, problems);
    let port = mapping.get("port").and_then(|item| item.whole(1..=65_535, problems)).unwrap_or(PORT);
    let text = |name: &str, problems: &mut Problems| mapping.get(name).and_then(|item| item.text(problems));
    let password = mapping.get("password").and_then(|item| item.secret(problems));
    let schema = text("schema", problems);
    let root_certificates = text("sslrootcert", problems).map(Into::into);
    let tls = mapping.get("sslmode").filter(|item| !item.is_null()).and_then(|item| {
        let found =
            PostgresTls::WORDS.iter().find(|(word, _)| item.as_text().is_some_and(|text| text == *word));
        if found.is_none() {
            problems.push(item.expected(&format!("one of {}", modes().join(", "))));
        }
        found.map(|(_, tls)| *tls)
    });
    let timeout =
        mapping.get("connect_timeout").and_then(|item| item.whole(1..=3_600, problems)).unwrap_or(TIMEOUT);
    Some(PostgresConnection {
        host: host?.value,
        port: port as u16,
        database: database?.value,
        user: user?.value,
        password,
        schema,
        tls: tls.unwrap_or_default(),
        root_certificates,
        timeout: Duration::from_secs(timeout),
    })
}
