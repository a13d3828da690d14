//! What follows from a model's plan: what makes its rows and columns, which tables it looks up, what stands for all of it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;

use super::node::Node;
use super::views::ViewsBelow;
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_core::relation::Relation;
use mep_sql::keyed::followed;
use mep_sql::{Alignment, Division, Meanings, PlannedQuery, Recipe, Scope, structure};

/// What stands for all that makes a model's rows and how they are stored: its recipe, or where that cannot be said, its SQL
/// and that of the views in it.
pub(super) fn fingerprint(
    node: &Node,
    (sql, reading): (&str, Meanings),
    schema: &SchemaRef,
    recipe: Option<&Recipe>,
    views: &ViewsBelow<'_>,
) -> Fingerprint {
    let mut parts = Structure::default();
    if let Some(recipe) = recipe {
        parts.tag("recipe").text(recipe.fingerprint.as_str());
    } else {
        structure::text(parts.tag("sql"), sql);
        if reading.division == Division::Fraction {
            parts.tag("divides in fractions");
        }
        if reading.replaces_all && sql.to_ascii_lowercase().contains("regexp_replace") {
            parts.tag("replaces all");
        }
    }
    parts.names(node.config.model().partition_by.iter().map(String::as_str));
    let is_stored = recipe.is_some() || node.relation.is_some();
    if is_stored {
        structure::columns(parts.tag("stored as"), schema);
    }
    if recipe.is_none() {
        let views: Vec<&Fingerprint> = views.fingerprints().collect();
        parts.tag("views").names(views.into_iter().map(Fingerprint::as_str));
    }
    parts.fingerprint()
}

/// The tables that a plan reads as a whole, of which a change reaches no more partitions than it can be said to.
pub(super) fn looked_up(
    scope: &Scope,
    plan: &PlannedQuery,
    alignment: &Alignment,
    partition_columns: &[String],
) -> BTreeSet<Relation> {
    if partition_columns.is_empty() || alignment.told.len() < partition_columns.len() {
        return BTreeSet::new();
    }
    let whole = alignment.scans.iter().filter(|scan| !scan.is_aligned()).map(|scan| &scan.relation);
    let is_followed = |table: &&Relation| {
        followed(scope, plan, table, partition_columns)
            .is_ok_and(|told| told.len() == partition_columns.len())
    };
    whole.filter(is_followed).cloned().collect()
}

/// What makes which rows a plan gives, and each of its columns. The columns that it is partitioned by belong to all of
/// these: they say in which partition a value lies.
pub(super) fn columns(
    plan: &PlannedQuery,
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
