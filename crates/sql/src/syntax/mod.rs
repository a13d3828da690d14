//! From SQL text to its syntax tree: the one way in which mep parses SQL.
//!
//! Owns how text is read (the [dialect]) and what is refused before anything is planned, since the planner would leave
//! it out without a word ([ignored]), what is written out for it ([merged], [joined], [apart], [needless_order], [quantified], [row_membership], [synonyms], [types], [unnamed], [wide]), and how deep SQL may be
//! nested ([chains], [nesting]). Must not know: relations, types, plans.

mod apart;
mod chains;
mod columns;
mod dialect;
mod ignored;
mod joined;
mod merged;
mod needless_order;
mod nesting;
mod patterns;
mod quantified;
mod row_membership;
mod spelled;
mod synonyms;
mod types;
mod unnamed;
pub(crate) mod visits;
mod walk;
mod wide;

use datafusion::common::{DataFusionError, plan_datafusion_err};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;

pub(super) use apart::{APART, write_apart};
pub(super) use chains::{DEPTH, balance};
pub(super) use dialect::Sql;
pub(super) use ignored::ignored;
pub(super) use joined::name_joined;
pub(super) use merged::write_out_joined;
pub(super) use needless_order::leave_out_needless_order;
pub(super) use nesting::{NESTING, Nesting, deepest_bracket};
pub(super) use quantified::write_as_membership;
pub(super) use row_membership::write_row_memberships;
pub(super) use spelled::write_as_meant;
pub(super) use synonyms::write_synonyms_out;
pub(super) use types::write_types_out;
pub(super) use unnamed::name_unnamed;
pub(super) use wide::{has_pipes, without_beginnings, write_wide_as_pipes};

/// The one statement of a text.
///
/// # Errors
/// Where it is no SQL, or not one statement.
pub(super) fn statement(sql: &str, depth: usize) -> Result<Statement, DataFusionError> {
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&Sql)
        .with_recursion_limit(depth)
        .build()?
        .parse_statements()?;
    if statements.len() > 1 {
        return Err(plan_datafusion_err!("the context currently only supports a single SQL statement"));
    }
    statements
        .pop_front()
        .ok_or_else(|| plan_datafusion_err!("no SQL statements were provided in the query string"))
}

/// The SELECT that a statement is, perhaps with CTEs, VALUES or set operations.
pub(super) fn query(statement: &Statement) -> Option<&ast::Query> {
    match statement {
        Statement::Statement(inner) => match inner.as_ref() {
            ast::Statement::Query(query) => Some(query),
            _ => None,
        },
        _ => None,
    }
}
