//! The SELECT of a view in the dialects of the engines that read a Hive metastore.
//!
//! Comes in: the logical plan of a SELECT, in which every name is resolved and every type known. Goes out: the same
//! SELECT for Hive and Spark, which share one text, and for Trino, or the construct that cannot be said there.
//!
//! Translating is allowed for what is known to be equal and refused for everything else, since a view that gives other
//! rows than mep is worse than none. "Equal" is meant where mep's own engine gives rows: where it fails (an integer
//! divided by zero, a cast that overflows), a view may fail or give a value. Timestamps and dates are equal within the
//! years 1 to 9999, which is all that the other engines' types hold. Left out on purpose, although the names exist
//! everywhere: comparing doubles (-0.0 and NaN), their sums (the order of the rows), `lower` and `upper` (ß, İ),
//! decimals' arithmetic (other scales).
//!
//! The text is made from the plan and not from the SQL: what `/` means depends on types, and `*`, `using` and the place
//! of NULLs are already spelled out there. Every expression is written so that it has the one type that stands for its
//! Arrow type, so that no engine's implicit conversions take part.

mod aggregate;
mod cast;
mod error;
mod expression;
mod function;
mod join;
mod literal;
mod mojibake;
mod names;
mod plan;
mod presto_view;
mod select;
mod time;
mod types;

use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;

pub use error::Untranslatable;
pub use presto_view::PrestoView;
pub use types::{hive_type, trino_type};

use super::scope::Scope;

/// A family of engines that share one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// HiveServer2 and Spark, with a text that both accept.
    Hive,
    /// Trino.
    Trino,
}

/// A column of a view: its name as a metastore keeps it, and its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    /// The name, in lower case.
    pub name: String,
    /// The type in Hive's words.
    pub hive_type: String,
    /// The type in Trino's words.
    pub trino_type: String,
}

/// What can be said in a dialect, or why not.
type Result<T, E = Untranslatable> = std::result::Result<T, E>;

/// A view in both dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedView {
    /// The SELECT for Hive and Spark: the metastore's `viewExpandedText`.
    pub hive: String,
    /// The SELECT for Trino: see [`TranslatedView::presto_view`].
    pub trino: String,
    /// The view's columns.
    pub columns: Vec<ViewColumn>,
}

impl TranslatedView {
    /// The texts of the view that selects what `plan` does. Stored relations and views are named `schema.name`, as they
    /// are in the plan.
    ///
    /// # Errors
    /// The first construct that is not known to be equal everywhere.
    pub fn of(scope: &Scope, plan: &LogicalPlan) -> Result<Self, Untranslatable> {
        let plan = analyzed(scope, plan)
            .map_err(|error| Untranslatable::new(Dialect::Hive, error.strip_backtrace()))?;
        Ok(Self {
            hive: plan::statement(Dialect::Hive, &plan)?,
            trino: plan::statement(Dialect::Trino, &plan)?,
            columns: names::columns(&plan)?,
        })
    }

    /// The metastore's `viewOriginalText`, from which Trino reads the view; `catalog` is what Trino calls the metastore
    /// and `schema` where the view stands. Trino looks here only where the table's parameters hold
    /// [`PrestoView::PARAMETERS`].
    pub fn presto_view(&self, catalog: &str, schema: &str) -> String {
        PrestoView { sql: &self.trino, catalog, schema, columns: &self.columns }.encode()
    }
}

/// The plan with every conversion of types spelled out.
fn analyzed(scope: &Scope, plan: &LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let state = scope.state();
    state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})
}

#[cfg(test)]
mod tests;
