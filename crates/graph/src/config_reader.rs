//! Config as users write it, typed: what is unknown or wrong is told at its place.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::adapter_keys::adapter_keys;
use super::config::{
    Access, CheckColumns, FailuresKept, IncrementalStrategy, Materialization, ModelStore, NodeConfig,
    OnCodeChange, OnSchemaChange, PublishWhen, Severity,
};
use super::config_keys::{COMMON, HOOKS, MODEL, NOT_SUPPORTED, SEED, SNAPSHOT, SOURCE, TEST};
use super::history_config;
use super::incremental_config::MergeColumns;
use super::serving;
use super::threshold::Threshold;
use mep_core::keys::{self, Effect, Key};
use mep_core::warnings::WarningKind;
use mep_lang::project::{Located, Place, Problem, Problems, Weight, nearest};
use mep_sql::snapshot::HardDeletes;

/// What config is for, which decides the keys that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigOf {
    /// A model.
    Model,
    /// A seed.
    Seed,
    /// A snapshot.
    Snapshot,
    /// A test.
    Test,
    /// A source table.
    Source,
}

/// Types the merged config of a node, saying all that is wrong with it.
pub(super) fn read(
    of: ConfigOf,
    raw: &IndexMap<String, Located<Json>>,
    problems: &mut Problems,
) -> NodeConfig {
    let mut config = NodeConfig::default();
    for (key, located) in raw {
        config.raw.insert(key.clone(), located.value.clone());
        config.places.insert(key.clone(), located.place.clone());
        let mut reader = ConfigReader { key, located, problems };
        reader.apply(of, &mut config);
    }
    if of == ConfigOf::Model {
        history_config::check(&config, problems);
        serving::check_config(&config, problems);
    }
    config
}

pub(super) struct ConfigReader<'a> {
    pub(super) key: &'a str,
    pub(super) located: &'a Located<Json>,
    pub(super) problems: &'a mut Problems,
}

impl ConfigReader<'_> {
    fn apply(&mut self, of: ConfigOf, config: &mut NodeConfig) {
        let own: &[Key] = match of {
            ConfigOf::Model => &MODEL,
            ConfigOf::Seed => &SEED,
            ConfigOf::Snapshot => &SNAPSHOT,
            ConfigOf::Test => &TEST,
            ConfigOf::Source => &SOURCE,
        };
        if keys::has(&NOT_SUPPORTED, self.key) {
            let says_nothing = match &self.located.value {
                Json::Bool(false) | Json::Null => true,
                Json::Array(items) => items.is_empty(),
                Json::Object(entries) => entries.is_empty(),
                Json::String(text) => text.trim().is_empty(),
                _ => false,
            };
            if !says_nothing {
                config.refused.push(self.key.to_owned());
            }
            return;
        }
        let hooks: &[Key] = match of {
            ConfigOf::Model | ConfigOf::Seed | ConfigOf::Snapshot => &HOOKS,
            ConfigOf::Test | ConfigOf::Source => &[],
        };
        let tables = [&COMMON as &[Key], own, hooks, adapter_keys(of)];
        let Some(known) = tables.into_iter().find_map(|keys| keys::find(keys, self.key)) else {
            return self.unknown(own);
        };
        if known.effect == Effect::Told {
            return self.has_no_effect(known);
        }
        match self.key {
            "materialized" => match self.materialized() {
                Some(materialized) => config.materialized = materialized,
                None => config.refused.push(self.key.to_owned()),
            },
            "partition_by" => config.partition_by = self.columns(),
            "unique_key" => config.unique_key = self.columns(),
            "incremental_strategy" => config.incremental_strategy = self.strategy(),
            "merge_update_columns" => self.merge_columns(config, MergeColumns::Only),
            "merge_exclude_columns" => self.merge_columns(config, MergeColumns::AllBut),
            "incremental_predicates" => config.incremental_predicates = self.list(),
            "event_time" => config.event_time = self.text(),
            "begin" => config.microbatch.begin = self.time(),
            "batch_size" => config.microbatch.batch_size = self.batch_size(),
            "lookback" => config.microbatch.lookback = self.lookback().unwrap_or(1),
            "publish" => config.publish = self.publish().unwrap_or_default(),
            "on_code_change" => config.on_code_change = self.on_code_change().unwrap_or_default(),
            "changes" => config.ignored_changes = self.ignored_changes(),
            "on_schema_change" => config.on_schema_change = self.on_schema_change().unwrap_or_default(),
            "pre_hook" | "pre-hook" => config.hooks.before.extend(self.hooks()),
            "post_hook" | "post-hook" => config.hooks.after.extend(self.hooks()),
            "schema" => config.schema = self.text(),
            "alias" => config.alias = self.text(),
            "access" => config.access = self.access().unwrap_or_default(),
            "group" => config.group = self.text(),
            "contract" => config.contract = self.contract(),
            "tags" => config.tags = self.list(),
            "enabled" => config.enabled = self.boolean().unwrap_or(true),
            "full_refresh" => config.full_refresh = self.boolean(),
            "meta" => config.meta = self.located.value.clone(),
            "store" => config.store = self.store().unwrap_or_default(),
            "partition_key" => config.streaming.partition_key = self.columns(),
            "clustering" => config.streaming.clustering = self.clustering(),
            "ttl" => config.streaming.ttl = self.span_of_time(),
            "allowed_lateness" => config.streaming.allowed_lateness = self.span_of_time(),
            "valid_from" => config.history.valid_from = self.text(),
            "sequence_by" => config.history.sequence_by = self.list(),
            "deleted_when" => config.history.deleted_when = self.text(),
            "check_cols" => config.check_cols = self.check_columns(),
            "strategy" => config.snapshot.strategy = self.snapshot_strategy(),
            "updated_at" => config.snapshot.updated_at = self.text(),
            "hard_deletes" => config.snapshot.hard_deletes = self.hard_deletes().unwrap_or_default(),
            "invalidate_hard_deletes" => {
                let invalidates = self.boolean().unwrap_or_default();
                config.snapshot.hard_deletes =
                    if invalidates { HardDeletes::Invalidate } else { HardDeletes::Ignore };
            }
            "dbt_valid_to_current" => config.snapshot.valid_to_current = self.text(),
            "snapshot_meta_column_names" => config.snapshot.names = self.snapshot_names(),
            "target_schema" => config.snapshot.target_schema = self.text(),
            "column_types" => config.column_types = self.column_types(),
            "delimiter" => config.delimiter = self.delimiter().unwrap_or(','),
            "severity" => config.severity = self.severity().unwrap_or_default(),
            "where" => config.where_sql = self.text(),
            "limit" => config.limit = self.limit(),
            "warn_if" => config.warn_if = self.threshold(),
            "error_if" => config.error_if = self.threshold(),
            "store_failures" => config.store_failures = self.boolean(),
            "store_failures_as" => config.store_failures_as = self.failures_kept(),
            "fail_calc" => config.fail_calc = self.text().unwrap_or_else(|| "count(*)".to_owned()),
            _ => {}
        }
    }

    fn access(&mut self) -> Option<Access> {
        self.one_of(&[
            ("private", Access::Private),
            ("protected", Access::Protected),
            ("public", Access::Public),
        ])
    }

    fn failures_kept(&mut self) -> Option<FailuresKept> {
        if self.located.value.is_null() {
            return None;
        }
        self.one_of(&[
            ("table", FailuresKept::Table),
            ("view", FailuresKept::View),
            ("ephemeral", FailuresKept::Ephemeral),
        ])
    }

    /// Whether a contract is enforced.
    fn contract(&mut self) -> bool {
        let enforced = match &self.located.value {
            Json::Object(entries) => entries.get("enforced").cloned().unwrap_or_default(),
            other => other.clone(),
        };
        match enforced {
            Json::Bool(enforced) => enforced,
            Json::Null => false,
            _ => self.expected("{enforced: true}").unwrap_or_default(),
        }
    }

    fn place(&self) -> &Place {
        &self.located.place
    }

    fn unknown(&mut self, own: &[Key]) {
        let problem = Problem::new(format!("unknown config key `{}`", self.key)).at(self.place());
        let problem = match nearest(self.key, keys::names(&COMMON).chain(keys::names(own))) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("keys for your own use belong under `meta`"),
        };
        self.problems.push(problem.weighing(Weight::Unknown));
    }

    fn has_no_effect(&mut self, known: &Key) {
        if matches!(&self.located.value, Json::Bool(false) | Json::Null) {
            return;
        }
        let problem = Problem::new(format!("`{}` has no effect here: {}", self.key, known.told()));
        self.problems.push(problem.at(self.place()).weighing(Weight::Once));
    }

    pub(super) fn wrong(&mut self, message: &str, help: &str) {
        self.problems.push(Problem::new(message).at(&self.located.place).help(help));
    }

    pub(super) fn expected<T>(&mut self, what: &str) -> Option<T> {
        let found = match &self.located.value {
            Json::Null => "nothing".to_owned(),
            Json::Array(_) => "a list".to_owned(),
            Json::Object(_) => "a mapping".to_owned(),
            other => format!("`{}`", other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
        };
        let message = format!("`{}`: expected {what}, found {found}", self.key);
        self.problems.push(Problem::new(message).at(self.place()));
        None
    }

    pub(super) fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        let found = self.located.value.as_str().unwrap_or_default();
        if let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(found)) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.expected(&format!("one of {}", all.join(", ")))
    }

    /// `None` where it is a way to make relations that mep has not, or no name of one.
    fn materialized(&mut self) -> Option<Materialization> {
        const WORDS: [(&str, Materialization); 6] = [
            ("view", Materialization::View),
            ("table", Materialization::Table),
            ("incremental", Materialization::Incremental),
            ("ephemeral", Materialization::Ephemeral),
            ("streaming", Materialization::Streaming),
            ("history", Materialization::History),
        ];
        let found = match &self.located.value {
            Json::Null => return Some(Materialization::default()),
            Json::String(found) => found,
            _ => return self.one_of(&WORDS),
        };
        if REFRESHED.contains(&found.as_str()) {
            let message = format!(
                "`{found}` is built as a table: its rows are those of its SELECT when a run built it"
            );
            let problem = Problem::new(message).at(self.place()).weighing(Weight::Once);
            self.problems.push(problem.kind(WarningKind::OtherThanDbt));
            return Some(Materialization::Table);
        }
        // A name that a project's own `{% materialization %}` may have; a slip of the pen is told at once.
        let is_known = |(word, _): &(&str, Materialization)| word.eq_ignore_ascii_case(found);
        let is_another = !WORDS.iter().any(is_known) && nearest(found, WORDS.map(|(word, _)| word)).is_none();
        if is_another && !found.is_empty() { None } else { self.one_of(&WORDS) }
    }

    fn strategy(&mut self) -> Option<IncrementalStrategy> {
        if matches!(self.located.value.as_str(), Some("derived" | "default")) || self.located.value.is_null()
        {
            return None;
        }
        self.one_of(&[
            ("append", Some(IncrementalStrategy::Append)),
            ("merge", Some(IncrementalStrategy::Merge)),
            ("delete+insert", Some(IncrementalStrategy::DeleteInsert)),
            ("insert_overwrite", Some(IncrementalStrategy::InsertOverwrite)),
            ("microbatch", Some(IncrementalStrategy::Microbatch)),
            ("derived", None),
        ])
        .flatten()
    }

    fn store(&mut self) -> Option<ModelStore> {
        self.one_of(&[("warehouse", ModelStore::Warehouse), ("cassandra", ModelStore::Cassandra)])
    }

    fn publish(&mut self) -> Option<PublishWhen> {
        self.one_of(&[("at_once", PublishWhen::AtOnce), ("after_tests", PublishWhen::AfterTests)])
    }

    fn on_schema_change(&mut self) -> Option<OnSchemaChange> {
        self.one_of(&[
            ("ignore", OnSchemaChange::Ignore),
            ("fail", OnSchemaChange::Fail),
            ("append_new_columns", OnSchemaChange::AppendNewColumns),
            ("sync_all_columns", OnSchemaChange::SyncAllColumns),
            ("backfill", OnSchemaChange::Backfill),
        ])
    }

    fn on_code_change(&mut self) -> Option<OnCodeChange> {
        self.one_of(&[("rebuild", OnCodeChange::Rebuild), ("keep", OnCodeChange::Keep)])
    }

    fn ignored_changes(&mut self) -> Vec<String> {
        let Json::Object(entries) = &self.located.value else {
            let wanted = "a mapping from the names of inputs to `ignore` or `rebuild`";
            return self.expected(wanted).unwrap_or_default();
        };
        let mut ignored = Vec::new();
        for (name, word) in entries {
            match word.as_str() {
                Some("ignore") => ignored.push(name.clone()),
                Some("rebuild") => {}
                _ => {
                    let message =
                        format!("`changes` of `{name}`: expected `ignore` or `rebuild`, found {word}");
                    self.problems.push(Problem::new(message).at(&self.located.place));
                }
            }
        }
        ignored
    }

    fn severity(&mut self) -> Option<Severity> {
        self.one_of(&[("error", Severity::Error), ("warn", Severity::Warn)])
    }

    fn limit(&mut self) -> Option<u64> {
        if self.located.value.is_null() {
            return None;
        }
        // What Jinja gives may be the text of a number.
        let of_text = |text: &str| text.trim().parse().ok();
        let number = self.located.value.as_u64().or_else(|| self.located.value.as_str().and_then(of_text));
        number.or_else(|| self.expected("a number of rows"))
    }

    fn threshold(&mut self) -> Threshold {
        let threshold = self.located.value.as_str().and_then(Threshold::parse);
        threshold
            .or_else(|| self.expected("a comparison with a number, such as \">10\""))
            .unwrap_or(Threshold::NOT_ZERO)
    }

    fn text(&mut self) -> Option<String> {
        match &self.located.value {
            Json::String(text) => Some(text.clone()),
            Json::Null => None,
            _ => self.expected("a text"),
        }
    }

    fn boolean(&mut self) -> Option<bool> {
        match &self.located.value {
            Json::Bool(value) => Some(*value),
            Json::Null => None,
            _ => self.expected("true or false"),
        }
    }

    pub(super) fn list(&mut self) -> Vec<String> {
        match &self.located.value {
            Json::String(one) => vec![one.clone()],
            Json::Array(many) if many.iter().all(Json::is_string) => {
                many.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            Json::Null => Vec::new(),
            _ => self.expected("a text or a list of texts").unwrap_or_default(),
        }
    }

    /// Statements: texts, or mappings with `sql` and `transaction`.
    fn hooks(&mut self) -> Vec<Located<String>> {
        let items = match &self.located.value {
            Json::Array(many) => &many[..],
            Json::Null => &[],
            one => std::slice::from_ref(one),
        };
        // What a transaction is begun for is published in one step here.
        let text = |item: &Json| item.as_str().or_else(|| item.get("sql")?.as_str()).map(str::to_owned);
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        let texts = texts.or_else(|| self.expected("SQL, a list of these, or mappings with `sql`"));
        let place = &self.located.place;
        let located = |value: String| Located { value, place: place.clone() };
        texts.unwrap_or_default().into_iter().map(located).collect()
    }

    /// Column names: one, several, or a mapping with `field` as adapters for warehouses in the cloud write it.
    fn columns(&mut self) -> Vec<String> {
        match self.located.value.get("field").and_then(Json::as_str) {
            Some(field) => vec![field.to_owned()],
            None => self.list(),
        }
    }

    /// `all`, or columns.
    fn check_columns(&mut self) -> CheckColumns {
        match self.located.value.as_str() {
            Some("all") => CheckColumns::All,
            _ => CheckColumns::These(self.list()),
        }
    }

    fn column_types(&mut self) -> IndexMap<String, String> {
        let Json::Object(types) = &self.located.value else {
            return self.expected("a mapping from columns to types").unwrap_or_default();
        };
        let typed: Option<IndexMap<String, String>> =
            types.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        typed.or_else(|| self.expected("a type's name for each column")).unwrap_or_default()
    }

    fn delimiter(&mut self) -> Option<char> {
        let text = self.located.value.as_str().unwrap_or_default();
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) if one.is_ascii() => Some(one),
            _ => self.expected("one ASCII character"),
        }
    }
}

/// dbt's ways to make relations that hold the rows of a SELECT, and which a warehouse or a file keeps.
const REFRESHED: [&str; 4] = ["materialized_view", "dynamic_table", "streaming_table", "external"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use mep_lang::project::{SourceText, Span};

    fn of(key: &str, value: Json) -> (NodeConfig, String) {
        typed(ConfigOf::Model, key, value)
    }

    fn said(of: ConfigOf, key: &str, value: Json) -> String {
        typed(of, key, value).1
    }

    fn typed(of: ConfigOf, key: &str, value: Json) -> (NodeConfig, String) {
        let place = SourceText::new("m.sql", "{{ config() }}").at(Span { start: 0, len: 3 });
        let raw = IndexMap::from([(key.to_owned(), Located { value, place })]);
        let mut problems = Problems::default();
        let config = read(of, &raw, &mut problems);
        let said: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem} {}", problem.help_text().unwrap_or_default()))
            .collect();
        (config, said.join("\n"))
    }

    #[test]
    fn known_keys_become_types() {
        let (config, said) = of("partition_by", "event_date".into());
        assert_eq!((config.partition_by, said.as_str()), (vec!["event_date".to_owned()], ""));
        assert_eq!(of("materialized", "table".into()).0.materialized, Materialization::Table);
    }

    #[test]
    fn unknown_keys_and_values_are_told_with_a_way_on() {
        insta::assert_snapshot!(of("materialised", "table".into()).1, @"unknown config key `materialised` did you mean `materialized`?");
        insta::assert_snapshot!(of("colour", "red".into()).1, @"unknown config key `colour` keys for your own use belong under `meta`");
        insta::assert_snapshot!(of("materialized", "tabel".into()).1, @"`materialized`: expected one of view, table, incremental, ephemeral, streaming, history, found `tabel`");
        insta::assert_snapshot!(of("enabled", "yes".into()).1, @"`enabled`: expected true or false, found `yes`");
        insta::assert_snapshot!(said(ConfigOf::Test, "limit", "ten".into()), @"`limit`: expected a number of rows, found `ten` ");
        insta::assert_snapshot!(said(ConfigOf::Seed, "column_types", json!({"id": 1})), @"`column_types`: expected a type's name for each column, found a mapping ");
        let (refused, said) = of("sql_header", "set x".into());
        assert_eq!((refused.refused, said.as_str()), (vec!["sql_header".to_owned()], ""));
        assert!(of("sql_header", json!([])).0.refused.is_empty());
    }
}
