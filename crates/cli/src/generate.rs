//! generate: the simulator's events as files, or to Kafka.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::error::ArrowError;
use chrono::NaiveDate;
use parking_lot::Mutex;

use super::arguments::{FileCompression, GenerateArguments, Global};
use super::exit::Exit;
use super::generate_to_kafka;
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::cores;
use mep_core::quantity::{bytes, plural};
use mep_lang::project::{Problem, nearest};
use mep_simulator::simulator::{MOST_DAYS, Shard, Simulator, SimulatorConfig, Topic, write_ndjson};

/// Rows that are turned into text at once.
const BATCH_ROWS: usize = 8192;

#[derive(Debug, thiserror::Error)]
enum GenerateError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

#[derive(Default)]
struct Totals {
    files: u64,
    rows: u64,
    bytes: u64,
}

/// Writes a file for each topic and day.
///
/// # Errors
/// Where the settings make no sense, or a file cannot be written.
pub(super) fn generate(global: &Global, arguments: &GenerateArguments) -> Result<Exit, AppError> {
    let topics = topics(&arguments.topic)?;
    let config = SimulatorConfig {
        seed: arguments.seed,
        start: first_day(arguments),
        days: if arguments.live { MOST_DAYS } else { arguments.days },
        users: arguments.users,
        growth: arguments.growth,
        attrition: arguments.attrition,
        duplicates: arguments.duplicates,
        mojibake: arguments.mojibake,
    };
    let simulator = Simulator::new(config).map_err(|error| Problem::new(error.to_string()))?;
    if arguments.to.as_os_str() == "kafka" {
        return generate_to_kafka::generate(global, arguments, &simulator, &topics);
    }
    only_kafka(arguments)?;
    let work: Vec<(NaiveDate, Topic)> =
        simulator.days().flat_map(|day| topics.iter().map(move |topic| (day, *topic))).collect();
    let next = AtomicUsize::new(0);
    let totals = Mutex::new(Totals::default());
    let failure: Mutex<Option<GenerateError>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..cores().min(work.len()) {
            scope.spawn(|| {
                while let Some((day, topic)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let written = write_day(&simulator, *day, *topic, &arguments.to, arguments.compression);
                    match written {
                        Ok((rows, bytes)) => {
                            let mut totals = totals.lock();
                            totals.files += 1;
                            totals.rows += rows;
                            totals.bytes += bytes;
                        }
                        Err(error) => {
                            *failure.lock() = Some(error);
                            next.store(work.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner() {
        return Err(AppError::io(format!("writing events to {}", arguments.to.display()))(io::Error::other(
            error,
        )));
    }
    let totals = totals.into_inner();
    let terminal = Terminal::new(global.log_format, global.quiet);
    terminal.say(&format!(
        "wrote {} in {} ({}) to {}",
        plural(totals.rows, "event"),
        plural(totals.files, "file"),
        bytes(totals.bytes),
        arguments.to.display()
    ));
    Ok(Exit::Success)
}

fn first_day(arguments: &GenerateArguments) -> NaiveDate {
    let otherwise =
        if arguments.live { chrono::Utc::now().date_naive() } else { SimulatorConfig::default().start };
    arguments.start.unwrap_or(otherwise)
}

/// What is said for Kafka alone is refused for files, rather than passed over.
fn only_kafka(arguments: &GenerateArguments) -> Result<(), Problem> {
    let said = [
        ("--brokers", !arguments.brokers.is_empty()),
        ("--topic-prefix", arguments.topic_prefix.is_some()),
        ("--rate", arguments.rate.is_some()),
        ("--live", arguments.live),
        ("--now", arguments.now),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        Some((word, _)) => {
            let message =
                format!("{word} is for --to kafka, but the events go to {}", arguments.to.display());
            Err(Problem::new(message).help("say --to kafka, or leave it out"))
        }
        None => Ok(()),
    }
}

fn topics(words: &[String]) -> Result<Vec<Topic>, Problem> {
    if words.is_empty() {
        return Ok(Topic::ALL.to_vec());
    }
    let one = |word: &String| {
        Topic::from_name(word).ok_or_else(|| {
            let names = Topic::ALL.map(Topic::name);
            let problem = Problem::new(format!("the simulator has no topic `{word}`"));
            match nearest(word, names) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the topics are {}", names.join(", "))),
            }
        })
    };
    words.iter().map(one).collect()
}

/// Writes one file under a name that readers pass over, and renames it once it is whole.
fn write_day(
    simulator: &Simulator,
    day: NaiveDate,
    topic: Topic,
    to: &Path,
    compression: FileCompression,
) -> Result<(u64, u64), GenerateError> {
    let folder = to.join(topic.name());
    fs::create_dir_all(&folder)?;
    let ending = match compression {
        FileCompression::None => "json",
        FileCompression::Gzip => "json.gz",
        FileCompression::Zstd => "json.zst",
    };
    let name = format!("{day}.{ending}");
    let unfinished = folder.join(format!(".{name}.tmp"));
    let file = BufWriter::new(File::create(&unfinished)?);
    let rows = match compression {
        FileCompression::None => {
            let mut file = file;
            let rows = write_rows(simulator, day, topic, &mut file)?;
            file.flush()?;
            rows
        }
        FileCompression::Gzip => {
            let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            let rows = write_rows(simulator, day, topic, &mut out)?;
            out.finish()?.flush()?;
            rows
        }
        FileCompression::Zstd => {
            let mut out = zstd::Encoder::new(file, 1)?;
            let rows = write_rows(simulator, day, topic, &mut out)?;
            out.finish()?.flush()?;
            rows
        }
    };
    let bytes = fs::metadata(&unfinished)?.len();
    fs::rename(&unfinished, folder.join(name))?;
    Ok((rows, bytes))
}

fn write_rows(
    simulator: &Simulator,
    day: NaiveDate,
    topic: Topic,
    out: &mut impl Write,
) -> Result<u64, GenerateError> {
    let mut rows = 0;
    simulator.generate::<GenerateError>(day, Shard::WHOLE, &[topic], BATCH_ROWS, &mut |_, batch| {
        rows += batch.num_rows() as u64;
        Ok(write_ndjson(&batch, out)?)
    })?;
    Ok(rows)
}
