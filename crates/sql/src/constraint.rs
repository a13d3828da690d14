//! The SQL that counts the rows of a table which break what is promised of them.

use super::names::quoted;

/// The count of rows for which each of these conditions holds, all in one look at the table.
pub fn rows_where(table: &str, conditions: &[String]) -> String {
    let counts: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(at, condition)| format!("count(case when ({condition}) then 1 end) as broken_{at}"))
        .collect();
    format!("select {} from {table}", counts.join(", "))
}

/// A condition that holds of rows without a value in one of these columns.
pub fn lacks_value(columns: &[String]) -> String {
    let lacks: Vec<String> = columns.iter().map(|column| format!("{} is null", quoted(column))).collect();
    lacks.join(" or ")
}

/// A condition that holds of rows for which another one, as a user wrote it, is false. As in SQL, NULL is not false.
pub fn is_false(condition: &str) -> String {
    format!("not (\n{condition}\n)")
}

/// The count of rows that share their values in these columns with another row. Where one of the values is NULL, as in SQL, none
/// is shared.
pub fn rows_sharing(table: &str, columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let names = names.join(", ");
    format!(
        "select coalesce(sum(rows), 0) as broken from (
    select count(*) as rows from {table} where not ({}) group by {names} having count(*) > 1
) as shared",
        lacks_value(columns)
    )
}

/// The count of rows whose values in `columns`, where all are there, no row of `to` has in `to_columns`.
pub fn rows_without(table: &str, columns: &[String], to: &str, to_columns: &[String]) -> String {
    let (mut keys, mut pairs, mut there) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (column, other)) in columns.iter().zip(to_columns).enumerate() {
        keys.push(format!("{} as key_{at}", quoted(other)));
        pairs.push(format!("child.{} = parent.key_{at}", quoted(column)));
        there.push(format!("child.{} is not null", quoted(column)));
    }
    format!(
        "select count(*) as broken from {table} as child
left join (select distinct {}, true as is_there from {to}) as parent on {}
where {} and parent.is_there is null",
        keys.join(", "),
        pairs.join(" and "),
        there.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    #[test]
    fn names_are_quoted_and_all_of_it_is_sql() {
        let scope = Scope::for_planning();
        let columns = ["Order", "day"].map(|name| Field::new(name, DataType::Int64, true));
        let table = Arc::new(DeclaredTable::new(Arc::new(Schema::new(columns.to_vec())), Vec::new()));
        scope.register(&Relation::new("m", "t"), table).unwrap();
        let columns = ["Order".to_owned(), "day".to_owned()];
        let conditions = [lacks_value(&columns), is_false("\"Order\" > day -- always")];
        for sql in [
            rows_where("m.t", &conditions),
            rows_sharing("m.t", &columns),
            rows_without("m.t", &columns, "m.t", &columns),
        ] {
            let planned = scope.plan(&sql);
            assert!(planned.is_ok(), "{sql}: {planned:?}");
        }
    }
}
