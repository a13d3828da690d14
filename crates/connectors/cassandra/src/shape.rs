//! What a table is: its columns, keys, time to live and comment; the CQL that makes it, and that makes it another one.
//!
//! Pure: texts and comparisons.

use super::types::cql_type;
use mep_contract::sink::{SinkError, SinkTable};

/// A table as it is or as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) columns: Vec<ColumnShape>,
    /// Seconds that a row lives; 0: for good.
    pub(super) ttl: i32,
    pub(super) comment: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnShape {
    pub(super) name: String,
    pub(super) cql_type: String,
    pub(super) role: Role,
}

/// What a column is in its table; parts of a key come with their position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Partition(usize),
    Clustering { position: usize, descending: bool },
    Regular,
}

/// Cassandra takes no longer time to live: 20 years.
const LONGEST_TTL: u64 = 630_720_000;

impl Shape {
    /// The table that a model needs.
    ///
    /// # Errors
    /// [`SinkError::Refused`] where there is no such table in Cassandra.
    pub(super) fn of(table: &SinkTable) -> Result<Self, SinkError> {
        let name = &table.relation.name;
        let refused = |message: String| Err(SinkError::Refused(format!("{name}: {message}")));
        if table.partition_key.is_empty() {
            return refused("expected a column in the partition key, found none".into());
        }
        let keys: Vec<&str> = table.key().collect();
        for (index, key) in keys.iter().enumerate() {
            if table.schema.column_with_name(key).is_none() {
                return refused(format!("the key names `{key}`, which is not a column of the model"));
            }
            if keys[..index].contains(key) {
                return refused(format!("`{key}` is named twice in the key"));
            }
        }
        let mut columns = Vec::new();
        for field in table.schema.fields() {
            let Some(cql_type) = cql_type(field.data_type()) else {
                return refused(format!(
                    "the column `{}` is of type {}, which cassandra has no type for; cast it to another one",
                    field.name(),
                    field.data_type()
                ));
            };
            let role = role(table, field.name());
            columns.push(ColumnShape { name: field.name().clone(), cql_type: cql_type.into(), role });
        }
        let ttl = table.ttl.map_or(0, |ttl| ttl.as_secs().max(1));
        if ttl > LONGEST_TTL {
            return refused(format!("expected a time to live of at most 20 years, found {ttl} seconds"));
        }
        Ok(Self { name: name.clone(), columns, ttl: ttl as i32, comment: table.description.clone() })
    }

    /// The table of what came too late for the model of a table; it is kept as long as rows are.
    pub(super) fn of_late(table: &Self) -> Self {
        let column = |name: &str, cql_type: &str, role| ColumnShape {
            name: name.into(),
            cql_type: cql_type.into(),
            role,
        };
        let by = |position| Role::Clustering { position, descending: false };
        Self {
            name: late_name(&table.name),
            columns: vec![
                column("epoch", "bigint", Role::Partition(0)),
                column("topic", "text", by(0)),
                column("partition", "int", by(1)),
                column("offset", "bigint", by(2)),
                column("window", "timestamp", Role::Regular),
            ],
            ttl: table.ttl,
            comment: format!("events that came after their window of {} was closed", table.name),
        }
    }

    /// `CREATE TABLE`.
    pub(super) fn create(&self, keyspace: &str) -> String {
        let columns: String = self
            .columns
            .iter()
            .map(|column| format!("    {} {},\n", quoted(&column.name), column.cql_type))
            .collect();
        let partition = names(&self.partition_key());
        let clustering = self.clustering();
        let clustering_names: String =
            clustering.iter().map(|(name, _)| format!(", {}", quoted(name))).collect();
        let order: Vec<String> = clustering
            .iter()
            .map(|(name, descending)| {
                format!("{} {}", quoted(name), if *descending { "DESC" } else { "ASC" })
            })
            .collect();
        let order = match order.as_slice() {
            [] => String::new(),
            order => format!("CLUSTERING ORDER BY ({})\n    AND ", order.join(", ")),
        };
        format!(
            "CREATE TABLE IF NOT EXISTS {keyspace}.{} (\n{columns}    PRIMARY KEY (({partition}){clustering_names})\n) WITH {order}{}",
            quoted(&self.name),
            self.options(),
            keyspace = quoted(keyspace),
        )
    }

    /// The statements that make `found` this table.
    ///
    /// # Errors
    /// [`SinkError::Refused`] where only a new table can be it.
    pub(super) fn changes(&self, found: &Self, keyspace: &str) -> Result<Vec<String>, SinkError> {
        let anew = |message: String| {
            Err(SinkError::Refused(format!(
                "{}: {message}; cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows",
                self.name
            )))
        };
        if (self.partition_key(), self.clustering()) != (found.partition_key(), found.clustering()) {
            return anew(format!(
                "the model's key is {}, that of the table is {}",
                self.described_key(),
                found.described_key()
            ));
        }
        let table = format!("{}.{}", quoted(keyspace), quoted(&self.name));
        let mut statements = Vec::new();
        for column in &self.columns {
            match found.columns.iter().find(|found| found.name == column.name) {
                None => statements.push(format!(
                    "ALTER TABLE {table} ADD {} {}",
                    quoted(&column.name),
                    column.cql_type
                )),
                Some(found) if found.role != column.role => {
                    return anew(format!("the column `{}` has another place in the key", column.name));
                }
                Some(found) if found.cql_type != column.cql_type => {
                    return anew(format!(
                        "the column `{}` is {} in the model and {} in the table",
                        column.name, column.cql_type, found.cql_type
                    ));
                }
                Some(_) => {}
            }
        }
        if (self.ttl, &self.comment) != (found.ttl, &found.comment) {
            statements.push(format!("ALTER TABLE {table} WITH {}", self.options()));
        }
        Ok(statements)
    }

    /// Whether rows of the table that was found are rows of this one as they are: its columns, their types, the key and the time to live.
    pub(super) fn has_rows_of(&self, found: &Self) -> bool {
        let sorted = |shape: &Self| {
            let mut columns = shape.columns.clone();
            columns.sort_by(|one, other| one.name.cmp(&other.name));
            columns
        };
        self.ttl == found.ttl && sorted(self) == sorted(found)
    }

    /// Columns of `found` that this table has not.
    pub(super) fn gone<'a>(&'a self, found: &'a Self) -> impl Iterator<Item = &'a str> {
        let names = found.columns.iter().map(|column| column.name.as_str());
        names.filter(|name| self.columns.iter().all(|column| column.name != *name))
    }

    /// Puts a row in place of an older one; its write timestamp is the last value.
    pub(super) fn insert(&self, keyspace: &str) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let values = vec!["?"; columns.len()].join(", ");
        format!(
            "INSERT INTO {}.{} ({}) VALUES ({values}) USING TIMESTAMP ?",
            quoted(keyspace),
            quoted(&self.name),
            names(&columns)
        )
    }

    /// Takes a row away; its write timestamp is the first value, those of the key follow.
    pub(super) fn delete(&self, keyspace: &str) -> String {
        let key: Vec<String> = self.key().iter().map(|name| format!("{} = ?", quoted(name))).collect();
        format!(
            "DELETE FROM {}.{} USING TIMESTAMP ? WHERE {}",
            quoted(keyspace),
            quoted(&self.name),
            key.join(" AND ")
        )
    }

    /// The columns of the partition key, in order.
    pub(super) fn partition_key(&self) -> Vec<&str> {
        let mut columns: Vec<(usize, &str)> = Vec::new();
        for column in &self.columns {
            if let Role::Partition(position) = column.role {
                columns.push((position, &column.name));
            }
        }
        columns.sort_unstable();
        columns.into_iter().map(|(_, name)| name).collect()
    }

    /// The columns of the key, in order.
    pub(super) fn key(&self) -> Vec<&str> {
        let clustering = self.clustering().into_iter().map(|(name, _)| name);
        self.partition_key().into_iter().chain(clustering).collect()
    }

    /// The columns that rows of a partition are sorted by, and whether the largest comes first.
    fn clustering(&self) -> Vec<(&str, bool)> {
        let mut columns: Vec<(usize, &str, bool)> = Vec::new();
        for column in &self.columns {
            if let Role::Clustering { position, descending } = column.role {
                columns.push((position, &column.name, descending));
            }
        }
        columns.sort_unstable();
        columns.into_iter().map(|(_, name, descending)| (name, descending)).collect()
    }

    fn described_key(&self) -> String {
        let clustering = self.clustering().into_iter();
        let clustering: String = clustering
            .map(|(name, descending)| format!(", {name}{}", if descending { " desc" } else { "" }))
            .collect();
        format!("(({}){clustering})", self.partition_key().join(", "))
    }

    fn options(&self) -> String {
        format!("default_time_to_live = {} AND comment = {}", self.ttl, text(&self.comment))
    }
}

fn role(table: &SinkTable, column: &str) -> Role {
    if let Some(position) = table.partition_key.iter().position(|key| key == column) {
        return Role::Partition(position);
    }
    match table.clustering.iter().position(|by| by.column == column) {
        Some(position) => Role::Clustering { position, descending: table.clustering[position].descending },
        None => Role::Regular,
    }
}

/// The name of the table of what came too late.
pub(super) fn late_name(model: &str) -> String {
    format!("{model}_late")
}

/// An identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn names(columns: &[&str]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
