//! How a model's partitions follow from those of its inputs, as lines for people and as JSON.

use serde_json::{Value as Json, json};

use mep_app::preview::FollowedKeys;
use mep_core::quantity::{bytes, plural};
use mep_core::relation::Relation;
use mep_graph::{CompiledModel, Materialization, Node};
use mep_plan::{Action, PartitionBuild, PartitionPlan, Reason};
use mep_sql::ScanAlignment;

/// How many columns of an input are named; JSON has all of them.
const NAMED_COLUMNS: usize = 8;

/// The lines below a step: what it reads by which key, then each partition with its reason.
pub(super) fn explained(
    node: &Node,
    model: &CompiledModel,
    action: &Action,
    followed: Option<&FollowedKeys>,
) -> Vec<String> {
    let mut lines = Vec::new();
    if node.config.materialized().is_table() {
        lines.push(how_it_is_built(node, model));
        let scans = scans(model);
        let width = scans.iter().map(|scan| scan.relation.name.chars().count()).max().unwrap_or(0);
        let lines_of = scans.iter().map(|scan| {
            format!(
                "reads {:<width$}  {}{}",
                scan.relation.name,
                by(node, model, scan),
                columns(model, &scan.relation)
            ) + &followed.map_or_else(String::new, |followed| how_followed(followed, &scan.relation))
        });
        lines.extend(lines_of);
    }
    if let Action::BuildPartitions(plan) = action {
        let shown: Vec<String> = plan.build.iter().map(|build| plan.shown(build)).collect();
        let width = shown.iter().map(|key| key.chars().count()).max().unwrap_or(0);
        let builds = plan.build.iter().zip(&shown);
        lines.extend(builds.map(|(build, key)| partition(build, key, width)));
        lines.extend(plan.remove.iter().map(|key| format!("{key}  goes: no input gives it any more")));
    }
    lines
}

/// Each table once, with the alignment that binds it least.
fn scans(model: &CompiledModel) -> Vec<&ScanAlignment> {
    let mut scans: Vec<&ScanAlignment> = Vec::new();
    for scan in &model.alignment.scans {
        match scans.iter_mut().find(|seen| seen.relation == scan.relation) {
            Some(seen) if scan.columns_told() < seen.columns_told() => *seen = scan,
            Some(_) => {}
            None => scans.push(scan),
        }
    }
    scans.sort_by(|a, b| a.relation.name.cmp(&b.relation.name));
    scans
}

fn is_by_partition(node: &Node, model: &CompiledModel) -> bool {
    model.is_built_by_partition(node.config.materialized())
}

fn how_it_is_built(node: &Node, model: &CompiledModel) -> String {
    let partitions = model.partition_columns.join(", ");
    if model.increment.is_some() {
        return "keeps its own increments, with is_incremental()".to_owned();
    }
    if model.batches.is_some() {
        return "is run batch by batch of its event time".to_owned();
    }
    if is_by_partition(node, model) {
        if model.alignment.told.len() == model.partition_columns.len() {
            return format!("is built by {partitions}, each partition on its own");
        }
        let told: Vec<&str> =
            model.alignment.told.iter().map(|at| model.partition_columns[*at].as_str()).collect();
        return format!(
            "is built by {}: what the other partition columns hold, no input's partitions say",
            told.join(", ")
        );
    }
    let why = match node.config.materialized() {
        Materialization::Table => "it is materialized as table",
        _ if model.partition_columns.is_empty() => "it has no `partition_by`",
        _ => "no input's partitions say which of the model's partitions they feed",
    };
    format!("is built as a whole: {why}")
}

fn by(node: &Node, model: &CompiledModel, scan: &ScanAlignment) -> String {
    if model.ignored.contains(&scan.relation) {
        return "as it is then: its changes are ignored".to_owned();
    }
    if !is_by_partition(node, model) {
        return "all of it".to_owned();
    }
    if model.looked_up.contains(&scan.relation) {
        return "looked up by key: a change in it builds the partitions that hold a changed key".to_owned();
    }
    if !scan.is_aligned() {
        return "all of it: a change in it builds every partition".to_owned();
    }
    let pairs = model.partition_columns.iter().zip(scan.by());
    let pairs = pairs.filter_map(|(column, by)| match by? {
        by if by == *column => Some(by),
        by => Some(format!("{column} = {by}")),
    });
    format!("by {}", pairs.collect::<Vec<String>>().join(", "))
}

/// By which columns a change in an input is followed.
fn how_followed(followed: &FollowedKeys, input: &Relation) -> String {
    match followed.by_input.get(input).map(Vec::as_slice) {
        None => String::new(),
        Some([]) => "; a change in it reaches all rows".to_owned(),
        Some(columns) => format!("; a change in it is followed by {}", columns.join(", ")),
    }
}

fn columns(model: &CompiledModel, relation: &Relation) -> String {
    match model.recipe.as_ref().and_then(|recipe| recipe.reads.get(relation)) {
        None => String::new(),
        Some(columns) if columns.is_empty() => "; only its rows are counted".to_owned(),
        Some(columns) => {
            let names: Vec<&str> = columns.iter().take(NAMED_COLUMNS).map(String::as_str).collect();
            let more = match columns.len() - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("; {}{more}", names.join(", "))
        }
    }
}

fn partition(build: &PartitionBuild, key: &str, width: usize) -> String {
    let reads = match build.input_rows {
        0 if build.input_bytes == 0 => String::new(),
        0 => format!(" [reads {}]", bytes(build.input_bytes)),
        rows => format!(" [reads {}, {}]", plural(rows, "row"), bytes(build.input_bytes)),
    };
    format!("{key:<width$}  {}{reads}", build.reason)
}

/// Whether a plan's partitions are those at most: a table that is looked up by key changes, and which partitions hold a
/// changed key shows once it is built.
pub(super) fn is_at_most(model: Option<&CompiledModel>, plan: &PartitionPlan) -> bool {
    let is_looked_up = |table: &String| {
        model.is_some_and(|model| model.looked_up.iter().any(|relation| relation.to_string() == *table))
    };
    plan.build.iter().any(|build| match &build.reason {
        Reason::InputsChanged { tables } => tables.keys().any(is_looked_up),
        _ => false,
    })
}

/// The same of the inputs, for programs.
pub(super) fn inputs(node: &Node, model: &CompiledModel) -> Json {
    let scan = |scan: &&ScanAlignment| {
        let columns = model.recipe.as_ref().and_then(|recipe| recipe.reads.get(&scan.relation));
        json!({
            "relation": scan.relation.to_string(),
            "by": if is_by_partition(node, model) && scan.is_aligned() { json!(scan.by()) } else { Json::Null },
            "columns": columns,
            "looked_up": model.looked_up.contains(&scan.relation),
            "changes": if model.ignored.contains(&scan.relation) { "ignore" } else { "rebuild" },
        })
    };
    scans(model).iter().map(scan).collect()
}
