//! generate --to kafka: the simulator's events as messages.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use chrono::Utc;
use parking_lot::Mutex;

use super::arguments::{GenerateArguments, Global};
use super::exit::Exit;
use super::generate_live::{self, Topics};
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::cores;
use mep_contract::source::SourceError;
use mep_core::connection::{KafkaConnection, KafkaProperties};
use mep_core::quantity::{count, plural};
use mep_kafka::sender::{Delivery, Outgoing, Sender};
use mep_lang::project::{Problem, SourceConnection};
use mep_simulator::simulator::{Shard, Simulator, Topic, write_ndjson};

/// Rows that are turned into messages at once.
const BATCH_ROWS: usize = 8192;

/// Shards that a day is split in, so that threads share one day rather than being days apart.
const SHARDS: u32 = 8;

/// How long the brokers are waited for, where no connection says so.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sends each event, and waits until all are acknowledged.
///
/// # Errors
/// Where the brokers cannot be reached. Messages that are not acknowledged are counted, and make the command fail.
pub(super) fn generate(
    global: &Global,
    arguments: &GenerateArguments,
    simulator: &Simulator,
    topics: &[Topic],
) -> Result<Exit, AppError> {
    let (connection, prefix) = destination(global, arguments)?;
    let place = connection.place();
    let name = |topic: Topic| format!("{prefix}{}", topic.name());
    let names: Vec<String> = topics.iter().map(|topic| name(*topic)).collect();
    let latest_of = connection.clone();
    let sender = Sender::new(connection, &names, arguments.partitions).map_err(failed)?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    let sent = if arguments.live {
        let topics: Topics = topics.iter().copied().zip(names).collect();
        generate_live::send_in_time(simulator, &topics, &sender, &latest_of, &terminal)?
    } else {
        send_all(simulator, topics, &name, &sender, arguments.rate, arguments.now)
    };
    let deliveries = sender.finish();
    let failure = sent.err();
    let is_incomplete = failure.is_some() || deliveries.values().any(|delivery| delivery.failed > 0);
    say(&terminal, &deliveries, &place);
    if is_incomplete {
        let error = failure.unwrap_or_else(|| sender.undelivered().into());
        return Err(AppError::io("sending events")(io::Error::other(error)));
    }
    Ok(Exit::Success)
}

/// Sends the events of all days as fast as they are taken, or so many a second; threads share the days.
fn send_all(
    simulator: &Simulator,
    topics: &[Topic],
    name: &(impl Fn(Topic) -> String + Sync),
    sender: &Sender,
    rate: Option<u64>,
    is_now: bool,
) -> Result<(), SendError> {
    let shards: Vec<Shard> = Shard::all(SHARDS).collect();
    let work: Vec<_> =
        simulator.days().flat_map(|day| shards.iter().map(move |shard| (day, *shard))).collect();
    let next = AtomicUsize::new(0);
    let sending = Sending { sender, pace: rate.map(EventRate::of), is_now };
    let failure: Mutex<Option<SendError>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..cores().min(work.len()) {
            scope.spawn(|| {
                while let Some((day, shard)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = simulator.generate::<SendError>(
                        *day,
                        *shard,
                        topics,
                        BATCH_ROWS,
                        &mut |topic, batch| sending.send(&name(topic), &batch),
                    );
                    if let Err(error) = sent {
                        *failure.lock() = Some(error);
                        next.store(work.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failure.into_inner().map_or(Ok(()), Err)
}

pub(super) fn failed(error: SourceError) -> AppError {
    AppError::io("sending events")(io::Error::other(error))
}

/// Says what arrived.
fn say(terminal: &Terminal, deliveries: &BTreeMap<String, Delivery>, place: &str) {
    let sum = |of: fn(&Delivery) -> u64| deliveries.values().map(of).sum::<u64>();
    let (delivered, failed) = (sum(|delivery| delivery.delivered), sum(|delivery| delivery.failed));
    let arrived = |delivered: u64, failed: u64| match failed {
        0 => plural(delivered, "event"),
        failed => format!("{}, {} not acknowledged", plural(delivered, "event"), count(failed)),
    };
    for (topic, delivery) in deliveries {
        terminal.say(&format!("{topic}: {}", arrived(delivery.delivered, delivery.failed)));
    }
    terminal.say(&format!("sent {} to Kafka at {place}", arrived(delivered, failed)));
}

/// The connection, of the command line or of the target, and what stands before the topics' names.
fn destination(
    global: &Global,
    arguments: &GenerateArguments,
) -> Result<(KafkaConnection, String), AppError> {
    if !arguments.brokers.is_empty() {
        let connection = KafkaConnection {
            brokers: arguments.brokers.clone(),
            properties: KafkaProperties::default(),
            timeout: TIMEOUT,
        };
        return Ok((connection, arguments.topic_prefix.clone().unwrap_or_default()));
    }
    let project = global.opening().project()?;
    let target = &project.target;
    let mut connections = target.sources.iter().filter_map(|(name, connection)| match connection {
        SourceConnection::Kafka(config) => Some((name, config)),
        _ => None,
    });
    let help = "name the brokers with --brokers kafka-1:9092,kafka-2:9092";
    let (first, second) = (connections.next(), connections.next());
    match (first, second) {
        (Some((_, config)), None) => {
            let prefix = arguments.topic_prefix.as_ref().unwrap_or(&config.topic_prefix);
            Ok((config.connection.clone(), prefix.clone()))
        }
        (None, _) => {
            let message = format!("the target `{}` has no connection of type `kafka`", target.name);
            Err(Problem::new(message).help(help).into())
        }
        (Some((one, _)), Some((other, _))) => {
            let message =
                format!("the target `{}` has several Kafka connections: {one}, {other}", target.name);
            Err(Problem::new(message).help(help).into())
        }
    }
}

/// How a batch is sent.
struct Sending<'a> {
    sender: &'a Sender,
    pace: Option<EventRate>,
    /// Whether events happen when they are due to be sent.
    is_now: bool,
}

impl Sending<'_> {
    /// Sends the rows of a batch, as fast as it may.
    fn send(&self, topic: &str, batch: &RecordBatch) -> Result<(), SendError> {
        let rows = batch.num_rows();
        let step = self.pace.as_ref().map_or(rows, EventRate::step).max(1);
        for start in (0..rows).step_by(step) {
            let some = batch.slice(start, step.min(rows - start));
            let due = match &self.pace {
                Some(pace) => pace.wait(some.num_rows() as u64),
                None => Due { first: Utc::now().timestamp_millis(), rate: None },
            };
            let some = if self.is_now { happening(&some, due)? } else { some };
            send_rows(self.sender, topic, &some)?;
        }
        Ok(())
    }
}

/// The rows with the times at which they are due.
fn happening(batch: &RecordBatch, due: Due) -> Result<RecordBatch, ArrowError> {
    let ts = batch.schema().index_of("ts")?;
    let mut columns = batch.columns().to_vec();
    columns[ts] = Arc::new((0..batch.num_rows() as u64).map(|row| due.of(row)).collect::<Int64Array>());
    RecordBatch::try_new(batch.schema(), columns)
}

/// Sends rows, each keyed by its session and at its own time.
pub(super) fn send_rows(sender: &Sender, topic: &str, batch: &RecordBatch) -> Result<(), SendError> {
    let column = |name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.ok_or_else(|| ArrowError::SchemaError(format!("`{name}` is not a column of whole numbers")))
    };
    let (times, sessions) = (column("ts")?, column("sessionId")?);
    let mut text = Vec::new();
    write_ndjson(batch, &mut text)?;
    let mut keys = String::new();
    let mut key_ends = Vec::with_capacity(batch.num_rows());
    for session in sessions.values() {
        keys.push_str(itoa::Buffer::new().format(*session));
        key_ends.push(keys.len());
    }
    let key =
        |row: usize| &keys.as_bytes()[row.checked_sub(1).map_or(0, |before| key_ends[before])..key_ends[row]];
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let messages = lines.enumerate().map(|(row, value)| Outgoing {
        key: key(row),
        value,
        timestamp: times.value(row),
        headers: &[],
    });
    Ok(sender.send(topic, messages)?)
}

/// So many events a second, over all threads.
struct EventRate {
    began: Instant,
    began_at: i64,
    rate: u64,
    sent: AtomicU64,
}

/// When events are due, in milliseconds since 1970.
#[derive(Clone, Copy)]
struct Due {
    first: i64,
    rate: Option<u64>,
}

impl Due {
    /// When the event behind so many others is due.
    fn of(self, row: u64) -> i64 {
        self.first + self.rate.map_or(0, |rate| row as i64 * 1_000 / rate as i64)
    }
}

impl EventRate {
    fn of(rate: u64) -> Self {
        Self { began: Instant::now(), began_at: Utc::now().timestamp_millis(), rate, sent: AtomicU64::new(0) }
    }

    /// How many events are sent at once: those of a hundredth of a second.
    fn step(&self) -> usize {
        usize::try_from(self.rate / 100).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
    }

    /// Waits until so many more events may be sent.
    fn wait(&self, events: u64) -> Due {
        let before = self.sent.fetch_add(events, Ordering::Relaxed);
        let since = Duration::from_secs_f64(before as f64 / self.rate as f64);
        std::thread::sleep((self.began + since).saturating_duration_since(Instant::now()));
        Due { first: self.began_at + since.as_millis() as i64, rate: Some(self.rate) }
    }
}
