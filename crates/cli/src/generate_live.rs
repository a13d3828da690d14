//! generate --to kafka --live: the simulator's events when the clock comes to their time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, Utc};
use tokio::signal::unix::{SignalKind, signal};

use super::generate_to_kafka::{SendError, failed, send_rows};
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::runtime;
use mep_core::connection::KafkaConnection;
use mep_kafka::latest_time;
use mep_kafka::sender::Sender;
use mep_simulator::simulator::{Shard, Simulator, Topic};

/// How long it takes at most until an event whose time has come is sent.
const TICK: Duration = Duration::from_millis(200);

/// Rows that are turned into messages at once.
const BATCH_ROWS: usize = 8192;

/// Topics of the simulator, each with its name in Kafka.
pub(super) type Topics = Vec<(Topic, String)>;

/// Sends what lies before now at once and in the order of time, and then each event at its time, until told to stop. What
/// topics hold already is not sent again.
///
/// # Errors
/// Where the topics cannot be read, or signals not be listened for. Within: where events cannot be sent.
pub(super) fn send_in_time(
    simulator: &Simulator,
    topics: &Topics,
    sender: &Sender,
    connection: &KafkaConnection,
    terminal: &Terminal,
) -> Result<Result<(), SendError>, AppError> {
    let latest = topics.iter().map(|(_, name)| latest_time(connection, name));
    let latest: Vec<Option<i64>> = latest.collect::<Result<_, _>>().map_err(failed)?;
    let runtime = runtime()?;
    let stopped = Arc::new(AtomicBool::new(false));
    listen(&runtime, &stopped).map_err(AppError::io("listening for signals"))?;
    // A topic that was not heard of yet begins with the first day.
    let earliest = latest.iter().copied().min().flatten().and_then(DateTime::from_timestamp_millis);
    let earliest = earliest.map(|time| time.date_naive());
    let mut days = simulator.days().skip_while(|day| earliest.is_some_and(|earliest| *day < earliest));
    let Some(first) = days.next() else { return Ok(Ok(())) };
    terminal.say(&format!("sending the events from {first} on to Kafka at {}", connection.place()));
    let topics: Vec<Outlet<'_>> = topics
        .iter()
        .zip(latest)
        .map(|((topic, name), latest)| Outlet { topic: *topic, name, after: latest.unwrap_or(i64::MIN) })
        .collect();
    let mut days = std::iter::once(first).chain(days);
    let caught_up = Once::new();
    let up_to_now = || {
        caught_up
            .call_once(|| terminal.say("all events up to now are sent; the others follow at their time"));
    };
    Ok(days.try_for_each(|day| send_day(simulator, day, &topics, sender, &stopped, &up_to_now)))
}

/// Notes when the user, or what started this process, wants it to end.
fn listen(runtime: &tokio::runtime::Runtime, stopped: &Arc<AtomicBool>) -> std::io::Result<()> {
    let _within = runtime.enter();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let stopped = stopped.clone();
    runtime.spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        stopped.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// A topic, and the time of the last event that it holds.
struct Outlet<'a> {
    topic: Topic,
    name: &'a str,
    after: i64,
}

/// The events of a topic and a day that are not sent yet, in the order of their time.
struct UnsentEvents<'a> {
    name: &'a str,
    rows: RecordBatch,
    times: Vec<i64>,
    sent: usize,
}

impl UnsentEvents<'_> {
    fn is_over(&self) -> bool {
        self.sent == self.times.len()
    }

    /// Sends the events up to a time.
    fn send_until(&mut self, now: i64, sender: &Sender, stopped: &AtomicBool) -> Result<(), SendError> {
        let due = self.times.partition_point(|time| *time <= now);
        while self.sent < due && !stopped.load(Ordering::Relaxed) {
            let rows = (due - self.sent).min(BATCH_ROWS);
            send_rows(sender, self.name, &self.rows.slice(self.sent, rows))?;
            self.sent += rows;
        }
        Ok(())
    }
}

/// Returns when the day is over, or this process is to end.
fn send_day(
    simulator: &Simulator,
    day: NaiveDate,
    topics: &[Outlet<'_>],
    sender: &Sender,
    stopped: &AtomicBool,
    up_to_now: &dyn Fn(),
) -> Result<(), SendError> {
    if stopped.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut waiting =
        topics.iter().map(|outlet| waiting(simulator, day, outlet)).collect::<Result<Vec<_>, _>>()?;
    loop {
        let now = Utc::now().timestamp_millis();
        for events in &mut waiting {
            events.send_until(now, sender, stopped)?;
        }
        if sender.has_failed() {
            return Err(sender.undelivered().into());
        }
        if stopped.load(Ordering::Relaxed) || waiting.iter().all(UnsentEvents::is_over) {
            return Ok(());
        }
        up_to_now();
        std::thread::sleep(TICK);
    }
}

fn waiting<'a>(
    simulator: &Simulator,
    day: NaiveDate,
    outlet: &Outlet<'a>,
) -> Result<UnsentEvents<'a>, ArrowError> {
    let mut batches = Vec::new();
    simulator.generate::<ArrowError>(day, Shard::WHOLE, &[outlet.topic], BATCH_ROWS, &mut |_, batch| {
        batches.push(batch);
        Ok(())
    })?;
    let rows = concat_batches(&outlet.topic.schema(), &batches)?;
    let times =
        rows.column_by_name("ts").ok_or_else(|| ArrowError::SchemaError("no column `ts`".to_owned()))?;
    let order = sort_to_indices(times, None, None)?;
    let rows = take_record_batch(&rows, &order)?;
    let times = arrow::compute::take(times, &order, None)?;
    let times = times.as_primitive::<Int64Type>().values().to_vec();
    let sent = times.partition_point(|time| *time <= outlet.after);
    Ok(UnsentEvents { name: outlet.name, rows, times, sent })
}
