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
    /// The values of some columns, told apart by their lengths.
    fn bytes_of(&self, columns: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for column in columns {
            let value = self.cells[*column].get(self.index).unwrap_or_default();
            bytes.extend_from_slice(&value.len().to_be_bytes());
            bytes.extend_from_slice(value);
        }
        bytes
    }

    /// About how long it is.
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
    let at = |key: &[&str]| -> Vec<usize> {
        key.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect()
    };
    let mut requests = Requests::of(at(&shape.partition_key()), at(&shape.key()));
    for (cells, rows) in &all {
        for index in 0..*rows {
            requests.add(Row { cells, index, timestamp, timestamp_at: with.timestamp_at });
        }
    }
    let requests = requests.rows;
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
struct Requests<'a> {
    /// Where the columns of the partition key stand.
    of_partition: Vec<usize>,
    /// Where the columns of the key stand.
    of_key: Vec<usize>,
    rows: Vec<Vec<Row<'a>>>,
    bytes: Vec<usize>,
    /// The request that a partition's next row goes with.
    open: HashMap<Vec<u8>, usize>,
    /// The request, and the place in it, of each key.
    places: HashMap<Vec<u8>, (usize, usize)>,
}

impl<'a> Requests<'a> {
    fn of(of_partition: Vec<usize>, of_key: Vec<usize>) -> Self {
        let (rows, bytes) = (Vec::new(), Vec::new());
        Self { of_partition, of_key, rows, bytes, open: HashMap::new(), places: HashMap::new() }
    }

    /// Adds a row. Of rows with one key the last one is written: Cassandra would take the larger of values that are as old.
    fn add(&mut self, row: Row<'a>) {
        let key = row.bytes_of(&self.of_key);
        if let Some((request, place)) = self.places.get(&key) {
            self.rows[*request][*place] = row;
            return;
        }
        let bytes = row.bytes();
        let partition = row.bytes_of(&self.of_partition);
        let fits = |at: &usize| self.rows[*at].len() < ROWS && self.bytes[*at] + bytes <= BYTES;
        let open = self.open.get(&partition).copied().filter(fits);
        let at = open.unwrap_or_else(|| {
            self.rows.push(Vec::new());
            self.bytes.push(0);
            self.rows.len() - 1
        });
        if open.is_none() {
            self.open.insert(partition, at);
        }
        self.places.insert(key, (at, self.rows[at].len()));
        self.bytes[at] += bytes;
        self.rows[at].push(row);
    }
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
