//! The services that tests run against, at the addresses that `make test` gives.

pub(crate) mod cassandra;
pub(crate) mod hive;
pub(crate) mod hive_project;
pub(crate) mod metastore;
pub(crate) mod outage;
pub(crate) mod own_stack;
pub(crate) mod trino;

/// The address of a service.
///
/// # Panics
/// Where it is not given: a test that needs a service fails without it, and is never skipped.
pub(crate) fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set, so there is no service to test against: run `make test`")
    })
}

/// How all clients give NULL.
pub(crate) const NULL: &str = "NULL";

/// A double's text, the same for all clients.
pub(crate) fn double(value: f64) -> String {
    format!("{value:?}")
}

/// A timestamp's text without zeros at the end of its fraction.
pub(crate) fn timestamp(text: &str) -> String {
    match text.split_once('.') {
        Some((second, fraction)) => match fraction.trim_end_matches('0') {
            "" => second.to_owned(),
            fraction => format!("{second}.{fraction}"),
        },
        None => text.to_owned(),
    }
}
