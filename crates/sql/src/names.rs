//! How SQL writes the names of columns.

/// A name as it is, whatever characters it has.
pub fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

/// Several of them.
pub(super) fn listed(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    columns.join(", ")
}
