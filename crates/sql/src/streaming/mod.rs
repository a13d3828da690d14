//! A SELECT over a stream, taken apart into what can be kept as events come.
//!
//! Owns what may stand in a streaming model, and the plans that its parts become:
//!
//! - `rows`: what each event gives by itself (filters, expressions, joins with tables), with two columns more that say which
//!   event it was, [`PLACE`] and [`OFFSET`];
//! - for a model with windows: `aggregate`, from such rows to groups, whose partial states can be merged; and `finish`, from
//!   the groups' values to the model's columns.
//!
//! Comes in: an analyzed plan, and which relation is the stream. Goes out: a [`StreamQuery`], or a [`Refusal`] with its reason.
//! Must not know: where events come from, what executes the plans.

mod refusal;
mod resolve;
mod rewrite;
mod shape;
mod window;

#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{Aggregate, LogicalPlan};

use super::scope::Scope;
use mep_core::relation::Relation;

pub use refusal::Refusal;
pub use window::Window;

/// The column of a stream's rows that says which of the source's partitions an event is of, by its number in the source.
pub const PLACE: &str = "__place";
/// The column of a stream's rows that says at which offset an event stands.
pub const OFFSET: &str = "__offset";

/// The stream that a model reads.
#[derive(Clone, Debug)]
pub struct StreamInput<'a> {
    /// The table that the source lands in, by which the SQL knows the stream.
    pub relation: &'a Relation,
    /// The columns that an event has before it is landed.
    pub schema: SchemaRef,
    /// The column of the event's time.
    pub event_time: Option<&'a str>,
}

/// A SELECT over a stream, in parts.
#[derive(Clone, Debug)]
pub struct StreamQuery {
    /// Rows of the stream, of the columns that `rows` reads from the relation of the stream.
    pub rows: LogicalPlan,
    /// The tables that are joined, each read as a whole.
    pub tables: Vec<Relation>,
    /// Where rows are grouped by a window.
    pub windowed: Option<Windowed>,
    /// The columns of the model.
    pub columns: Vec<StreamColumn>,
}

/// What groups of a window become.
#[derive(Clone, Debug)]
pub struct Windowed {
    /// Groups of the rows.
    pub aggregate: LogicalPlan,
    /// How many of the aggregate's columns are the groups'.
    pub groups: usize,
    /// The windows.
    pub window: Window,
    /// The relation that stands for the rows in `aggregate`.
    pub rows: Relation,
    /// The model's rows from the values of groups.
    pub finish: LogicalPlan,
    /// The relation that stands for the groups' values in `finish`: the columns of `aggregate`, in order.
    pub values: Relation,
    /// Whether some groups give no row (HAVING), so that a row can go away as its window fills.
    pub has_filter: bool,
}

/// A column of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamColumn {
    /// Its name.
    pub name: String,
    /// Where it is just a group's: which.
    pub group: Option<usize>,
    /// Whether its value is decided by the group, so that it can name a row.
    pub is_of_group: bool,
}

impl StreamQuery {
    /// Takes a plan apart.
    ///
    /// # Errors
    /// Where it cannot be kept as events come.
    pub fn of(scope: &Scope, plan: &LogicalPlan, stream: &StreamInput<'_>) -> Result<Self, Refusal> {
        let state = scope.state();
        let plan = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
        shape::check(&plan, stream)?;
        let tables = shape::tables(&plan, stream);
        match shape::aggregate(&plan, stream) {
            None => {
                let rows = rewrite::exposed(&plan, stream)?;
                let columns = plan.schema().fields().iter().map(|field| StreamColumn {
                    name: field.name().clone(),
                    group: None,
                    is_of_group: true,
                });
                let columns = columns.collect();
                Ok(Self { rows: rewrite::in_order(&plan, rows)?, tables, windowed: None, columns })
            }
            Some(aggregate) => Self::windowed(scope, &plan, aggregate, tables, stream),
        }
    }

    fn windowed(
        scope: &Scope,
        plan: &LogicalPlan,
        aggregate: &Aggregate,
        tables: Vec<Relation>,
        stream: &StreamInput<'_>,
    ) -> Result<Self, Refusal> {
        let window = window::find(scope, aggregate, stream)?;
        let parts = rewrite::keyed(aggregate, stream)?;
        let values = Relation { schema: None, name: "__values".to_owned() };
        let finish = rewrite::finish(plan, aggregate, &values)?;
        let groups = aggregate.group_expr.len();
        let columns = resolve::columns(&finish, groups)?;
        let has_filter = shape::has_filter_above(plan);
        let windowed = Windowed {
            aggregate: parts.aggregate,
            groups,
            window,
            rows: parts.relation,
            finish,
            values,
            has_filter,
        };
        Ok(Self { rows: parts.rows, tables, windowed: Some(windowed), columns })
    }

    /// The model's column that is the window's beginning, where there is one.
    pub fn window_column(&self) -> Option<&str> {
        let window = &self.windowed.as_ref()?.window;
        let column = self.columns.iter().find(|column| column.group == Some(window.group));
        column.map(|column| column.name.as_str())
    }
}

/// The tables that a plan reads, through views.
///
/// # Errors
/// Where its types do not fit.
pub fn relations(scope: &Scope, plan: &LogicalPlan) -> Result<Vec<Relation>, Refusal> {
    let state = scope.state();
    let plan = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
    Ok(shape::relations(&plan))
}

impl From<DataFusionError> for Refusal {
    fn from(error: DataFusionError) -> Self {
        Self::new(format!("it cannot be taken apart: {}", super::Failure::of(&error).message))
    }
}
