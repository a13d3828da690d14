//! The keys of config, for each kind of node.

use super::adapter_keys;
use mep_core::keys::{Key, Section, accepted, key};

/// Keys that every node may have.
pub(super) const COMMON: [Key; 8] = [
    key("enabled", "true or false", "true", "Whether the node takes part at all."),
    key(
        "tags",
        "text or list",
        "",
        "Words to select by: `tag:nightly`. Those of folders are added to the node's own.",
    ),
    key("meta", "mapping", "", "Data of your own; charts of an exposure stand here too."),
    key("group", "name", "", "The group that the node is of: private models of it are for this group alone."),
    accepted("docs", "Of dbt's own docs."),
    accepted("description", "Stands beside `config:`, and is read there."),
    accepted("database", "A warehouse of mep has schemas alone."),
    key(
        "event_time",
        "column",
        "",
        "When a row's event happened: microbatch models read by it, and landed tables get `event_date` from it.",
    ),
];
/// Keys of what is built: statements around it, of all places together.
pub(super) const HOOKS: [Key; 4] = [
    key(
        "pre_hook",
        "SQL, a list of these, or mappings with `sql`",
        "",
        "Texts that are rendered, and whose questions are asked, before the node is built. A statement that writes is refused; one without effect here (`grant`, `analyze`, …) is told once.",
    ),
    key("pre-hook", "as `pre_hook`", "", "The same."),
    key("post_hook", "as `pre_hook`", "", "The same, once the node is published."),
    key("post-hook", "as `pre_hook`", "", "The same."),
];
/// Keys of a model.
pub(super) const MODEL: [Key; 32] = [
    key(
        "access",
        "private, protected or public",
        "protected",
        "Who may refer to the model: its group, its project, or all.",
    ),
    key(
        "contract",
        "{enforced: true}",
        "",
        "The columns and types of the properties are those that the model must have, which is checked before anything is built; its constraints are checked before its rows are published.",
    ),
    key(
        "materialized",
        "view, table, incremental, ephemeral, history or streaming",
        "view",
        "How the model becomes a relation.",
    ),
    key("partition_by", "column or list", "", "The columns whose values name the partitions."),
    key("unique_key", "column or list", "", "The columns that name a row: for merges, and for histories."),
    key(
        "incremental_strategy",
        "append, merge, delete+insert, insert_overwrite, microbatch or derived",
        "derived",
        "How new rows join the stored ones where the model asks `is_incremental()`: without it merge by a `unique_key`, else the partitions are overwritten, else rows are added.",
    ),
    key("merge_update_columns", "column or list", "all", "The columns that a merge replaces in stored rows."),
    key(
        "merge_exclude_columns",
        "column or list",
        "none",
        "The columns that a merge leaves as they are stored.",
    ),
    key(
        "incremental_predicates",
        "SQL or list",
        "",
        "The conditions that a stored row must meet to be replaced.",
    ),
    key("begin", "day or time", "", "The time of a microbatch model's first batch."),
    key("batch_size", "hour, day, month or year", "", "How much event time a batch covers."),
    key("lookback", "number", "1", "How many batches before the latest one are run again each time."),
    accepted("concurrent_batches", "mep decides by the machine's cores."),
    key(
        "publish",
        "at_once or after_tests",
        "at_once",
        "When readers see new content: once it is built, or once it has passed its tests.",
    ),
    key(
        "on_schema_change",
        "ignore, fail, append_new_columns, sync_all_columns or backfill",
        "ignore",
        "What happens to stored rows when the columns of a model with `is_incremental()` change.",
    ),
    key(
        "on_code_change",
        "rebuild or keep",
        "rebuild",
        "What happens to what an earlier version of the model's SQL built.",
    ),
    key(
        "changes",
        "mapping of inputs to ignore or rebuild",
        "rebuild",
        "Inputs of which a change asks for no build.",
    ),
    key(
        "schema",
        "name",
        "the target's",
        "The schema, added to the target's as dbt adds it: `<target>_<schema>`.",
    ),
    key("alias", "name", "the file's", "The relation's name."),
    key(
        "full_refresh",
        "true or false",
        "as called",
        "`false` protects the table from `--full-refresh`, `true` builds it anew on every run.",
    ),
    accepted("quoting", "mep quotes where that is needed."),
    accepted("file_format", "Tables are Parquet."),
    accepted("packages", "Of dbt's Python models."),
    key(
        "store",
        "warehouse or cassandra",
        "warehouse",
        "Of a table, incremental model or history: `cassandra` serves its rows from there too, by `partition_key` and `clustering`.",
    ),
    key(
        "partition_key",
        "column or list",
        "",
        "Of a streaming model, or one in Cassandra: the columns that decide where a row lies.",
    ),
    key(
        "clustering",
        "columns, each with asc or desc",
        "",
        "Of a streaming model, or one in Cassandra: the columns that tell the rows of a partition apart and sort them.",
    ),
    key(
        "ttl",
        "span of time, as `7 days`",
        "for ever",
        "Of a streaming model, or one in Cassandra: how long a row is kept there after it was written; the warehouse keeps all.",
    ),
    key(
        "allowed_lateness",
        "span of time, as `5 minutes`",
        "5 minutes",
        "Of a streaming model: how late an event may come.",
    ),
    key("valid_from", "column", "", "Of a history: the time of an event."),
    key(
        "check_cols",
        "column, list or all",
        "all",
        "Of a history: the columns whose change makes a version.",
    ),
    key("sequence_by", "column or list", "", "Of a history: what orders the events of a key at one instant."),
    key("deleted_when", "SQL", "", "Of a history: true for an event that deletes its key."),
];
/// Keys of a seed.
pub(super) const SEED: [Key; 7] = [
    key("schema", "name", "the target's", "The schema, added to the target's as dbt adds it."),
    key("alias", "name", "the file's", "The table's name."),
    key(
        "column_types",
        "mapping of columns to types",
        "found from the values",
        "The types of columns, by any name that SQL has for them. A value that a type would cut or round is an error.",
    ),
    key("delimiter", "one character", ",", "What separates fields."),
    accepted("quote_columns", "mep quotes where that is needed."),
    key(
        "full_refresh",
        "true or false",
        "as called",
        "`false` leaves the seed as it is under `--full-refresh`.",
    ),
    accepted("quoting", "mep quotes where that is needed."),
];
/// Keys of a snapshot.
pub(super) const SNAPSHOT: [Key; 13] = [
    key(
        "strategy",
        "timestamp or check",
        "needed",
        "How changes are found: by `updated_at`, or by comparing `check_cols`.",
    ),
    key("unique_key", "column or list", "needed", "The columns that name a row."),
    key("updated_at", "column", "", "The time of a row's last change: a timestamp or a date."),
    key("check_cols", "column, list or all", "", "The columns whose change makes a version."),
    key(
        "hard_deletes",
        "ignore, invalidate or new_record",
        "ignore",
        "What happens to rows that are gone from the source.",
    ),
    key("invalidate_hard_deletes", "true or false", "false", "The old name of `hard_deletes: invalidate`."),
    key("dbt_valid_to_current", "SQL", "NULL", "The end of a current version's range."),
    key(
        "snapshot_meta_column_names",
        "mapping of dbt's names to yours",
        "dbt's",
        "The names of the columns that a snapshot adds.",
    ),
    key("target_schema", "name", "the target's", "The schema, in place of the target's."),
    accepted("target_database", "A warehouse of mep has schemas alone."),
    key("schema", "name", "the target's", "The schema, added to the target's as dbt adds it."),
    key("alias", "name", "the snapshot's", "The table's name."),
    accepted("quoting", "mep quotes where that is needed."),
];
/// Keys of a test.
pub(super) const TEST: [Key; 10] = [
    key("severity", "error or warn", "error", "Whether failing rows fail the run or only warn."),
    key("where", "SQL", "", "The test looks only at rows for which this holds."),
    key("limit", "number", "", "The test counts at most this many rows."),
    key("warn_if", "comparison, as `>10`", "!=0", "The number of failing rows that warns."),
    key("error_if", "comparison, as `>10`", "!=0", "The number of failing rows that fails."),
    key("fail_calc", "SQL", "count(*)", "How failing rows are counted."),
    key(
        "store_failures",
        "true or false",
        "as called",
        "Whether failing rows are kept in a table, which each run of the test writes anew; `--store-failures` says it for all tests that do not say.",
    ),
    key(
        "store_failures_as",
        "table, view or ephemeral",
        "table",
        "What failing rows are kept as; `ephemeral` keeps none.",
    ),
    key(
        "schema",
        "name",
        "dbt_test__audit",
        "The schema of the kept rows, added to the target's as dbt adds it.",
    ),
    key("alias", "name", "the test's", "The name of the table of kept rows."),
];
/// Keys of a source table.
pub(super) const SOURCE: [Key; 11] = [
    accepted("freshness", "Of `dbt source freshness`."),
    accepted("loaded_at_field", "Of `dbt source freshness`."),
    key("land_as", "name", "raw_<table>", "The name of the landed table."),
    key("external_location", "path, glob or call", "", "As in dbt-duckdb: see the table's own keys."),
    key("schema", "name", "", "As of the source."),
    key("identifier", "name", "", "As of the table."),
    accepted("loaded_at_query", "Of `dbt source freshness`."),
    accepted("quoting", "mep quotes where that is needed."),
    accepted("formatter", "Of dbt-duckdb: how patterns are filled in."),
    key("path", "glob", "<table>/*", "The files of the table, in the connection's folder."),
    key(
        "max_rejected",
        "count or share, as 100 or 1%",
        "",
        "How many rows of the table may be rejected: a landing that would go past it fails.",
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
        Section::of("Every node", &[&COMMON]),
        Section::of("Models", &[&MODEL]),
        Section::of("Seeds", &[&SEED]),
        Section::of("Snapshots", &[&SNAPSHOT]),
        Section::of("Models, seeds and snapshots", &[&HOOKS]),
        Section::of("Tests", &[&TEST]),
        Section::of("Source tables", &[&SOURCE]),
        Section::refused("What config may not have", &NOT_SUPPORTED),
    ];
    sections.extend(adapter_keys::reference());
    sections
}
