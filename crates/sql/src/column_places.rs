//! At which places of a schema its columns stand.
//!
//! The engine looks through all columns for each name. A table can have ten thousand of them, and a plan names each one.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use datafusion::common::{Column, DFSchema};

/// So many columns are looked through no slower than they are noted, and so often all of them.
const FEW: usize = 16;

/// The places of the columns of a schema, noted once they are asked for often.
pub(super) struct ColumnPlaces<'a> {
    schema: &'a DFSchema,
    asked: Cell<usize>,
    by_name: OnceCell<HashMap<&'a str, Vec<usize>>>,
}

impl<'a> ColumnPlaces<'a> {
    pub(super) fn of(schema: &'a DFSchema) -> Self {
        Self { schema, asked: Cell::new(0), by_name: OnceCell::new() }
    }

    /// Where a column stands, as [`DFSchema::maybe_index_of_column`] says it.
    pub(super) fn find(&self, column: &Column) -> Option<usize> {
        if self.schema.fields().len() < FEW || self.asked.get() < FEW {
            self.asked.set(self.asked.get() + 1);
            return self.schema.maybe_index_of_column(column);
        }
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
            for (place, field) in self.schema.fields().iter().enumerate() {
                by_name.entry(field.name()).or_default().push(place);
            }
            by_name
        });
        by_name.get(column.name.as_str())?.iter().copied().find(|place| {
            match (&column.relation, self.schema.qualified_field(*place).0) {
                (Some(wanted), Some(is)) => wanted.resolved_eq(is),
                (Some(_), None) => false,
                (None, _) => true,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::{Column, DFSchema};

    use super::ColumnPlaces;

    #[test]
    fn columns_stand_where_the_engine_finds_them() {
        let schema = |relation: &str| {
            let fields: Vec<Field> =
                (0..20).map(|column| Field::new(format!("c{column}"), DataType::Int64, true)).collect();
            DFSchema::try_from_qualified_schema(relation, &Schema::new(fields)).unwrap()
        };
        let bare = Schema::new(vec![Field::new("bare", DataType::Int64, true)]);
        let schema =
            schema("m.a").join(&schema("b")).unwrap().join(&DFSchema::try_from(bare).unwrap()).unwrap();
        let places = ColumnPlaces::of(&schema);
        let names = ["c3", "a.c3", "m.a.c3", "b.c3", "n.a.c3", "c.c3", "bare", "a.bare", "c20"];
        // The first ones are looked for, the others are noted.
        for name in names.into_iter().chain(names).chain(names) {
            let column = Column::from_qualified_name(name);
            assert_eq!(places.find(&column), schema.maybe_index_of_column(&column), "{name}");
        }
    }
}
