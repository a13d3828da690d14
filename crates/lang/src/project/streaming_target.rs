//! The part of a target that says where the rows of streaming models go.

use std::path::PathBuf;
use std::time::Duration;

use super::item::{Item, Mapping};
use super::kafka_connection::read_addresses;
use super::target::unknown_type;
use super::{Located, Problem, Problems, StreamingTarget};
use mep_core::connection::{
    CassandraConnection, CassandraConsistency, CassandraLogin, CassandraReplication, CassandraTls,
    SETTLES_AFTER,
};
use mep_core::keys::{Key, Section, Shape, key};

const TYPES: [&str; 1] = ["cassandra"];

const KEYS: [Key; 14] = [
    key("type", "", "needed", "Where rows go.").of(Shape::Words(|| TYPES.to_vec())),
    key("contact_points", "host:port, with commas, or list", "needed", "The nodes to ask first.")
        .of(Shape::OneOrMore(&Shape::Text)),
    key("keyspace", "name", "needed", "The keyspace; it is created where it is not there.").of(Shape::Text),
    key(
        "replication",
        "mapping",
        "{class: SimpleStrategy, replication_factor: 1}",
        "Of a keyspace that is created.",
    )
    .of(Shape::Mapping(&Shape::Any)),
    key("consistency", "", "local_quorum", "How many replicas must have a write.")
        .of(Shape::Words(consistencies)),
    key("local_dc", "name", "", "The datacenter; needed where there are several.").of(Shape::Text),
    key("username", "text", "", "The user.").of(Shape::Text),
    key("password", "text", "", "The password: take it from the environment by `env_var()`.").of(Shape::Text),
    key("ssl_ca_location", "file", "", "The certificates that are trusted; encrypts.").of(Shape::Text),
    key("ssl_certificate_location", "file", "", "The client's certificate.").of(Shape::Text),
    key("ssl_key_location", "file", "", "The client's key.").of(Shape::Text),
    key(
        "ssl_endpoint_identification_algorithm",
        "",
        "https",
        "Whether a node's address must be that of its certificate.",
    )
    .of(Shape::Words(|| vec!["https", "none"])),
    key("timeout", "seconds", "10", "How long a request may take; one without an answer is sent again.")
        .of(Shape::Number),
    key(
        "concurrency",
        "1 to 4096",
        "64",
        "How many requests with rows, of all models, go at once at most: fewer while Cassandra is slow.",
    )
    .of(Shape::Number),
];
const SIMPLE_KEYS: [Key; 2] = [
    key("class", "SimpleStrategy", "needed", "Replicas wherever."),
    key("replication_factor", "1 to 100", "1", "How many.").of(Shape::Number),
];

/// The keys that say that connections are encrypted.
const TLS: [&str; 4] = [
    "ssl_ca_location",
    "ssl_certificate_location",
    "ssl_key_location",
    "ssl_endpoint_identification_algorithm",
];

const CONSISTENCIES: [(&str, CassandraConsistency); 8] = [
    ("local_quorum", CassandraConsistency::LocalQuorum),
    ("local_one", CassandraConsistency::LocalOne),
    ("one", CassandraConsistency::One),
    ("two", CassandraConsistency::Two),
    ("three", CassandraConsistency::Three),
    ("quorum", CassandraConsistency::Quorum),
    ("each_quorum", CassandraConsistency::EachQuorum),
    ("all", CassandraConsistency::All),
];

fn consistencies() -> Vec<&'static str> {
    CONSISTENCIES.iter().map(|(name, _)| *name).collect()
}

/// Cassandra takes no longer name.
const LONGEST_NAME: usize = 48;
const MOST_REPLICAS: u64 = 100;
const TIMEOUT: u64 = 10;
const CONCURRENCY: u64 = 64;
const MOST_AT_ONCE: u64 = 4_096;

/// The keys of the block.
pub(super) fn reference() -> Section {
    Section::of("streaming of type cassandra", &[&KEYS])
}

/// Reads the block; `None`, with problems, where something that it needs is missing.
pub(super) fn read_streaming(item: Item<'_>, problems: &mut Problems) -> Option<StreamingTarget> {
    if item.is_null() {
        return None;
    }
    let mapping = item.mapping(problems);
    let kind = mapping.required("type", "`streaming`", problems)?;
    if kind.value == "cassandra" {
        return read_cassandra(mapping, problems).map(StreamingTarget::Cassandra);
    }
    problems.push(unknown_type("streaming target", &kind.value, &TYPES).at(&kind.place));
    None
}

fn read_cassandra(mapping: Mapping<'_>, problems: &mut Problems) -> Option<CassandraConnection> {
    mapping.refuse_unknown("`streaming` of type `cassandra`", &[&KEYS], problems);
    let contact_points = read_contact_points(mapping, problems);
    let keyspace = mapping.required("keyspace", "`streaming` of type `cassandra`", problems);
    let keyspace = keyspace.and_then(|keyspace| checked_keyspace(keyspace, problems));
    let replication = match mapping.get("replication").filter(|item| !item.is_null()) {
        Some(item) => read_replication(item, problems),
        None => Some(CassandraReplication::Simple(1)),
    };
    let consistency = mapping.get("consistency").and_then(|item| read_consistency(item, problems));
    let local_dc = mapping.get("local_dc").and_then(|item| item.text(problems));
    let login = read_login(mapping, problems);
    let tls = read_tls(mapping, problems);
    let timeout = mapping.get("timeout").and_then(|item| item.whole(1..=3_600, problems)).unwrap_or(TIMEOUT);
    let concurrency = mapping.get("concurrency").and_then(|item| item.whole(1..=MOST_AT_ONCE, problems));
    Some(CassandraConnection {
        contact_points: contact_points?,
        keyspace: keyspace?,
        replication: replication?,
        consistency: consistency.unwrap_or_default(),
        local_dc: local_dc.filter(|name| !name.is_empty()),
        login,
        tls,
        timeout: Duration::from_secs(timeout),
        concurrency: concurrency.unwrap_or(CONCURRENCY) as usize,
        settles_after: SETTLES_AFTER,
    })
}

fn read_contact_points(mapping: Mapping<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let Some(item) = mapping.get("contact_points").filter(|item| !item.is_empty()) else {
        let problem = mapping.item.problem("`streaming` of type `cassandra` needs `contact_points`");
        problems.push(problem.help("such as `contact_points: cassandra-1:9042, cassandra-2:9042`"));
        return None;
    };
    read_addresses(item, "it is no URL", "such as cassandra-1:9042", problems)
}

fn checked_keyspace(keyspace: Located<String>, problems: &mut Problems) -> Option<String> {
    let name = &keyspace.value;
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        return Some(keyspace.value);
    }
    let message = format!("`keyspace`: expected 1 to {LONGEST_NAME} letters, digits and `_`, found `{name}`");
    problems.push(Problem::new(message).at(&keyspace.place));
    None
}

fn read_replication(item: Item<'_>, problems: &mut Problems) -> Option<CassandraReplication> {
    let mapping = item.mapping(problems);
    let class = mapping.required("class", "`replication`", problems)?;
    match class.value.as_str() {
        "SimpleStrategy" => {
            mapping.refuse_unknown("`replication` of class `SimpleStrategy`", &[&SIMPLE_KEYS], problems);
            let factor = mapping.get("replication_factor").and_then(|item| replicas(item, problems));
            Some(CassandraReplication::Simple(factor.unwrap_or(1)))
        }
        "NetworkTopologyStrategy" => {
            let mut factors = Vec::new();
            for (key, item) in mapping.items().filter(|(key, _)| key.text != "class") {
                factors.extend(replicas(item, problems).map(|factor| (key.text.to_owned(), factor)));
            }
            if mapping.len() < 2 {
                let problem =
                    item.problem("`replication` of class `NetworkTopologyStrategy` needs a datacenter");
                problems.push(problem.help("name each with its number of replicas, such as `dc1: 3`"));
                return None;
            }
            Some(CassandraReplication::PerDatacenter(factors))
        }
        other => {
            let found =
                format!("`class`: expected SimpleStrategy or NetworkTopologyStrategy, found `{other}`");
            problems.push(Problem::new(found).at(&class.place));
            None
        }
    }
}

fn replicas(item: Item<'_>, problems: &mut Problems) -> Option<u32> {
    item.whole(1..=MOST_REPLICAS, problems).map(|factor| factor as u32)
}

fn read_consistency(item: Item<'_>, problems: &mut Problems) -> Option<CassandraConsistency> {
    let written = item.as_text().map(str::to_ascii_lowercase);
    let found = CONSISTENCIES.iter().find(|(name, _)| written.as_deref() == Some(*name));
    if found.is_none() && !item.is_null() {
        let names = consistencies();
        problems.push(item.expected(&format!("one of {}", names.join(", "))));
    }
    found.map(|(_, consistency)| *consistency)
}

/// The user, where there is one. Half of it is a problem.
fn read_login(mapping: Mapping<'_>, problems: &mut Problems) -> Option<CassandraLogin> {
    let before = problems.len();
    let username = mapping.get("username").and_then(|item| item.secret(problems));
    let password = mapping.get("password").and_then(|item| item.secret(problems));
    let (missing, there) = match (username, password) {
        (Some(username), Some(password)) => return Some(CassandraLogin { username, password }),
        (None, None) => return None,
        (Some(_), None) => ("password", "username"),
        (None, Some(_)) => ("username", "password"),
    };
    if problems.len() == before {
        problems.push(mapping.item.problem(format!("`streaming` needs `{missing}` beside `{there}`")));
    }
    None
}

/// How connections are encrypted, where they are. Half of it is a problem.
fn read_tls(mapping: Mapping<'_>, problems: &mut Problems) -> Option<CassandraTls> {
    if TLS.iter().all(|key| mapping.get(key).is_none_or(|item| item.is_null())) {
        return None;
    }
    let before = problems.len();
    let mut file = |key: &str| mapping.get(key).and_then(|item| item.text(problems)).map(PathBuf::from);
    let ca = file("ssl_ca_location");
    let certificate = file("ssl_certificate_location");
    let key = file("ssl_key_location");
    if certificate.is_some() != key.is_some() && problems.len() == before {
        let message = "`ssl_certificate_location` and `ssl_key_location` belong together, found one of them";
        problems.push(mapping.item.problem(message));
    }
    let verifies_address = match mapping.get("ssl_endpoint_identification_algorithm") {
        Some(item) if !item.is_null() => match item.as_text() {
            Some("https") => true,
            Some("none") => false,
            _ => {
                problems.push(item.expected("https or none"));
                true
            }
        },
        _ => true,
    };
    Some(CassandraTls { ca, certificate, key, verifies_address })
}
