//! Config as users write it, typed: what is unknown or wrong is told at its place.

use indexmap::IndexMap;
use mep_core::keys::{self, Effect, Key};
use mep_lang::project::{Located, Place, Problem, Problems, Weight, nearest};
use serde_json::Value as Json;

use super::adapter_keys::adapter_keys;
use super::key::ConfigKey;
use super::keys::{COMMON, HOOKS, NOT_SUPPORTED, SEED, SNAPSHOT, SOURCE, TEST};
use super::model_keys::MODEL;
use super::seed::SeedConfig;
use super::word::Word;
use super::{NodeConfig, OwnConfig, history};
use crate::serving;

/// What config is for, which decides the keys that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigOf {
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
pub(crate) fn read(
    of: ConfigOf,
    raw: &IndexMap<String, Located<Json>>,
    problems: &mut Problems,
) -> NodeConfig {
    let mut config = NodeConfig { own: of.unsaid(), ..NodeConfig::default() };
    for (key, located) in raw {
        config.raw.insert(key.clone(), located.value.clone());
        config.places.insert(key.clone(), located.place.clone());
        let mut reader = ConfigReader { key, located, problems, is_refused: false };
        reader.apply(of, &mut config);
        if reader.is_refused {
            config.refused.push(key.clone());
        }
    }
    if of == ConfigOf::Model {
        history::check(&config, problems);
        serving::check_config(&config, problems);
    }
    config
}

impl ConfigOf {
    /// The config of such a node that says nothing.
    fn unsaid(self) -> OwnConfig {
        match self {
            Self::Model => OwnConfig::Model(Box::default()),
            Self::Seed => OwnConfig::Seed(SeedConfig::default()),
            Self::Snapshot => OwnConfig::Snapshot(Box::default()),
            Self::Test => OwnConfig::Test(Box::default()),
            Self::Source => OwnConfig::Nothing,
        }
    }

    /// The keys that it has of its own, and those of hooks.
    fn keys(self) -> (&'static [ConfigKey], &'static [ConfigKey]) {
        match self {
            Self::Model => (&MODEL, &HOOKS),
            Self::Seed => (&SEED, &HOOKS),
            Self::Snapshot => (&SNAPSHOT, &HOOKS),
            Self::Test => (&TEST, &[]),
            Self::Source => (&SOURCE, &[]),
        }
    }
}

/// Reads the value of one key.
pub(super) struct ConfigReader<'a> {
    pub(super) key: &'a str,
    pub(super) located: &'a Located<Json>,
    pub(super) problems: &'a mut Problems,
    /// Whether it says what mep does not do, so that the node is read and not built.
    pub(super) is_refused: bool,
}

impl ConfigReader<'_> {
    fn apply(&mut self, of: ConfigOf, config: &mut NodeConfig) {
        if keys::has(&NOT_SUPPORTED, self.key) {
            let says_nothing = match &self.located.value {
                Json::Bool(false) | Json::Null => true,
                Json::Array(items) => items.is_empty(),
                Json::Object(entries) => entries.is_empty(),
                Json::String(text) => text.trim().is_empty(),
                _ => false,
            };
            self.is_refused = !says_nothing;
            return;
        }
        let (own, hooks) = of.keys();
        let named = |key: &&ConfigKey| key.key.name == self.key;
        let declared = COMMON.iter().chain(own).chain(hooks).find(named);
        match (declared, keys::find(adapter_keys(of), self.key)) {
            (Some(declared), _) => declared.apply(self, config),
            (None, Some(known)) if known.effect == Effect::Told => self.has_no_effect(known),
            (None, Some(_)) => {}
            (None, None) => self.unknown(own),
        }
    }

    pub(super) fn value(&self) -> &Json {
        &self.located.value
    }

    pub(super) fn place(&self) -> &Place {
        &self.located.place
    }

    fn unknown(&mut self, own: &[ConfigKey]) {
        let problem = Problem::new(format!("unknown config key `{}`", self.key)).at(self.place());
        let problem = match nearest(self.key, COMMON.iter().chain(own).map(|key| key.key.name)) {
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

    /// A value that is said by one of its words.
    pub(super) fn word<W: Word>(&mut self) -> Option<W> {
        self.one_of(W::WORDS)
    }

    /// The same; nothing where nothing stands there.
    pub(super) fn word_or_nothing<W: Word>(&mut self) -> Option<W> {
        if self.value().is_null() { None } else { self.word() }
    }

    pub(super) fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        let found = self.located.value.as_str().unwrap_or_default();
        if let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(found)) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.expected(&format!("one of {}", all.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Materialization;
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
    fn a_key_sets_what_its_kind_of_node_has() {
        let kinds = [ConfigOf::Model, ConfigOf::Seed, ConfigOf::Snapshot, ConfigOf::Test, ConfigOf::Source];
        for of in kinds {
            let (own, hooks) = of.keys();
            for key in COMMON.iter().chain(own).chain(hooks) {
                assert!(key.is_of(&of.unsaid()), "{} of {of:?}", key.key.name);
            }
        }
    }

    #[test]
    fn known_keys_become_types() {
        let (config, said) = of("partition_by", "event_date".into());
        assert_eq!((config.model().partition_by.clone(), said.as_str()), (vec!["event_date".to_owned()], ""));
        assert_eq!(of("materialized", "table".into()).0.materialized(), Materialization::Table);
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
