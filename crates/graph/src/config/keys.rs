//! The keys of config, for each kind of node.

use mep_core::keys::{Key, Section, Shape, accepted, key};
use mep_sql::snapshot::HardDeletes;

use super::adapter_keys;
use super::key::{COLUMNS, ConfigKey, TEXTS, elsewhere, keys_of, of_node, of_seed, of_snapshot, of_test};
use super::model_keys::MODEL;
use super::snapshot::SnapshotStrategy;
use super::test::{FailuresKept, Severity};
use super::word::words_of;

const HOOK: Shape = Shape::OneOrMore(&Shape::Either(&[Shape::Text, Shape::Mapping(&Shape::Any)]));
const COUNT: Shape = Shape::Either(&[Shape::Number, Shape::Text]);

/// Keys that every node may have.
pub(super) const COMMON: [ConfigKey; 8] = [
    of_node(key("enabled", "true or false", "true", "Whether the node takes part at all.").of(Shape::Boolean), |read, config| config.enabled = read.boolean().unwrap_or(true)),
    of_node(key("tags", "text or list", "", "Words to select by: `tag:nightly`. Those of folders are added to the node's own.").of(TEXTS), |read, config| config.tags = read.list()),
    of_node(key("meta", "mapping", "", "Data of your own; charts of an exposure stand here too.").of(Shape::Mapping(&Shape::Any)), |read, config| config.meta = read.value().clone()),
    of_node(key("group", "name", "", "The group that the node is of: private models of it are for this group alone.").of(Shape::Text), |read, config| config.group = read.text()),
    elsewhere(accepted("docs", "Of dbt's own docs.")),
    elsewhere(accepted("description", "Stands beside `config:`, and is read there.")),
    elsewhere(accepted("database", "A warehouse of mep has schemas alone.")),
    of_node(key("event_time", "column", "", "When a row's event happened: microbatch models read by it, and landed tables get `event_date` from it.").of(Shape::Text), |read, config| config.event_time = read.text()),
];
/// Keys of what is built: statements around it, of all places together.
pub(super) const HOOKS: [ConfigKey; 4] = [
    of_node(key("pre_hook", "SQL, a list of these, or mappings with `sql`", "", "Texts that are rendered, and whose questions are asked, before the node is built. A statement that writes is refused; one without effect here (`grant`, `analyze`, …) is told once.").of(HOOK), |read, config| config.hooks.before.extend(read.hooks())),
    of_node(key("pre-hook", "as `pre_hook`", "", "The same.").of(HOOK), |read, config| config.hooks.before.extend(read.hooks())),
    of_node(key("post_hook", "as `pre_hook`", "", "The same, once the node is published.").of(HOOK), |read, config| config.hooks.after.extend(read.hooks())),
    of_node(key("post-hook", "as `pre_hook`", "", "The same.").of(HOOK), |read, config| config.hooks.after.extend(read.hooks())),
];
/// Keys of a seed.
pub(super) const SEED: [ConfigKey; 7] = [
    of_node(key("schema", "name", "the target's", "The schema, added to the target's as dbt adds it.").of(Shape::Text), |read, config| config.schema = read.text()),
    of_node(key("alias", "name", "the file's", "The table's name.").of(Shape::Text), |read, config| config.alias = read.text()),
    of_seed(key("column_types", "mapping of columns to types", "found from the values", "The types of columns, by any name that SQL has for them. A value that a type would cut or round is an error.").of(Shape::Mapping(&Shape::Text)), |read, config| config.column_types = read.column_types()),
    of_seed(key("delimiter", "one character", ",", "What separates fields.").of(Shape::Text), |read, config| config.delimiter = read.delimiter().unwrap_or(',')),
    elsewhere(accepted("quote_columns", "mep quotes where that is needed.")),
    of_node(key("full_refresh", "true or false", "as called", "`false` leaves the seed as it is under `--full-refresh`.").of(Shape::Boolean), |read, config| config.full_refresh = read.boolean()),
    elsewhere(accepted("quoting", "mep quotes where that is needed.")),
];
/// Keys of a snapshot.
pub(super) const SNAPSHOT: [ConfigKey; 13] = [
    of_snapshot(
        key(
            "strategy",
            "",
            "needed",
            "How changes are found: by `updated_at`, or by comparing `check_cols`.",
        )
        .of(Shape::Words(words_of::<SnapshotStrategy>)),
        |read, config| config.strategy = read.word(),
    ),
    of_snapshot(
        key("unique_key", "column or list", "needed", "The columns that name a row.").of(COLUMNS),
        |read, config| config.unique_key = read.columns(),
    ),
    of_snapshot(
        key("updated_at", "column", "", "The time of a row's last change: a timestamp or a date.")
            .of(Shape::Text),
        |read, config| config.updated_at = read.text(),
    ),
    of_snapshot(
        key("check_cols", "column, list or all", "", "The columns whose change makes a version.").of(TEXTS),
        |read, config| config.check_cols = read.check_columns(),
    ),
    of_snapshot(
        key("hard_deletes", "", "ignore", "What happens to rows that are gone from the source.")
            .of(Shape::Words(words_of::<HardDeletes>)),
        |read, config| config.hard_deletes = read.word().unwrap_or_default(),
    ),
    of_snapshot(
        key(
            "invalidate_hard_deletes",
            "true or false",
            "false",
            "The old name of `hard_deletes: invalidate`.",
        )
        .of(Shape::Boolean),
        |read, config| config.hard_deletes = read.invalidates(),
    ),
    of_snapshot(
        key("dbt_valid_to_current", "SQL", "NULL", "The end of a current version's range.").of(Shape::Text),
        |read, config| config.valid_to_current = read.text(),
    ),
    of_snapshot(
        key(
            "snapshot_meta_column_names",
            "mapping of dbt's names to yours",
            "dbt's",
            "The names of the columns that a snapshot adds.",
        )
        .of(Shape::Mapping(&Shape::Text)),
        |read, config| config.names = read.snapshot_names(),
    ),
    of_snapshot(
        key("target_schema", "name", "the target's", "The schema, in place of the target's.").of(Shape::Text),
        |read, config| config.target_schema = read.text(),
    ),
    elsewhere(accepted("target_database", "A warehouse of mep has schemas alone.")),
    of_node(
        key("schema", "name", "the target's", "The schema, added to the target's as dbt adds it.")
            .of(Shape::Text),
        |read, config| config.schema = read.text(),
    ),
    of_node(key("alias", "name", "the snapshot's", "The table's name.").of(Shape::Text), |read, config| {
        config.alias = read.text();
    }),
    elsewhere(accepted("quoting", "mep quotes where that is needed.")),
];
/// Keys of a test.
pub(super) const TEST: [ConfigKey; 10] = [
    of_test(key("severity", "", "error", "Whether failing rows fail the run or only warn.").of(Shape::Words(words_of::<Severity>)), |read, config| config.severity = read.word().unwrap_or_default()),
    of_test(key("where", "SQL", "", "The test looks only at rows for which this holds.").of(Shape::Text), |read, config| config.where_sql = read.text()),
    of_test(key("limit", "number", "", "The test counts at most this many rows.").of(Shape::Number), |read, config| config.limit = read.limit()),
    of_test(key("warn_if", "comparison, as `>10`", "!=0", "The number of failing rows that warns.").of(Shape::Text), |read, config| config.warn_if = read.threshold()),
    of_test(key("error_if", "comparison, as `>10`", "!=0", "The number of failing rows that fails.").of(Shape::Text), |read, config| config.error_if = read.threshold()),
    of_test(key("fail_calc", "SQL", "count(*)", "How failing rows are counted.").of(Shape::Text), |read, config| config.fail_calc = read.text().unwrap_or_else(|| "count(*)".to_owned())),
    of_test(key("store_failures", "true or false", "as called", "Whether failing rows are kept in a table, which each run of the test writes anew; `--store-failures` says it for all tests that do not say.").of(Shape::Boolean), |read, config| config.store_failures = read.boolean()),
    of_test(key("store_failures_as", "", "table", "What failing rows are kept as; `ephemeral` keeps none.").of(Shape::Words(words_of::<FailuresKept>)), |read, config| config.store_failures_as = read.word_or_nothing()),
    of_node(key("schema", "name", "dbt_test__audit", "The schema of the kept rows, added to the target's as dbt adds it.").of(Shape::Text), |read, config| config.schema = read.text()),
    of_node(key("alias", "name", "the test's", "The name of the table of kept rows.").of(Shape::Text), |read, config| config.alias = read.text()),
];
/// Keys of a source table.
pub(super) const SOURCE: [ConfigKey; 11] = [
    elsewhere(accepted("freshness", "Of `dbt source freshness`.")),
    elsewhere(accepted("loaded_at_field", "Of `dbt source freshness`.")),
    elsewhere(key("land_as", "name", "raw_<table>", "The name of the landed table.").of(Shape::Text)),
    elsewhere(
        key("external_location", "path, glob or call", "", "As in dbt-duckdb: see the table's own keys.")
            .of(Shape::Text),
    ),
    elsewhere(key("schema", "name", "", "As of the source.").of(Shape::Text)),
    elsewhere(key("identifier", "name", "", "As of the table.").of(Shape::Text)),
    elsewhere(accepted("loaded_at_query", "Of `dbt source freshness`.")),
    elsewhere(accepted("quoting", "mep quotes where that is needed.")),
    elsewhere(accepted("formatter", "Of dbt-duckdb: how patterns are filled in.")),
    elsewhere(
        key("path", "glob", "<table>/*", "The files of the table, in the connection's folder.")
            .of(Shape::Text),
    ),
    elsewhere(
        key(
            "max_rejected",
            "count or share, as 100 or 1%",
            "",
            "How many rows of the table may be rejected: a landing that would go past it fails.",
        )
        .of(COUNT),
    ),
];

/// Keys that dbt knows and that would change results, were they not honoured.
pub(super) const NOT_SUPPORTED: [Key; 12] = [
    key("sql_header", "", "", "A model is one SELECT."),
    key("partitions", "", "", "Which partitions are overwritten follows from the rows that a model gives."),
    key("immutable_where", "", "", "All rows of a table are those that its model gives."),
    key("merge_with_schema_evolution", "", "", "Use `on_schema_change`."),
    key("skip_matched_step", "", "", "Use `merge_update_columns`, or write the rows that are wanted."),
    key("skip_not_matched_step", "", "", "Write the rows that are wanted."),
    key("matched_condition", "", "", "Use `incremental_predicates`, or write the rows that are wanted."),
    key("not_matched_condition", "", "", "Write the rows that are wanted."),
    key("not_matched_by_source_action", "", "", "Write the rows that are wanted."),
    key("not_matched_by_source_condition", "", "", "Write the rows that are wanted."),
    key("insert_condition", "", "", "Write the rows that are wanted."),
    key("update_condition", "", "", "Use `incremental_predicates`, or write the rows that are wanted."),
];

/// The keys of config, for the reference.
pub fn reference_of_config() -> Vec<Section> {
    let mut sections = vec![
        Section::of("Every node", &[&keys_of(&COMMON)]),
        Section::of("Models", &[&keys_of(&MODEL)]),
        Section::of("Seeds", &[&keys_of(&SEED)]),
        Section::of("Snapshots", &[&keys_of(&SNAPSHOT)]),
        Section::of("Models, seeds and snapshots", &[&keys_of(&HOOKS)]),
        Section::of("Tests", &[&keys_of(&TEST)]),
        Section::of("Source tables", &[&keys_of(&SOURCE)]),
        Section::refused("What config may not have", &NOT_SUPPORTED),
    ];
    sections.extend(adapter_keys::reference());
    sections
}
