//! How fast the simulator makes events, on one core: `cargo bench --bench simulator [users [days]]`.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use arrow::error::ArrowError;
use mep_simulator::simulator::{Shard, Simulator, SimulatorConfig, Topic, write_ndjson};

const BATCH_ROWS: usize = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let users = numbers.next().unwrap_or(200_000);
    let days = u32::try_from(numbers.next().unwrap_or(3))?;

    let begun = Instant::now();
    let simulator = Simulator::new(SimulatorConfig { users, days, ..SimulatorConfig::default() })?;
    println!("{:<40} {:>10.1} ms", "preparing", begun.elapsed().as_secs_f64() * 1e3);

    measure(&simulator, "all topics", &Topic::ALL, false)?;
    for topic in Topic::ALL {
        measure(&simulator, topic.name(), &[topic], false)?;
    }
    measure(&simulator, "page_view_events as JSON", &[Topic::PageViewEvents], true)
}

fn measure(simulator: &Simulator, what: &str, topics: &[Topic], json: bool) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut rows = 0;
    let mut text = Vec::new();
    for day in simulator.days() {
        simulator.generate::<ArrowError>(day, Shard::WHOLE, topics, BATCH_ROWS, &mut |_, batch| {
            rows += batch.num_rows();
            if json {
                text.clear();
                write_ndjson(&batch, &mut text)?;
            }
            black_box((&batch, &text));
            Ok(())
        })?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what:<40} {rows:>10} events {seconds:>8.3} s {:>12.0} events/s", rows as f64 / seconds);
    Ok(())
}
