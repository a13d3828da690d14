//! Names of types that other engines have for types that the engine has: they are read as those.
//!
//! A type that holds other values than any of the engine's is not read as one that is near to it.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    CharacterLength, DataType, ExactNumberInfo, Expr, ObjectName, Statement as Tree, TimezoneInfo,
};

use super::visits::visit_expressions_mut;

/// Reads the types of all casts of a statement.
pub(crate) fn write_types_out(statement: &mut Statement) {
    let Statement::Statement(tree) = statement else { return };
    let tree: &mut Tree = tree;
    visit_expressions_mut(tree, |expression| {
        if let Expr::Cast { data_type, .. } = expression
            && let Some(known) = known(data_type)
        {
            *data_type = known;
        }
    });
}

fn known(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Nvarchar(length) => {
            DataType::Varchar(*length)
        }
        DataType::Character(length) => DataType::Char(*length),
        // JSON is text here, whatever reads it.
        DataType::JSON | DataType::JSONB => DataType::Varchar(None::<CharacterLength>),
        DataType::Int16 => DataType::SmallInt(None),
        DataType::Int32 => DataType::Int(None),
        DataType::Int64 => DataType::BigInt(None),
        DataType::Float64 => DataType::Double(ExactNumberInfo::None),
        DataType::Float32 => DataType::Real,
        DataType::HugeInt => whole(38),
        DataType::Dec(digits) => DataType::Decimal(*digits),
        DataType::Datetime(None) | DataType::TimestampNtz { .. } => {
            DataType::Timestamp(None, TimezoneInfo::None)
        }
        DataType::Custom(name, modifiers) => of_name(name, modifiers)?,
        _ => return None,
    })
}

fn of_name(name: &ObjectName, modifiers: &[String]) -> Option<DataType> {
    Some(match (name.to_string().to_lowercase().as_str(), modifiers) {
        ("number", []) => whole(38),
        ("number", [digits]) => whole(digits.trim().parse().ok()?),
        ("number", [digits, scale]) => {
            let scale = scale.trim().parse().ok()?;
            DataType::Decimal(ExactNumberInfo::PrecisionAndScale(digits.trim().parse().ok()?, scale))
        }
        ("long", []) => DataType::BigInt(None),
        ("short", []) => DataType::SmallInt(None),
        ("byte" | "byteint", []) => DataType::TinyInt(None),
        ("timestamp_ntz" | "timestampntz", _) => DataType::Timestamp(None, TimezoneInfo::None),
        ("timestamp_tz" | "timestamptz", _) => DataType::Timestamp(None, TimezoneInfo::Tz),
        ("bpchar" | "varchar2", _) => DataType::Varchar(None),
        _ => return None,
    })
}

fn whole(digits: u64) -> DataType {
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale(digits, 0))
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    #[test]
    fn types_of_other_engines_are_those_of_the_engine() {
        insta::assert_snapshot!(
            rows("select 'a'::character varying(20), cast(7 as int64) / 2, '1.50'::number(10, 2), '7'::number, '{}'::json, cast('2024-01-02' as datetime), '2024-01-02 03:04:05'::timestamp_ntz"),
            @"a31.507{}2024-01-02T00:00:002024-01-02T03:04:05"
        );
    }
}
