//! The promise of a stream, over random events, random kills and random orders of reading: the rows are those of the SELECT over
//! all events but the late ones, and each event is taken, late or dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use async_trait::async_trait;
use datafusion::catalog::memory::MemTable;
use proptest::prelude::*;

use super::*;
use mep_contract::sink::{Clustering, Epoch, LateEvent, ModelSpec, Sink, SinkError, SinkTable, Standing};
use mep_contract::source::tail::{
    DecodedEvents, Offsets, Stream, StreamPartition, Stretch, Tail, Undecoded, UnreadableEvent,
};
use mep_contract::source::{RowSchema, SourceError};
use mep_core::relation::Relation;
use mep_datafusion::{Engine, EngineOptions};
use mep_local::warehouse::LocalWarehouse;
use mep_sql::streaming::{StreamInput, StreamQuery};
use mep_sql::{Meanings, Scope};

/// An event: its time in milliseconds, a key and a value; or what cannot be read.
type Event = Option<(i64, Option<u8>, i64)>;

/// Events by partition, read in stretches whose sizes and order come from a seed.
struct Topic {
    partitions: Vec<Vec<Event>>,
    seed: Mutex<u64>,
}

impl Topic {
    fn partition(number: usize) -> StreamPartition {
        StreamPartition { topic: "t".into(), number: number as i32 }
    }
}

impl Stream for Topic {
    fn describe(&self) -> String {
        "t".into()
    }

    fn tail(
        &self,
        from: &Offsets,
        cuts: &BTreeMap<StreamPartition, Vec<i64>>,
    ) -> Result<Box<dyn Tail>, SourceError> {
        let mut seed = self.seed.lock().unwrap();
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let next = |number: usize| from.get(&Self::partition(number)).copied().unwrap_or(0);
        Ok(Box::new(TopicTail {
            partitions: self.partitions.clone(),
            next: (0..self.partitions.len()).map(next).collect(),
            cuts: cuts.clone(),
            seed: *seed,
        }))
    }

    fn landed(&self, _: &mut dyn Iterator<Item = &str>) -> Offsets {
        unreachable!()
    }
}

struct TopicTail {
    partitions: Vec<Vec<Event>>,
    next: Vec<i64>,
    cuts: BTreeMap<StreamPartition, Vec<i64>>,
    seed: u64,
}

impl TopicTail {
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below.max(1)
    }
}

impl Tail for TopicTail {
    fn next(&mut self, patience: Duration) -> Result<Option<Stretch>, SourceError> {
        let open: Vec<usize> = (0..self.next.len())
            .filter(|index| (self.next[*index] as usize) < self.partitions[*index].len())
            .collect();
        if open.is_empty() {
            std::thread::sleep(patience.min(Duration::from_millis(2)));
            return Ok(None);
        }
        let index = open[self.random(open.len() as u64) as usize];
        let from = self.next[index];
        let mut to = (from + 1 + self.random(5) as i64).min(self.partitions[index].len() as i64);
        let partition = Topic::partition(index);
        for cut in self.cuts.get(&partition).into_iter().flatten() {
            if *cut > from {
                to = to.min(*cut);
            }
        }
        self.next[index] = to;
        let events = self.partitions[index][from as usize..to as usize].to_vec();
        Ok(Some(Stretch { partition, from, to, mark: None, events: Box::new(Events { from, events }) }))
    }

    fn positions(&self) -> Offsets {
        self.next.iter().enumerate().map(|(index, next)| (Topic::partition(index), *next)).collect()
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let ends = self.partitions.iter().enumerate();
        Ok(ends.map(|(index, events)| (Topic::partition(index), events.len() as i64)).collect())
    }
}

struct Events {
    from: i64,
    events: Vec<Event>,
}

impl Undecoded for Events {
    fn decode(self: Box<Self>) -> Result<DecodedEvents, SourceError> {
        let numbered = || (self.from..).zip(&self.events);
        let offsets: Vec<i64> =
            numbered().filter(|(_, event)| event.is_some()).map(|(offset, _)| offset).collect();
        let unreadable = numbered().filter(|(_, event)| event.is_none()).map(|(offset, _)| UnreadableEvent {
            offset,
            reason: "bad".into(),
            payload: None,
        });
        let good: Vec<(i64, Option<u8>, i64)> = self.events.iter().filter_map(|event| *event).collect();
        let batches = if good.is_empty() { Vec::new() } else { vec![(rows(&good), offsets)] };
        Ok(DecodedEvents { batches, unreadable: unreadable.collect(), read: self.events.len() as u64 })
    }
}

fn row_schema() -> RowSchema {
    RowSchema::new([("ts", "bigint", true), ("k", "varchar", false), ("v", "bigint", false)], Some("ts"))
        .unwrap()
}

fn rows(events: &[(i64, Option<u8>, i64)]) -> RecordBatch {
    let keys: StringViewArray = events.iter().map(|(_, key, _)| key.map(|key| format!("k{key}"))).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.0))),
        cast(&(Arc::new(keys) as ArrayRef), &DataType::Utf8).unwrap(),
        Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.2))),
    ];
    RecordBatch::try_new(row_schema().fields, columns).unwrap()
}

/// What outlives a process.
#[derive(Default)]
struct Store {
    rows: BTreeMap<String, (u64, Option<String>)>,
    late: BTreeMap<(u64, i32, i64), i64>,
    committed: Option<(Epoch, Vec<u8>)>,
    prepared: Option<(Epoch, Vec<u8>)>,
    /// How many calls and rows it takes until the process is killed.
    fuse: Option<u32>,
}

impl Store {
    fn burn(&mut self) -> Result<(), SinkError> {
        match &mut self.fuse {
            None => Ok(()),
            Some(0) => Err(SinkError::Refused("killed".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn put(&mut self, key: String, epoch: Epoch, value: Option<String>) {
        let stored = self.rows.entry(key).or_insert((0, None));
        if stored.0 <= epoch.0 {
            *stored = (epoch.0, value);
        }
    }
}

struct MemorySink {
    table: SinkTable,
    store: Arc<Mutex<Store>>,
}

impl MemorySink {
    fn each(
        &self,
        rows: &[RecordBatch],
        write: impl Fn(&mut Store, String, String),
    ) -> Result<(), SinkError> {
        for batch in rows {
            for row in 0..batch.num_rows() {
                let mut store = self.store.lock().unwrap();
                store.burn()?;
                let shown = shown(batch, row);
                let key: Vec<&str> = self.table.key().map(|key| shown[key].as_str()).collect();
                let whole: Vec<&str> = shown.values().map(String::as_str).collect();
                write(&mut store, key.join("|"), whole.join("|"));
            }
        }
        Ok(())
    }
}

/// The values of a row, by column.
fn shown(batch: &RecordBatch, row: usize) -> BTreeMap<String, String> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, column)| (field.name().clone(), array_value_to_string(column, row).unwrap()))
        .collect()
}

#[async_trait]
impl Sink for MemorySink {
    fn describe(&self) -> String {
        "memory".into()
    }

    fn kept_for(&self) -> Option<Duration> {
        None
    }

    async fn open(&self) -> Result<Standing, SinkError> {
        let store = self.store.lock().unwrap();
        Ok(Standing { committed: store.committed.clone(), prepared: store.prepared.clone() })
    }

    async fn open_anew(&self) -> Result<(), SinkError> {
        unreachable!()
    }

    async fn renew(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn prepare(&self, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError> {
        let mut store = self.store.lock().unwrap();
        store.burn()?;
        store.prepared = Some((epoch, cut.to_vec()));
        Ok(())
    }

    async fn upsert(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.each(rows, |store, key, value| store.put(key, epoch, Some(value)))
    }

    async fn delete(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.each(rows, |store, key, _| store.put(key, epoch, None))
    }

    async fn keep_late(&self, epoch: Epoch, events: &[LateEvent]) -> Result<(), SinkError> {
        let mut store = self.store.lock().unwrap();
        for event in events {
            store.burn()?;
            store.late.insert((epoch.0, event.partition, event.offset), event.window);
        }
        Ok(())
    }

    async fn commit(&self, epoch: Epoch, checkpoint: &[u8]) -> Result<(), SinkError> {
        let mut store = self.store.lock().unwrap();
        store.burn()?;
        store.committed = Some((epoch, checkpoint.to_vec()));
        Ok(())
    }

    async fn standing(&self) -> Result<Standing, SinkError> {
        self.open().await
    }

    async fn rows(&self) -> Result<Vec<RecordBatch>, SinkError> {
        unreachable!()
    }

    async fn late(&self) -> Result<Vec<LateEvent>, SinkError> {
        unreachable!()
    }

    async fn release(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

const BY_MINUTE: &str = "select cast(date_trunc('minute', to_timestamp_millis(ts)) as date) as day,
    date_trunc('minute', to_timestamp_millis(ts)) as minute, k,
    count(*) as n, sum(v) as total, min(v) as low, max(v) as high, avg(v) as mean, count(distinct v) as different
    from m.raw where v <> 3 group by 2, k";
const HAVING: &str = "select date_trunc('minute', to_timestamp_millis(ts)) as minute, k, count(*) as n
    from m.raw group by 1, 2 having count(*) % 2 = 1";

fn relation() -> Relation {
    Relation::new("m", "raw")
}

fn scope_with(rows: Option<RecordBatch>) -> Scope {
    let scope = Scope::for_planning();
    let schema = stream_schema();
    let batch = rows.map(|rows| {
        let columns = rows.columns().iter().zip(schema.fields());
        RecordBatch::try_new(
            schema.clone(),
            columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect(),
        )
        .unwrap()
    });
    let table = MemTable::try_new(schema, vec![batch.into_iter().collect()]).unwrap();
    scope.register(&relation(), Arc::new(table)).unwrap();
    scope
}

fn stream_schema() -> arrow::datatypes::SchemaRef {
    // Without the day, since the SELECTs here do not read it: a source without a day is one of the cases.
    mep_sql::stored_schema(&row_schema().fields, &[]).unwrap()
}

fn model(
    sql: &str,
    partition_key: &[&str],
    clustering: &[&str],
    lateness: i64,
    store: &Arc<Mutex<Store>>,
) -> StreamModel {
    let scope = scope_with(None);
    let plan = scope.plan(sql).unwrap();
    let mut fields: Vec<_> = stream_schema().fields().iter().cloned().collect();
    fields.push(Arc::new(arrow::datatypes::Field::new("event_date", DataType::Date32, true)));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let relation = relation();
    let input = StreamInput { relation: &relation, schema, event_time: Some("ts") };
    let query = StreamQuery::of(&scope, &plan, &input).unwrap();
    let table = SinkTable {
        relation: Relation::new("m", "out"),
        schema: Arc::new(plan.schema().as_arrow().clone()),
        partition_key: partition_key.iter().map(|name| (*name).to_owned()).collect(),
        clustering: clustering
            .iter()
            .map(|name| Clustering { column: (*name).to_owned(), descending: false })
            .collect(),
        ttl: None,
        description: String::new(),
        column_descriptions: Vec::new(),
    };
    let spec =
        ModelSpec { name: "out".into(), fingerprint: sql.into(), query, table: table.clone(), lateness };
    StreamModel { spec: Arc::new(spec), sink: Arc::new(MemorySink { table, store: store.clone() }) }
}

/// The rows of the SELECT over events, by key.
fn batch_rows(
    engine: &tokio::runtime::Runtime,
    sql: &str,
    table: &SinkTable,
    events: &[(i64, Option<u8>, i64)],
) -> BTreeSet<String> {
    let scope = scope_with(Some(rows(events)));
    let plan = scope.plan(sql).unwrap();
    let batches = engine.block_on(async {
        scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await.unwrap()
    });
    let mut all = BTreeSet::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let shown = shown(&batch, row);
            let whole: Vec<&str> = shown.values().map(String::as_str).collect();
            assert!(all.insert(whole.join("|")), "a row of {} came twice", table.relation);
        }
    }
    all
}

fn events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let event = prop_oneof![
        9 => (0_i64..40, 0_i64..60_000, prop::option::weighted(0.9, 0_u8..3), 0_i64..5)
            .prop_map(|(minute, within, key, value)| Some((minute * 60_000 + within, key, value))),
        1 => Just(None),
    ];
    prop::collection::vec(
        prop::collection::vec(event, 0..60).prop_map(|mut events| {
            // About in order, as partitions are: some events are earlier than what came before them.
            let mut order: Vec<usize> = (0..events.len()).collect();
            order.sort_by_key(|index| (events[*index].map_or(0, |event| event.0 / 300_000), *index));
            events = order.into_iter().map(|index| events[index]).collect();
            events
        }),
        1..4,
    )
}

fn holds(
    sql: &str,
    key: (&[&str], &[&str]),
    keyless: bool,
    partitions: &[Vec<Event>],
    kills: &[u32],
    seed: u64,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(Mutex::new(Store::default()));
    let topic = Arc::new(Topic { partitions: partitions.to_vec(), seed: Mutex::new(seed) });
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Arc::new(LocalWarehouse::new(folder.path()));
    let engine =
        Engine::new(warehouse, EngineOptions { threads: 2, memory: 1 << 28, reading: Meanings::default() })
            .unwrap();
    let model = model(sql, key.0, key.1, 60_000, &store);
    let table = model.spec.table.clone();
    let job = Job {
        source: topic,
        relation: relation(),
        schema: row_schema(),
        models: vec![model],
        dead_letters: None,
        limit: None,
        reload: None,
        group: "mep.t".into(),
    };
    let options = JobOptions {
        interval: Duration::ZERO,
        interval_behind: Duration::ZERO,
        idle_after: Duration::from_mins(1),
        threads: 2,
        until: Until::CaughtUp,
        anew: false,
        refresh_after: Duration::MAX,
        stands_by: false,
    };
    let mut fuses: Vec<Option<u32>> = kills.iter().map(|kill| Some(*kill)).collect();
    fuses.push(None);
    let mut progress = Arc::new(Progress::default());
    for fuse in fuses {
        store.lock().unwrap().fuse = fuse;
        progress = Arc::new(Progress::default());
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let outcome = runtime.block_on(job.run(&engine, options, stopped, progress.clone()));
        match outcome {
            Ok(()) => {}
            Err(error) => assert!(fuse.is_some() && error.to_string().contains("killed"), "{error}"),
        }
    }
    let counts = progress.now().models["out"].counts;
    let store = store.lock().unwrap();
    let late: BTreeSet<(i32, i64)> =
        store.late.keys().map(|(_, partition, offset)| (*partition, *offset)).collect();
    assert_eq!(late.len(), store.late.len(), "an event was late twice");
    let all: usize = partitions.iter().map(Vec::len).sum();
    assert_eq!(counts.read, all as u64);
    assert_eq!(counts.late, late.len() as u64);
    assert_eq!(counts.read, counts.taken + counts.late + counts.dead);
    let mut in_time = Vec::new();
    let mut dead = 0;
    for (partition, events) in partitions.iter().enumerate() {
        for (offset, event) in events.iter().enumerate() {
            match event {
                None => dead += 1,
                // A row without a key is dead where the SELECT gives it one.
                Some((_, None, value)) if keyless && (*value != 3 || sql == HAVING) => dead += 1,
                Some(event) if !late.contains(&(partition as i32, offset as i64)) => in_time.push(*event),
                Some(_) => {}
            }
        }
    }
    assert_eq!(counts.dead, dead);
    let written: BTreeSet<String> = store.rows.values().filter_map(|(_, value)| value.clone()).collect();
    assert_eq!(written, batch_rows(&runtime, sql, &table, &in_time));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_that_is_killed_over_and_over_gives_the_rows_of_the_batch(
        partitions in events(), kills in prop::collection::vec(0_u32..40, 0..6), seed in any::<u64>()
    ) {
        holds(BY_MINUTE, (&["day"], &["minute", "k"]), true, &partitions, &kills, seed);
    }

    #[test]
    fn groups_that_having_takes_away_again_go_away(
        partitions in events(), kills in prop::collection::vec(0_u32..40, 0..6), seed in any::<u64>()
    ) {
        holds(HAVING, (&["minute"], &["k"]), true, &partitions, &kills, seed);
    }
}

#[test]
fn taking_nothing_gives_nothing() {
    let empty = take_record_batch(&rows(&[]), &UInt32Array::from(Vec::<u32>::new())).unwrap();
    assert_eq!(empty.num_rows(), 0);
    holds(BY_MINUTE, (&["day"], &["minute", "k"]), true, &[Vec::new()], &[], 1);
}

#[test]
fn past_the_limit_of_rejects_a_stream_ends_before_it_writes_what_it_read_last() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(Mutex::new(Store::default()));
    let partitions = vec![vec![Some((0, Some(1), 1)), None, None, Some((60_000, Some(1), 1))]];
    let topic = Arc::new(Topic { partitions, seed: Mutex::new(1) });
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Arc::new(LocalWarehouse::new(folder.path()));
    let engine =
        Engine::new(warehouse, EngineOptions { threads: 2, memory: 1 << 28, reading: Meanings::default() })
            .unwrap();
    let limit = |most: u64| {
        Some(RejectLimit { said: most.to_string(), allows: Arc::new(move |rejected, _| rejected <= most) })
    };
    let mut job = Job {
        source: topic,
        relation: relation(),
        schema: row_schema(),
        models: vec![model(BY_MINUTE, &["day"], &["minute", "k"], 60_000, &store)],
        dead_letters: None,
        limit: limit(1),
        reload: None,
        group: "mep.t".into(),
    };
    let options = JobOptions {
        interval: Duration::from_mins(1),
        interval_behind: Duration::from_mins(1),
        idle_after: Duration::from_mins(1),
        threads: 2,
        until: Until::CaughtUp,
        anew: false,
        refresh_after: Duration::MAX,
        stands_by: false,
    };
    let run = |job: &Job| {
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let progress = Arc::new(Progress::default());
        let outcome = runtime.block_on(job.run(&engine, options, stopped, progress.clone()));
        (outcome, progress)
    };
    let said = run(&job).0.unwrap_err().to_string();
    assert!(
        said.contains("are rejected, and `max_rejected` is 1: nothing of what was read last is written"),
        "{said}"
    );
    assert!(store.lock().unwrap().rows.is_empty());
    job.limit = limit(2);
    let (outcome, progress) = run(&job);
    outcome.unwrap();
    assert_eq!(progress.now().models["out"].counts.dead, 2);
    let early = progress.now().early.into_values().next().unwrap();
    assert_eq!((early.events, early.column.as_str()), (2, "ts"));
}
