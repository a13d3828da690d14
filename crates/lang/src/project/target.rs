//! One target of a profile: where tables go, and where each source comes from.

use std::path::PathBuf;

use chrono::NaiveDate;
use indexmap::IndexMap;

use super::dialect::Dialect;
use super::files_reading::{CSV, FORMAT, read_files_reading};
use super::hive_target::read_hive;
use super::item::{self, Item, Mapping};
use super::kafka_connection::{self, read_kafka};
use super::openlineage::{self, read_openlineage};
use super::postgres_connection::{self, read_postgres};
use super::project_file::check_identifier;
use super::streaming_target::{self, read_streaming};
use super::{Problem, Problems, SourceConnection, Target, WarehouseConfig};
use mep_core::connection::SimulatorConfig;
use mep_core::keys::{Key, Section, Shape, key};

const KEYS: [Key; 9] = [
    key("type", "", "needed", "Where tables live.").of(Shape::Words(|| WAREHOUSES.to_vec())),
    key("schema", "name", "needed", "The schema (Hive's database) of tables whose config names no other."),
    key("threads", "1 to 256", "4", "How many nodes run at once."),
    key("memory", "bytes, as `2GiB`", "2GiB", "What queries may take before they write to disk."),
    key("retention_days", "days", "7", "How long superseded folders stay before `mep clean` deletes them."),
    key(
        "dialect",
        "duckdb, snowflake, bigquery, spark, postgres or trino",
        "that of the profile's targets of dbt",
        "For which engine the SQL is written: by the first four, `/` of two whole numbers gives a fraction.",
    ),
    key("sources", "mapping of connections", "", "Where each source of the project comes from, by its name.")
        .of(Shape::Mapping(&Shape::ByType(&[
            ("files", Shape::Keys(&["A connection of type files"])),
            ("kafka", Shape::Keys(&["A connection of type kafka"])),
            ("postgres", Shape::Keys(&["A connection of type postgres"])),
            ("simulator", Shape::Keys(&["A connection of type simulator"])),
            ("warehouse", Shape::Keys(&["A connection of type warehouse"])),
        ]))),
    key("streaming", "mapping", "local tables", "Where the rows of streaming models go.")
        .of(Shape::ByType(&[("cassandra", Shape::Keys(&["streaming of type cassandra"]))])),
    key("openlineage", "mapping", "", "Where runs send OpenLineage events.")
        .of(Shape::Keys(&["openlineage of a target"])),
];
const LOCAL_KEYS: [Key; 1] =
    [key("path", "folder", "needed", "Where tables are, from the project's folder.")];
const HIVE_KEYS: [Key; 5] = [
    key(
        "metastore",
        "thrift://host:port, with commas",
        "needed",
        "The metastore; the first one that answers.",
    ),
    key("location", "hdfs://…", "needed", "The folder of the warehouse."),
    key(
        "hadoop_conf_dir",
        "folder",
        "HADOOP_CONF_DIR",
        "Hadoop's configuration, as for NameNodes that stand in for each other.",
    ),
    key("trino_catalog", "name", "hive", "By which Trino knows the metastore, for its views."),
    key("timeout", "seconds", "30", "How long the metastore and HDFS may take to answer."),
];
const FILES_KEYS: [Key; 4] = [
    key(
        "type",
        "files",
        "needed",
        "NDJSON, JSON and CSV, plain or `.gz`, `.zst`, `.bz2` or `.xz`, and Parquet and Avro.",
    ),
    key("path", "folder", "needed", "Where they are, from the project's folder."),
    FORMAT,
    CSV,
];
const WAREHOUSE_KEYS: [Key; 2] = [
    key(
        "type",
        "warehouse",
        "needed",
        "Tables of the target's own warehouse or metastore that others publish, read where they are. So is a source that has no connection.",
    ),
    key("schema", "name", "that of the source", "The schema (Hive's database) that they are in."),
];
const WAREHOUSES: [&str; 2] = ["local", "hive"];
const CONNECTIONS: [&str; 5] = ["files", "kafka", "postgres", "simulator", "warehouse"];
const SIMULATOR_KEYS: [Key; 9] = [
    key(
        "type",
        "simulator",
        "needed",
        "Made-up events of a music streaming service; the same settings give the same events.",
    ),
    key("seed", "number", "1", "The seed of every random choice."),
    key("start", "day", "2018-11-01", "The first day."),
    key("days", "number", "30", "How many days."),
    key("users", "number", "1000", "Users at the start."),
    key("growth", "share", "0.1", "New users per year, as a share of those at the start."),
    key("attrition", "share", "0.1", "Users lost per year, as a share of those there."),
    key("duplicates", "share", "0.001", "The share of events that are sent twice."),
    key("mojibake", "true or false", "true", "Names that are not ASCII are UTF-8 read as Latin-1."),
];

const THREADS: u64 = 4;
const MOST_THREADS: u64 = 256;
const RETENTION_DAYS: u64 = 7;

/// The keys of targets and connections.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("A target", &[&KEYS]),
        Section::of("A target of type local", &[&LOCAL_KEYS]),
        Section::of("A target of type hive", &[&HIVE_KEYS]),
        Section::of("A connection of type files", &[&FILES_KEYS]),
        kafka_connection::reference(),
        postgres_connection::reference(),
        Section::of("A connection of type simulator", &[&SIMULATOR_KEYS]),
        Section::of("A connection of type warehouse", &[&WAREHOUSE_KEYS]),
        streaming_target::reference(),
        openlineage::reference(),
    ]
}

/// Reads a target; `None`, with problems, where something that it needs is missing.
pub(super) fn read_target(
    profile: &str,
    name: item::YamlKey<'_>,
    item: Item<'_>,
    problems: &mut Problems,
) -> Option<Target> {
    let output = item.mapping(problems);
    let kind = output.required("type", "a target", problems)?;
    if !WAREHOUSES.contains(&kind.value.as_str()) {
        problems.push(unknown_type("target", &kind.value, &WAREHOUSES).at(&kind.place));
        return None;
    }
    let is_local = kind.value == "local";
    let own: &[Key] = if is_local { &LOCAL_KEYS } else { &HIVE_KEYS };
    output.refuse_unknown(&format!("a target of type `{}`", kind.value), &[&KEYS, own], problems);
    let warehouse = if is_local {
        required_path(output, "a target", problems).map(|path| WarehouseConfig::Local { path })
    } else {
        read_hive(output, problems).map(WarehouseConfig::Hive)
    };
    let schema = output.required("schema", "a target", problems);
    if let Some(schema) = &schema {
        check_identifier(schema, "a schema", problems);
    }
    let mut whole = |key: &str, range, default| {
        output.get(key).and_then(|item| item.whole(range, problems)).unwrap_or(default)
    };
    let threads = whole("threads", 1..=MOST_THREADS, THREADS);
    let retention_days = whole("retention_days", 0..=36_500, RETENTION_DAYS);
    let memory = output.get("memory").and_then(|item| read_memory(item, problems));
    let sources = output.get("sources").map(|item| read_connections(item, problems)).unwrap_or_default();
    let dialect = output.get("dialect").and_then(|item| Dialect::written(item, problems));
    let streaming = output.get("streaming").and_then(|item| read_streaming(item, problems));
    let openlineage = output.get("openlineage").and_then(|item| read_openlineage(item, problems));
    Some(Target {
        profile: profile.to_owned(),
        name: name.text.to_owned(),
        schema: schema?.value,
        threads: threads as usize,
        warehouse: warehouse?,
        memory,
        retention_days: retention_days as u32,
        sources,
        streaming,
        openlineage,
        dialect,
        place: Some(name.place()),
    })
}

/// A problem with a `type` that is none of the known ones.
pub(super) fn unknown_type(thing: &str, found: &str, known: &[&str]) -> Problem {
    let problem = Problem::new(format!("unknown type `{found}` of a {thing}"));
    let problem = problem.help(format!("the types are {}", known.join(", ")));
    problem.did_you_mean(found, known.iter().copied())
}

fn required_path(mapping: Mapping<'_>, thing: &str, problems: &mut Problems) -> Option<PathBuf> {
    let path = mapping.required("path", thing, problems)?;
    if path.value.trim().is_empty() {
        problems.push(Problem::new("`path`: expected a folder, found nothing").at(&path.place));
        return None;
    }
    match from_home(&path.value, std::env::home_dir()) {
        Ok(path) => Some(path),
        Err((message, help)) => {
            problems.push(Problem::new(message).at(&path.place).help(help));
            None
        }
    }
}

/// A path as a shell reads it: `~` at its start is the home folder.
fn from_home(path: &str, home: Option<PathBuf>) -> Result<PathBuf, (String, &'static str)> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(PathBuf::from(path)) };
    if !rest.is_empty() && !rest.starts_with(std::path::is_separator) {
        let message = format!("`path`: expected `~/` for the home folder, found `{path}`");
        return Err((message, "write the folder out, or `./~...` for one of that name"));
    }
    match home.filter(|home| !home.as_os_str().is_empty()) {
        Some(home) => Ok(home.join(rest.trim_start_matches(std::path::is_separator))),
        None => {
            Err((format!("`path`: the home folder of `{path}` is not known"), "set HOME, or write it out"))
        }
    }
}

fn read_memory(item: Item<'_>, problems: &mut Problems) -> Option<u64> {
    if item.is_null() {
        return None;
    }
    let bytes = match item.as_text() {
        Some(text) => bytes_of(text),
        None => item.node.json().as_u64(),
    };
    let bytes = bytes.filter(|bytes| *bytes > 0);
    if bytes.is_none() {
        problems.push(item.expected("bytes, or a text such as 2GiB or 512MB"));
    }
    bytes
}

/// The bytes that a text such as `1.5GiB` stands for.
pub fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

fn read_connections(item: Item<'_>, problems: &mut Problems) -> IndexMap<String, SourceConnection> {
    let mut connections = IndexMap::new();
    for (key, item) in item.mapping(problems).items() {
        if let Some(connection) = read_connection(item, problems) {
            connections.insert(key.text.to_owned(), connection);
        }
    }
    connections
}

fn read_connection(item: Item<'_>, problems: &mut Problems) -> Option<SourceConnection> {
    let mapping = item.mapping(problems);
    let kind = mapping.required("type", "a connection", problems)?;
    match kind.value.as_str() {
        "files" => {
            mapping.refuse_unknown("a connection of type `files`", &[&FILES_KEYS], problems);
            let reading = read_files_reading(mapping, problems).map(|said| said.value).unwrap_or_default();
            Some(SourceConnection::Files { path: required_path(mapping, "a connection", problems)?, reading })
        }
        "kafka" => read_kafka(mapping, problems).map(SourceConnection::Kafka),
        "postgres" => read_postgres(mapping, problems).map(SourceConnection::Postgres),
        "simulator" => {
            mapping.refuse_unknown("a connection of type `simulator`", &[&SIMULATOR_KEYS], problems);
            Some(SourceConnection::Simulator(read_simulator(mapping, problems)))
        }
        "warehouse" => {
            mapping.refuse_unknown("a connection of type `warehouse`", &[&WAREHOUSE_KEYS], problems);
            let schema = mapping.get("schema").and_then(|item| item.text(problems));
            Some(SourceConnection::Warehouse { schema })
        }
        other => {
            problems.push(unknown_type("connection", other, &CONNECTIONS).at(&kind.place));
            None
        }
    }
}

fn read_simulator(mapping: Mapping<'_>, problems: &mut Problems) -> SimulatorConfig {
    let mut config = SimulatorConfig::default();
    for (key, item) in mapping.items() {
        match key.text {
            "seed" => set(&mut config.seed, item.whole(0..=u64::MAX, problems)),
            "start" => set(&mut config.start, read_day(item, problems)),
            "days" => set(&mut config.days, item.whole(1..=36_525, problems).map(|days| days as u32)),
            "users" => set(&mut config.users, item.whole(1..=1_000_000_000, problems)),
            "growth" => set(&mut config.growth, item.positive(None, problems)),
            "attrition" => set(&mut config.attrition, item.positive(Some(1.0), problems)),
            "duplicates" => set(&mut config.duplicates, item.positive(Some(1.0), problems)),
            "mojibake" => set(&mut config.mojibake, item.boolean(problems)),
            _ => {}
        }
    }
    config
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn read_day(item: Item<'_>, problems: &mut Problems) -> Option<NaiveDate> {
    let day = item.as_text().and_then(|text| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok());
    if day.is_none() && !item.is_null() {
        problems.push(item.expected("a day such as 2018-11-01"));
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder() {
        let read = |path| from_home(path, Some(PathBuf::from("/home/ada")));
        assert_eq!(read("~/w").unwrap(), PathBuf::from("/home/ada/w"));
        assert_eq!(read("~").unwrap(), PathBuf::from("/home/ada"));
        assert_eq!(read("a/~/b").unwrap(), PathBuf::from("a/~/b"));
        insta::assert_snapshot!(read("~bob/w").unwrap_err().0, @"`path`: expected `~/` for the home folder, found `~bob/w`");
        insta::assert_snapshot!(from_home("~/w", None).unwrap_err().0, @"`path`: the home folder of `~/w` is not known");
    }
}
