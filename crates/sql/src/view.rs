//! Views within plans: known by their columns while SQL is planned, and put in as their SELECTs after that.
//!
//! DataFusion's own view is put in while what reads it is planned, and everything below is then copied at each level of a
//! stack. Here a plan names the views that it reads; each view is put in once, and whatever reads it shares that one.

use std::sync::{Arc, OnceLock};

use crate::tree::PlanWalk;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{TableType, ViewTable, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, SubqueryAlias, TableScan};
use datafusion::physical_plan::ExecutionPlan;

/// Nodes that one plan may have, those of a view as often as there are ways to it.
pub(super) const NODES: u64 = 20_000;

/// A view: the plan of its SELECT, in which the views that it reads are scanned.
#[derive(Debug)]
pub(super) struct View {
    plan: LogicalPlan,
    schema: SchemaRef,
    nodes: u64,
    expanded: OnceLock<Arc<LogicalPlan>>,
}

impl View {
    /// The view whose SELECT has this plan.
    pub(super) fn new(plan: LogicalPlan) -> Self {
        let schema = plan.schema().inner().clone();
        let nodes = nodes(&plan);
        Self { plan: unordered(plan), schema, nodes, expanded: OnceLock::new() }
    }

    /// Its plan, with the views that it reads put in.
    fn expanded(&self) -> Result<Arc<LogicalPlan>, DataFusionError> {
        if let Some(plan) = self.expanded.get() {
            return Ok(plan.clone());
        }
        let plan = Arc::new(expand(self.plan.clone())?);
        Ok(self.expanded.get_or_init(|| plan).clone())
    }
}

#[async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let plan = self.expanded()?.as_ref().clone();
        ViewTable::new(plan, None).scan(state, projection, filters, limit).await
    }
}

/// The plan with the views that it reads, and those that they read, put in as their SELECTs.
///
/// # Errors
/// Where the plan and what is put in do not fit, which a view's registration sees to.
pub(super) fn expand(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    if !reads_views(&plan) {
        return Ok(plan);
    }
    let expanded = plan.map_up_with_subqueries(&mut |node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Some(within) = of_view(scan, View::expanded) else { return Ok(Transformed::no(node)) };
        let within = within?;
        let alias = SubqueryAlias::try_new(within, scan.table_name.clone())?;
        Ok(Transformed::yes(LogicalPlan::SubqueryAlias(alias)))
    })?;
    Ok(expanded.data)
}

/// How many nodes the plan has, those of a view as often as there are ways to it.
pub(super) fn nodes(plan: &LogicalPlan) -> u64 {
    let mut nodes = 0_u64;
    each_node(plan, &mut |node| {
        let of_view = match node {
            LogicalPlan::TableScan(scan) => of_view(scan, |view| view.nodes),
            _ => None,
        };
        nodes = nodes.saturating_add(of_view.unwrap_or(0)).saturating_add(1);
        true
    });
    nodes
}

/// Whether it reads views.
pub(super) fn reads_views(plan: &LogicalPlan) -> bool {
    let mut found = false;
    each_node(plan, &mut |node| {
        found |= matches!(node, LogicalPlan::TableScan(scan) if of_view(scan, |_| ()).is_some());
        !found
    });
    found
}

/// Goes over the nodes of a plan until one is answered with false.
fn each_node(plan: &LogicalPlan, visit: &mut dyn FnMut(&LogicalPlan) -> bool) {
    // The closure returns no error, so neither does the walk.
    let _ = plan.walk_with_subqueries(&mut |node| {
        Ok(if visit(node) { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
}

/// What is said of the view that is scanned; `None` where a table is.
fn of_view<T>(scan: &TableScan, say: impl FnOnce(&View) -> T) -> Option<T> {
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<View>().map(say)
}

/// The plan without an order at its end, which the rows of a view do not have; one that decides which rows there are stays.
fn unordered(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => unordered(Arc::unwrap_or_clone(sort.input)),
        LogicalPlan::Projection(mut projection) if matches!(&*projection.input, LogicalPlan::Sort(_)) => {
            projection.input = Arc::new(unordered(Arc::unwrap_or_clone(projection.input)));
            LogicalPlan::Projection(projection)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::Scope;
    use mep_core::relation::Relation;

    /// A stack of views, each of which joins the two before it.
    fn stack(depth: usize) -> Scope {
        let scope = Scope::for_planning();
        for number in 0..depth {
            let sql = match number {
                0 | 1 => "select 1 as id, 2 as v".to_owned(),
                _ => format!(
                    "select a.id, a.v + b.v as v from m.v{} a join m.v{} b on a.id = b.id order by 1",
                    number - 1,
                    number - 2
                ),
            };
            let plan = scope.plan_over_views(&sql).unwrap();
            scope.register_view(&Relation::new("m", format!("v{number}")), plan).unwrap();
        }
        scope
    }

    #[test]
    fn what_reads_views_has_their_selects_put_in() {
        let plan = stack(4).plan("select v from m.v3 where id in (select id from m.v1)").unwrap();
        let mut shown = String::new();
        write!(shown, "{}", plan.display_indent()).unwrap();
        assert!(!shown.contains("TableScan"), "{shown}");
        assert!(!shown.contains("Sort"), "{shown}");
    }

    #[test]
    fn an_order_that_decides_which_rows_there_are_stays() {
        let scope = Scope::for_planning();
        let plan = scope.plan_over_views("select x from (values (1), (2)) t(x) order by x limit 1").unwrap();
        scope.register_view(&Relation::new("m", "first"), plan).unwrap();
        let plan = scope.plan("select x from m.first").unwrap();
        assert!(plan.display_indent().to_string().contains("Sort"));
    }

    #[test]
    fn a_deep_stack_is_registered_in_a_moment_and_refused_where_all_of_it_must_be_planned() {
        let scope = stack(90);
        // The plan itself is never shown: it would take for ever.
        let message =
            scope.plan("select * from m.v89").map_or_else(|problem| problem.message, |_| String::new());
        assert!(message.ends_with("at most 20000 can be planned"), "{message}");
    }
}
