//! How fast rows of a table are brought into Cassandra, beside the bare driver that writes the same rows one by one:
//! `cargo bench --bench cassandra [host:port [thousands of rows]]`.
//!
//! A keyspace of its own is made and dropped.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use futures::{StreamExt, TryStreamExt, stream};
use mep_cassandra::{CassandraCluster, CassandraServing, ServingOwner};
use mep_contract::serving::ServingStore;
use mep_contract::sink::{Clustering, SinkTable};
use mep_contract::warehouse::{Content, RunId, TableVersion};
use mep_core::connection::{CassandraConnection, CassandraConsistency, CassandraReplication};
use mep_core::relation::Relation;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::value::CqlTimestamp;

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many requests are under way at once, on both sides.
const AT_ONCE: usize = 64;
/// Rows of a chart, as many as a period has.
const PLACES: usize = 10;
/// Rows of a batch, as an engine gives them.
const ROWS: usize = 8_192;
/// As many rows are handed over at once, as a run does.
const BATCHES: usize = 8;

/// Places of charts by hour, as the bundled project's charts of songs are.
fn charts(from: usize, rows: usize) -> Result<RecordBatch, Box<dyn Error>> {
    let places = || from..from + rows;
    let start = |row: usize| 1_541_030_400_000 + (row / PLACES) as i64 * 3_600_000;
    let columns: [(&str, ArrayRef); 6] = [
        ("grain", Arc::new(StringArray::from_iter_values(places().map(|_| "hour")))),
        ("period_start", Arc::new(TimestampMillisecondArray::from_iter_values(places().map(start)))),
        ("rank", Arc::new(Int32Array::from_iter_values(places().map(|row| (row % PLACES) as i32 + 1)))),
        (
            "title",
            Arc::new(StringArray::from_iter_values(
                places().map(|row| format!("A song of some name {}", row % 977)),
            )),
        ),
        (
            "artist",
            Arc::new(StringArray::from_iter_values(places().map(|row| format!("An artist {}", row % 311)))),
        ),
        ("plays", Arc::new(Int64Array::from_iter_values(places().map(|row| row as i64 % 1_000)))),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let node = words.next().unwrap_or_else(|| "127.0.0.1:9042".to_owned());
    let thousands: usize = words.next().map_or(Ok(200), |word| word.parse())?;
    let batches: Vec<RecordBatch> = (0..(thousands * 1_000).div_ceil(ROWS))
        .map(|number| charts(number * ROWS, ROWS))
        .collect::<Result<_, _>>()?;
    let keyspace = format!("mep_bench_{}", std::process::id());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let session = SessionBuilder::new().known_node(&node).build().await?;
        let served = served(&node, &keyspace, batches[0].schema());
        // By turns, so that both find the same caches and neighbours.
        for _ in 0..3 {
            let brought = bring(&served, &batches).await?;
            let bare = write_one_by_one(&session, &keyspace, &batches).await?;
            println!("ratio to the bare driver: {:.2}", brought / bare);
        }
        session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
        Ok(())
    })
}

/// Says how many rows were written in which time, and gives the rate.
fn told(what: &str, rows: usize, began: Instant) -> f64 {
    let seconds = began.elapsed().as_secs_f64();
    let rate = rows as f64 / seconds;
    println!("{what:<32} {rows:>10} rows {seconds:>8.3} s {rate:>12.0} rows/s");
    rate
}

struct Bench {
    store: CassandraServing,
    table: SinkTable,
}

fn served(node: &str, keyspace: &str, schema: arrow::datatypes::SchemaRef) -> Bench {
    let connection = CassandraConnection {
        contact_points: vec![node.to_owned()],
        keyspace: keyspace.to_owned(),
        replication: CassandraReplication::Simple(1),
        consistency: CassandraConsistency::LocalQuorum,
        local_dc: None,
        login: None,
        tls: None,
        timeout: Duration::from_secs(20),
        concurrency: AT_ONCE,
        settles_after: Duration::ZERO,
    };
    let owner = ServingOwner { project: "bench".to_owned(), target: "bench".to_owned() };
    let clustering = ["rank", "title", "artist"];
    let clustering =
        clustering.map(|column| Clustering { column: column.to_owned(), descending: false }).to_vec();
    let table = SinkTable {
        relation: Relation::new("bench", "charts"),
        schema,
        partition_key: vec!["grain".to_owned(), "period_start".to_owned()],
        clustering,
        ttl: None,
        description: String::new(),
        column_descriptions: Vec::new(),
    };
    Bench { store: CassandraServing::new(CassandraCluster::connect(connection), owner), table }
}

/// Brings all rows into a new generation, from its begin to its completion.
async fn bring(bench: &Bench, batches: &[RecordBatch]) -> Result<f64, Box<dyn Error>> {
    let content = Content::Table {
        partition_columns: Vec::new(),
        partitions: BTreeMap::new(),
        batches: BTreeMap::new(),
    };
    let content = TableVersion::new(bench.table.schema.clone(), content, RunId::generate());
    let began = Instant::now();
    let delivery = bench.store.begin(&bench.table, &content, true).await?;
    for some in batches.chunks(BATCHES) {
        delivery.upsert(some).await?;
    }
    delivery.complete().await?;
    Ok(told("brought by mep", batches.iter().map(RecordBatch::num_rows).sum(), began))
}

/// Writes all rows by the driver, each with a request of its own.
async fn write_one_by_one(
    session: &Session,
    keyspace: &str,
    batches: &[RecordBatch],
) -> Result<f64, Box<dyn Error>> {
    session.query_unpaged(format!("DROP TABLE IF EXISTS {keyspace}.bare"), ()).await?;
    let create = format!(
        "CREATE TABLE {keyspace}.bare (grain text, period_start timestamp, rank int, title text, artist text, plays bigint, \
         PRIMARY KEY ((grain, period_start), rank, title, artist))"
    );
    session.query_unpaged(create, ()).await?;
    let insert = format!(
        "INSERT INTO {keyspace}.bare (grain, period_start, rank, title, artist, plays) VALUES (?, ?, ?, ?, ?, ?)"
    );
    let insert = session.prepare(insert).await?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let values: Vec<_> = (0..rows)
        .map(|row| {
            let start = CqlTimestamp(1_541_030_400_000 + (row / PLACES) as i64 * 3_600_000);
            let (title, artist) =
                (format!("A song of some name {}", row % 977), format!("An artist {}", row % 311));
            ("hour", start, (row % PLACES) as i32 + 1, title, artist, row as i64 % 1_000)
        })
        .collect();
    let began = Instant::now();
    stream::iter(values.iter().map(|values| session.execute_unpaged(&insert, values)))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    Ok(told("the bare driver, a row a request", rows, began))
}
