//! A query that HiveServer2 answers again and again while services go and come back, and what it may show.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{PATIENCE, Rows};
use crate::services::hive::Hive;

/// The rows of each partition.
pub(super) fn by_day(rows: &Rows) -> BTreeMap<String, Rows> {
    let mut days: BTreeMap<String, Rows> = BTreeMap::new();
    for row in rows {
        days.entry(row[0].clone()).or_default().push(row.clone());
    }
    days
}

/// What a query gave, and when.
pub(super) struct Seen {
    began: Instant,
    ended: Instant,
    rows: Result<Rows, String>,
}

/// Asks HiveServer2 the same again and again: from before the outage until it has answered after it.
pub(super) struct Reader {
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

/// So often a query may fail after the outage before that is taken for the answer.
const LAST_TRIES: usize = 10;

impl Reader {
    pub(super) fn start(address: &str, sql: String) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let (address, done) = (address.to_owned(), is_done.clone());
        let (first, answered) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let mut all = Vec::new();
            let mut session: Option<Hive> = None;
            let mut last_tries = 0;
            while last_tries < LAST_TRIES {
                last_tries += usize::from(done.load(Ordering::SeqCst));
                let began = Instant::now();
                let rows = match session.take().map_or_else(|| Hive::try_connect(&address), Ok) {
                    Ok(mut open) => {
                        let rows = open.try_rows(&sql);
                        // After an error the session may be of no use any more.
                        session = rows.is_ok().then_some(open);
                        rows
                    }
                    Err(error) => Err(error),
                };
                if rows.is_ok() && last_tries > 0 {
                    last_tries = LAST_TRIES;
                }
                let rows = rows.map(|mut rows| {
                    rows.sort();
                    rows
                });
                all.push(Seen { began, ended: Instant::now(), rows });
                // Only the first one is waited for.
                let _ = first.try_send(());
                std::thread::sleep(Duration::from_millis(20));
            }
            all
        });
        answered.recv_timeout(PATIENCE).unwrap();
        Self { is_done, thread }
    }

    pub(super) fn end(self) -> Vec<Seen> {
        self.is_done.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// What is said where a service cannot be reached, or a block of a file has no DataNode that lives.
const CONNECTION: [&str; 9] = [
    "refused",
    "TTransportException",
    "EOFException",
    "Broken pipe",
    "Connection reset",
    "SessionHiveMetaStoreClient",
    "safe mode",
    "Could not obtain block",
    "BlockMissing",
];

/// Each partition that was seen is an old or a new one, and a query failed only for want of a service during the outage.
#[track_caller]
pub(super) fn check(
    seen: &[Seen],
    outage: &Range<Instant>,
    old: &BTreeMap<String, Rows>,
    new: &BTreeMap<String, Rows>,
) {
    let answered = seen.iter().filter(|seen| seen.rows.is_ok()).count();
    eprintln!("hive answered {answered} of {} queries", seen.len());
    assert!(answered > 1, "hive answered {answered} queries");
    for Seen { began, ended, rows } in seen {
        match rows {
            Ok(rows) => {
                let days = by_day(rows);
                for day in old.keys().chain(new.keys()) {
                    let found = days.get(day);
                    assert!(
                        found == old.get(day) || found == new.get(day),
                        "{day}: hive showed {found:?}, old is {:?}, new is {:?}",
                        old.get(day),
                        new.get(day)
                    );
                }
                assert!(days.keys().all(|day| old.contains_key(day) || new.contains_key(day)), "{days:?}");
            }
            Err(error) => {
                let is_meanwhile = *began < outage.end && *ended > outage.start;
                let is_excused = CONNECTION.iter().any(|words| error.contains(words));
                assert!(
                    is_meanwhile && is_excused,
                    "hive failed (during the outage: {is_meanwhile}): {error}"
                );
            }
        }
    }
}
