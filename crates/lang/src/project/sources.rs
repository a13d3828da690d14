//! Sources: tables that come from outside, under `sources:` of a properties file.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::config_tree::{Config, overlay, overlay_all, tags_of};
use super::constraints::warn_of_source;
use super::docs::written_twice;
use super::files_reading::{CSV, FORMAT, read_files_reading, reference as files_reference};
use super::item::{Item, Mapping};
use super::kafka_connection::read_on_lost;
use super::max_rejected::EXPECTED;
use super::project_file::check_identifier;
use super::properties::{Entries, InFile, read_config};
use super::{Located, MaxRejected, Problem, Problems, SourceTable};
use mep_core::keys::{Key, Section, Shape, accepted, key, without_effect};

/// What a source says of the age of its rows, and each of its tables in place of it.
const FRESHNESS: Key = key(
    "freshness",
    "mapping",
    "",
    "How old its rows may be: `warn_after` and `error_after` of `count` and `period`, and a `filter`.",
);
const LOADED_AT_FIELD: Key =
    key("loaded_at_field", "SQL", "", "When a row was loaded, for `mep source freshness`.");

const SOURCE_KEYS: [Key; 16] = [
    key("name", "name", "needed", "As `source()` names it, and the target's connection."),
    key("description", "text", "", "What it is."),
    key("tables", "list of tables", "", "Its tables.").of(Shape::List(&Shape::Keys(&["A source table"]))),
    key("tags", "text or list", "", "Words to select by, of all its tables."),
    key("meta", "mapping", "", "Data of your own, of all its tables."),
    key(
        "max_rejected",
        "count or share, as 100 or 1%",
        "",
        "How many rows of each of its tables may be rejected.",
    ),
    key("config", "mapping", "", "Config of all its tables."),
    key(
        "schema",
        "name",
        "the source's",
        "Where dbt finds its tables: a node of the project that is built there is the table.",
    ),
    accepted("database", "A warehouse of mep has schemas alone."),
    key("loader", "text", "", "What brings its rows, for the artifacts."),
    FRESHNESS,
    LOADED_AT_FIELD,
    key("loaded_at_query", "SQL", "", "A query of when the latest row was loaded, in place of it."),
    accepted("quoting", "mep quotes where that is needed."),
    accepted("docs", "Of dbt's own docs."),
    without_effect("overrides", "A package's source of this name stays as the package declares it."),
];
const TABLE_KEYS: [Key; 28] = [
    key("name", "name", "needed", "As `source()` names it."),
    key("description", "text", "", "What it is."),
    key(
        "event_time",
        "column",
        "",
        "When a row's event happened: milliseconds since 1970, or a timestamp. The landed table gets `event_date` from it, the UTC day, and is partitioned by it.",
    ),
    key("land_as", "name", "raw_<table>", "The name of the landed table."),
    key("path", "glob", "<table>/*", "Its files, in the connection's folder."),
    FORMAT,
    CSV,
    key("topics", "list", "<topic_prefix><table>", "Its topics, from Kafka."),
    key(
        "on_lost_offsets",
        "fail or accept",
        "the connection's",
        "What to do where offsets are gone before they were landed.",
    ),
    key(
        "cursor",
        "column",
        "",
        "Of a table of a database: the date, timestamp or whole number by which it is divided into ranges. Each run lands those whose rows changed.",
    ),
    key(
        "max_rejected",
        "count or share, as 100 or 1%",
        "the source's",
        "How many of its rows may be rejected: a landing that would go past it fails. A share is one of the rows that a run lands, and of all.",
    ),
    key(
        "identifier",
        "name",
        "the table's",
        "Where dbt finds it: a node of the project that is built under this name is the table; else its files are `<identifier>/*`.",
    ),
    key("schema", "name", "the source's", "As for the whole source."),
    key(
        "external_location",
        "path, glob or call as `read_csv('…')`",
        "",
        "As in dbt-duckdb, here, in `config` or in `meta`: files that are loaded as a whole, with the columns that they have. `{name}`, `{identifier}`, `{schema}` and keys of `meta` are filled in.",
    ),
    key("columns", "list of columns", "", "Its columns, with `data_type`: what lands.")
        .of(Shape::List(&Shape::Keys(&["A column"]))),
    key("tests", "list of tests", "", "The old name of `data_tests`."),
    key("data_tests", "list of tests", "", "Tests of the landed table."),
    key("tags", "text or list", "", "Words to select by."),
    key("meta", "mapping", "", "Data of your own."),
    key("config", "mapping", "", "Config of the table.").of(Shape::Keys(&[
        "Every node",
        "Source tables",
        "Keys of dbt's adapters, of source tables",
    ])),
    FRESHNESS,
    LOADED_AT_FIELD,
    accepted("docs", "Of dbt's own docs."),
    accepted("constraints", "Those of a whole source table are not checked, which a warning says."),
    accepted("quoting", "mep quotes where that is needed."),
    key("loaded_at_query", "SQL", "", "A query of when the latest row was loaded, in place of it."),
    key("loader", "text", "", "What brings its rows, for the artifacts."),
    without_effect(
        "external",
        "No external table is made; say where its files are by the target, or by `external_location`.",
    ),
];
/// Keys that dbt allows beside `config:` as well as in it.
const CONFIG_KEYS: [&str; 3] = ["freshness", "loaded_at_field", "loaded_at_query"];

/// The keys of sources.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("A source", &[&SOURCE_KEYS]),
        Section::of("A source table", &[&TABLE_KEYS]),
        files_reference(),
    ]
}

/// Adds the tables of an entry of `sources:`.
pub(super) fn read_source(
    file: &InFile<'_>,
    source: Mapping<'_>,
    entries: &mut Entries,
    problems: &mut Problems,
) {
    source.check_keys("a source", &[&SOURCE_KEYS], problems);
    let description = file.reader.docs.description(source.get("description"), problems);
    let Some(name) = source.required("name", "a source", problems) else { return };
    let config = config_of(source, problems);
    let schema = source.get("schema").and_then(|item| item.text(problems));
    let loader = source.get("loader").and_then(|item| item.text(problems));
    let meta = config.get("meta").and_then(|meta| meta.value.as_object());
    let meta = meta.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    let Some(tables) = source.get("tables") else { return };
    for table in tables.mappings(problems) {
        let max_rejected = source.get("max_rejected");
        let above = Above {
            name: &name.value,
            description: description.as_deref(),
            config: &config,
            schema: schema.as_deref(),
            loader: loader.as_deref(),
            meta: &meta,
            max_rejected,
        };
        let Some((table, fqn)) = read_table(file, &above, table, problems) else { continue };
        let key = (table.source.clone(), table.name.clone());
        if let Some(first) = entries.sources.get(&key) {
            let name = format!("{}.{}", table.source, table.name);
            problems.push(written_twice("source tables", &name, &table.place, &first.place));
        } else {
            entries.sources.insert(key, table);
            entries.source_fqns.push(fqn);
        }
    }
}

/// What the source says of all its tables.
struct Above<'a> {
    name: &'a str,
    description: Option<&'a str>,
    config: &'a Config,
    schema: Option<&'a str>,
    loader: Option<&'a str>,
    meta: &'a IndexMap<String, Json>,
    max_rejected: Option<Item<'a>>,
}

fn config_of(mapping: Mapping<'_>, problems: &mut Problems) -> Config {
    let mut config = read_config(mapping, problems);
    for key in CONFIG_KEYS {
        if let Some(item) = mapping.get(key) {
            overlay(&mut config, key, item.json());
        }
    }
    config
}

fn read_table(
    file: &InFile<'_>,
    source: &Above<'_>,
    table: Mapping<'_>,
    problems: &mut Problems,
) -> Option<(SourceTable, Vec<String>)> {
    table.check_keys("a source table", &[&TABLE_KEYS], problems);
    let name = table.required("name", "a source table", problems)?;
    let mut fqn = file.folders.to_vec();
    fqn.extend([source.name.to_owned(), name.value.clone()]);
    let own = config_of(table, problems);
    let properties = file.properties(name.place.clone(), table, &own, problems);
    warn_of_source(&properties, problems);
    let mut config = file.reader.trees.sources.of(fqn.iter().map(String::as_str));
    overlay_all(&mut config, source.config);
    overlay_all(&mut config, &own);
    join_freshness(&mut config, source.config, &own);
    let mut text = |key: &str| match table.get(key) {
        Some(item) => item.located_text(problems),
        None => in_config(&config, key),
    };
    let (event_time, land_as, path) = (text("event_time"), text("land_as"), text("path"));
    let cursor = text("cursor");
    let (identifier, external_location) = (text("identifier"), text("external_location"));
    let external_location = external_location.or_else(|| in_meta(&config, "external_location"));
    let loader = table.get("loader").and_then(|item| item.located_text(problems));
    let schema = table.get("schema").and_then(|item| item.located_text(problems));
    let schema = schema.map(|schema| schema.value).or_else(|| source.schema.map(str::to_owned));
    if let Some(land_as) = &land_as {
        check_identifier(land_as, "a table's name", problems);
    }
    let reading = read_files_reading(table, problems);
    let topics = table.get("topics").map(|item| read_topics(item, problems)).unwrap_or_default();
    let on_lost_offsets = table.get("on_lost_offsets").and_then(|item| read_on_lost(item, problems));
    let written = [table.get("max_rejected").map(Item::json), own.get("max_rejected").cloned()];
    let of_source = source.max_rejected.map(Item::json).or_else(|| config.get("max_rejected").cloned());
    let max_rejected = written.into_iter().flatten().next().or(of_source);
    let max_rejected = max_rejected.and_then(|written| read_max_rejected(&written, problems));
    let table = SourceTable {
        source: source.name.to_owned(),
        source_description: source.description.map(str::to_owned),
        properties,
        event_time,
        land_as: land_as.map(|land_as| land_as.value),
        schema,
        path: path.map(|path| path.value),
        identifier: identifier.map(|name| name.value),
        external_location,
        reading,
        topics,
        on_lost_offsets,
        cursor,
        max_rejected,
        tags: config.get("tags").and_then(|tags| tags_of(&tags.value)).unwrap_or_default(),
        source_meta: source.meta.clone(),
        loader: loader.map(|loader| loader.value).or_else(|| source.loader.map(str::to_owned)),
        config,
        place: name.place,
        name: name.value,
    };
    Some((table, fqn))
}

/// Of `freshness`, a table says each limit over that of its source.
fn join_freshness(config: &mut Config, of_source: &Config, own: &Config) {
    let (Some(above), Some(said)) = (of_source.get("freshness"), own.get("freshness")) else { return };
    if let (Json::Object(above), Json::Object(said)) = (&above.value, &said.value)
        && let Some(joined) = config.get_mut("freshness")
    {
        let mut both = above.clone();
        both.extend(said.clone());
        joined.value = both.into();
    }
}

/// How many rows may be rejected, where that is said.
fn read_max_rejected(written: &Located<Json>, problems: &mut Problems) -> Option<MaxRejected> {
    let found = MaxRejected::read(&written.value);
    if found.is_none() && !written.value.is_null() {
        let message = format!("`max_rejected`: expected {EXPECTED}, found `{}`", written.value);
        problems.push(Problem::new(message).at(&written.place));
    }
    found
}

/// Names of topics: of letters, digits, `.`, `_` and `-`, at most 249 of them.
fn read_topics(item: Item<'_>, problems: &mut Problems) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for topic in item.texts(problems) {
        let name = &topic.value;
        let is_legal = !name.is_empty()
            && name.len() <= 249
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_legal {
            let message =
                format!("expected a topic's name of letters, digits, `.`, `_` and `-`, found `{name}`");
            problems.push(Problem::new(message).at(&topic.place));
        } else if topics.contains(name) {
            problems.push(Problem::new(format!("the topic `{name}` is named twice")).at(&topic.place));
        } else {
            topics.push(topic.value);
        }
    }
    topics
}

fn in_meta(config: &Config, key: &str) -> Option<Located<String>> {
    let meta = config.get("meta")?;
    let value = meta.value.get(key)?.as_str()?.to_owned();
    Some(Located { value, place: meta.place.clone() })
}

fn in_config(config: &Config, key: &str) -> Option<Located<String>> {
    let found = config.get(key)?;
    let value = found.value.as_str()?.to_owned();
    Some(Located { value, place: found.place.clone() })
}

/// Gives every table of a source the description that stands in only one of its files.
pub(super) fn share_descriptions(sources: &mut [SourceTable]) {
    let mut described: HashMap<String, String> = HashMap::new();
    for table in &*sources {
        if let Some(description) = &table.source_description {
            described.entry(table.source.clone()).or_insert_with(|| description.clone());
        }
    }
    for table in sources.iter_mut().filter(|table| table.source_description.is_none()) {
        table.source_description = described.get(&table.source).cloned();
    }
}
