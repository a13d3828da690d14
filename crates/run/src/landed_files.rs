//! The files that landed rows come to lie in: of their batch alone, or shared by the small batches of a day.

use arrow::array::RecordBatch;

use mep_contract::source::Unit;
use mep_contract::warehouse::{
    PartitionWriter, SharedWriter, Warehouse, WriteError, WriteTarget, WrittenFiles,
};

/// Bytes from which on a unit has files of its own.
const LARGE: u64 = 4 << 20;

/// How many small units a landing must have for them to share files.
const FEWEST: usize = 8;

/// Which of these units are so small, and so many, that their rows share files.
pub(super) fn sharing(units: &[Unit], warehouse: &dyn Warehouse) -> Vec<bool> {
    let mut sharing: Vec<bool> =
        units.iter().map(|unit| unit.bytes.is_some_and(|bytes| bytes < LARGE)).collect();
    let small = sharing.iter().filter(|is_small| **is_small).count();
    let is_worth_it = small >= FEWEST || mep_core::fail_point::is_always("shared-files");
    if warehouse.has_one_folder_a_partition() || !is_worth_it {
        sharing.fill(false);
    }
    sharing
}

/// Writes rows of batches.
pub(super) struct LandedFiles {
    own: PartitionWriter,
    shared: SharedWriter,
}

impl LandedFiles {
    /// Writers to the same target, whose last partition column is the batch.
    pub(super) fn new(target: WriteTarget, index: usize) -> Result<Self, WriteError> {
        Ok(Self {
            own: PartitionWriter::new(target.clone(), format!("part{index}"))?,
            shared: SharedWriter::new(target, &format!("shared{index}-"))?,
        })
    }

    /// Writes rows of one batch.
    pub(super) fn write(
        &mut self,
        rows: &RecordBatch,
        batch: &str,
        is_shared: bool,
    ) -> Result<(), WriteError> {
        if is_shared { self.shared.write(rows, batch) } else { self.own.write(rows) }
    }

    /// Ends all files.
    pub(super) fn finish(self) -> Result<WrittenFiles, WriteError> {
        let mut written = self.own.finish()?;
        for (key, mut files) in self.shared.finish()? {
            written.entry(key).or_default().append(&mut files);
        }
        Ok(written)
    }
}
