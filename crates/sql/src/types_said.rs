//! The types of a message, as SQL writes them.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use regex::{Captures, Regex};

/// A type as SQL writes it.
pub fn sql_type(data_type: &DataType) -> String {
    in_sql(&data_type.to_string())
}

/// A text of the engine's with the names of its types replaced by those of SQL. What stands in quotes is the user's.
pub(super) fn in_sql(text: &str) -> String {
    let mut said = text.to_owned();
    // A list of lists is replaced from within.
    for _ in 0..4 {
        let next = TYPES.replace_all(&said, |found: &Captures<'_>| name(found)).into_owned();
        if next == said {
            break;
        }
        said = next;
    }
    said
}

fn name(found: &Captures<'_>) -> String {
    let Some(word) = found.name("word").map(|word| word.as_str()) else { return found[0].to_owned() };
    let of = found.name("of").map(|of| of.as_str());
    let written = match (word, of) {
        ("Boolean", None) => "boolean",
        ("Int8", None) => "tinyint",
        ("Int16", None) => "smallint",
        ("Int32", None) => "integer",
        ("Int64", None) => "bigint",
        ("UInt8", None) => "tinyint unsigned",
        ("UInt16", None) => "smallint unsigned",
        ("UInt32", None) => "integer unsigned",
        ("UInt64", None) => "bigint unsigned",
        ("Float16" | "Float32", None) => "float",
        ("Float64", None) => "double",
        ("Utf8" | "Utf8View" | "LargeUtf8", None) => "varchar",
        ("Binary" | "BinaryView" | "LargeBinary", None) => "bytea",
        ("Date32" | "Date64", None) => "date",
        ("Timestamp", Some(of)) if of.contains("None") || !of.contains(',') => "timestamp",
        ("Timestamp", Some(_)) => "timestamp with time zone",
        ("Time32" | "Time64", Some(_)) => "time",
        ("Interval" | "Duration", Some(_)) => "interval",
        ("Decimal32" | "Decimal64" | "Decimal128" | "Decimal256", Some(of)) => {
            return format!("decimal({of})");
        }
        ("List" | "LargeList" | "ListView", Some(of)) => {
            return format!("{}[]", of.trim_start_matches("non-null ").trim_end_matches(", field: 'item'"));
        }
        _ => return found[0].to_owned(),
    };
    written.to_owned()
}

static TYPES: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::unwrap_used, reason = "the pattern is a literal that the tests compile")]
    Regex::new(
        r"'[^']*'|`[^`]*`|\b(?P<word>U?Int(?:8|16|32|64)|Float(?:16|32|64)|LargeUtf8|Utf8View|Utf8|LargeBinary|BinaryView|Date(?:32|64)|Timestamp|Time(?:32|64)|Interval|Duration|Boolean|Decimal(?:32|64|128|256)|List|LargeList|ListView)\b(?:\((?P<of>[^()]*)\))?",
    )
    .unwrap()
});

#[cfg(test)]
mod tests {
    use super::in_sql;

    #[test]
    fn types_are_named_as_sql_names_them() {
        let said = "Int64 + Utf8View, Timestamp(µs), Timestamp(ns, \"UTC\"), Decimal128(10, 2), List(Int64), Interval(MonthDayNano)";
        insta::assert_snapshot!(in_sql(said), @"bigint + varchar, timestamp, timestamp with time zone, decimal(10, 2), bigint[], interval");
        assert_eq!(in_sql("'a column named Int64x' and Time"), "'a column named Int64x' and Time");
    }
}
