//! Columns tell rows apart only where that is certain.
//!
//! The engine keeps with each plan which of its columns determine others, and leaves out what that makes needless: a DISTINCT, a
//! left join of which no column is used, keys of groups and of an order. What it keeps is wrong in three ways. Of groups over a join
//! of groups it says that the keys of the latter tell all of the former apart. `unnest` multiplies rows and is taken not to. And columns
//! are compared by the names of expressions, which leave casts out, so that `cast(price as int)` stands for `price`.
//!
//! Here what is kept is found anew before it is used, by structure: the keys of groups, and what leaves each row there is once. The optimizer's
//! rules build nodes again and with them what the engine keeps, so this runs before each rule that asks for it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{
    Column, DFSchema, DFSchemaRef, Dependency, FunctionalDependence, FunctionalDependencies, JoinType, Result,
};
use datafusion::logical_expr::{
    Aggregate, Expr, Join, LogicalPlan, Projection, Window, WindowFunctionDefinition,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The optimizer's rules that use what determines what.
pub const USED_BY: [&str; 4] =
    ["replace_distinct_aggregate", "eliminate_join", "eliminate_duplicated_expr", "optimize_projections"];

/// The rule that finds anew what tells rows apart.
#[derive(Debug)]
pub struct CertainKeys;

impl OptimizerRule for CertainKeys {
    fn name(&self) -> &'static str {
        "certain_keys"
    }

    /// It walks the plan by itself.
    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Its nodes are the same, so it is no reason for another pass.
        Ok(Transformed::no(certain(plan)?))
    }
}

/// Whether a node orders rows. The engine's rule about what stands twice is held back from it: it compares the keys of an order by name.
pub fn is_order(node: &LogicalPlan) -> bool {
    matches!(node, LogicalPlan::Sort(_))
}

/// The plan as it was just planned, with what is certain of its keys, and without the keys of groups that the planner added since it took
/// them for told by the others.
///
/// # Errors
/// Where a node cannot be built.
pub fn as_written(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !is_grouped_twice(&plan)? {
        return Ok(plan);
    }
    let plan = plan.map_up_with_subqueries(&mut without_added_keys)?.data;
    certain(plan)
}

/// Whether something is grouped or unnested of which the engine thinks that it knows keys.
fn is_grouped_twice(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.walk_with_subqueries(&mut |node| {
        found |=
            matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Unnest(_) | LogicalPlan::Distinct(_))
                && node.inputs().iter().any(|input| !input.schema().functional_dependencies().is_empty());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn certain(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !is_grouped_twice(&plan)? {
        return Ok(plan);
    }
    Ok(plan.map_up_with_subqueries(&mut |node| Ok(Transformed::yes(with_certain_keys(node)?)))?.data)
}

/// The node with its own keys, where those of its inputs are certain.
fn with_certain_keys(mut node: LogicalPlan) -> Result<LogicalPlan> {
    let keys = match &node {
        LogicalPlan::Projection(projection) => keys_of_projection(projection),
        LogicalPlan::SubqueryAlias(alias) => keys_of(&alias.input),
        LogicalPlan::Aggregate(aggregate) => keys_of_groups(aggregate),
        LogicalPlan::Join(join) => keys_of_join(join),
        LogicalPlan::Window(window) => keys_of_window(window),
        _ => Vec::new(),
    };
    if let Some(schema) = own_schema(&mut node) {
        with_keys(schema, keys)?;
    }
    if let LogicalPlan::Aggregate(aggregate) = &mut node
        && aggregate.group_expr.iter().any(|key| column(key).is_none())
    {
        aggregate.input = Arc::new(without_keys(aggregate.input.as_ref().clone())?);
    }
    Ok(node)
}

/// The schema that a node keeps of itself, in which it says what its keys are. Other nodes have that of what they read, or say nothing of keys.
fn own_schema(node: &mut LogicalPlan) -> Option<&mut DFSchemaRef> {
    match node {
        LogicalPlan::Projection(node) => Some(&mut node.schema),
        LogicalPlan::SubqueryAlias(node) => Some(&mut node.schema),
        LogicalPlan::Aggregate(node) => Some(&mut node.schema),
        LogicalPlan::Join(node) => Some(&mut node.schema),
        LogicalPlan::Window(node) => Some(&mut node.schema),
        LogicalPlan::Unnest(node) => Some(&mut node.schema),
        _ => None,
    }
}

/// Columns of which no two rows have the same values; NULL is a value of groups, and may come again where an outer join made it.
struct RowKey {
    columns: Vec<usize>,
    is_nullable: bool,
}

fn keys_of(plan: &LogicalPlan) -> Vec<RowKey> {
    let kept = plan.schema().functional_dependencies();
    let single = kept.iter().filter(|dependency| dependency.mode == Dependency::Single);
    single
        .map(|dependency| RowKey {
            columns: dependency.source_indices.clone(),
            is_nullable: dependency.nullable,
        })
        .collect()
}

fn keys_of_projection(projection: &Projection) -> Vec<RowKey> {
    let input = projection.input.schema();
    let places: Vec<Option<usize>> =
        projection.expr.iter().map(|expression| input.maybe_index_of_column(column(expression)?)).collect();
    let at = |wanted: &usize| places.iter().position(|place| *place == Some(*wanted));
    moved(keys_of(&projection.input), &at)
}

/// Those keys of which all columns are there, by their new places.
fn moved(keys: Vec<RowKey>, at: &dyn Fn(&usize) -> Option<usize>) -> Vec<RowKey> {
    let moved = keys.into_iter().map(|key| {
        let columns: Option<Vec<usize>> = key.columns.iter().map(at).collect();
        Some(RowKey { columns: columns?, is_nullable: key.is_nullable })
    });
    moved.flatten().collect()
}

fn keys_of_join(join: &Join) -> Vec<RowKey> {
    use JoinType::{LeftAnti, LeftMark, LeftSemi, RightAnti, RightMark, RightSemi};
    match join.join_type {
        LeftSemi | LeftAnti | LeftMark => keys_of(&join.left),
        RightSemi | RightAnti | RightMark => keys_of(&join.right),
        _ => Vec::new(),
    }
}

fn keys_of_groups(aggregate: &Aggregate) -> Vec<RowKey> {
    if aggregate.group_expr.is_empty() || matches!(aggregate.group_expr[..], [Expr::GroupingSet(_)]) {
        return Vec::new();
    }
    let input = aggregate.input.schema();
    let places: Vec<Option<usize>> =
        aggregate.group_expr.iter().map(|key| input.maybe_index_of_column(column(key)?)).collect();
    let at = |wanted: &usize| places.iter().position(|place| *place == Some(*wanted));
    let columns: Vec<usize> = (0..aggregate.group_expr.len()).collect();
    let is_nullable = columns.iter().any(|at| aggregate.schema.field(*at).is_nullable());
    let mut keys = vec![RowKey { columns, is_nullable }];
    keys.extend(moved(keys_of(&aggregate.input), &at));
    keys
}

fn keys_of_window(window: &Window) -> Vec<RowKey> {
    let first = window.input.schema().fields().len();
    let numbers = window.window_expr.iter().enumerate().filter(|(_, expression)| {
        let inner = if let Expr::Alias(alias) = expression { &alias.expr } else { *expression };
        let Expr::WindowFunction(call) = inner else { return false };
        let is_number =
            matches!(&call.fun, WindowFunctionDefinition::WindowUDF(function) if function.name() == "row_number");
        is_number && call.params.partition_by.is_empty()
    });
    let mut keys = keys_of(&window.input);
    keys.extend(numbers.map(|(at, _)| RowKey { columns: vec![first + at], is_nullable: false }));
    keys
}

/// The column that an expression is, by whatever name.
fn column(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        _ => None,
    }
}

fn with_keys(schema: &mut DFSchemaRef, keys: Vec<RowKey>) -> Result<()> {
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let told = keys.into_iter().map(|key| {
        FunctionalDependence::new(key.columns, all.clone(), key.is_nullable).with_mode(Dependency::Single)
    });
    let told = FunctionalDependencies::new(told.collect());
    if *schema.functional_dependencies() != told {
        let changed: DFSchema =
            Arc::unwrap_or_clone(Arc::clone(schema)).with_functional_dependencies(told)?;
        *schema = Arc::new(changed);
    }
    Ok(())
}

/// A plan that says of no column that it tells rows apart.
fn without_keys(mut plan: LogicalPlan) -> Result<LogicalPlan> {
    if plan.schema().functional_dependencies().is_empty() {
        return Ok(plan);
    }
    if let Some(schema) = own_schema(&mut plan) {
        with_keys(schema, Vec::new())?;
        return Ok(plan);
    }
    // What has no schema of its own has that of what it reads.
    Ok(plan.replace_inputs(&mut |input| Ok(Transformed::yes(without_keys(input)?)))?.data)
}

/// What is directly over groups, without the keys that the planner added to them and that nothing reads: it took an expression for the column of
/// its name. What SQL says has a place in it, and what the planner adds has none.
fn without_added_keys(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = &node else { return Ok(Transformed::no(node)) };
    let mut used: HashSet<Column> = HashSet::new();
    read_by(&projection.expr, &mut used)?;
    let input = within_rows(Arc::unwrap_or_clone(Arc::clone(&projection.input)), used)?;
    let Some(input) = input else { return Ok(Transformed::no(node)) };
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(
        projection.expr.clone(),
        Arc::new(input),
    )?)))
}

/// The groups below what keeps the columns of its input, where they have keys that were added and that nothing reads.
fn within_rows(plan: LogicalPlan, mut used: HashSet<Column>) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => without_unread(aggregate, &used),
        LogicalPlan::Filter(_) | LogicalPlan::Window(_) | LogicalPlan::Sort(_) => {
            read_by(&plan.expressions(), &mut used)?;
            let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else { return Ok(None) };
            let Some(input) = within_rows(input, used)? else { return Ok(None) };
            plan.with_new_exprs(plan.expressions(), vec![input]).map(Some)
        }
        _ => Ok(None),
    }
}

fn without_unread(aggregate: Aggregate, used: &HashSet<Column>) -> Result<Option<LogicalPlan>> {
    let is_unread = |at: usize| {
        let (qualifier, field) = aggregate.schema.qualified_field(at);
        let is_added =
            matches!(&aggregate.group_expr[at], Expr::Column(column) if column.spans.first().is_none());
        is_added && !used.contains(&Column::from((qualifier, field)))
    };
    let said = (0..aggregate.group_expr.len()).rev().find(|at| !is_unread(*at)).map_or(0, |last| last + 1);
    if said == 0
        || said == aggregate.group_expr.len()
        || matches!(aggregate.group_expr[..], [Expr::GroupingSet(_)])
    {
        return Ok(None);
    }
    let keys = aggregate.group_expr[..said].to_vec();
    let fewer = Aggregate::try_new(aggregate.input, keys, aggregate.aggr_expr)?;
    Ok(Some(LogicalPlan::Aggregate(fewer)))
}

fn read_by(expressions: &[Expr], used: &mut HashSet<Column>) -> Result<()> {
    for expression in expressions {
        // Those of the query within a subquery that reads this one too.
        expression.walk(&mut |part| {
            match part {
                Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => {
                    used.insert(column.clone());
                }
                Expr::Exists(exists) => read_by(&exists.subquery.outer_ref_columns, used)?,
                Expr::InSubquery(found) => read_by(&found.subquery.outer_ref_columns, used)?,
                Expr::ScalarSubquery(subquery) => read_by(&subquery.outer_ref_columns, used)?,
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    /// `t` has rows, `g` its groups, `d` the distinct rows of a join of both, and `x` prices and how often each is there.
    fn of(sql: &str) -> String {
        rows(&format!(
            "with t(a, c) as (values (1, 10), (1, 20), (2, 10), (2, 30), (3, 10)), \
             g as (select a, count(*) as n from t group by a), \
             d as (select g.a, t.c from g join t on g.a = t.a group by g.a, t.c), \
             p as (select arrow_cast(v, 'Decimal128(10, 1)') as v from (values (1.2), (1.4), (1.4), (2.0)) as y(v)), \
             x as (select v, count(*) as n from p group by v) {sql}"
        ))
    }

    #[test]
    fn groups_over_a_join_of_groups_are_told_apart_by_all_their_keys() {
        assert_eq!(of("select count(*) from (select distinct a, c from (select distinct * from d))"), "5");
        assert_eq!(of("select count(*) from (select a from d group by a, c)"), "5");
        assert_eq!(of("select count(*) from t left join d on d.a = t.a"), "9");
        assert_eq!(of("select a, count(*) from d group by a order by a"), "12 22 31");
        assert_eq!(of("select a, c from d order by a, c desc limit 1"), "120");
        assert_eq!(of("select count(*) from t left join g on g.a = t.a"), "5");
    }

    #[test]
    fn an_expression_is_not_the_column_that_it_is_made_of() {
        assert_eq!(
            of("select count(*) from (select cast(v as int) from x group by cast(v as int), n) z"),
            "3"
        );
        assert_eq!(
            of("select cast(v as int) as k, count(*) from x group by cast(v as int) order by 1"),
            "12 21"
        );
        assert_eq!(
            of(
                "select cast(v as int) as k, count(*) from x group by cast(v as int) having count(*) > 1 order by 1"
            ),
            "12"
        );
        assert_eq!(of("select v, n from x order by cast(v as int), n desc limit 1"), "1.42");
    }

    #[test]
    fn unnest_gives_rows_more_than_once() {
        let rows_twice = "(select a, unnest([1, 2]) as u from g)";
        assert_eq!(of(&format!("select count(*) from (select distinct a, u from {rows_twice})")), "6");
        assert_eq!(of(&format!("select count(*) from (select distinct a from {rows_twice})")), "3");
        assert_eq!(of(&format!("select count(*) from t left join {rows_twice} z on z.a = t.a")), "10");
    }

    #[test]
    fn what_is_told_by_its_key_may_be_read_beside_it() {
        assert_eq!(of("select t.a, (select n from g where g.a = t.a) from t order by 1"), "12 12 22 22 31");
        assert_eq!(of("select a, n, count(*) from g group by a order by a"), "121 221 311");
    }
}
