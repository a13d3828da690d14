//! What texts ask of data while they are rendered.
//!
//! A question is a SELECT over inputs of the text that asks. It is answered when these are built, so whoever knows what is built
//! answers it; what it may read is settled here. Until then the text is *late*: its SQL is not known yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, NaiveDate};
use parking_lot::Mutex;

use super::information_schema::InformationSchema;
use super::names::Names;
use super::node_index::NodeIndex;
use mep_core::relation::Relation;
use mep_lang::jinja::{Answer, Asked, Cell, Refusal};
use mep_sql::{
    INFORMATION_SCHEMA, Scope, SqlError, StatementEffect, alignment, named_tables, of_information_schema,
    statements, without_semicolon,
};

/// A SELECT that a text asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// The SQL, which stands alone.
    pub sql: String,
    /// The relations that it reads.
    pub reads: Vec<Relation>,
    /// What it reads that no warehouse holds: known to it alone, under these names.
    pub rows: Vec<(Relation, RecordBatch)>,
}

/// Why there are no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// What it reads is not built yet as it will be.
    Later,
    /// It fails.
    Failed(String),
}

/// Answers questions.
pub trait Answers: Send + Sync {
    /// The rows of a question, in one order.
    ///
    /// # Errors
    /// Where what it reads is not there yet, or it fails.
    fn rows(&self, question: &Question) -> Result<Vec<RecordBatch>, Unanswered>;
}

/// Nothing is built yet.
impl Answers for () {
    fn rows(&self, _: &Question) -> Result<Vec<RecordBatch>, Unanswered> {
        Err(Unanswered::Later)
    }
}

/// Why a node is not compiled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Late {
    /// It asks for rows of these relations, which are to be built first; of none, where it asks what needs no table.
    Asks(BTreeSet<Relation>),
    /// It reads one that is not compiled yet.
    Reads(NodeIndex),
}

/// What came of the questions of one node.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Whether there were any.
    pub(super) are_there: bool,
    /// What was read by those that have no answer yet, where there are such.
    pub(super) open: Option<BTreeSet<Relation>>,
    /// Statements that have no effect here, each with why.
    pub(super) without_effect: BTreeSet<String>,
}

/// What a text may ask, and whom.
pub(super) struct Asking {
    pub(super) answers: Arc<dyn Answers>,
    pub(super) reach: Reach,
    /// What there is.
    pub(super) information_schema: Arc<InformationSchema>,
    /// What came of the questions so far.
    pub(super) noted: Arc<Mutex<Questions>>,
}

/// How far the questions of a text reach.
pub(super) enum Reach {
    /// What makes a table asks its inputs.
    Inputs(InputsAsked),
    /// What makes no table asks whatever is stored.
    Anything,
}

/// What the questions of a node may read.
pub(super) struct InputsAsked {
    pub(super) relations: BTreeSet<Relation>,
    /// The node's own relation.
    pub(super) this: Relation,
    /// What of its rows may be asked for.
    pub(super) own: Own,
    /// The SQL of a text with the ephemeral models that it reads in it.
    pub(super) standalone: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// What of its own rows a node can ask for.
pub(super) enum Own {
    /// Nothing: they depend on earlier runs.
    Nothing,
    /// What is stored.
    Stored,
    /// There are none yet.
    Empty(Arc<Schema>),
}

impl Asking {
    /// Asking for whatever is stored.
    pub(super) fn anything(answers: Arc<dyn Answers>, noted: Arc<Mutex<Questions>>, names: &Names) -> Self {
        let information_schema = names.information_schema.clone();
        Self { answers, reach: Reach::Anything, information_schema, noted }
    }

    /// The rows of a SELECT over what may be asked.
    ///
    /// # Errors
    /// Where it is none, reads anything else, fails, or has no answer yet.
    pub(super) fn ask(&self, scope: Option<&Scope>, sql: &str) -> Result<Asked, Refusal> {
        match (&self.reach, scope) {
            (Reach::Inputs(inputs), Some(scope)) => self.answered(&self.of_inputs(inputs, scope, sql)?),
            (Reach::Inputs(_), None) => Err(Refusal::new("data cannot be asked for here")),
            (Reach::Anything, _) => self.carry_out(sql),
        }
    }

    /// Carries out what a text says that makes no table; gives the rows of the last SELECT.
    ///
    /// # Errors
    /// Where it would change anything, or fails.
    pub(super) fn carry_out(&self, text: &str) -> Result<Asked, Refusal> {
        let mut rows = Asked::Rows(Answer::default());
        for (range, effect) in statements(text) {
            let sql = text[range].trim();
            match effect {
                StatementEffect::Nothing(why) => {
                    let mut noted = self.noted.lock();
                    noted.without_effect.insert(format!("`{}`: {why}", in_short(sql)));
                }
                StatementEffect::Changes => {
                    return Err(Refusal {
                        message: format!(
                            "`{}` would change what tables hold, or what SQL means",
                            in_short(sql)
                        ),
                        help: Some(
                            "make a model of what it writes, or run it around mep: no plan would know of it"
                                .to_owned(),
                        ),
                    });
                }
                StatementEffect::Reads => {
                    let (sql, rows_of) =
                        self.with_information_schema(&Scope::for_planning(), sql, &BTreeSet::new())?;
                    let columns = Relation::new(INFORMATION_SCHEMA, "columns");
                    if !rows_of.is_empty() && named_tables(&sql).contains(&columns) {
                        return Err(Refusal {
                            message: "the columns of tables are not known to what makes no table".to_owned(),
                            help: Some(
                                "ask in a model that names the table by ref(), or adapter.get_columns_in_relation() there"
                                    .to_owned(),
                            ),
                        });
                    }
                    rows = self.answered(&Question { sql, reads: Vec::new(), rows: rows_of })?;
                }
            }
        }
        Ok(rows)
    }

    fn answered(&self, question: &Question) -> Result<Asked, Refusal> {
        let mut noted = self.noted.lock();
        noted.are_there = true;
        match self.answers.rows(question) {
            Ok(batches) => answer(&batches).map(Asked::Rows).map_err(|error| Refusal {
                message: error.to_string(),
                help: Some("cast its columns to types that templates know".to_owned()),
            }),
            Err(Unanswered::Later) => {
                noted.open.get_or_insert_default().extend(question.reads.iter().cloned());
                Err(Refusal::new("it is asked for rows that are not built yet"))
            }
            Err(Unanswered::Failed(message)) => {
                Err(Refusal::new(format!("what is asked here fails: {message}")))
            }
        }
    }

    /// The SQL, and what it reads of `information_schema`.
    fn with_information_schema(
        &self,
        scope: &Scope,
        sql: &str,
        inputs: &BTreeSet<Relation>,
    ) -> Result<(String, Vec<(Relation, RecordBatch)>), Refusal> {
        let sql = without_semicolon(sql);
        match of_information_schema(sql) {
            Some(sql) => Ok((sql, self.information_schema.rows(scope, inputs)?)),
            None => Ok((sql.to_owned(), Vec::new())),
        }
    }

    fn of_inputs(&self, inputs: &InputsAsked, scope: &Scope, sql: &str) -> Result<Question, Refusal> {
        let (sql, shown) = self.with_information_schema(scope, sql, &inputs.relations)?;
        let is_shown = |relation: &Relation| shown.iter().any(|(of, _)| of == relation);
        for relation in named_tables(&sql).iter().filter(|named| named.schema.is_some()) {
            let is_spelled_otherwise =
                |input: &Relation| input.to_string().eq_ignore_ascii_case(&relation.to_string());
            if !is_shown(relation) && !inputs.relations.iter().any(is_spelled_otherwise) {
                inputs.check_read(relation)?;
            }
        }
        let failed = |error: SqlError| Refusal::new(error.to_string());
        for (relation, batch) in &shown {
            scope.register_rows(relation, batch.clone()).map_err(failed)?;
        }
        let planned = scope.plan(&sql);
        for (relation, _) in &shown {
            scope.forget(relation).map_err(failed)?;
        }
        let planned = planned.map_err(|problem| Refusal {
            message: format!("what is asked here cannot be planned: {}", problem.message),
            help: problem.help,
        })?;
        let mut reads = alignment::tables(&planned).map_err(failed)?;
        reads.retain(|relation| !is_shown(relation));
        for relation in &reads {
            inputs.check_read(relation)?;
        }
        // What is stored of the node itself is there by now.
        reads.retain(|relation| *relation != inputs.this);
        let mut rows = shown;
        if let Own::Empty(schema) = &inputs.own {
            rows.push((inputs.this.clone(), RecordBatch::new_empty(schema.clone())));
        }
        Ok(Question { sql: (inputs.standalone)(&sql), reads, rows })
    }
}

impl InputsAsked {
    fn check_read(&self, relation: &Relation) -> Result<(), Refusal> {
        if *relation == self.this {
            return match self.own {
                Own::Stored | Own::Empty(_) => Ok(()),
                Own::Nothing => Err(Refusal {
                    message: format!("rows of {relation} are asked for, which are what is being built"),
                    help: Some("ask for them within {% if is_incremental() %}".to_owned()),
                }),
            };
        }
        if self.relations.contains(relation) {
            return Ok(());
        }
        Err(Refusal {
            message: format!("rows of {relation} are asked for, which is no input of this text"),
            help: Some("name it by ref() or source()".to_owned()),
        })
    }
}

/// The first words of a statement, in one line.
fn in_short(sql: &str) -> String {
    const MOST: usize = 60;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Why rows cannot be seen by a text.
#[derive(Debug, thiserror::Error)]
enum Unshowable {
    #[error("a column has the type {0}, which templates do not know")]
    Type(String),
    #[error(transparent)]
    Rows(#[from] ArrowError),
}

/// Rows as texts see them.
fn answer(batches: &[RecordBatch]) -> Result<Answer, Unshowable> {
    let Some(first) = batches.first() else { return Ok(Answer::default()) };
    let all = concat_batches(&first.schema(), batches)?;
    let columns: Vec<String> = all.schema().fields().iter().map(|field| field.name().clone()).collect();
    let cells = all.columns().iter().map(cells).collect::<Result<Vec<_>, Unshowable>>()?;
    let row = |at: usize| cells.iter().map(|column| column[at].clone()).collect();
    Ok(Answer { columns, rows: (0..all.num_rows()).map(row).collect() })
}

fn cells(values: &ArrayRef) -> Result<Vec<Cell>, Unshowable> {
    let to = |kind: &DataType| Ok::<_, Unshowable>(cast(values, kind)?);
    let each = |make: &dyn Fn(usize) -> Result<Cell, Unshowable>| {
        (0..values.len()).map(|at| if values.is_null(at) { Ok(Cell::Null) } else { make(at) }).collect()
    };
    let text = |at: usize| Ok::<_, Unshowable>(array_value_to_string(values, at)?);
    match values.data_type() {
        DataType::Null => Ok(vec![Cell::Null; values.len()]),
        DataType::Boolean => each(&|at| Ok(Cell::Bool(values.as_boolean().value(at)))),
        kind if kind.is_unsigned_integer() => {
            let wide = to(&DataType::UInt64)?;
            each(&|at| Ok(Cell::Integer(wide.as_primitive::<UInt64Type>().value(at).into())))
        }
        kind if kind.is_signed_integer() => {
            let wide = to(&DataType::Int64)?;
            each(&|at| Ok(Cell::Integer(wide.as_primitive::<Int64Type>().value(at).into())))
        }
        DataType::Decimal128(_, 0) => {
            each(&|at| Ok(Cell::Integer(values.as_primitive::<Decimal128Type>().value(at))))
        }
        kind if kind.is_decimal() => each(&|at| Ok(decimal(text(at)?))),
        kind if kind.is_floating() => {
            let wide = to(&DataType::Float64)?;
            each(&|at| Ok(Cell::Float(wide.as_primitive::<Float64Type>().value(at))))
        }
        DataType::Date32 | DataType::Date64 => each(&|at| {
            let text = text(at)?;
            let day = text.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
            Ok(day.map_or(Cell::Text(text), Cell::Date))
        }),
        DataType::Timestamp(_, zone) => {
            let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            each(&|at| {
                let micros = micros.as_primitive::<TimestampMicrosecondType>().value(at);
                let time = DateTime::from_timestamp_micros(micros);
                match (time, zone.is_some()) {
                    (Some(time), true) => Ok(Cell::Instant(time)),
                    (Some(time), false) => Ok(Cell::Time(time.naive_utc())),
                    (None, _) => Ok(Cell::Text(text(at)?)),
                }
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => each(&|at| Ok(Cell::Text(text(at)?))),
        DataType::Dictionary(_, of) => cells(&to(of)?),
        other => Err(Unshowable::Type(mep_sql::sql_type(other))),
    }
}

/// A number as one where that says the same, else its text.
fn decimal(text: String) -> Cell {
    match text.parse::<f64>() {
        Ok(number) if digits(&number.to_string()) == digits(&text) => Cell::Float(number),
        _ => Cell::Text(text),
    }
}

/// A number's text without the zeros at its end.
fn digits(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, StringArray, TimestampMicrosecondArray};

    #[test]
    fn values_are_what_templates_can_work_with() {
        let of = |array: ArrayRef| cells(&array).unwrap();
        assert_eq!(of(Arc::new(Int32Array::from(vec![Some(7), None]))), [Cell::Integer(7), Cell::Null]);
        assert_eq!(of(Arc::new(Float64Array::from(vec![3.3]))), [Cell::Float(3.3)]);
        assert_eq!(of(Arc::new(StringArray::from(vec!["a"]))), [Cell::Text("a".to_owned())]);
        let money = Decimal128Array::from(vec![1250]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(of(Arc::new(money)), [Cell::Float(12.5)]);
        let long = Decimal128Array::from(vec![12_345_678_901_234_567_890]).with_precision_and_scale(38, 1);
        assert_eq!(of(Arc::new(long.unwrap())), [Cell::Text("1234567890123456789.0".to_owned())]);
        let time = TimestampMicrosecondArray::from(vec![0]);
        let epoch = DateTime::from_timestamp_micros(0).unwrap();
        assert_eq!(of(Arc::new(time.clone())), [Cell::Time(epoch.naive_utc())]);
        assert_eq!(of(Arc::new(time.with_timezone("+00:00"))), [Cell::Instant(epoch)]);
    }
}
