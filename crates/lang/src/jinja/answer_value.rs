//! Rows as templates see them: with what dbt's macros use of agate's tables.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Kwargs, Object, ObjectRepr, Rest, Tuple, from_args};
use minijinja::{Error, State, Value};

use super::answer::{Answer, Asked, Cell};
use super::collections::{Dict, List};
use super::problem::unsupported;
use super::time::{Day, Timestamp};

/// The part of an answer that a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Table,
    Rows,
    Columns,
    Row(usize),
    Column(usize),
}

/// What an answer says, and whether it is only one that any question could have.
#[derive(Debug)]
struct Known {
    answer: Answer,
    is_any: bool,
}

/// A table of an answer, or a part of it.
#[derive(Clone, Debug)]
pub(super) struct AnswerValue {
    known: Arc<Known>,
    part: Part,
}

/// The name of the one column of which nothing is known.
const ANY: &str = "value";

impl AnswerValue {
    /// `run_query(...)`.
    pub(super) fn table(asked: Asked) -> Value {
        let known = match asked {
            Asked::Rows(answer) => Known { answer, is_any: false },
            Asked::Unknown => {
                let answer = Answer { columns: vec![ANY.to_owned()], rows: vec![vec![Cell::Integer(1)]] };
                Known { answer, is_any: true }
            }
        };
        Value::from_object(Self { known: Arc::new(known), part: Part::Table })
    }

    /// What `load_result()` gives of a table.
    pub(super) fn result(table: &Value) -> Value {
        let Some(own) = table.downcast_object_ref::<Self>() else { return Value::from(()) };
        let rows = own.known.answer.rows.iter().map(|row| tuple(row.iter()));
        let rows: Vec<Value> = if own.known.is_any { vec![own.of(Part::Row(0))] } else { rows.collect() };
        let count = rows.len();
        Dict::with([
            ("response", Dict::with([("_message", "OK".into()), ("rows_affected", count.into())])),
            ("data", List::of(rows)),
            ("table", table.clone()),
        ])
    }

    fn of(&self, part: Part) -> Value {
        Value::from_object(Self { known: self.known.clone(), part })
    }

    fn column_names(&self) -> Vec<Value> {
        self.known.answer.columns.iter().map(|name| Value::from(name.as_str())).collect()
    }

    fn row_count(&self) -> usize {
        self.known.answer.rows.len()
    }

    /// The column that a key means.
    fn column(&self, key: &Value) -> Option<usize> {
        let columns = &self.known.answer.columns;
        let found = match key.as_str() {
            Some(name) => columns.iter().position(|column| column == name),
            None => key.as_usize().filter(|at| *at < columns.len()),
        };
        found.or_else(|| self.known.is_any.then_some(0))
    }

    fn values(&self, column: usize) -> Vec<Value> {
        self.known.answer.rows.iter().filter_map(|row| row.get(column)).map(value).collect()
    }

    /// The items of a part, in their order.
    fn items(&self) -> Vec<Value> {
        match self.part {
            Part::Table | Part::Rows => (0..self.row_count()).map(|row| self.of(Part::Row(row))).collect(),
            Part::Columns => {
                (0..self.known.answer.columns.len()).map(|column| self.of(Part::Column(column))).collect()
            }
            Part::Row(row) => self.known.answer.rows[row].iter().map(value).collect(),
            Part::Column(column) => self.values(column),
        }
    }

    fn pairs(&self) -> Vec<(Value, Value)> {
        self.column_names().into_iter().zip(self.items()).collect()
    }

    /// A method of what has a name for each of its items: a row, or the columns of a table.
    fn call_mapped(&self, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        Ok(match method {
            "keys" => List::of(self.column_names()),
            "values" => tuple_of(self.items()),
            "items" => {
                let pair = |(name, item): (Value, Value)| Value::from(Tuple::from(vec![name, item]));
                List::of(self.pairs().into_iter().map(pair).collect())
            }
            "dict" => Dict::of(self.pairs().into_iter().collect()),
            "get" => {
                let (key, Rest(default)): (Value, Rest<Value>) = from_args(arguments)?;
                let found = self.column(&key).and_then(|at| self.items().into_iter().nth(at));
                found.or_else(|| default.first().cloned()).unwrap_or_else(|| Value::from(()))
            }
            _ => return Err(self.unknown_method(method)),
        })
    }

    fn call_column(&self, column: usize, method: &str) -> Result<Value, Error> {
        let mut values = self.values(column);
        let sorted = |values: &mut Vec<Value>| {
            values.sort_by(|a, b| (a.is_none(), a).partial_cmp(&(b.is_none(), b)).unwrap_or(Ordering::Equal));
        };
        match method {
            "values" => {}
            "values_without_nulls" => values.retain(|value| !value.is_none()),
            "values_sorted" => sorted(&mut values),
            "values_without_nulls_sorted" => {
                values.retain(|value| !value.is_none());
                sorted(&mut values);
            }
            "values_distinct" => {
                let mut seen: Vec<Value> = Vec::new();
                for value in values {
                    if !seen.contains(&value) {
                        seen.push(value);
                    }
                }
                values = seen;
            }
            _ => return Err(self.unknown_method(method)),
        }
        Ok(tuple_of(values))
    }

    fn unknown_method(&self, method: &str) -> Error {
        let what = match self.part {
            Part::Table => "a table of results",
            Part::Rows => "rows",
            Part::Columns => "columns",
            Part::Row(_) => "a row",
            Part::Column(_) => "a column",
        };
        unsupported(&format!("`{method}()` of {what}"), "let the SQL that asks do it")
    }

    /// The table as lines of text.
    fn printed(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let answer = &self.known.answer;
        let mut text = line(&mut answer.columns.iter().cloned());
        for row in &answer.rows {
            text.push_str(&line(&mut row.iter().map(|cell| value(cell).to_string())));
        }
        text
    }
}

fn tuple<'a>(cells: impl Iterator<Item = &'a Cell>) -> Value {
    tuple_of(cells.map(value).collect())
}

fn tuple_of(values: Vec<Value>) -> Value {
    Tuple::from(values).into()
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::from(()),
        Cell::Bool(value) => (*value).into(),
        Cell::Integer(value) => match i64::try_from(*value) {
            Ok(value) => value.into(),
            Err(_) => (*value).into(),
        },
        Cell::Float(value) => (*value).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Date(day) => Value::from_object(Day(*day)),
        Cell::Time(time) => Value::from_object(Timestamp::naive(*time)),
        Cell::Instant(time) => Value::from_object(Timestamp::utc(*time)),
    }
}

impl Object for AnswerValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.enumerator_len().unwrap_or_default())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(match self.part {
            Part::Table | Part::Rows | Part::Column(_) => self.row_count(),
            Part::Columns | Part::Row(_) => self.known.answer.columns.len(),
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let named = key.as_str();
        match (self.part, named) {
            (Part::Table, Some("columns")) => Some(self.of(Part::Columns)),
            (Part::Table, Some("rows")) => Some(self.of(Part::Rows)),
            (Part::Table, Some("column_names")) => Some(tuple_of(self.column_names())),
            (Part::Column(column), Some("name")) => Some(self.known.answer.columns[column].as_str().into()),
            (Part::Column(column), Some("index")) => Some(column.into()),
            (Part::Columns, _) => self.column(key).map(|column| self.of(Part::Column(column))),
            (Part::Row(row), _) => {
                let cell = self.known.answer.rows[row].get(self.column(key)?)?;
                Some(value(cell))
            }
            (_, Some(_)) => None,
            (Part::Table | Part::Rows, None) => {
                let row = key.as_usize().filter(|row| *row < self.row_count());
                row.map(|row| self.of(Part::Row(row)))
            }
            (Part::Column(column), None) => self.values(column).into_iter().nth(key.as_usize()?),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match self.part {
            Part::Table if method == "print_table" => {
                let _: (Rest<Value>, Kwargs) = from_args(arguments)?;
                tracing::info!("{}", self.printed().trim_end());
                Ok("".into())
            }
            Part::Rows if method == "values" => Ok(tuple_of(self.items())),
            Part::Row(_) | Part::Columns => self.call_mapped(method, arguments),
            Part::Column(column) => {
                let () = from_args(arguments)?;
                self.call_column(column, method)
            }
            Part::Table | Part::Rows => Err(self.unknown_method(method)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        self.items().partial_cmp(&other.items())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Table => f.write_str(&self.printed()),
            Part::Row(_) => write!(f, "<agate.Row: {}>", tuple_of(self.items())),
            Part::Column(_) => write!(f, "<agate.Column: {}>", tuple_of(self.items())),
            Part::Rows | Part::Columns => write!(f, "{}", tuple_of(self.items())),
        }
    }
}
