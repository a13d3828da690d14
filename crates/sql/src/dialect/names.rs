//! The names of columns, as a metastore keeps them.

use std::collections::HashSet;

use datafusion::logical_expr::LogicalPlan;

use super::types::{hive_type, trino_type};
use super::{Dialect, Untranslatable, ViewColumn};

/// The columns that a view shows.
pub(super) fn columns(plan: &LogicalPlan) -> Result<Vec<ViewColumn>, Untranslatable> {
    let mut seen = HashSet::new();
    let mut columns = Vec::new();
    for field in plan.schema().fields() {
        let name = field.name().to_lowercase();
        let problem = |what| Untranslatable::new(Dialect::Hive, what);
        if !is_plain(&name) {
            let problem = problem(format!("the column name `{}`", field.name()));
            return Err(problem.help("name it with `as`: letters, digits and `_`"));
        }
        if !seen.insert(name.clone()) {
            let problem = problem(format!("a second column `{name}` that differs in case alone"));
            return Err(problem.help("metastores keep names in lower case"));
        }
        let hive_type = hive_type(field.data_type())?;
        let trino_type = trino_type(field.data_type())?;
        columns.push(ViewColumn { name, hive_type, trino_type });
    }
    Ok(columns)
}

/// Names for the columns of a subquery: the plan's where they are plain, and each once.
pub(super) fn inner(plan: &LogicalPlan) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for (index, field) in plan.schema().fields().iter().enumerate() {
        let mut name = field.name().to_lowercase();
        if !is_plain(&name) {
            name = format!("c{}", index + 1);
        }
        while !seen.insert(name.clone()) {
            name = format!("{name}_{}", index + 1);
        }
        names.push(name);
    }
    names
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
