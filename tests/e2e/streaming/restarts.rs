//! Kafka and Cassandra that end and come back while a stream goes on, in a stack of their own: nothing is lost, nothing counts
//! twice, and what waits does not pile up in memory.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;

use super::kills::{Dice, events};
use super::{Streaming, agrees, caught_up, counts, listen, project_at, wait_until};
use crate::kafka::topic::Topic;
use crate::project::Project;
use crate::services::own_stack::OwnStack;

/// What is done to a stack.
type Act = fn(&OwnStack);

/// One test at a time, all in one stack, which ends with the tests' process.
static STACK: Mutex<Option<OwnStack>> = Mutex::new(None);

const SERVICES: [&str; 2] = ["kafka", "cassandra"];

/// What a stream may take while it waits for Cassandra, in megabytes.
pub(super) const MEMORY: u64 = 600;

/// How many events come at once while Cassandra is away.
const BURST: i64 = 300_000;

/// A stream that ends in so short a time after it was started has not begun.
const BEGINNING: Duration = Duration::from_secs(5);

/// A stream that is told to stop has ended by then.
const STOPPING: Duration = Duration::from_secs(10);

/// The turn of a test: all services are up when it begins.
struct Turn(MutexGuard<'static, Option<OwnStack>>);

impl Turn {
    fn take() -> Self {
        let mut stack = STACK.lock().unwrap_or_else(PoisonError::into_inner);
        match stack.as_ref() {
            Some(stack) => stack.up(&SERVICES),
            None => *stack = Some(OwnStack::start("stack-restarts", &SERVICES)),
        }
        Self(stack)
    }

    fn stack(&self) -> &OwnStack {
        self.0.as_ref().unwrap()
    }

    /// A topic with three partitions, and the three models over it.
    fn project(&self) -> (Topic, Project) {
        let brokers = self.stack().address("KAFKA");
        let topic = Topic::at(brokers.to_owned(), 3);
        let project = project_at(&topic, brokers, Some(self.stack().address("CASSANDRA")));
        (topic, project)
    }
}

/// What was sent.
#[derive(Default)]
struct Sent {
    /// The number of events of each partition.
    next: [i64; 3],
    /// Those that cannot be read.
    dead: BTreeSet<(i32, i64)>,
}

impl Sent {
    fn count(&self) -> u64 {
        self.next.iter().sum::<i64>() as u64
    }
}

/// Sends events on and on until told to stop, whether the broker is there or not. Each `()` asks for very many at once.
fn produce(brokers: &str, topic: &str, seed: u64, bursts: Receiver<()>) -> JoinHandle<Sent> {
    // Idempotent, so that what is tried again is there once and in order.
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "300000")
        .set("reconnect.backoff.max.ms", "1000")
        .create()
        .unwrap();
    let topic = topic.to_owned();
    std::thread::spawn(move || {
        let (mut dice, mut sent, mut second) = (Dice(seed), Sent::default(), 0);
        let send = |sent: &mut Sent, partition: i32, event: &str| {
            let next = &mut sent.next[partition as usize];
            if event == "{oops" {
                sent.dead.insert((partition, *next));
            }
            *next += 1;
            let mut record = BaseRecord::<[u8], str>::to(&topic).partition(partition).payload(event);
            while let Err((error, back)) = producer.send(record) {
                assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)));
                record = back;
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        loop {
            match bursts.try_recv() {
                Ok(()) => {
                    for number in 0..BURST {
                        let song = ["a", "b", "c"][number as usize % 7 % 3];
                        let event = listen(second + number % 60, number % 200, song);
                        send(&mut sent, (number % 3) as i32, &event);
                    }
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            let partition = dice.below(3) as i32;
            for event in events(&mut dice, second, 240) {
                send(&mut sent, partition, &event);
            }
            second += 20;
            std::thread::sleep(Duration::from_millis(dice.below(400)));
        }
        producer.flush(Duration::from_mins(2)).unwrap();
        sent
    })
}

/// Keeps a stream going, as whatever starts it anew would.
struct Supervisor<'p> {
    project: &'p Project,
    stream: Option<Living>,
    is_away: bool,
    /// How often Cassandra had taken back what it had acknowledged.
    taken_back: usize,
    /// How often it was started in vain while a service was away.
    in_vain: usize,
    /// The most memory that it took, in megabytes.
    most: u64,
}

struct Living {
    stream: Streaming,
    said: JoinHandle<String>,
    began: Instant,
    /// Whether a service was away when it began.
    is_excused: bool,
}

impl<'p> Supervisor<'p> {
    fn new(project: &'p Project) -> Self {
        Self { project, stream: None, is_away: false, taken_back: 0, in_vain: 0, most: 0 }
    }

    /// Looks after the stream for a while.
    fn go_on(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.look();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Looks after it while something is done that takes time.
    fn meanwhile(&mut self, work: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let work = scope.spawn(work);
            while !work.is_finished() {
                self.go_on(Duration::from_millis(100));
            }
        });
    }

    fn look(&mut self) {
        let Some(living) = &mut self.stream else {
            let mut stream = Streaming::start(self.project, &[], None);
            let mut stderr = stream.0.stderr.take().unwrap();
            let said = std::thread::spawn(move || {
                let mut said = String::new();
                stderr.read_to_string(&mut said).unwrap();
                said
            });
            self.stream = Some(Living { stream, said, began: Instant::now(), is_excused: self.is_away });
            return;
        };
        self.most = self.most.max(resident(living.stream.0.id()));
        living.is_excused |= self.is_away && living.began.elapsed() < BEGINNING;
        let Some(status) = living.stream.0.try_wait().unwrap() else { return };
        let living = self.stream.take().unwrap();
        let said = living.said.join().unwrap();
        if said.contains("stands at epoch") {
            self.taken_back += 1;
        } else {
            assert!(living.is_excused, "after {:?}: {status}\n{said}", living.began.elapsed());
            self.in_vain += 1;
        }
        std::thread::sleep(Duration::from_millis(500));
    }

    /// kill -9
    fn kill(&mut self) {
        if let Some(living) = self.stream.take() {
            living.stream.kill();
            living.said.join().unwrap();
        }
    }
}

/// The memory of a process in megabytes; 0 where it is gone.
pub(super) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// Each event that was sent was read once, and taken, late or dead; and both sides agree.
#[track_caller]
fn nothing_is_lost(project: &Project, sent: &Sent) {
    let counts = counts(&caught_up(project));
    assert_eq!(counts.len(), 3);
    for (model, [read, taken, late, dead]) in &counts {
        assert_eq!(*read, sent.count(), "{model}");
        assert_eq!(*read, taken + late + dead, "{model}");
        assert!(*dead >= sent.dead.len() as u64, "{model}");
    }
    assert_eq!(counts["each"][3], sent.dead.len() as u64);
    agrees(project, &["late", "dead"]);
}

/// All that cannot be read is among the dead letters.
fn dead_letters(brokers: &str, topic: &Topic, dead: &BTreeSet<(i32, i64)>) {
    let name = format!("{}_dead_letters", topic.name());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[&name]).unwrap();
    let prefix = format!("{}/", topic.name());
    let mut missing: BTreeSet<String> =
        dead.iter().map(|(partition, offset)| format!("{prefix}{partition}/{offset}")).collect();
    wait_until("the dead letters", Duration::from_mins(1), || {
        while let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            missing.remove(std::str::from_utf8(message.key().unwrap()).unwrap());
        }
        missing.is_empty()
    });
}

#[test]
#[ignore = "nightly: restarts services"]
fn kafka_and_cassandra_go_and_come_back_under_a_stream() {
    let turn = Turn::take();
    let (topic, project) = turn.project();
    let brokers = turn.stack().address("KAFKA");
    let mut dice = Dice(5);
    let mut outages = vec!["kafka", "kafka", "cassandra", "cassandra"];
    let (bursts, asked) = channel();
    let producer = produce(brokers, topic.name(), 6, asked);
    let mut supervisor = Supervisor::new(&project);
    let mut is_first_of_cassandra = true;
    while !outages.is_empty() {
        let service = outages.remove(dice.below(outages.len() as u64) as usize);
        supervisor.go_on(Duration::from_secs(6 + dice.below(6)));
        turn.stack().kill(&[service]);
        supervisor.is_away = true;
        let began = Instant::now();
        if service == "cassandra" && std::mem::take(&mut is_first_of_cassandra) {
            bursts.send(()).unwrap();
            // Until the lease has ended, too.
            supervisor.go_on(Duration::from_secs(32));
        } else {
            supervisor.go_on(Duration::from_secs(1 + dice.below(8)));
            if dice.below(2) == 0 {
                supervisor.kill();
            }
        }
        supervisor.meanwhile(|| turn.stack().up(&[service]));
        eprintln!("{service} was away for {:?}", began.elapsed());
        supervisor.is_away = false;
        supervisor.go_on(Duration::from_secs(2 + dice.below(5)));
        if dice.below(2) == 0 {
            supervisor.kill();
        }
    }
    supervisor.go_on(Duration::from_secs(5));
    drop(bursts);
    let sent = producer.join().unwrap();
    supervisor.go_on(Duration::from_secs(1));
    supervisor.kill();
    eprintln!(
        "{} events; started in vain {} times, after something was taken back {} times; {} MB",
        sent.count(),
        supervisor.in_vain,
        supervisor.taken_back,
        supervisor.most
    );
    assert!(supervisor.most < MEMORY, "{} MB", supervisor.most);
    nothing_is_lost(&project, &sent);
    dead_letters(brokers, &topic, &sent.dead);
    Topic::at_hand(brokers.to_owned(), &format!("{}_dead_letters", topic.name())).delete();
}

/// Sends some events to each partition, and notes them.
fn deliver(topic: &Topic, dice: &mut Dice, second: i64, sent: &mut Sent) {
    for partition in 0..3 {
        let events = events(dice, second, 60);
        let next = &mut sent.next[partition as usize];
        let dead = (*next..).zip(&events).filter(|(_, event)| *event == "{oops");
        sent.dead.extend(dead.map(|(offset, _)| (partition, offset)));
        *next += events.len() as i64;
        topic.send(partition, &events);
    }
}

/// Stops a stream that had committed what there was, while something is as `outage` makes it. Gives its code and what it said.
fn stopped(
    turn: &Turn,
    seed: u64,
    outage: impl FnOnce(&OwnStack),
    late_outage: impl FnOnce(&OwnStack),
    recovery: impl FnOnce(&OwnStack),
) -> (Option<i32>, String) {
    let (topic, project) = turn.project();
    let (mut dice, mut sent) = (Dice(seed), Sent::default());
    deliver(&topic, &mut dice, 0, &mut sent);
    let stream = Streaming::start(&project, &["--metrics", "127.0.0.1:29465"], None);
    let read = format!("mep_stream_events_read_total{{model=\"popular\"}} {}\n", sent.count());
    wait_until("the first events", Duration::from_secs(30), || {
        let answer = ureq::get("http://127.0.0.1:29465/metrics").call();
        let scraped = answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
        scraped.is_some_and(|scraped| scraped.contains(&read))
    });
    outage(turn.stack());
    deliver(&topic, &mut dice, 60, &mut sent);
    late_outage(turn.stack());
    std::thread::sleep(Duration::from_secs(3));
    let (code, said, took) = stream.stop();
    eprintln!("ended with {code:?} after {took:?}\n{said}");
    recovery(turn.stack());
    assert!(took < STOPPING, "{took:?}: {said}");
    nothing_is_lost(&project, &sent);
    Topic::at_hand(turn.stack().address("KAFKA").to_owned(), &format!("{}_dead_letters", topic.name()))
        .delete();
    (code, said)
}

#[test]
#[ignore = "nightly: restarts services"]
fn a_stream_that_is_stopped_while_cassandra_is_away_says_so_and_the_next_one_has_all() {
    let turn = Turn::take();
    let (kill, up): (Act, Act) = (|stack| stack.kill(&["cassandra"]), |stack| stack.up(&["cassandra"]));
    let (freeze, thaw): (Act, Act) =
        (|stack| stack.freeze("cassandra", true), |stack| stack.freeze("cassandra", false));
    let (refused, silent) = (
        "error: by_minute: cassandra: cannot ",
        "error: stopped while there was no answer from the keyspace ",
    );
    for (seed, outage, recovery, why) in [(7, kill, up, refused), (8, freeze, thaw, silent)] {
        let (code, said) = stopped(&turn, seed, outage, |_| {}, recovery);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
#[ignore = "nightly: restarts services"]
fn a_stream_that_is_stopped_while_kafka_is_away_ends_soon_and_the_next_one_has_all() {
    let turn = Turn::take();
    // Once it has read what came last, and once it perhaps has not.
    for seed in [9, 10] {
        let wait = Duration::from_secs(if seed == 9 { 3 } else { 0 });
        let kill = |stack: &OwnStack| {
            std::thread::sleep(wait);
            stack.kill(&["kafka"]);
        };
        let (code, said) = stopped(&turn, seed, |_| {}, kill, |stack| stack.up(&["kafka"]));
        assert!(matches!(code, Some(0 | 1)), "{said}");
        assert!(code == Some(0) || said.contains("error:"), "{said}");
    }
}
