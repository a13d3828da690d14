//! Writing many rows: bound, those of a partition together, in the same requests each time.

use std::cmp;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::cells::{Cells, cells_of};
use super::connection::CassandraSession;
use super::sending::{Acknowledged, RowSender, send_rest};
use super::shape::Shape;
use mep_contract::sink::SinkError;
use mep_core::fail_point;

/// How many rows of one partition go in one request.
pub(super) const ROWS: usize = 50;
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

impl RowStatement {
    /// Puts rows of a table in place of older ones.
    pub(super) async fn inserting(
        session: &CassandraSession,
        keyspace: &str,
        shape: &Shape,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            statement: session.prepare(&doing(shape), &shape.insert(keyspace)).await?,
            columns: shape.columns.iter().map(|column| column.name.clone()).collect(),
            timestamp_at: TimestampAt::End,
        })
    }

    /// Takes rows of a table away.
    pub(super) async fn deleting(
        session: &CassandraSession,
        keyspace: &str,
        shape: &Shape,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            statement: session.prepare(&doing(shape), &shape.delete(keyspace)).await?,
            columns: shape.key().into_iter().map(str::to_owned).collect(),
            timestamp_at: TimestampAt::Start,
        })
    }
}

fn doing(shape: &Shape) -> String {
    format!("write rows of {}", shape.name)
}

/// Values of a row, to be bound.
pub(super) struct BoundRow<'a> {
    cells: &'a [Cells],
    pub(super) index: usize,
    timestamp: i64,
    timestamp_at: TimestampAt,
}

#[derive(Debug, thiserror::Error)]
#[error("expected {expected} values, found {found}")]
struct OtherCount {
    expected: usize,
    found: usize,
}

impl SerializeRow for BoundRow<'_> {
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

impl<'a> BoundRow<'a> {
    /// All rows of some cells.
    pub(super) fn all(
        cells: &'a [Cells],
        rows: usize,
        timestamp: i64,
        timestamp_at: TimestampAt,
    ) -> impl Iterator<Item = Self> {
        (0..rows).map(move |index| Self { cells, index, timestamp, timestamp_at })
    }

    /// Whether it comes before another one, by the values of some columns.
    fn order(&self, other: &Self, columns: &[usize]) -> cmp::Ordering {
        let order =
            |column: &usize| self.cells[*column].get(self.index).cmp(&other.cells[*column].get(other.index));
        columns.iter().map(order).find(|order| order.is_ne()).unwrap_or(cmp::Ordering::Equal)
    }

    /// About how long it is.
    fn bytes(&self) -> usize {
        self.cells.iter().map(|cells| cells.get(self.index).map_or(0, <[u8]>::len) + 4).sum()
    }
}

/// Writes rows with a statement of the table, those that were not acknowledged by an earlier call with the same ones.
pub(super) async fn write_rows(
    session: &CassandraSession,
    sender: &dyn RowSender,
    (shape, with): (&Shape, &RowStatement),
    timestamp: i64,
    batches: &[RecordBatch],
    acknowledged: &mut Acknowledged,
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
    let rows = all.iter().flat_map(|(cells, rows)| BoundRow::all(cells, *rows, timestamp, with.timestamp_at));
    let rows = in_order(rows.collect(), &at(&shape.key()));
    let doing = doing(shape);
    let requests: Vec<&[BoundRow<'_>]> = Requests::of(&rows, at(&shape.partition_key())).collect();
    let is_first = AtomicBool::new(true);
    let send = async |number: usize| {
        request(session, &doing, with, requests[number]).await?;
        if is_first.swap(false, Ordering::Relaxed) {
            fail_point::reached("cassandra-some-rows");
        }
        Ok(())
    };
    send_rest(&session.pace, usize::MAX, sender, &requests, acknowledged, send).await
}

/// Rows in the order of their keys, so that those of a request lie near each other. Of rows with one key the last one stays:
/// Cassandra would take the larger of values that are as old.
pub(super) fn in_order<'a>(mut rows: Vec<BoundRow<'a>>, key: &[usize]) -> Vec<BoundRow<'a>> {
    rows.sort_by(|one, other| one.order(other, key));
    let mut kept: Vec<BoundRow<'a>> = Vec::with_capacity(rows.len());
    for row in rows {
        match kept.last_mut() {
            Some(last) if last.order(&row, key).is_eq() => *last = row,
            _ => kept.push(row),
        }
    }
    kept
}

/// Rows in order, in requests of a bounded size, each of one partition.
pub(super) struct Requests<'r, 'a> {
    rows: &'r [BoundRow<'a>],
    /// Where the columns of the partition key stand.
    of_partition: Vec<usize>,
}

impl<'r, 'a> Requests<'r, 'a> {
    pub(super) fn of(rows: &'r [BoundRow<'a>], of_partition: Vec<usize>) -> Self {
        Self { rows, of_partition }
    }
}

impl<'r, 'a> Iterator for Requests<'r, 'a> {
    type Item = &'r [BoundRow<'a>];

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rows.first()?;
        let mut bytes = 0;
        let fits = |row: &&BoundRow<'a>| {
            bytes += row.bytes();
            bytes <= BYTES && row.order(first, &self.of_partition).is_eq()
        };
        let count = self.rows.iter().take(ROWS).take_while(fits).count().max(1);
        let (request, rest) = self.rows.split_at(count);
        self.rows = rest;
        Some(request)
    }
}

async fn request(
    session: &CassandraSession,
    doing: &str,
    with: &RowStatement,
    rows: &[BoundRow<'_>],
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
    written.map(|_| ()).map_err(|error| session.failed(doing, &error))
}
