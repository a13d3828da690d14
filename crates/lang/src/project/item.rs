//! A value of a YAML file on its way to a type: what was expected there, what was found, and where.

use std::ops::RangeInclusive;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::yaml::{Entry, Value, YamlNode, plain};
use super::{Located, Place, Problem, Problems, SourceText, Span, Weight};
use mep_core::keys::{self, Effect};

/// A value, the file it stands in, and the key that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) file: &'a SourceText,
    /// The nearest key above, which messages name; empty at the top of a file.
    pub(super) key: &'a str,
    pub(super) node: &'a YamlNode,
}

impl<'a> Item<'a> {
    /// The whole of a file.
    pub(super) fn file(file: &'a SourceText, node: &'a YamlNode) -> Self {
        Self { file, key: "", node }
    }

    pub(super) fn place(self) -> Place {
        self.file.at(self.node.span)
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Whether it says nothing: null, or a list or mapping without content.
    pub(super) fn is_empty(self) -> bool {
        match &self.node.value {
            Value::Null => true,
            Value::List(items) => items.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
            _ => false,
        }
    }

    pub(super) fn is_mapping(self) -> bool {
        matches!(self.node.value, Value::Mapping(_))
    }

    /// The text, where it is one; says nothing where it is not.
    pub(super) fn as_text(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Rendered(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn json(self) -> Located<Json> {
        Located { value: self.node.json(), place: self.place() }
    }

    /// A problem at this value.
    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::new(message).at(&self.place())
    }

    /// Says that something else stands here than what is needed.
    pub(super) fn expected(self, what: &str) -> Problem {
        let found = match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Boolean(value) => format!("`{value}`"),
            Value::Number(number) => format!("`{number}`"),
            Value::Text(text) | Value::Rendered(text) if text.len() <= 40 && !text.contains('\n') => {
                format!("`{text}`")
            }
            Value::Text(_) | Value::Rendered(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        };
        let subject = if self.key.is_empty() { String::new() } else { format!("`{}`: ", self.key) };
        let problem = self.problem(format!("{subject}expected {what}, found {found}"));
        let needs_quotes =
            what == "a text" && matches!(self.node.value, Value::Boolean(_) | Value::Number(_));
        if needs_quotes { problem.help("put it in quotes") } else { problem }
    }

    fn or_expected<T>(self, value: Option<T>, what: &str, problems: &mut Problems) -> Option<T> {
        if value.is_none() && !self.is_null() {
            problems.push(self.expected(what));
        }
        value
    }

    /// A text; `None` without a problem where nothing is written.
    pub(super) fn text(self, problems: &mut Problems) -> Option<String> {
        self.or_expected(self.as_text().map(str::to_owned), "a text", problems)
    }

    /// A text or a number, which is not said in problems: it may be a secret.
    pub(super) fn secret(self, problems: &mut Problems) -> Option<String> {
        match self.node.json() {
            serde_json::Value::String(text) => (!text.is_empty()).then_some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Null => None,
            _ => {
                problems.push(self.problem(format!("`{}`: expected a text", self.key)));
                None
            }
        }
    }

    pub(super) fn located_text(self, problems: &mut Problems) -> Option<Located<String>> {
        self.text(problems).map(|value| Located { value, place: self.place() })
    }

    /// A text, or the texts of a list, each with its place.
    pub(super) fn located_texts(self, problems: &mut Problems) -> Vec<Located<String>> {
        match &self.node.value {
            Value::List(items) => {
                let texts = items.iter().map(|node| Item { node, ..self });
                texts.filter_map(|item| item.located_text(problems)).collect()
            }
            _ => self.located_text(problems).into_iter().collect(),
        }
    }

    pub(super) fn boolean(self, problems: &mut Problems) -> Option<bool> {
        let value = match &self.node.value {
            Value::Boolean(value) => Some(*value),
            Value::Rendered(text) => match plain(text) {
                Value::Boolean(value) => Some(value),
                _ => None,
            },
            _ => None,
        };
        self.or_expected(value, "true or false", problems)
    }

    /// A whole number in a range.
    pub(super) fn whole(self, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
        let value = self.number().and_then(|number| number.as_u64()).filter(|value| range.contains(value));
        let what = match (*range.start(), *range.end()) {
            (0, u64::MAX) => "a whole number".to_owned(),
            (start, u64::MAX) => format!("a whole number of at least {start}"),
            (start, end) => format!("a whole number from {start} to {end}"),
        };
        self.or_expected(value, &what, problems)
    }

    /// A number of at least 0 and, where there is such, at most `most`.
    pub(super) fn positive(self, most: Option<f64>, problems: &mut Problems) -> Option<f64> {
        let most_or_any = most.unwrap_or(f64::MAX);
        let value = self.number().and_then(|number| number.as_f64());
        let what = match most {
            Some(most) => format!("a number from 0 to {most}"),
            None => "a number of at least 0".to_owned(),
        };
        self.or_expected(value.filter(|value| (0.0..=most_or_any).contains(value)), &what, problems)
    }

    fn number(self) -> Option<serde_json::Number> {
        match &self.node.value {
            Value::Number(number) => Some(number.clone()),
            Value::Rendered(text) => match plain(text.trim()) {
                Value::Number(number) => Some(number),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a list; none where nothing is written.
    pub(super) fn list(self, problems: &mut Problems) -> Vec<Item<'a>> {
        let items = match &self.node.value {
            Value::List(items) => Some(items.iter().map(|node| Item { node, ..self }).collect()),
            _ => None,
        };
        self.or_expected(items, "a list", problems).unwrap_or_default()
    }

    /// The mappings of a list; a problem for each item that is none.
    pub(super) fn mappings(self, problems: &mut Problems) -> Vec<Mapping<'a>> {
        let mut mappings = Vec::new();
        for item in self.list(problems) {
            if item.is_mapping() {
                mappings.push(item.mapping(problems));
            } else {
                problems.push(item.expected("a mapping"));
            }
        }
        mappings
    }

    /// A text, or a list of texts.
    pub(super) fn texts(self, problems: &mut Problems) -> Vec<Located<String>> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Text(_) | Value::Rendered(_) => self.located_text(problems).into_iter().collect(),
            Value::List(_) => {
                self.list(problems).into_iter().filter_map(|item| item.located_text(problems)).collect()
            }
            _ => {
                problems.push(self.expected("a text or a list of texts"));
                Vec::new()
            }
        }
    }

    /// The values of [`Item::texts`].
    pub(super) fn words(self, problems: &mut Problems) -> Vec<String> {
        self.texts(problems).into_iter().map(|text| text.value).collect()
    }

    /// A mapping; an empty one where nothing is written or, with a problem, where something else is.
    pub(super) fn mapping(self, problems: &mut Problems) -> Mapping<'a> {
        let entries = match &self.node.value {
            Value::Mapping(entries) => Some(entries.as_slice()),
            _ => None,
        };
        let entries = self.or_expected(entries, "a mapping", problems).unwrap_or_default();
        Mapping { item: self, entries }
    }

    /// Tells of each text, number and truth value in it, in the order written.
    pub(super) fn each_value(self, tell: &mut impl FnMut(Item<'a>)) {
        match &self.node.value {
            Value::List(items) => items.iter().for_each(|node| Item { node, ..self }.each_value(tell)),
            Value::Mapping(entries) => {
                for entry in entries {
                    Item { node: &entry.node, ..self }.each_value(tell);
                }
            }
            _ => tell(self),
        }
    }

    /// A mapping of free data.
    pub(super) fn data(self, problems: &mut Problems) -> IndexMap<String, Json> {
        let mapping = self.mapping(problems);
        mapping.items().map(|(key, item)| (key.text.to_owned(), item.node.json())).collect()
    }
}

/// Keys and their values.
#[derive(Clone, Copy)]
pub(super) struct Mapping<'a> {
    pub(super) item: Item<'a>,
    entries: &'a [Entry],
}

/// A key and where it stands.
#[derive(Clone, Copy)]
pub(super) struct YamlKey<'a> {
    pub(super) text: &'a str,
    span: Span,
    file: &'a SourceText,
}

impl YamlKey<'_> {
    pub(super) fn place(self) -> Place {
        self.file.at(self.span)
    }

    /// A problem at this key.
    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::new(message).at(&self.place())
    }
}

impl<'a> Mapping<'a> {
    /// The values by key, in the order written.
    pub(super) fn items(self) -> impl Iterator<Item = (YamlKey<'a>, Item<'a>)> {
        let file = self.item.file;
        self.entries.iter().map(move |entry| {
            let key = YamlKey { text: &entry.key, span: entry.key_span, file };
            (key, Item { file, key: &entry.key, node: &entry.node })
        })
    }

    pub(super) fn len(self) -> usize {
        self.entries.len()
    }

    /// The value of a key, if the key is written.
    pub(super) fn get(self, key: &str) -> Option<Item<'a>> {
        self.items().find(|(found, _)| found.text == key).map(|(_, item)| item)
    }

    /// The text of a key that must be there; `thing` says in what.
    pub(super) fn required(self, key: &str, thing: &str, problems: &mut Problems) -> Option<Located<String>> {
        let written = self.get(key).filter(|item| !item.is_null());
        // Where something else than a mapping stands, that is told already.
        if written.is_none() && (self.item.is_mapping() || self.item.is_null()) {
            problems.push(self.item.problem(format!("{thing} needs `{key}`")));
        }
        written?.located_text(problems)
    }

    /// Refuses keys that are not among the known ones.
    pub(super) fn refuse_unknown(self, thing: &str, known: &[&[keys::Key]], problems: &mut Problems) {
        for (key, _) in self.items() {
            if !known.iter().any(|keys| keys::has(keys, key.text)) {
                problems.push(unknown_key(key, thing, known));
            }
        }
    }

    /// Warns of keys that are not among the known ones, and of those that have no effect.
    pub(super) fn check_keys(self, thing: &str, known: &[&[keys::Key]], problems: &mut Problems) {
        for (key, item) in self.items() {
            match known.iter().find_map(|keys| keys::find(keys, key.text)) {
                Some(found) if found.effect == Effect::Told && !item.is_empty() => {
                    problems.push(has_no_effect(key, found));
                }
                Some(_) => {}
                None => problems.push(unknown_key(key, thing, known).weighing(Weight::Unknown)),
            }
        }
    }
}

/// A warning of a key that does something in dbt, and nothing here.
pub(super) fn has_no_effect(key: YamlKey<'_>, found: &keys::Key) -> Problem {
    let message = format!("`{}` has no effect here: {}", found.name, found.told());
    key.problem(message).weighing(Weight::Once)
}

/// A problem at a key that nobody reads.
pub(super) fn unknown_key(key: YamlKey<'_>, thing: &str, known: &[&[keys::Key]]) -> Problem {
    let known: Vec<&str> = known.iter().flat_map(|keys| keys::names(keys)).collect();
    let problem = key.problem(format!("unknown key `{}` in {thing}", key.text));
    let problem = problem.help(format!("the keys are {}", known.join(", ")));
    problem.did_you_mean(key.text, known)
}
