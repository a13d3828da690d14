//! The keys of a model's config.

use mep_core::keys::{Shape, accepted, key};
use mep_core::time_range::BatchSize;

use super::incremental::MergeColumns;
use super::key::{COLUMNS, ConfigKey, TEXTS, elsewhere, of_model, of_node};
use super::model::{
    Access, IncrementalStrategy, Materialization, ModelStore, OnCodeChange, OnSchemaChange, PublishWhen,
};
use super::word::words_of;

/// Keys of a model.
pub(super) const MODEL: [ConfigKey; 32] = [
    of_model(key("access", "", "protected", "Who may refer to the model: its group, its project, or all.").of(Shape::Words(words_of::<Access>)), |read, config| config.access = read.word().unwrap_or_default()),
    of_model(key("contract", "{enforced: true}", "", "The columns and types of the properties are those that the model must have, which is checked before anything is built; its constraints are checked before its rows are published.").of(Shape::Mapping(&Shape::Boolean)), |read, config| config.contract = read.contract()),
    of_model(key("materialized", "", "view", "How the model becomes a relation.").of(Shape::Words(words_of::<Materialization>)), |read, config| config.materialized = read.materialized()),
    of_model(key("partition_by", "column or list", "", "The columns whose values name the partitions.").of(COLUMNS), |read, config| config.partition_by = read.columns()),
    of_model(key("unique_key", "column or list", "", "The columns that name a row: for merges, and for histories.").of(COLUMNS), |read, config| config.unique_key = read.columns()),
    of_model(key("incremental_strategy", "", "derived", "How new rows join the stored ones where the model asks `is_incremental()`: without it merge by a `unique_key`, else the partitions are overwritten, else rows are added.").of(Shape::Words(strategies)), |read, config| config.incremental_strategy = read.strategy()),
    of_model(key("merge_update_columns", "column or list", "all", "The columns that a merge replaces in stored rows.").of(TEXTS), |read, config| read.merge_columns(config, MergeColumns::Only)),
    of_model(key("merge_exclude_columns", "column or list", "none", "The columns that a merge leaves as they are stored.").of(TEXTS), |read, config| read.merge_columns(config, MergeColumns::AllBut)),
    of_model(key("incremental_predicates", "SQL or list", "", "The conditions that a stored row must meet to be replaced.").of(TEXTS), |read, config| config.incremental_predicates = read.list()),
    of_model(key("begin", "day or time", "", "The time of a microbatch model's first batch.").of(Shape::Text), |read, config| config.microbatch.begin = read.time()),
    of_model(key("batch_size", "", "", "How much event time a batch covers.").of(Shape::Words(words_of::<BatchSize>)), |read, config| config.microbatch.batch_size = read.word()),
    of_model(key("lookback", "number", "1", "How many batches before the latest one are run again each time.").of(Shape::Number), |read, config| config.microbatch.lookback = read.lookback().unwrap_or(1)),
    elsewhere(accepted("concurrent_batches", "mep decides by the machine's cores.")),
    of_model(key("publish", "", "at_once", "When readers see new content: once it is built, or once it has passed its tests.").of(Shape::Words(words_of::<PublishWhen>)), |read, config| config.publish = read.word().unwrap_or_default()),
    of_model(key("on_schema_change", "", "ignore", "What happens to stored rows when the columns of a model with `is_incremental()` change.").of(Shape::Words(words_of::<OnSchemaChange>)), |read, config| config.on_schema_change = read.word().unwrap_or_default()),
    of_model(key("on_code_change", "", "rebuild", "What happens to what an earlier version of the model's SQL built.").of(Shape::Words(words_of::<OnCodeChange>)), |read, config| config.on_code_change = read.word().unwrap_or_default()),
    of_model(key("changes", "mapping of inputs to ignore or rebuild", "rebuild", "Inputs of which a change asks for no build.").of(Shape::Mapping(&Shape::Text)), |read, config| config.ignored_changes = read.ignored_changes()),
    of_node(key("schema", "name", "the target's", "The schema, added to the target's as dbt adds it: `<target>_<schema>`.").of(Shape::Text), |read, config| config.schema = read.text()),
    of_node(key("alias", "name", "the file's", "The relation's name.").of(Shape::Text), |read, config| config.alias = read.text()),
    of_node(key("full_refresh", "true or false", "as called", "`false` protects the table from `--full-refresh`, `true` builds it anew on every run.").of(Shape::Boolean), |read, config| config.full_refresh = read.boolean()),
    elsewhere(accepted("quoting", "mep quotes where that is needed.")),
    elsewhere(accepted("file_format", "Tables are Parquet.")),
    elsewhere(accepted("packages", "Of dbt's Python models.")),
    of_model(key("store", "", "warehouse", "Of a table, incremental model or history: `cassandra` serves its rows from there too, by `partition_key` and `clustering`.").of(Shape::Words(words_of::<ModelStore>)), |read, config| config.store = read.word().unwrap_or_default()),
    of_model(key("partition_key", "column or list", "", "Of a streaming model, or one in Cassandra: the columns that decide where a row lies.").of(COLUMNS), |read, config| config.streaming.partition_key = read.columns()),
    of_model(key("clustering", "columns, each with asc or desc", "", "Of a streaming model, or one in Cassandra: the columns that tell the rows of a partition apart and sort them.").of(TEXTS), |read, config| config.streaming.clustering = read.clustering()),
    of_model(key("ttl", "span of time, as `7 days`", "for ever", "Of a streaming model, or one in Cassandra: how long a row is kept there after it was written; the warehouse keeps all.").of(Shape::Text), |read, config| config.streaming.ttl = read.span_of_time()),
    of_model(key("allowed_lateness", "span of time, as `5 minutes`", "5 minutes", "Of a streaming model: how late an event may come.").of(Shape::Text), |read, config| config.streaming.allowed_lateness = read.span_of_time()),
    of_model(key("valid_from", "column", "", "Of a history: the time of an event.").of(Shape::Text), |read, config| config.history.valid_from = read.text()),
    of_model(key("check_cols", "column, list or all", "all", "Of a history: the columns whose change makes a version.").of(TEXTS), |read, config| config.check_cols = read.check_columns()),
    of_model(key("sequence_by", "column or list", "", "Of a history: what orders the events of a key at one instant.").of(TEXTS), |read, config| config.history.sequence_by = read.list()),
    of_model(key("deleted_when", "SQL", "", "Of a history: true for an event that deletes its key.").of(Shape::Text), |read, config| config.history.deleted_when = read.text()),
];

/// `derived` is what holds where none is said.
fn strategies() -> Vec<&'static str> {
    let mut words = words_of::<IncrementalStrategy>();
    words.push("derived");
    words
}
