//! Columns that the names of folders give, as in `year=2024/day=2024-01-05/a.parquet`, by DuckDB's rules.
//!
//! Owns which folders are columns, and their values and types. Must not know: what is in the files.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use super::FilesError;
use mep_contract::warehouse::partition::NULL_FOLDER;

/// Whether the names of folders are columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FolderColumns {
    /// They are none.
    #[default]
    No,
    /// They are, where all files lie in folders of the same names.
    WhereAllAgree,
    /// They are, and a file that lies in others is an error.
    Yes,
}

/// The values of a file's folders by their names, which DuckDB sorts.
pub(super) type FolderValues = BTreeMap<String, Option<String>>;

/// The values of the folders of a file: `path` is as it was written, or as the pattern found it.
pub(super) fn values_of(path: &Path) -> FolderValues {
    let folders = path.parent().map(Path::components).into_iter().flatten();
    let pair = |folder: std::path::Component<'_>| {
        let folder = folder.as_os_str().to_str()?.to_owned();
        let (name, value) = folder.split_once('=')?;
        let value = decoded(value);
        (!name.is_empty()).then(|| (decoded(name), (value != NULL_FOLDER).then_some(value)))
    };
    folders.filter_map(pair).collect()
}

/// `%20` and its like as what they stand for.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The columns that the folders of files give, each with its type; none where they give none.
///
/// # Errors
/// Where they must give the same ones, and do not.
pub(super) fn columns(
    asked: FolderColumns,
    files: &[(&str, FolderValues)],
) -> Result<BTreeMap<String, DataType>, FilesError> {
    let Some((_, first)) = files.first().filter(|_| asked != FolderColumns::No) else {
        return Ok(BTreeMap::new());
    };
    if let Some((id, _)) = files.iter().find(|(_, values)| !values.keys().eq(first.keys())) {
        if asked == FolderColumns::WhereAllAgree {
            return Ok(BTreeMap::new());
        }
        let names: Vec<&str> = first.keys().map(String::as_str).collect();
        let message = format!(
            "with `hive_partitioning`, each file lies in folders of the same names: expected `{}` here, as for the first file",
            names.join("`, `")
        );
        return Err(FilesError::content(id, message));
    }
    let typed = |name: &String| {
        let values: Vec<&str> = files.iter().filter_map(|(_, values)| values.get(name)?.as_deref()).collect();
        (name.clone(), type_of(&values))
    };
    Ok(first.keys().map(typed).collect())
}

/// The first of date, time and whole number that all values are as they are written; else they are texts.
fn type_of(values: &[&str]) -> DataType {
    let are = |is: fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| is(value));
    let is_time = |value: &str| {
        let texts = StringArray::from(vec![value]);
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        value.get(10..11).is_some_and(|between| between == " " || between == "T")
            && cast(&texts, &time).is_ok_and(|cast| cast.null_count() == 0)
    };
    if are(is_day) {
        DataType::Date32
    } else if are(is_time) {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    } else if are(|value| value.parse::<i64>().is_ok_and(|number| number.to_string() == value)) {
        DataType::Int64
    } else {
        DataType::Utf8
    }
}

fn is_day(value: &str) -> bool {
    let texts = StringArray::from(vec![value]);
    value.len() == 10
        && value.as_bytes()[4] == b'-'
        && cast(&texts, &DataType::Date32).is_ok_and(|cast| cast.null_count() == 0)
}

/// A value of a folder as a text for each of these rows.
pub(super) fn repeated(value: Option<&str>, rows: usize) -> ArrayRef {
    std::sync::Arc::new(StringArray::from(vec![value; rows]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_the_types_that_duckdb_gives_them() {
        let of = |values: &[&str]| type_of(values).to_string();
        assert_eq!(of(&["2024-01-05"]), "Date32");
        assert_eq!(of(&["2024-01-05 10:00:00"]), "Timestamp(µs)");
        assert_eq!(of(&["1", "20"]), "Int64");
        assert_eq!(of(&["01", "2"]), "Utf8");
        assert_eq!(of(&["1", "a"]), "Utf8");
        let values = values_of(Path::new("lake/b=a%20b/a=__HIVE_DEFAULT_PARTITION__/c/x=1.csv"));
        let expected = [("a".to_owned(), None), ("b".to_owned(), Some("a b".to_owned()))];
        assert_eq!(values, expected.into());
    }
}
