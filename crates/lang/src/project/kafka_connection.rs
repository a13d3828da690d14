//! A connection of type `kafka`: brokers, security, and what the messages are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::item::{Item, Mapping};
use super::{KafkaConfig, OnLostOffsets, Problem, Problems};
use mep_core::connection::{AvroWire, KafkaConnection, KafkaProperties, MessageFormat};
use mep_core::keys::{self, Key, Section, Shape, key};

const KEYS: [Key; 9] = [
    key("type", "", "needed", "Topics of Kafka.").of(Shape::Words(|| vec!["kafka"])),
    key("brokers", "host:port, with commas, or list", "needed", "The brokers to ask first.").of(Shape::OneOrMore(&Shape::Text)),
    key("topic_prefix", "text", "", "What stands before a table's name in its topic's.").of(Shape::Text),
    key("format", "", "json", "What messages are.").of(Shape::Words(|| vec!["json", "avro"])),
    key("schemas", "folder", "", "Of `format: avro`: where `<table>.avsc` is.").of(Shape::Text),
    key("wire", "", "plain", "Of `format: avro`: whether a schema's id stands before each record.").of(Shape::Words(|| vec!["plain", "confluent"])),
    key("on_lost_offsets", "", "fail", "What to do where offsets are gone before they were landed.").of(Shape::Words(|| vec!["fail", "accept"])),
    key("timeout", "seconds", "10", "How long the brokers may take to answer.").of(Shape::Number),
    key(
        "properties",
        "mapping",
        "",
        "Anything else that librdkafka takes, by its own names; what decides which messages are read is mep's to set.",
    ).of(Shape::Mapping(&Shape::Any)),
];

/// Keys of the connection that are librdkafka's properties, with `_` in place of `.`.
const SECURITY: [Key; 9] = [
    key("security_protocol", "", "plaintext", "How brokers are spoken to.")
        .of(Shape::Words(|| PROTOCOLS.to_vec())),
    key("sasl_mechanism", "text", "", "How the user is made known, as `SCRAM-SHA-512`.").of(Shape::Text),
    key("sasl_username", "text", "", "The user.").of(Shape::Text),
    key("sasl_password", "text", "", "The password: take it from the environment by `env_var()`.")
        .of(Shape::Text),
    key("ssl_ca_location", "file", "", "The certificates that are trusted.").of(Shape::Text),
    key("ssl_certificate_location", "file", "", "The client's certificate.").of(Shape::Text),
    key("ssl_key_location", "file", "", "The client's key.").of(Shape::Text),
    key("ssl_key_password", "text", "", "The password of the key.").of(Shape::Text),
    key(
        "ssl_endpoint_identification_algorithm",
        "",
        "https",
        "Whether a broker's name must be that of its certificate.",
    )
    .of(Shape::Words(|| vec!["https", "none"])),
];

/// Properties that decide what is read and where it goes on, and how mep sets them or lets them be set.
const RESERVED: [(&str, &str); 12] = [
    ("bootstrap.servers", "name the brokers with `brokers:`"),
    ("metadata.broker.list", "name the brokers with `brokers:`"),
    ("group.id", NO_GROUP),
    ("group.instance.id", NO_GROUP),
    ("group.protocol", NO_GROUP),
    ("enable.auto.commit", NO_GROUP),
    ("enable.auto.offset.store", NO_GROUP),
    ("auto.offset.reset", NO_GROUP),
    ("isolation.level", "mep reads what is committed"),
    ("enable.partition.eof", "mep needs it to find the end of a partition"),
    ("allow.auto.create.topics", "reading a topic must not create it"),
    ("delivery.report.only.error", "mep counts what was acknowledged"),
];
const NO_GROUP: &str = "mep keeps the offsets beside the rows that it landed, and uses no consumer group";

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// The keys of the connection.
pub(super) fn reference() -> Section {
    Section::of("A connection of type kafka", &[&KEYS, &SECURITY])
}

/// Reads the connection; `None`, with problems, where something that it needs is missing.
pub(super) fn read_kafka(mapping: Mapping<'_>, problems: &mut Problems) -> Option<KafkaConfig> {
    mapping.refuse_unknown("a connection of type `kafka`", &[&KEYS, &SECURITY], problems);
    let brokers = read_brokers(mapping, problems);
    let topic_prefix = mapping.get("topic_prefix").and_then(|item| item.text(problems)).unwrap_or_default();
    let format = read_format(mapping, problems);
    let on_lost_offsets =
        mapping.get("on_lost_offsets").and_then(|item| read_on_lost(item, problems)).unwrap_or_default();
    let timeout = mapping.get("timeout").and_then(|item| item.whole(1..=3_600, problems)).unwrap_or(10);
    let mut properties = BTreeMap::new();
    for key in keys::names(&SECURITY) {
        let value = mapping.get(key).and_then(|item| property(item, problems));
        properties.extend(value.map(|value| (key.replace('_', "."), value)));
    }
    if let Some(item) = mapping.get("security_protocol") {
        let known =
            item.as_text().is_some_and(|text| PROTOCOLS.contains(&text.to_ascii_lowercase().as_str()));
        if !known && !item.is_null() {
            problems.push(item.expected(&format!("one of {}", PROTOCOLS.join(", "))));
        }
    }
    if let Some(item) = mapping.get("properties") {
        read_properties(item, &mut properties, problems);
    }
    let connection = KafkaConnection {
        brokers: brokers?,
        properties: KafkaProperties(properties),
        timeout: Duration::from_secs(timeout),
    };
    Some(KafkaConfig { connection, topic_prefix, format: format?, on_lost_offsets })
}

/// The brokers: a text with commas, or a list.
fn read_brokers(mapping: Mapping<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let Some(item) = mapping.get("brokers").filter(|item| !item.is_empty()) else {
        let problem = mapping.item.problem("a connection of type `kafka` needs `brokers`");
        problems.push(problem.help("such as `brokers: kafka-1:9092, kafka-2:9092`"));
        return None;
    };
    let no_url = "it is no URL; the protocol is said by `security_protocol`";
    read_addresses(item, no_url, "such as kafka-1:9092", problems)
}

/// Hosts with ports: a text with commas, or a list; `None` where there is none or, with a problem, where one is wrong.
pub(super) fn read_addresses(
    item: Item<'_>,
    no_url: &str,
    such_as: &str,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let texts = item.texts(problems);
    let mut addresses = Vec::new();
    for text in &texts {
        for address in text.value.split(',').map(str::trim) {
            if let Some(reason) = not_an_address(address, no_url) {
                let key = item.key;
                let message = format!("`{key}`: expected a host with a port, found `{address}` ({reason})");
                problems.push(Problem::new(message).at(&text.place).help(such_as));
                return None;
            }
            addresses.push(address.to_owned());
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

fn not_an_address<'a>(text: &str, no_url: &'a str) -> Option<&'a str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.contains("://") {
        return Some(no_url);
    }
    if text.contains(char::is_whitespace) {
        return Some("it has a space");
    }
    // What follows the last colon of a host is its port; an IPv6 address stands in brackets.
    let port = text.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    port.filter(|port| port.parse::<u16>().is_err()).map(|_| "its port is no number up to 65535")
}

fn read_format(mapping: Mapping<'_>, problems: &mut Problems) -> Option<MessageFormat> {
    let format = mapping.get("format");
    let only_avro = |key: &str, problems: &mut Problems| {
        if let Some(item) = mapping.get(key) {
            let problem = item.problem(format!("`{key}` is for messages of `format: avro`"));
            problems.push(problem.help("say `format: avro`, or leave it out"));
        }
    };
    match format.and_then(|item| item.as_text()) {
        None if format.is_none_or(|item| item.is_null()) => {}
        Some("json") => {}
        Some("avro") => return read_avro(mapping, problems),
        _ => {
            problems.extend(format.map(|item| item.expected("json or avro")));
            return None;
        }
    }
    only_avro("schemas", problems);
    only_avro("wire", problems);
    Some(MessageFormat::Json)
}

fn read_avro(mapping: Mapping<'_>, problems: &mut Problems) -> Option<MessageFormat> {
    let schemas = mapping.get("schemas").and_then(|item| item.text(problems));
    let Some(schemas) = schemas.filter(|schemas| !schemas.trim().is_empty()) else {
        let problem = mapping.item.problem("messages of `format: avro` need `schemas`");
        problems.push(problem.help("the folder in the project that holds <table>.avsc"));
        return None;
    };
    let wire = match mapping.get("wire") {
        None => AvroWire::Plain,
        Some(item) => match item.as_text() {
            Some("plain") => AvroWire::Plain,
            Some("confluent") => AvroWire::Confluent,
            _ if item.is_null() => AvroWire::Plain,
            _ => {
                problems.push(item.expected("plain or confluent"));
                return None;
            }
        },
    };
    Some(MessageFormat::Avro { schemas: PathBuf::from(schemas), wire })
}

/// What to do where offsets are gone before they were landed.
pub(super) fn read_on_lost(item: Item<'_>, problems: &mut Problems) -> Option<OnLostOffsets> {
    match item.as_text() {
        Some("fail") => Some(OnLostOffsets::Fail),
        Some("accept") => Some(OnLostOffsets::Accept),
        _ => {
            if !item.is_null() {
                problems.push(item.expected("fail or accept"));
            }
            None
        }
    }
}

fn read_properties(item: Item<'_>, properties: &mut BTreeMap<String, String>, problems: &mut Problems) {
    for (key, item) in item.mapping(problems).items() {
        if let Some((_, way)) = RESERVED.iter().find(|(reserved, _)| *reserved == key.text) {
            let problem = key.problem(format!("the property `{}` is set by mep", key.text));
            problems.push(problem.help(*way));
            continue;
        }
        let as_key = key.text.replace('.', "_");
        if keys::has(&SECURITY, &as_key) && properties.contains_key(key.text) {
            let problem = key.problem(format!("the property `{}` is given twice", key.text));
            problems.push(problem.help(format!("it stands beside `properties` too, as `{as_key}`")));
            continue;
        }
        properties.extend(property(item, problems).map(|value| (key.text.to_owned(), value)));
    }
}

/// A property's value as librdkafka takes it. What it is, is not said in problems: it may be a secret.
fn property(item: Item<'_>, problems: &mut Problems) -> Option<String> {
    match item.node.json() {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(value) => Some(value.to_string()),
        serde_json::Value::Null => None,
        _ => {
            problems.push(item.expected("a text, a number, true or false"));
            None
        }
    }
}
