//! Writing many rows: bound, those of a partition together, and many of them at once.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::cells::{Cells, cells_of};
use super::connection::Session;
use super::failure;
use super::shape::Shape;
use crate::fail_point;
use crate::stream::sink::SinkError;

/// How many requests are under way at once.
const AT_ONCE: usize = 256;
/// How many rows of one partition go in one request.
const ROWS: usize = 50;
/// How many bytes go in one request, about.
const BYTES: usize = 50 << 10;

/// Where the write timestamp stands among a statement's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimestampAt {
    Start,
    End,
}

/// A statement, and what it binds.
pub(super) struct RowStatement {
    pub(super) statement: PreparedStatement,
    pub(super) columns: Vec<String>,
    pub(super) timestamp_at: TimestampAt,
}

/// Values of a row, to be bound.
struct Row<'a> {
    cells: &'a [Cells],
    index: usize,
    timestamp: i64,
    timestamp_at: TimestampAt,
}

#[derive(Debug, thiserror::Error)]
#[error("expected {expected} values, found {found}")]
struct OtherCount {
    expected: usize,
    found: usize,
}

impl SerializeRow for Row<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let (expected, found) = (context.columns().len(), self.cells.len() + 1);
        if expected != found {
            return Err(SerializationError::new(OtherCount { expected, found }));
        }
        let mut put = |value: Option<&[u8]>| {
            let cell = writer.make_cell_writer();
            if let Some(bytes) = value {
                return cell.set_value(bytes).map(|_| ()).map_err(SerializationError::new);
            }
            cell.set_null();
            Ok(())
        };
        let timestamp = self.timestamp.to_be_bytes();
        if self.timestamp_at == TimestampAt::Start {
            put(Some(&timestamp))?;
        }
        for cells in self.cells {
            put(cells.get(self.index))?;
        }
        if self.timestamp_at == TimestampAt::End {
            put(Some(&timestamp))?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        false
    }
}

impl Row<'_> {
    fn bytes(&self) -> usize {
        self.cells.iter().map(|cells| cells.get(self.index).map_or(0, <[u8]>::len) + 4).sum()
    }
}

/// Writes rows with a statement of the table.
pub(super) async fn write_rows(
    session: &Session,
    shape: &Shape,
    with: &RowStatement,
    timestamp: i64,
    batches: &[RecordBatch],
) -> Result<(), SinkError> {
    let columns: Vec<&str> = with.columns.iter().map(String::as_str).collect();
    // What cannot be kept is refused before anything is written.
    let mut all = Vec::with_capacity(batches.len());
    for batch in batches {
        all.push((cells_of(shape, &columns, batch)?, batch.num_rows()));
    }
    let partition_key = shape.partition_key();
    let of_partition: Vec<usize> =
        partition_key.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect();
    let mut requests = Vec::new();
    for (cells, rows) in &all {
        let row = |index| Row { cells, index, timestamp, timestamp_at: with.timestamp_at };
        requests.extend(grouped(cells, *rows, &of_partition, row));
    }
    let doing = format!("write rows of {}", shape.name);
    let mut under_way = FuturesUnordered::new();
    let mut is_first = true;
    for rows in &requests {
        if under_way.len() == AT_ONCE {
            under_way.try_next().await?;
            if std::mem::take(&mut is_first) {
                fail_point::reached("cassandra-some-rows");
            }
        }
        under_way.push(request(session, &doing, with, rows));
    }
    while under_way.try_next().await?.is_some() {
        if std::mem::take(&mut is_first) {
            fail_point::reached("cassandra-some-rows");
        }
    }
    Ok(())
}

/// The rows of each partition, in requests of a bounded size.
fn grouped<'a>(
    cells: &'a [Cells],
    rows: usize,
    of_partition: &[usize],
    row: impl Fn(usize) -> Row<'a>,
) -> Vec<Vec<Row<'a>>> {
    let mut requests: Vec<(usize, Vec<Row<'a>>)> = Vec::new();
    // The request that a partition's next row goes with.
    let mut open: HashMap<Vec<u8>, usize> = HashMap::new();
    for index in 0..rows {
        let row = row(index);
        let mut key = Vec::new();
        for column in of_partition {
            let value = cells[*column].get(index).unwrap_or_default();
            key.extend_from_slice(&value.len().to_be_bytes());
            key.extend_from_slice(value);
        }
        let bytes = row.bytes();
        let fits = |at: &usize| requests[*at].1.len() < ROWS && requests[*at].0 + bytes <= BYTES;
        if let Some(at) = open.get(&key).copied().filter(fits) {
            requests[at].0 += bytes;
            requests[at].1.push(row);
        } else {
            open.insert(key, requests.len());
            requests.push((bytes, vec![row]));
        }
    }
    requests.into_iter().map(|(_, rows)| rows).collect()
}

async fn request(
    session: &Session,
    doing: &str,
    with: &RowStatement,
    rows: &[Row<'_>],
) -> Result<(), SinkError> {
    let driver = session.driver.get_session();
    let written = if let [row] = rows {
        driver.execute_unpaged(&with.statement, row).await
    } else {
        let mut batch = Batch::new(BatchType::Unlogged);
        for _ in rows {
            batch.append_statement(with.statement.clone());
        }
        batch.set_is_idempotent(true);
        driver.batch(&batch, rows).await
    };
    written.map(|_| ()).map_err(|error| failure::executing(doing, &error))
}
