//! Whether each row of a served table has a key of its own, and one that the store can keep: checked before the table is published, so that
//! what readers of the warehouse see can always be served.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::build::BuildError;
use super::session::Session;
use mep_contract::sink::SinkTable;
use mep_contract::warehouse::{Partition, PartitionKey, TableVersion};
use mep_core::quantity::{count, plural};
use mep_core::relation::Relation;
use mep_sql::constraint::rows_where;
use mep_sql::difference::shared_keys;
use mep_sql::quoted;

/// The longest value of a key that a store keeps, in bytes.
const LONGEST_KEY: usize = 65_535;

/// SQL that holds of rows which cannot be served, and what is wrong with them.
struct UnservedRows {
    condition: String,
    why: String,
}

impl Session<'_> {
    /// Checks the keys of a table, of which `seen` was checked before.
    ///
    /// # Errors
    /// Where rows have no key, one that cannot be kept, or one that another row has: with one of these keys.
    pub(super) fn check_keys(
        &self,
        served: &SinkTable,
        relation: &Relation,
        table: &TableVersion,
        seen: Option<&TableVersion>,
    ) -> Result<(), BuildError> {
        let unseen = unseen(table, seen);
        if unseen.is_empty() {
            return Ok(());
        }
        let unserved = unserved_rows(served);
        let conditions: Vec<String> = unserved.iter().map(|one| one.condition.clone()).collect();
        let of_each = self.over_partitions(relation, table, "unserved", unseen.clone(), |name| {
            rows_where(&name.to_string(), &conditions)
        })?;
        let counts = of_each.iter().flat_map(RecordBatch::columns).filter(|column| !column.is_empty());
        let counts = counts.map(|column| column.as_primitive::<Int64Type>().value(0));
        let broken = unserved.iter().zip(counts).filter(|(_, rows)| *rows > 0);
        let mut said: Vec<String> = broken
            .map(|(one, rows)| format!("{}: {}", one.why, plural(rows.unsigned_abs(), "row")))
            .collect();
        let key: Vec<String> = served.key().map(str::to_owned).collect();
        // Rows of two partitions have two keys, where the key names the partition.
        let is_of_partition = table.partition_columns().iter().all(|column| key.contains(column));
        let looked_at = table.partitions().filter(|(one, _)| !is_of_partition || unseen.contains_key(*one));
        let looked_at = looked_at.map(|(key, partition)| (key.clone(), partition.clone())).collect();
        let shared = self.over_partitions(relation, table, "keys", looked_at, |name| {
            shared_keys(&name.to_string(), &key)
        })?;
        for batch in shared.iter().filter(|batch| batch.num_rows() > 0) {
            said.push(doubled(batch, &key)?);
        }
        if said.is_empty() {
            return Ok(());
        }
        let stays = match self.stored(relation) {
            Some(_) => "so readers still find the old content",
            None => "so there is no table yet",
        };
        Err(BuildError::Rejected(format!(
            "rows of the new content cannot be served by their key ({}), {stays}:\n  {}",
            key.join(", "),
            said.join("\n  ")
        )))
    }
}

/// The files of a table that were not seen before, by their partitions.
fn unseen(table: &TableVersion, seen: Option<&TableVersion>) -> BTreeMap<PartitionKey, Partition> {
    let seen: HashSet<&str> =
        seen.into_iter().flat_map(TableVersion::files).map(|file| file.path.as_str()).collect();
    let unseen = table.partitions().filter_map(|(key, partition)| {
        let files = partition.files.iter().filter(|file| !seen.contains(file.path.as_str()));
        let files: Vec<_> = files.cloned().collect();
        let rest = Partition { files: Arc::new(files), ledger: partition.ledger.clone() };
        (!rest.files.is_empty()).then(|| (key.clone(), rest))
    });
    unseen.collect()
}

/// What each row is looked at for.
fn unserved_rows(served: &SinkTable) -> Vec<UnservedRows> {
    let mut all = Vec::new();
    let fields = served.schema.fields().iter();
    for field in fields {
        let (name, is_key) = (field.name().as_str(), served.key().any(|key| key == field.name()));
        let column = quoted(name);
        let mut look = |condition: String, why: &str| {
            all.push(UnservedRows { condition, why: format!("`{name}` {why}") });
        };
        if *field.data_type() == DataType::UInt64 {
            look(format!("{column} > {}", i64::MAX), "is larger than a bigint");
        }
        if !is_key {
            continue;
        }
        look(format!("{column} is null"), "is null");
        if is_finer_than_milliseconds(field) {
            look(
                format!("date_trunc('millisecond', {column}) <> {column}"),
                "has more than milliseconds, by which different keys would be the same: round it in the model",
            );
        }
        if field.data_type().is_string() {
            look(format!("octet_length({column}) > {LONGEST_KEY}"), "is longer than a key can be");
            if served.partition_key == [name] {
                look(format!("{column} = ''"), "is empty, and all of the partition key");
            }
        }
    }
    all
}

fn is_finer_than_milliseconds(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _))
}

/// What is said of keys that several rows have; a row names one of them.
fn doubled(found: &RecordBatch, key: &[String]) -> Result<String, BuildError> {
    let options = FormatOptions::default().with_null("null");
    let shown = |at: usize| -> Result<String, BuildError> {
        let formatter =
            ArrayFormatter::try_new(found.column(at), &options).map_err(mep_sql::SqlError::from)?;
        Ok(formatter.value(0).to_string())
    };
    let values: Vec<String> = (0..key.len()).map(shown).collect::<Result<_, _>>()?;
    let number = |at: usize| found.column(at).as_primitive::<Int64Type>().value(0).unsigned_abs();
    let (rows, keys) = (number(key.len()), number(key.len() + 1));
    let example = format!("({}) has {} rows", values.join(", "), count(rows));
    Ok(match keys {
        1 => format!("1 key is that of several rows: {example}"),
        several => format!("{} keys are those of several rows each, such as {example}", count(several)),
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;
    use mep_contract::sink::Clustering;

    #[test]
    fn what_a_row_is_looked_at_for_follows_from_the_key_and_the_types() {
        let schema = Schema::new(vec![
            Field::new("name", DataType::Utf8View, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("seen", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("plays", DataType::UInt64, true),
        ]);
        let served = SinkTable {
            relation: Relation::new("m", "t"),
            schema: Arc::new(schema),
            partition_key: vec!["name".to_owned()],
            clustering: vec![Clustering { column: "at".to_owned(), descending: true }],
            ttl: None,
            description: String::new(),
            column_descriptions: Vec::new(),
        };
        let told: Vec<String> =
            unserved_rows(&served).iter().map(|one| format!("{}: {}", one.condition, one.why)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        "name" is null: `name` is null
        octet_length("name") > 65535: `name` is longer than a key can be
        "name" = '': `name` is empty, and all of the partition key
        "at" is null: `at` is null
        date_trunc('millisecond', "at") <> "at": `at` has more than milliseconds, by which different keys would be the same: round it in the model
        "plays" > 9223372036854775807: `plays` is larger than a bigint
        "#);
    }
}
