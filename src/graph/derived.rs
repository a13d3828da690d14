//! What follows from a model's plan: what makes its rows and columns, which tables it looks up, what stands for all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::logical_expr::LogicalPlan;

use super::node::Node;
use super::views::ViewsBelow;
use crate::fingerprint::Fingerprint;
use crate::relation::Relation;
use crate::sql::{Alignment, Recipe, canonical, lookups};

/// What stands for all that makes a model's rows and how they are stored: its recipe, or where that cannot be said, its SQL
/// and that of the views in it.
pub(super) fn fingerprint(
    node: &Node,
    sql: &str,
    schema: &SchemaRef,
    recipe: Option<&Recipe>,
    views: &ViewsBelow<'_>,
) -> Fingerprint {
    let stored_as = |schema: &SchemaRef| {
        let column = |field: &Arc<Field>| format!("{} {}", field.name(), field.data_type());
        schema.fields().iter().map(column).collect::<Vec<String>>()
    };
    if let Some(recipe) = recipe {
        let mut parts = vec![recipe.fingerprint.as_str().to_owned(), node.config.partition_by.join("\n")];
        parts.extend(stored_as(schema));
        return Fingerprint::of(parts.iter().map(String::as_str));
    }
    let mut parts = vec![canonical(sql), node.config.partition_by.join("\n")];
    if node.relation.is_some() {
        parts.extend(stored_as(schema));
    }
    parts.extend(views.fingerprints());
    Fingerprint::of(parts.iter().map(String::as_str))
}

/// The tables that a plan reads as a whole and joins by keys.
pub(super) fn looked_up(
    plan: &LogicalPlan,
    alignment: &Alignment,
    partition_columns: &[String],
) -> BTreeSet<Relation> {
    if partition_columns.is_empty() || !alignment.bounded {
        return BTreeSet::new();
    }
    let whole = alignment.scans.iter().filter(|scan| !scan.is_fully_aligned()).map(|scan| &scan.relation);
    whole.filter(|table| lookups(plan, table, partition_columns).is_some()).cloned().collect()
}

/// What makes which rows a plan gives, and each of its columns. The columns that it is partitioned by belong to all of
/// these: they say in which partition a value lies.
pub(super) fn columns(
    plan: &LogicalPlan,
    partition_columns: &[String],
) -> (Option<Recipe>, BTreeMap<String, Recipe>) {
    let names: Vec<&String> = plan.schema().fields().iter().map(|field| field.name()).collect();
    let is_partition = |position: &usize| partition_columns.contains(names[*position]);
    let partition: Vec<usize> = (0..names.len()).filter(is_partition).collect();
    let recipe = |column: Option<usize>| Recipe::of(plan, partition.iter().copied().chain(column));
    let each = names.iter().enumerate();
    let each = each.filter_map(|(position, name)| Some(((*name).clone(), recipe(Some(position))?)));
    (recipe(None), each.collect())
}
