//! A connection to Kafka: what librdkafka is told, and why it fails, in words.

use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

use super::cluster::is_passing;
use mep_contract::source::SourceError;
use mep_core::connection::KafkaConnection;

/// librdkafka asks for a group even where partitions are assigned by hand; this one is never joined, and nothing is
/// committed to it.
const GROUP: &str = "mep";

/// A consumer of partitions that are assigned by hand.
pub(super) struct Consumer(BaseConsumer<Listening>);

/// How long it is waited between looks whether a consumer has ended.
const ENDING: Duration = Duration::from_millis(1);

impl std::ops::Deref for Consumer {
    type Target = BaseConsumer<Listening>;

    fn deref(&self) -> &BaseConsumer<Listening> {
        &self.0
    }
}

impl Drop for Consumer {
    /// Ends it. Left to itself it would look every 100 ms whether it has ended, which takes a few.
    fn drop(&mut self) {
        if self.0.close_queue().is_ok() {
            while !self.0.closed() {
                let _ = self.0.poll(ENDING);
            }
        }
    }
}

/// How long nothing may come of a partition that is read. Brokers that restart are away for some seconds.
pub(super) fn patience(connection: &KafkaConnection) -> Duration {
    connection.timeout.saturating_mul(3)
}

/// A consumer of partitions that are assigned by hand. `settings` can be overridden by the user's properties.
pub(super) fn consumer(
    connection: &KafkaConnection,
    settings: &[(&str, &str)],
) -> Result<Consumer, SourceError> {
    consumer_of(connection, GROUP, settings)
}

/// The same, of another group.
pub(super) fn consumer_of(
    connection: &KafkaConnection,
    group: &str,
    settings: &[(&str, &str)],
) -> Result<Consumer, SourceError> {
    let mut config = client_config(connection, settings);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false");
    client(&config).map(Consumer)
}

/// What all clients are told.
pub(super) fn client_config(connection: &KafkaConnection, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Error);
    config.set("client.id", "mep");
    // Brokers can ask clients for figures about themselves, which are gathered with every message.
    config.set("enable.metrics.push", "false");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    for (key, value) in &connection.properties.0 {
        config.set(key, value);
    }
    config.set("bootstrap.servers", connection.brokers.join(","));
    config
}

/// That a request failed, with what the client heard meanwhile.
pub(super) fn failed(
    connection: &KafkaConnection,
    what: &str,
    error: &KafkaError,
    heard: &Listening,
) -> SourceError {
    let why = heard.last().unwrap_or_else(|| in_words(error));
    let message = format!(
        "cannot {what} from Kafka at {} (within {} s): {why}",
        connection.place(),
        connection.timeout.as_secs()
    );
    if is_passing(error) { SourceError::Away(message) } else { SourceError::Unreadable(message) }
}

/// A client of any kind.
pub(super) fn client<T: FromClientConfigAndContext<Listening>>(
    config: &ClientConfig,
) -> Result<T, SourceError> {
    T::from_config_and_context(config, Listening::default()).map_err(|error| unusable(&error))
}

/// That a client cannot be made of what it is told.
pub(super) fn unusable(error: &KafkaError) -> SourceError {
    let why = match error {
        KafkaError::ClientConfig(_, why, key, _) => format!("the property `{key}`: {why}"),
        KafkaError::ClientCreation(why) => why.clone(),
        error => error.to_string(),
    };
    SourceError::unreadable(format!("the Kafka connection cannot be used: {why}"))
}

/// An error without the name of the call that it came from.
pub(super) fn in_words(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => {
            let words = code.to_string();
            // `BrokerTransportFailure (Local: Broker transport failure)`: what is in brackets is for people.
            match words.split_once(" (") {
                Some((_, rest)) => rest.trim_end_matches(')').trim_start_matches("Local: ").to_owned(),
                None => words,
            }
        }
        None => error.to_string(),
    }
}

/// Keeps the last thing that went wrong at a broker: a request that times out says nothing of why.
#[derive(Default)]
pub(super) struct Listening {
    last: Mutex<Option<String>>,
}

impl Listening {
    /// What it was, without the time that it took.
    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().clone()
    }
}

impl ClientContext for Listening {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!("librdkafka: {facility}: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("librdkafka: {error}: {reason}");
        // That all brokers are down is only the sum of what was said of each.
        if error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        let reason = reason.split(" (after ").next().unwrap_or(reason);
        *self.last.lock() = Some(reason.to_owned());
    }
}

impl ConsumerContext for Listening {}
