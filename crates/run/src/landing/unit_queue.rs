//! The units of a landing, as its threads share them.

use std::sync::Arc;

use parking_lot::Mutex;

use mep_contract::source::{Source, SourceError, Unit, UnitReader};

/// The units as threads share them: each is opened once, and read by one thread at a time.
pub(super) struct UnitQueue<'a> {
    source: &'a dyn Source,
    units: &'a [Unit],
    next: Mutex<usize>,
    open: Mutex<Vec<(usize, SharedReader)>>,
}

/// A unit that is being read; `None` once it has ended.
pub(super) type SharedReader = Arc<Mutex<Option<Box<dyn UnitReader>>>>;

impl<'a> UnitQueue<'a> {
    pub(super) fn new(source: &'a dyn Source, units: &'a [Unit]) -> Self {
        Self { source, units, next: Mutex::new(0), open: Mutex::new(Vec::new()) }
    }

    /// A unit that no thread has begun, else one that another thread is reading.
    pub(super) fn take(&self) -> Result<Option<(usize, SharedReader)>, SourceError> {
        let begun = {
            let mut next = self.next.lock();
            let index = *next;
            *next += usize::from(index < self.units.len());
            index
        };
        if let Some(unit) = self.units.get(begun) {
            let reader: SharedReader = Arc::new(Mutex::new(Some(self.source.open(unit)?)));
            self.open.lock().push((begun, reader.clone()));
            return Ok(Some((begun, reader)));
        }
        Ok(self.open.lock().first().cloned())
    }

    pub(super) fn done(&self, index: usize) {
        self.open.lock().retain(|(open, _)| *open != index);
    }
}
