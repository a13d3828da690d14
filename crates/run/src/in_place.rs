//! Reading what the warehouse holds of a node: what mep publishes, or what others do.
//!
//! Must not know: how either is kept.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};

use mep_contract::warehouse::{Content, TableVersion, Warehouse, WarehouseError};
use mep_graph::{Node, spelled_as_declared};

/// What the warehouse holds of a node's relation; `None` where it holds nothing, or the node has none.
///
/// # Errors
/// Where that is not clear, or it is a table of others that mep does not read.
pub fn stored_of(warehouse: &dyn Warehouse, node: &Node) -> Result<Option<TableVersion>, WarehouseError> {
    let Some(relation) = &node.relation else { return Ok(None) };
    if !node.is_in_place() {
        return warehouse.read(relation);
    }
    let table = warehouse.read_in_place(relation)?;
    Ok(table.map(|table| spelled(table, node)))
}

/// A table of others with its columns spelled as they are declared.
fn spelled(mut table: TableVersion, node: &Node) -> TableVersion {
    let Content::InPlace(content) = &mut table.content else { return table };
    let spelled = |name: &str| spelled_as_declared(&node.columns, name).to_owned();
    for name in &mut content.partition_columns {
        *name = spelled(name);
    }
    let fields = table.schema.fields().iter();
    let fields: Vec<Field> =
        fields.map(|field| field.as_ref().clone().with_name(spelled(field.name()))).collect();
    table.schema = Arc::new(Schema::new(fields));
    table
}
