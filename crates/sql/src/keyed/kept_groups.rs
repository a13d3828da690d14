//! Groups that a SELECT makes on its way to its rows, to be kept beside these.
//!
//! A SELECT that ranks sums, or counts what is distinct, cannot be carried on by what came: but the groups that it makes of its inputs can,
//! and all else is made of these, which are few. So it is divided: the groups are a table of their own, kept by key, and
//! the rest reads it as it reads its other tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::TableProvider;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

use super::changed_rows::plan_asks;
use super::states::GroupStates;
use super::{ChangedTable, Changes, columns_of};
use crate::alignment::{is_stored, relation};
use crate::planned::{PlannedQuery, SqlError};
use crate::recipe::Recipe;
use crate::scope::{DeclaredTable, Scope};
use crate::stored_types::stored_type;
use crate::tree::{PlanWalk, TreeWalk};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;

/// More groups than this many are not kept apart for one SELECT.
const MOST: usize = 4;

/// A SELECT that is divided into groups and what is made of them.
#[derive(Debug)]
pub struct DividedQuery {
    plan: LogicalPlan,
    groups: Vec<Groups>,
}

/// Groups within a SELECT.
#[derive(Debug)]
pub struct Groups {
    /// Of what makes them: stored groups of the same fingerprint are these.
    pub fingerprint: Fingerprint,
    /// Their rows.
    pub rows: PlannedQuery,
    /// The columns that they are stored with.
    pub schema: SchemaRef,
    /// How many columns, the first ones, tell them apart.
    keys: usize,
    /// What is stored of them.
    states: GroupStates,
    /// Whether what each row of a changed table adds to them is told by that row alone.
    is_linear: bool,
    /// The part of the plan that makes them.
    made_by: LogicalPlan,
}

impl DividedQuery {
    /// The ways to divide the query, the one to be tried first before the others; none where it makes no groups that can be carried on, or is itself
    /// nothing but such groups. Only groups of tables that grow, as `grows` says, are worth it. Where rows go from its tables, as `loses` says, a
    /// query that is nothing but groups is divided too, if what is kept of these can lose rows.
    ///
    /// # Errors
    /// Where the optimizer finds that the query cannot run.
    pub fn ways(
        scope: &Scope,
        query: &PlannedQuery,
        grows: &dyn Fn(&Relation) -> bool,
        loses: bool,
    ) -> Result<Vec<Self>, SqlError> {
        let plan = scope.optimize_in_parts(query)?;
        let is_groups = insertions(&plan)?.carried_on(&plan)?.is_some();
        if is_groups && !loses {
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        for level in [GroupLevel::Lowest, GroupLevel::Topmost] {
            let groups = groups_of(&plan, grows, level, is_groups)?;
            let is_other = ways.last().is_none_or(|way: &Self| {
                way.groups.len() != groups.len()
                    || way.groups.iter().zip(&groups).any(|(one, other)| one.made_by != other.made_by)
            });
            if !groups.is_empty() && is_other {
                ways.push(Self { plan: plan.clone(), groups });
            }
        }
        Ok(ways)
    }

    /// The groups.
    pub fn groups(&self) -> &[Groups] {
        &self.groups
    }

    /// What is made of the groups, which are read as these relations.
    ///
    /// # Errors
    /// Where one of these is not known to the scope by the columns that groups are stored with.
    pub fn rest(&self, scope: &Scope, tables: &[Relation]) -> Result<PlannedQuery, SqlError> {
        self.reading(scope, tables, self.plan.clone())
    }

    /// Rows of groups by another way to divide the query, which are made of the groups of this one.
    ///
    /// # Errors
    /// As of [`rest`](Self::rest).
    pub fn groups_above(
        &self,
        scope: &Scope,
        tables: &[Relation],
        groups: &Groups,
    ) -> Result<PlannedQuery, SqlError> {
        self.reading(scope, tables, groups.rows.clone().into_plan())
    }

    fn reading(
        &self,
        scope: &Scope,
        tables: &[Relation],
        plan: LogicalPlan,
    ) -> Result<PlannedQuery, SqlError> {
        let read = plan.map_down(&mut |node| {
            let groups = self.groups.iter().zip(tables).find(|(groups, _)| groups.made_by == node);
            let Some((groups, table)) = groups else { return Ok(Transformed::no(node)) };
            let read = groups.read(scope.scan(table)?.into_plan())?;
            Ok(Transformed::new(read, true, TreeNodeRecursion::Jump))
        })?;
        Ok(PlannedQuery::from(read.data))
    }
}

impl Groups {
    /// Rows of these columns in the order of what tells groups apart, so that groups that change together stand together.
    ///
    /// # Errors
    /// Where the rows have other columns.
    pub fn in_order(&self, rows: PlannedQuery) -> Result<PlannedQuery, SqlError> {
        let rows = rows.into_plan();
        let keys = columns_of(rows.schema()).take(self.keys);
        let order: Vec<_> = keys.map(|key| key.sort(true, true)).collect();
        Ok(LogicalPlanBuilder::from(rows).sort(order)?.build()?.into())
    }

    /// How many columns, the first ones, tell them apart.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// Stored groups, by the names and types of what makes them.
    fn read(&self, stored: LogicalPlan) -> Result<LogicalPlan> {
        let schema = self.made_by.schema();
        let columns = self.states.columns(&stored)?.into_iter().zip(schema.iter());
        let columns = columns.map(|(column, (qualifier, field))| {
            let column = column.cast_to(field.data_type(), stored.schema())?;
            Ok(column.alias_qualified(qualifier.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(stored).project(columns)?.build()
    }

    /// Whether they are carried on where rows go too.
    fn can_lose_rows(&self) -> Result<bool> {
        let mut changes = insertions(&self.states.plan)?;
        for change in changes.0.values_mut() {
            change.gone.clone_from(&change.come);
        }
        Ok(changes.carried_on(&self.states.plan)?.is_some())
    }
}

/// Which groups are kept where some are made of others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupLevel {
    /// The topmost ones that can be carried on.
    Topmost,
    /// Those that these are made of, where they are joined with other tables in between: a change in one of these tables then asks for no more than the
    /// lower groups. They may be many more.
    Lowest,
}

/// The groups of a plan that are to be kept. Of a plan that `is_groups` itself, only such as can lose rows.
fn groups_of(
    plan: &LogicalPlan,
    grows: &dyn Fn(&Relation) -> bool,
    level: GroupLevel,
    is_groups: bool,
) -> Result<Vec<Groups>> {
    let mut groups: Vec<Groups> = Vec::new();
    plan.walk(&mut |node| {
        let LogicalPlan::Aggregate(aggregate) = node else { return Ok(TreeNodeRecursion::Continue) };
        if groups.iter().any(|one| one.made_by == *node) {
            return Ok(TreeNodeRecursion::Jump);
        }
        let Some(one) = kept(node, aggregate, grows)? else { return Ok(TreeNodeRecursion::Continue) };
        let lower = match level {
            GroupLevel::Lowest if !one.is_linear => lower(&aggregate.input, grows)?,
            _ => None,
        };
        let mut found = lower.unwrap_or_else(|| vec![one]);
        found.retain(|one| groups.iter().all(|other| other.made_by != one.made_by));
        let can_lose = found.iter().map(Groups::can_lose_rows).collect::<Result<Vec<_>>>()?;
        if groups.len() + found.len() > MOST || is_groups && can_lose.contains(&false) {
            return Ok(TreeNodeRecursion::Continue);
        }
        groups.extend(found);
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(groups)
}

/// The groups that all rows of growing tables go into below a node, where these are joined with other tables.
fn lower(node: &LogicalPlan, grows: &dyn Fn(&Relation) -> bool) -> Result<Option<Vec<Groups>>> {
    let mut found: Vec<Groups> = Vec::new();
    let (mut is_joined, mut is_all) = (false, true);
    node.walk(&mut |node| {
        if plan_asks(node)? {
            is_all = false;
        }
        match node {
            LogicalPlan::Aggregate(aggregate) => {
                if let Some(one) = kept(node, aggregate, grows)?.filter(|one| one.is_linear) {
                    found.push(one);
                    return Ok(TreeNodeRecursion::Jump);
                }
            }
            LogicalPlan::Join(_) => is_joined = true,
            LogicalPlan::TableScan(scan) if is_stored(scan) && grows(&relation(scan)) => is_all = false,
            _ => {}
        }
        Ok(if is_all { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok((is_joined && is_all && !found.is_empty()).then_some(found))
}

/// The groups of a node, where they can be carried on and stored.
fn kept(
    node: &LogicalPlan,
    aggregate: &Aggregate,
    grows: &dyn Fn(&Relation) -> bool,
) -> Result<Option<Groups>> {
    let changes = insertions(node)?;
    if !changes.0.keys().any(grows) {
        return Ok(None);
    }
    let Some(states) = GroupStates::of(aggregate)? else { return Ok(None) };
    let made_by = node.clone();
    let node = &states.plan;
    let is_linear = changes.carried_on(node)?.is_some();
    if !is_linear && !changes.can_be_carried_on_by_key(node)? {
        return Ok(None);
    }
    let Some(schema) = stored_columns(node) else { return Ok(None) };
    let Some(recipe) = Recipe::of(node, 0..node.schema().fields().len()) else { return Ok(None) };
    let columns: Vec<Expr> = columns_of(node.schema()).collect();
    let named = columns.iter().zip(schema.fields()).map(|(column, field)| {
        Ok(column.clone().cast_to(field.data_type(), node.schema())?.alias(field.name()))
    });
    let named = named.collect::<Result<Vec<_>>>()?;
    let rows = LogicalPlanBuilder::from(node.clone()).project(named)?.build()?;
    Ok(Some(Groups {
        fingerprint: recipe.fingerprint,
        rows: PlannedQuery::from(rows),
        schema,
        keys: aggregate.group_expr.len(),
        is_linear,
        made_by,
        states,
    }))
}

/// The columns by which groups are stored; `None` where a table cannot hold one as what it is.
fn stored_columns(node: &LogicalPlan) -> Option<SchemaRef> {
    let fields = node.schema().fields().iter().enumerate().map(|(at, field)| {
        let stored = stored_type(field.data_type());
        let is_same = stored == *field.data_type() || (stored.is_string() && field.data_type().is_string());
        is_same.then(|| Field::new(format!("g{at}"), stored, true))
    });
    Some(Arc::new(Schema::new(fields.collect::<Option<Vec<_>>>()?)))
}

/// Rows that come to each table that a plan reads.
fn insertions(plan: &LogicalPlan) -> Result<Changes> {
    let mut tables = BTreeSet::new();
    let mut changes = BTreeMap::new();
    plan.walk_with_subqueries(&mut |node| {
        if let LogicalPlan::TableScan(scan) = node
            && is_stored(scan)
            && tables.insert(relation(scan))
        {
            let declared: Arc<dyn TableProvider> =
                Arc::new(DeclaredTable::new(scan.source.schema(), Vec::new()));
            let change = ChangedTable { before: declared.clone(), gone: None, come: Some(declared) };
            changes.insert(relation(scan), change);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(Changes(changes))
}
