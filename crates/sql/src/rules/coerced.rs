//! A plan says the types that its rows will have.
//!
//! The planner gives a CASE the type of its first branch and a UNION those of its first input. The types are made equal later,
//! by the analyzer, so that what reads a plan's schema before that is told of other types than the rows have.

use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

/// The plan with its columns cast to these types, where the types that it says are others.
///
/// # Errors
/// Where the plan has other columns.
pub fn with_types(plan: LogicalPlan, types: &DFSchema) -> Result<LogicalPlan> {
    let says = plan.schema();
    let fields = || says.iter().zip(types.fields());
    if says.fields().len() != types.fields().len()
        || fields().all(|((_, is), will_be)| is.data_type() == will_be.data_type())
    {
        return Ok(plan);
    }
    let columns: Vec<Expr> = fields()
        .map(|((qualifier, is), will_be)| {
            let column = Expr::Column(Column::from((qualifier, is)));
            if is.data_type() == will_be.data_type() {
                column
            } else {
                cast(column, will_be.data_type().clone()).alias_qualified(qualifier.cloned(), is.name())
            }
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

#[cfg(test)]
mod tests {
    use crate::Scope;

    fn types(sql: &str) -> String {
        let plan = Scope::for_planning().plan(sql).unwrap();
        let fields = plan.schema().fields().iter();
        fields.map(|field| field.data_type().to_string()).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_plan_says_the_types_that_its_rows_have() {
        let k = "(values (1), (2)) t(k)";
        for (sql, is) in [
            (format!("select case when k = 1 then 1 else 2.5 end from {k}"), "Float64"),
            (format!("select k from {k} union all select 2.5"), "Float64"),
            (
                format!("select 1 as k where false union all select cast(k as decimal(5, 2)) from {k}"),
                "Decimal128(22, 2)",
            ),
            (format!("select coalesce(null, k, 1.5) from {k}"), "Float64"),
            (format!("select null as k union all select k from {k}"), "Int64"),
            (
                "select date '2018-11-01' as d union all select timestamp '2018-11-01 10:00:00'".to_owned(),
                "Timestamp(µs)",
            ),
            (
                format!(
                    "select * from (select case when k = 1 then 1 else 2.5 end as r from {k}) where r > 1"
                ),
                "Float64",
            ),
            (
                format!(
                    "with c as (select k from {k} union select 1.5) select k, k as b from c order by k limit 3"
                ),
                "Float64, Float64",
            ),
        ] {
            assert_eq!(types(&sql), is, "{sql}");
        }
    }

    #[test]
    fn a_plan_whose_types_are_right_stays_as_it_is() {
        let plan = Scope::for_planning().plan("select 1 as k union all select 2").unwrap();
        assert!(plan.display_indent().to_string().starts_with("Union"), "{}", plan.display());
    }
}
