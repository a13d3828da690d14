//! A table of PostgreSQL: a unit is a range of it, a piece is some thousand of its rows as lines of JSON.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::datatypes::DataType;
use parking_lot::Mutex;

use super::PostgresError;
use super::catalog::{self, FoundColumn};
use super::connection::{Snapshot, quoted};
use super::ranges::{self, Cursor, NO_ROWS, TableRange, condition};
use mep_contract::source::reading::{Piece, RowReceiver, Source, SourceError, UnitReader};
use mep_contract::source::{Holding, LandingTable, Recorded, Unit};
use mep_core::connection::PostgresConnection;
use mep_core::nearest::nearest;
use mep_decode::rows::{Chunk, DecodeError, Decoder, LineNumbers};

/// How many rows are asked for at once.
const ROWS: usize = 4096;

/// A table, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// A table as a source.
#[derive(Debug)]
pub struct PostgresSource {
    connection: PostgresConnection,
    table: PostgresTable,
    cursor: Option<String>,
    /// The declared columns, and whether each is a text.
    wanted: Vec<(String, bool)>,
    decoder: Arc<Decoder>,
    /// Is begun when it is first asked, and serves all that is read after that.
    open: Mutex<Option<Arc<OpenTable>>>,
}

/// A table in a snapshot.
struct OpenTable {
    snapshot: Mutex<Snapshot>,
    /// The columns in the database that the declared ones are, in their order.
    columns: Vec<FoundColumn>,
    cursor: Option<Cursor>,
    /// The ranges, by what their units are called.
    ranges: BTreeMap<String, TableRange>,
    /// How many cursors were declared.
    declared: AtomicUsize,
}

impl std::fmt::Debug for OpenTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenTable")
            .field("columns", &self.columns)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

impl From<PostgresError> for SourceError {
    fn from(error: PostgresError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// The columns of a table.
///
/// # Errors
/// Where the database cannot be reached, or has no such table.
pub fn columns_of(
    connection: &PostgresConnection,
    table: &PostgresTable,
) -> Result<Vec<FoundColumn>, PostgresError> {
    table.columns(&mut Snapshot::begin(connection)?, connection)
}

impl PostgresTable {
    fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    fn columns(
        &self,
        snapshot: &mut Snapshot,
        connection: &PostgresConnection,
    ) -> Result<Vec<FoundColumn>, PostgresError> {
        let columns = catalog::columns(snapshot, &self.schema, &self.name)?;
        if !columns.is_empty() {
            return Ok(columns);
        }
        let tables = catalog::tables(snapshot, &self.schema)?;
        let hint = meant(&self.name, tables.iter().map(String::as_str));
        Err(PostgresError::NoTable { place: connection.place(), table: self.shown(), hint })
    }

    /// A column by its name, or by a name that differs from it in case alone.
    fn column<'c>(&self, columns: &'c [FoundColumn], name: &str) -> Result<&'c FoundColumn, PostgresError> {
        let exact = columns.iter().find(|column| column.name == name);
        let mut alike = columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let found = exact.or_else(|| alike.next().filter(|_| alike.next().is_none()));
        found.ok_or_else(|| PostgresError::NoColumn {
            table: self.shown(),
            column: name.to_owned(),
            hint: meant(name, columns.iter().map(|column| column.name.as_str())),
        })
    }
}

impl PostgresSource {
    /// A table, as rows of `landed`; `cursor` names the column by which it is divided.
    ///
    /// # Errors
    /// Where a column is of a type that rows cannot be read into.
    pub fn new(
        connection: PostgresConnection,
        table: PostgresTable,
        cursor: Option<String>,
        landed: &LandingTable,
    ) -> Result<Self, DecodeError> {
        let decoder = Arc::new(Decoder::new(&landed.schema)?);
        let is_text = |data_type: &DataType| {
            matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        };
        let fields = landed.schema.fields.fields().iter();
        let wanted = fields.map(|field| (field.name().clone(), is_text(field.data_type()))).collect();
        Ok(Self { connection, table, cursor, wanted, decoder, open: Mutex::new(None) })
    }

    fn begin(&self) -> Result<OpenTable, PostgresError> {
        let mut snapshot = Snapshot::begin(&self.connection)?;
        let all = self.table.columns(&mut snapshot, &self.connection)?;
        let find = |(name, _): &(String, bool)| self.table.column(&all, name).cloned();
        let columns = self.wanted.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let cursor = self.cursor.as_ref().map(|name| self.cursor_of(&all, name)).transpose()?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let ranges = ranges::ranges(&mut snapshot, &self.table.quoted(), &names, cursor.as_ref())?;
        let ranges = ranges.into_iter().map(|range| (self.id(&range.name), range)).collect();
        Ok(OpenTable {
            snapshot: Mutex::new(snapshot),
            columns,
            cursor,
            ranges,
            declared: AtomicUsize::new(0),
        })
    }

    fn cursor_of(&self, columns: &[FoundColumn], name: &str) -> Result<Cursor, PostgresError> {
        let column = self.table.column(columns, name)?;
        let kind = column.cursor().ok_or_else(|| PostgresError::Cursor {
            table: self.table.shown(),
            column: name.to_owned(),
            found: column.written.clone(),
        })?;
        Ok(Cursor { column: column.name.clone(), kind })
    }

    /// What the unit of a range is called.
    fn id(&self, range: &str) -> String {
        match &self.cursor {
            Some(cursor) => format!("{} {cursor}={range}", self.table.name),
            None => self.table.name.clone(),
        }
    }

    /// SQL of the rows of a unit; `None` where it is a range without rows.
    fn query_of(&self, open: &OpenTable, unit: &Unit) -> Result<Option<String>, PostgresError> {
        match open.ranges.get(&unit.id) {
            Some(range) if range.version == unit.version => Ok(Some(self.query(open, &range.name))),
            None if unit.version == NO_ROWS => Ok(None),
            _ => Err(PostgresError::Changed(unit.id.clone())),
        }
    }

    /// SQL of the rows of a range as lines of JSON, with the declared names.
    fn query(&self, open: &OpenTable, range: &str) -> String {
        let values = self.wanted.iter().zip(&open.columns).map(|((name, is_text), column)| {
            format!("{} as {}", column.value(&quoted(&column.name), *is_text), quoted(name))
        });
        format!(
            "select row_to_json(mep_rows)::text from (select {} from {} where {}) as mep_rows",
            values.collect::<Vec<_>>().join(", "),
            self.table.quoted(),
            condition(range, open.cursor.as_ref())
        )
    }
}

impl Source for PostgresSource {
    fn units(&self, recorded: &[Recorded]) -> Result<Holding, SourceError> {
        let open = Arc::new(self.begin()?);
        let unit = |id: &str, version: &str, batch: &str| Unit {
            id: id.to_owned(),
            version: version.to_owned(),
            batch: Some(batch.to_owned()),
            bytes: None,
            day: None,
        };
        let there = open.ranges.iter().map(|(id, range)| unit(id, &range.version, &range.name));
        // What was landed and has no rows any more is landed as empty, so that its rows go.
        let gone = recorded.iter().filter(|recorded| !open.ranges.contains_key(&recorded.id));
        let gone = gone.map(|recorded| unit(&recorded.id, NO_ROWS, &recorded.batch));
        let units: Vec<Unit> = there.chain(gone).collect();
        *self.open.lock() = Some(open);
        Ok(units.into())
    }

    fn place_of_a_row(&self) -> &'static str {
        "range of the table, row"
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        let open = {
            let mut slot = self.open.lock();
            let is_there = slot.as_ref().is_some_and(|open| !open.snapshot.lock().is_lost());
            match slot.as_ref().filter(|_| is_there) {
                Some(open) => open.clone(),
                None => slot.insert(Arc::new(self.begin()?)).clone(),
            }
        };
        let query = self.query_of(&open, unit)?;
        let reader = RangeReader {
            name: format!("mep_{}", open.declared.fetch_add(1, Ordering::Relaxed)),
            unit: unit.id.clone(),
            open,
            decoder: self.decoder.clone(),
            read: 0,
            is_done: query.is_none(),
        };
        if let Some(query) = query {
            let declare = format!("declare {} no scroll cursor for {query}", quoted(&reader.name));
            reader.open.snapshot.lock().execute("read the table", &declare)?;
        }
        Ok(Box::new(reader))
    }
}

struct RangeReader {
    open: Arc<OpenTable>,
    /// The cursor's name.
    name: String,
    unit: String,
    decoder: Arc<Decoder>,
    /// Rows so far.
    read: u64,
    is_done: bool,
}

impl UnitReader for RangeReader {
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError> {
        if self.is_done {
            return Ok(None);
        }
        let mut snapshot = self.open.snapshot.lock();
        let rows = snapshot.rows("read rows", &format!("fetch {ROWS} from {}", quoted(&self.name)), &[])?;
        if rows.len() < ROWS {
            self.is_done = true;
            snapshot.execute("end reading", &format!("close {}", quoted(&self.name)))?;
        }
        drop(snapshot);
        if rows.is_empty() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.extend_from_slice(row.get::<_, &str>(0).as_bytes());
            bytes.push(b'\n');
        }
        let chunk = Chunk { lines: LineNumbers::From(self.read + 1), bytes };
        self.read += rows.len() as u64;
        Ok(Some(Box::new(RangePiece { unit: self.unit.clone(), chunk, decoder: self.decoder.clone() })))
    }
}

struct RangePiece {
    unit: String,
    chunk: Chunk,
    decoder: Arc<Decoder>,
}

impl Piece for RangePiece {
    fn read(self: Box<Self>, sink: &mut RowReceiver<'_>) -> Result<u64, SourceError> {
        let decoded =
            self.decoder.decode(&self.chunk).map_err(|error| SourceError::Unreadable(error.to_string()))?;
        Ok(decoded.hand_over(&self.unit, sink)?)
    }
}

/// `; did you mean …?`, where a name is near.
fn meant<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    nearest(name, names).map(|other| format!("; did you mean `{other}`?")).unwrap_or_default()
}
