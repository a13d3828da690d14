//! Why something is built.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::warehouse::Inputs;

/// Why a partition or table is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing yet.
    FirstRun,
    /// The user asked for everything anew.
    FullRefresh,
    /// The model's SQL, or a view that it reads, is not what built the stored content.
    ModelChanged,
    /// The seed's file or its types are not what was loaded.
    FileChanged,
    /// Its result depends on the time of the run.
    Volatile,
    /// It keeps its own increments (`is_incremental()`), so it runs every time.
    Increment,
    /// Inputs changed.
    InputsChanged {
        /// By table, the partitions that are new, changed or gone.
        tables: BTreeMap<String, Vec<String>>,
    },
}

impl Reason {
    /// What of the inputs is not as it was.
    pub(super) fn changes(before: &Inputs, after: &Inputs) -> Self {
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, partitions) in &after.0 {
            let old = before.0.get(table);
            for (key, version) in partitions {
                if old.and_then(|old| old.get(key)) != Some(version) {
                    tables.entry(table.clone()).or_default().push(key.clone());
                }
            }
        }
        for (table, partitions) in &before.0 {
            let new = after.0.get(table);
            for key in partitions.keys() {
                if new.is_none_or(|new| !new.contains_key(key)) {
                    tables.entry(table.clone()).or_default().push(key.clone());
                }
            }
        }
        Self::InputsChanged { tables }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstRun => f.write_str("first run"),
            Self::FullRefresh => f.write_str("full refresh"),
            Self::ModelChanged => f.write_str("model changed"),
            Self::FileChanged => f.write_str("file changed"),
            Self::Volatile => f.write_str("depends on the time of the run"),
            Self::Increment => f.write_str("increment"),
            Self::InputsChanged { tables } => {
                for (index, (table, partitions)) in tables.iter().enumerate() {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    let name = table.rsplit('.').next().unwrap_or(table);
                    write!(f, "{name} changed")?;
                    let named: Vec<&str> = partitions
                        .iter()
                        .map(String::as_str)
                        .filter(|key| !key.is_empty() && *key != "*")
                        .collect();
                    match named.as_slice() {
                        [] => {}
                        few if few.len() <= 3 => write!(f, " in {}", few.join(", "))?,
                        [first, .., last] => write!(f, " in {} partitions, {first} to {last}", named.len())?,
                        [_] => {}
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::{PartitionKey, Version};

    fn inputs(partitions: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::default();
        for (key, version) in partitions {
            let key = PartitionKey::new(vec![Some((*key).to_owned())]);
            inputs.add("music.raw_listen_events", &key, &Version::of([*version]));
        }
        inputs
    }

    #[test]
    fn changed_inputs_are_named_and_many_are_counted() {
        let before = inputs(&[("2018-11-01", "a"), ("2018-11-02", "a")]);
        let after = inputs(&[("2018-11-01", "a"), ("2018-11-02", "b"), ("2018-11-03", "a")]);
        let reason = Reason::changes(&before, &after);
        insta::assert_snapshot!(reason, @"raw_listen_events changed in 2018-11-02, 2018-11-03");
        let many = inputs(&[("1", "a"), ("2", "a"), ("3", "a"), ("4", "a")]);
        insta::assert_snapshot!(Reason::changes(&Inputs::default(), &many), @"raw_listen_events changed in 4 partitions, 1 to 4");
    }
}
