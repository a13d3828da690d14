//! Batches as lines of JSON.

use std::io;

use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;

/// Writes a batch as one JSON object a line, its keys in the order of the columns; what is null is left out.
///
/// # Errors
/// Where the writer fails.
pub fn write_ndjson(batch: &RecordBatch, out: &mut impl io::Write) -> io::Result<()> {
    let mut writer = LineDelimitedWriter::new(out);
    writer.write(batch).and_then(|()| writer.finish()).map_err(io::Error::other)
}
