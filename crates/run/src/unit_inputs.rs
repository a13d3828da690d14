//! The inputs of a unit test of steps, as tables: what they hold is written down in the test, and the version of a partition is made of
//! its rows, so that a run finds dirty what has other rows than before.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::SchemaRef;
use arrow::row::{Row, RowConverter, SortField};

use super::build::BuildError;
use super::unit_steps::Scratch;
use mep_contract::executor::EngineError;
use mep_contract::source::LandingTable;
use mep_contract::warehouse::{
    BuildFolder, ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, RunId, Spread,
    TableVersion, Version, WriteTarget,
};
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_core::time_range::TimeRanges;
use mep_graph::{Compiled, GivenRows, Node, NodeIndex, tested_relation};

/// The rows that inputs have by now.
#[derive(Default)]
pub(super) struct InputRows(BTreeMap<NodeIndex, GivenSoFar>);

/// The rows of an input, by the step that gave them.
#[derive(Default)]
pub(super) struct GivenSoFar(Vec<(String, String)>);

impl InputRows {
    /// Adds the rows that an input gets in a step.
    pub(super) fn add(&mut self, step: &str, given: &GivenRows) {
        let GivenSoFar(rows) = self.0.entry(given.input).or_default();
        if given.replaces {
            rows.clear();
        }
        rows.push((step.to_owned(), given.sql.clone()));
    }

    /// The inputs with their rows.
    pub(super) fn by_input(&self) -> impl Iterator<Item = (NodeIndex, &GivenSoFar)> {
        self.0.iter().map(|(input, rows)| (*input, rows))
    }
}

/// A table as an input is stored.
struct StoredInput<'a> {
    schema: SchemaRef,
    partition_columns: Vec<String>,
    /// Where it is landed: each step is a batch.
    landed: Option<&'a LandingTable>,
}

impl GivenSoFar {
    /// Writes the table of all rows, which nothing points at yet.
    pub(super) async fn table(
        &self,
        node: &Node,
        index: NodeIndex,
        compiled: &Compiled,
        scratch: &Scratch,
        run: &RunId,
    ) -> Result<TableVersion, BuildError> {
        let relation = tested_relation(node);
        let wrong =
            |message: String| BuildError::Plan(format!("the rows of {}: {message}", node.shown_name()));
        let stored = stored(index, compiled).ok_or_else(|| wrong("its columns are not known".to_owned()))?;
        let engine = scratch.engine.as_ref();
        let mut batches = Vec::new();
        for (step, sql) in &self.0 {
            for rows in engine.collect(engine.planned(sql)?).await? {
                let shaped = match stored.landed {
                    Some(table) => landed(table, &rows, step).map_err(|error| wrong(error.to_string()))?,
                    None => rows,
                };
                batches.push(shaped);
            }
        }
        let mut partitions = BTreeMap::new();
        if let Some(first) = batches.first() {
            let arrow = |error: arrow::error::ArrowError| BuildError::Engine(EngineError::from(error));
            let all = concat_batches(&first.schema(), &batches).map_err(arrow)?;
            let versions = versions(&all, &stored.partition_columns).map_err(arrow)?;
            let target = WriteTarget {
                table_folder: scratch.warehouse.table_folder(&relation),
                folder: BuildFolder::of(run),
                schema: stored.schema.clone(),
                partition_columns: stored.partition_columns.clone(),
                spread: Spread::Threads,
            };
            for (key, files) in engine.write(engine.scope().rows(all)?, &target).await? {
                let version = versions.get(&key).cloned().unwrap_or_else(|| Version::of([]));
                let ledger = Arc::new(ledger(run, version));
                partitions.insert(key, Partition { files: files.into(), ledger });
            }
        }
        // A table without partitions has the one of its ledger, also where there are no rows.
        if partitions.is_empty() && stored.partition_columns.is_empty() {
            let ledger = Arc::new(ledger(run, Version::of([])));
            partitions.insert(PartitionKey::whole(), Partition { files: Vec::new().into(), ledger });
        }
        let partition_columns = stored.partition_columns;
        let content = Content::Table { partition_columns, partitions, batches: BTreeMap::new() };
        Ok(TableVersion::new(stored.schema, content, run.clone()))
    }
}

fn stored(index: NodeIndex, compiled: &Compiled) -> Option<StoredInput<'_>> {
    let schema = compiled.schema(index)?;
    let landed = compiled.sources.get(&index);
    let partition_columns = match (landed, compiled.models.get(&index)) {
        (Some(table), _) => table.partition_columns(),
        (None, Some(model)) => model.partition_columns.clone(),
        (None, None) => {
            let in_place = compiled.in_place.get(&index);
            in_place.map(|table| table.partition_columns.clone()).unwrap_or_default()
        }
    };
    Some(StoredInput { schema, partition_columns, landed })
}

/// Rows as they are landed: with the day of their event time, and with the step for their batch.
fn landed(
    table: &LandingTable,
    rows: &RecordBatch,
    step: &str,
) -> Result<RecordBatch, Box<dyn std::error::Error + Send + Sync>> {
    let declared = table.schema.fields.fields().iter();
    let columns = declared.zip(rows.columns()).map(|(field, column)| cast(column, field.data_type()));
    let mut columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    let plain = RecordBatch::try_new(nullable(&table.schema.fields), columns.clone())?;
    columns.extend(table.partition_arrays(&plain, step)?);
    Ok(RecordBatch::try_new(table.written_schema()?, columns)?)
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
}

/// The version of each partition, made of its rows in any order.
fn versions(
    rows: &RecordBatch,
    partition_columns: &[String],
) -> Result<BTreeMap<PartitionKey, Version>, arrow::error::ArrowError> {
    let places = partition_columns.iter().map(|column| rows.schema().index_of(column));
    let keys = match places.collect::<Result<Vec<usize>, _>>()? {
        places if places.is_empty() => vec![PartitionKey::whole(); rows.num_rows()],
        places => PartitionKey::of_rows(&rows.project(&places)?)?,
    };
    let fields =
        rows.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let values = RowConverter::new(fields)?.convert_columns(rows.columns())?;
    let mut by_key: BTreeMap<PartitionKey, Vec<Row<'_>>> = BTreeMap::new();
    for (row, key) in values.iter().zip(keys) {
        by_key.entry(key).or_default().push(row);
    }
    let version = |mut rows: Vec<Row<'_>>| {
        rows.sort_unstable();
        let mut parts = Structure::default();
        parts.count(rows.len());
        for row in rows {
            parts.bytes(row.as_ref());
        }
        Version::of([parts.fingerprint().as_str()])
    };
    Ok(by_key.into_iter().map(|(key, rows)| (key, version(rows))).collect())
}

fn ledger(run: &RunId, version: Version) -> Ledger {
    Ledger {
        run: run.clone(),
        fingerprint: Fingerprint::of(["given"]),
        inputs: Inputs::default(),
        version,
        done: TimeRanges::default(),
        columns: ColumnVersions::default(),
    }
}
