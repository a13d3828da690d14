//! Why something is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use mep_contract::warehouse::{InputKey, Inputs};

/// Why a partition or table is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing yet.
    FirstRun,
    /// The user asked for everything anew.
    FullRefresh,
    /// The model's SQL, or a view that it reads, is not what built the stored content.
    ModelChanged(ModelChange),
    /// The seed's file or its types are not what was loaded.
    FileChanged,
    /// Its result depends on the time of the run.
    Volatile,
    /// It keeps its own increments (`is_incremental()`), so it runs every time.
    Increment,
    /// Inputs changed.
    InputsChanged {
        /// What of each table, by its name.
        tables: BTreeMap<String, TableChange>,
    },
}

/// What is not as it was in a model, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelChange {
    /// A view that it reads, or what of its config; else its own SQL.
    pub what: Option<String>,
    /// The first line that is another one, in the file of the model or view.
    pub line: Option<usize>,
}

/// The partitions of an input that are not as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableChange {
    /// Not there before.
    #[serde(serialize_with = "shown")]
    pub new: BTreeSet<InputKey>,
    /// Not there before, and for a partition that was built and that later ones have followed.
    #[serde(serialize_with = "shown")]
    pub late: BTreeSet<InputKey>,
    /// Of another version.
    #[serde(serialize_with = "shown")]
    pub changed: BTreeSet<InputKey>,
    /// There before.
    #[serde(serialize_with = "shown")]
    pub gone: BTreeSet<InputKey>,
}

fn shown<S: Serializer>(keys: &BTreeSet<InputKey>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(keys.iter().map(ToString::to_string))
}

impl TableChange {
    fn is_nothing(&self) -> bool {
        self == &Self::default()
    }

    /// This and what happened beside it.
    pub fn extend(&mut self, other: Self) {
        self.new.extend(other.new);
        self.late.extend(other.late);
        self.changed.extend(other.changed);
        self.gone.extend(other.gone);
    }
}

impl Reason {
    /// What of the inputs is not as it was. `is_past`: whether what is new comes late.
    pub(super) fn changes(before: &Inputs, after: &Inputs, is_past: bool) -> Self {
        let mut tables: BTreeMap<String, TableChange> = BTreeMap::new();
        for (table, partitions) in after.0.iter() {
            let change = tables.entry(table.clone()).or_default();
            for (key, version) in partitions {
                let added = if is_past { &mut change.late } else { &mut change.new };
                let noted = before.0.get(table);
                match noted.and_then(|old| old.get(key)) {
                    // It stands for partitions that were noted one by one, or not at all.
                    None if key.is_all() || key.is_types() => {
                        noted.is_some() && change.changed.insert(key.clone())
                    }
                    None => added.insert(key.clone()),
                    Some(old) if old != version => change.changed.insert(key.clone()),
                    Some(_) => false,
                };
            }
        }
        let all = InputKey::all();
        for (table, partitions) in before.0.iter() {
            let new = after.0.get(table);
            let is_there = |key: &InputKey| {
                key.is_types() || new.is_some_and(|new| new.contains_key(key) || new.contains_key(&all))
            };
            let gone = partitions.keys().filter(|key| !is_there(key));
            tables.entry(table.clone()).or_default().gone.extend(gone.cloned());
        }
        tables.retain(|_, change| !change.is_nothing());
        Self::InputsChanged { tables }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstRun => f.write_str("first run"),
            Self::FullRefresh => f.write_str("full refresh"),
            Self::ModelChanged(change) => change.fmt(f),
            Self::FileChanged => f.write_str("file changed"),
            Self::Volatile => f.write_str("depends on the time of the run"),
            Self::Increment => f.write_str("increment"),
            Self::InputsChanged { tables } => {
                let mut parts = Vec::new();
                for (table, change) in tables {
                    let name = table.rsplit('.').next().unwrap_or(table);
                    let mut say = |words: String, keys: &BTreeSet<InputKey>| {
                        if !keys.is_empty() {
                            parts.push(format!("{words}{}", named(keys)));
                        }
                    };
                    say(format!("late rows of {name}"), &change.late);
                    say(format!("new rows of {name}"), &change.new);
                    if change.changed.iter().any(InputKey::is_all) {
                        parts.push(format!("{name} changed"));
                        continue;
                    }
                    say(format!("{name} changed"), &change.changed);
                    say(format!("{name} lost rows"), &change.gone);
                }
                f.write_str(&parts.join("; "))
            }
        }
    }
}

impl fmt::Display for ModelChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changed", self.what.as_deref().unwrap_or("model"))?;
        self.line.map_or(Ok(()), |line| write!(f, " at line {line}"))
    }
}

/// Some partitions by name, many by their number; nothing of a table that has none.
fn named(keys: &BTreeSet<InputKey>) -> String {
    let named: Vec<String> = keys
        .iter()
        .filter(|key| !key.is_all() && !key.is_types())
        .map(ToString::to_string)
        .filter(|key| !key.is_empty())
        .collect();
    match named.as_slice() {
        [] => String::new(),
        [first, .., last] if named.len() > 3 => {
            format!(" in {} partitions, {first} to {last}", named.len())
        }
        few => format!(" in {}", few.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_contract::warehouse::{PartitionKey, Version};

    fn inputs(partitions: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::default();
        for (key, version) in partitions {
            let key = InputKey::of(&PartitionKey::new(vec![Some((*key).to_owned())]));
            inputs.add("music.raw_listen_events", key, &Version::of([*version]));
        }
        inputs
    }

    #[test]
    fn changed_inputs_are_named_and_many_are_counted() {
        let before = inputs(&[("2018-11-01", "a"), ("2018-11-02", "a")]);
        let after = inputs(&[("2018-11-01", "a"), ("2018-11-02", "b"), ("2018-11-03", "a")]);
        let changes = |before: &Inputs, after: &Inputs| Reason::changes(before, after, false);
        insta::assert_snapshot!(changes(&before, &after), @"new rows of raw_listen_events in 2018-11-03; raw_listen_events changed in 2018-11-02");
        insta::assert_snapshot!(changes(&after, &before), @"raw_listen_events changed in 2018-11-02; raw_listen_events lost rows in 2018-11-03");
        insta::assert_snapshot!(Reason::changes(&before, &after, true), @"late rows of raw_listen_events in 2018-11-03; raw_listen_events changed in 2018-11-02");
        let many = inputs(&[("1", "a"), ("2", "a"), ("3", "a"), ("4", "a")]);
        insta::assert_snapshot!(changes(&Inputs::default(), &many), @"new rows of raw_listen_events in 4 partitions, 1 to 4");
    }
}
