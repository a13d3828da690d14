//! The simulator as a source: a unit is a day, a piece is a shard of its users.

use chrono::Datelike as _;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::simulator::{Shard, Simulator, SimulatorConfig, Topic};
use mep_contract::source::reading::{Piece, RowReceiver, Source, SourceError, SourceItem, UnitReader};
use mep_contract::source::schema::RowSchema;
use mep_contract::source::unit::{Holding, Recorded, Unit};
use mep_core::fingerprint::Structure;

/// Shards that a day is split in: enough for the threads of one machine.
const SHARDS: u32 = 8;

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;

/// A topic of the simulator.
pub struct SimulatedSource {
    simulator: Arc<Simulator>,
    version: String,
    topic: Topic,
    fields: SchemaRef,
    /// For each declared column, its place among the topic's columns.
    columns: Arc<[usize]>,
}

impl SimulatedSource {
    /// The topic `name`, with the columns of `schema`.
    ///
    /// # Errors
    /// Where the configuration makes no sense, or the simulator has no such topic or column.
    pub fn new(config: SimulatorConfig, name: &str, schema: &RowSchema) -> Result<Self, SourceError> {
        let topic = Topic::from_name(name).ok_or_else(|| {
            SourceError::Unreadable(format!(
                "the simulator has no topic `{name}`; it has listen_events, page_view_events, auth_events and status_change_events"
            ))
        })?;
        let given = topic.schema();
        let mut columns = Vec::new();
        for field in schema.fields.fields() {
            let Ok(index) = given.index_of(field.name()) else {
                let names: Vec<&str> = given.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(SourceError::Unreadable(format!(
                    "the simulator's topic `{name}` has no column `{}`; it has {}",
                    field.name(),
                    names.join(", ")
                )));
            };
            columns.push(index);
        }
        // More days change none of the others, so their number does not belong to a day's version.
        let version = version(&config);
        let simulator = Simulator::new(config).map_err(|error| SourceError::Unreadable(error.to_string()))?;
        let (simulator, fields) = (Arc::new(simulator), schema.fields.clone());
        Ok(Self { simulator, version, topic, fields, columns: columns.into() })
    }
}

/// What the events of a day depend on. More days change none of the others, so their number does not belong to it.
fn version(config: &SimulatorConfig) -> String {
    let SimulatorConfig { seed, start, days: _, users, growth, attrition, duplicates, mojibake } = config;
    let mut parts = Structure::default();
    parts.tag("simulated day").number(*seed).number(start.num_days_from_ce()).number(*users).flag(*mojibake);
    for share in [growth, attrition, duplicates] {
        parts.number(share.to_bits());
    }
    parts.fingerprint().as_str().to_owned()
}

impl Source for SimulatedSource {
    fn units(&self, _: &[Recorded]) -> Result<Holding, SourceError> {
        let days = self.simulator.days();
        let unit = |day: chrono::NaiveDate| Unit {
            id: day.to_string(),
            version: self.version.clone(),
            batch: Some(day.to_string()),
            bytes: None,
            day: Some(day),
        };
        Ok(days.map(unit).collect::<Vec<_>>().into())
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        let day = unit.day.ok_or_else(|| SourceError::Unreadable(format!("`{}` is no day", unit.id)))?;
        let piece = |shard| SimulatedPiece {
            simulator: self.simulator.clone(),
            topic: self.topic,
            day,
            shard,
            fields: self.fields.clone(),
            columns: self.columns.clone(),
        };
        Ok(Box::new(SimulatedDay { pieces: Shard::all(SHARDS).map(piece).collect() }))
    }
}

struct SimulatedDay {
    pieces: VecDeque<SimulatedPiece>,
}

impl UnitReader for SimulatedDay {
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError> {
        Ok(self.pieces.pop_front().map(|piece| Box::new(piece) as Box<dyn Piece>))
    }
}

struct SimulatedPiece {
    simulator: Arc<Simulator>,
    topic: Topic,
    day: chrono::NaiveDate,
    shard: Shard,
    fields: SchemaRef,
    columns: Arc<[usize]>,
}

/// Carries what the sink returns through the simulator.
enum SimulationEnd {
    Arrow(ArrowError),
    Source(SourceError),
}

impl From<ArrowError> for SimulationEnd {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl Piece for SimulatedPiece {
    fn read(self: Box<Self>, sink: &mut RowReceiver<'_>) -> Result<u64, SourceError> {
        let mut read = 0;
        let generated = self.simulator.generate::<SimulationEnd>(
            self.day,
            self.shard,
            &[self.topic],
            BATCH_ROWS,
            &mut |_, batch| {
                read += batch.num_rows() as u64;
                let rows = self.declared(&batch)?;
                sink(SourceItem::Rows(rows)).map_err(|error| SimulationEnd::Source(error.into()))
            },
        );
        match generated {
            Ok(()) => Ok(read),
            Err(SimulationEnd::Source(error)) => Err(error),
            Err(SimulationEnd::Arrow(error)) => Err(SourceError::Unreadable(error.to_string())),
        }
    }
}

impl SimulatedPiece {
    /// The declared columns in the declared types.
    fn declared(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.fields.fields().iter().zip(self.columns.iter());
        let columns: Result<Vec<_>, _> =
            columns.map(|(field, index)| cast(batch.column(*index), field.data_type())).collect();
        RecordBatch::try_new(self.fields.clone(), columns?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_day_has_the_declared_columns_whatever_its_shards() {
        let schema = RowSchema::new([("ts", "bigint", true), ("song", "varchar", true)], Some("ts")).unwrap();
        let config = SimulatorConfig { users: 50, days: 2, ..SimulatorConfig::default() };
        let source = SimulatedSource::new(config, "listen_events", &schema).unwrap();
        let units = source.units(&[]).unwrap().units;
        assert_eq!(units.len(), 2);
        let (mut rows, mut read) = (0, 0);
        let mut reader = source.open(&units[0]).unwrap();
        while let Some(piece) = reader.next().unwrap() {
            read += piece
                .read(&mut |item| {
                    if let SourceItem::Rows(batch) = item {
                        assert_eq!(batch.schema(), schema.fields);
                        rows += batch.num_rows() as u64;
                    }
                    Ok(())
                })
                .unwrap();
        }
        assert!(rows > 0 && rows == read);
    }

    #[test]
    fn an_unknown_topic_or_column_is_refused() {
        let schema = RowSchema::new([("ts", "bigint", true), ("tune", "varchar", true)], Some("ts")).unwrap();
        let refused = |name| SimulatedSource::new(SimulatorConfig::default(), name, &schema).err().unwrap();
        insta::assert_snapshot!(refused("plays"), @"the simulator has no topic `plays`; it has listen_events, page_view_events, auth_events and status_change_events");
        assert!(refused("listen_events").to_string().contains("has no column `tune`"));
    }
}
