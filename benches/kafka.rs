//! How fast Kafka is read, beside a bare librdkafka consumer of the same broker and topic:
//! `cargo bench --bench kafka [brokers [thousands of messages [topic]]]`.
//!
//! Without a topic, one with four partitions is made, filled and deleted.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use mep_contract::source::{LandingTable, RowSchema, Source, SourceItem, UnitReader};
use mep_contract::warehouse::RunId;
use mep_core::connection::{FilesReading, KafkaConnection, KafkaProperties, MessageFormat};
use mep_kafka::KafkaSource;
use mep_kafka::sender::{Outgoing, Sender};
use mep_local::warehouse::LocalWarehouse;
use mep_simulator::simulator::{Shard, Simulator, SimulatorConfig, Topic, write_ndjson};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The columns of the bundled project's `listen_events`.
const COLUMNS: [(&str, &str, bool); 19] = [
    ("artist", "varchar", true),
    ("song", "varchar", true),
    ("duration", "double", false),
    ("ts", "bigint", true),
    ("sessionId", "bigint", true),
    ("auth", "varchar", false),
    ("level", "varchar", true),
    ("itemInSession", "integer", true),
    ("city", "varchar", false),
    ("zip", "varchar", false),
    ("state", "varchar", false),
    ("userAgent", "varchar", false),
    ("lon", "double", false),
    ("lat", "double", false),
    ("userId", "bigint", false),
    ("lastName", "varchar", false),
    ("firstName", "varchar", false),
    ("gender", "varchar", false),
    ("registration", "bigint", false),
];

const PARTITIONS: i32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let brokers = words.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let thousands: u64 = words.next().map_or(Ok(1_000), |word| word.parse())?;
    let given = words.next();
    let topic = given.clone().unwrap_or_else(|| format!("mep-bench-{}", std::process::id()));
    let connection = KafkaConnection {
        brokers: vec![brokers.clone()],
        properties: KafkaProperties::default(),
        timeout: Duration::from_secs(10),
    };
    if given.is_none() {
        fill(&connection, &topic, thousands * 1_000)?;
    }
    // By turns, so that both find the same caches and neighbours.
    for _ in 0..3 {
        let bare = consume(&brokers, &topic)?;
        let decoded = read(&connection, &topic)?;
        let landed = land(&connection, &topic)?;
        println!("ratio to the bare consumer: decoded {:.2}, landed {:.2}", decoded / bare, landed / bare);
    }
    if given.is_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &brokers).create()?;
        runtime.block_on(admin.delete_topics(&[&topic], &AdminOptions::new()))?;
    }
    Ok(())
}

/// Says how many messages came in which time, and gives the rate.
fn told(what: &str, messages: u64, began: Instant) -> f64 {
    let seconds = began.elapsed().as_secs_f64();
    let rate = messages as f64 / seconds;
    println!("{what:<32} {messages:>10} messages {seconds:>8.3} s {rate:>12.0} messages/s");
    rate
}

/// Sends simulated events until there are enough.
fn fill(connection: &KafkaConnection, topic: &str, enough: u64) -> Result<(), Box<dyn Error>> {
    let simulator =
        Simulator::new(SimulatorConfig { users: 50_000, days: 60, ..SimulatorConfig::default() })?;
    let sender = Sender::new(connection.clone(), &[topic.to_owned()], PARTITIONS)?;
    let (began, mut sent) = (Instant::now(), 0_u64);
    let mut text = Vec::new();
    for day in simulator.days() {
        if sent >= enough {
            break;
        }
        simulator.generate::<ArrowError>(
            day,
            Shard::WHOLE,
            &[Topic::ListenEvents],
            8192,
            &mut |_, batch| {
                if sent >= enough {
                    return Ok(());
                }
                text.clear();
                write_ndjson(&batch, &mut text)?;
                let keys: Vec<[u8; 8]> =
                    (sent..sent + batch.num_rows() as u64).map(u64::to_be_bytes).collect();
                let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let messages = lines.zip(&keys).map(|(value, key)| Outgoing {
                    key,
                    value,
                    timestamp: 1_541_030_400_000,
                    headers: &[],
                });
                sender.send(topic, messages).map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
                sent += batch.num_rows() as u64;
                Ok(())
            },
        )?;
    }
    let delivered: u64 = sender.finish().values().map(|delivery| delivery.delivered).sum();
    told("sent", delivered, began);
    Ok(())
}

/// Reads all of the topic by one consumer, and does nothing with it.
fn consume(brokers: &str, topic: &str) -> Result<f64, Box<dyn Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "mep-bench")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.message.max.bytes", "8388608")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .set("enable.metrics.push", "false")
        .create()?;
    let began = Instant::now();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let mut assigned = TopicPartitionList::new();
    for partition in 0..partitions {
        assigned.add_partition_offset(topic, i32::try_from(partition)?, Offset::Beginning)?;
    }
    consumer.assign(&assigned)?;
    let (mut messages, mut bytes, mut ended) = (0, 0, 0);
    while ended < partitions {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                messages += 1;
                bytes += message.payload_len();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    println!("{} bytes a message", bytes / messages.max(1) as usize);
    Ok(told("bare consumer", messages, began))
}

fn schema() -> Result<RowSchema, Box<dyn Error>> {
    Ok(RowSchema::new(COLUMNS, Some("ts"))?)
}

fn source(connection: &KafkaConnection, topic: &str) -> Result<KafkaSource, Box<dyn Error>> {
    let topics = vec![topic.to_owned()];
    Ok(KafkaSource::new(
        connection.clone(),
        "listen_events",
        topics,
        false,
        &MessageFormat::Json,
        &schema()?,
    )?)
}

/// Reads and decodes as landing does, with a thread for each core.
fn read(connection: &KafkaConnection, topic: &str) -> Result<f64, Box<dyn Error>> {
    let source = source(connection, topic)?;
    let began = Instant::now();
    let units = source.units(&[])?.units;
    let rows = AtomicU64::new(0);
    let cores = std::thread::available_parallelism()?.get();
    let next = Mutex::new(units.iter());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| -> Result<(), String> {
                    loop {
                        let unit = next.lock().map_err(|error| error.to_string())?.next();
                        let Some(unit) = unit else { return Ok(()) };
                        let mut reader: Box<dyn UnitReader> =
                            source.open(unit).map_err(|error| error.to_string())?;
                        while let Some(piece) = reader.next().map_err(|error| error.to_string())? {
                            let mut sink = |item: SourceItem| {
                                if let SourceItem::Rows(batch) = item {
                                    rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                                }
                                Ok(())
                            };
                            piece.read(&mut sink).map_err(|error| error.to_string())?;
                        }
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    Ok(told("read and decoded", rows.into_inner(), began))
}

/// Lands into a warehouse of its own.
fn land(connection: &KafkaConnection, topic: &str) -> Result<f64, Box<dyn Error>> {
    let source = source(connection, topic)?;
    let folder = tempfile::tempdir()?;
    let warehouse = LocalWarehouse::new(folder.path().to_owned());
    let table = LandingTable {
        raw: mep_core::relation::Relation::new("bench", "raw"),
        rejects: mep_core::relation::Relation::new("bench", "raw_rejects"),
        schema: schema()?,
        reading: FilesReading::default(),
    };
    let began = Instant::now();
    let units = source.units(&[])?.units;
    let landing = mep_run::landing::Landing {
        landed: None,
        presentation: &mep_contract::warehouse::Presentation::default(),
        warehouse: &warehouse,
        table: &table,
        source: &source,
        units: &units,
        declared: &[],
        max_rejected: None,
        run: &RunId::generate(),
        until: None,
        threads: std::thread::available_parallelism()?.get(),
        progress: &|_| {},
    };
    let (landed, ..) = landing.land()?;
    Ok(told("landed", landed.landed, began))
}
