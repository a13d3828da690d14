//! Unit tests: the rows that a model gives for given ones, and how they differ from the rows that it is to give.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use mep_contract::executor::{EngineError, Executor};
use mep_graph::{ComparedRows, ComparedText};

/// How the rows of a model differ from what a unit test expects; `None` where they do not.
///
/// # Errors
/// Where the SQL fails on the given rows.
pub async fn difference(engine: &dyn Executor, rows: &ComparedRows) -> Result<Option<String>, EngineError> {
    difference_of((engine, &rows.actual), (engine, &rows.expected)).await
}

/// How the rows of one query differ from those of another, each over what its engine knows; `None` where they do not.
///
/// # Errors
/// Where one of them fails.
pub async fn difference_of(
    (actual_engine, actual): (&dyn Executor, &str),
    (expected_engine, expected): (&dyn Executor, &str),
) -> Result<Option<String>, EngineError> {
    let actual = actual_engine.collect(actual_engine.planned(actual)?).await?;
    let planned = expected_engine.planned(expected)?;
    let header: Vec<String> = planned.output().fields().iter().map(|field| field.name().clone()).collect();
    let expected = expected_engine.collect(planned).await?;
    Ok(shown(&header, rows(&expected)?, rows(&actual)?))
}

/// How the text of a macro differs from what a unit test expects; `None` where it does not.
pub fn text_difference(texts: &ComparedText) -> Option<String> {
    let in_words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let of = |text: &str| if texts.is_exact { text.to_owned() } else { in_words(text) };
    let (expected, actual) = (of(&texts.expected), of(&texts.actual));
    if expected == actual {
        return None;
    }
    let marked = |mark: &str, text: &str| {
        text.split('\n').map(|line| format!("{mark} {line}").trim_end().to_owned() + "\n").collect::<String>()
    };
    let text = marked("---", &expected) + &marked("+++", &actual);
    Some(format!("actual differs from expected:\n\n{}", text.trim_end()))
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, EngineError> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Result<Vec<ArrayFormatter<'_>>, _> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
        let columns = columns?;
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// A row of what is shown.
enum ShownRow {
    Same(Vec<String>),
    Changed(Vec<String>),
    Missing(Vec<String>),
    Unexpected(Vec<String>),
}

/// The difference as dbt shows it; `None` where there is none.
fn shown(header: &[String], expected: Vec<Vec<String>>, actual: Vec<Vec<String>>) -> Option<String> {
    if expected == actual {
        return None;
    }
    let mut unexpected = actual;
    let mut shown = Vec::new();
    let mut missing = Vec::new();
    for row in expected {
        match unexpected.iter().position(|one| *one == row) {
            Some(at) => {
                unexpected.remove(at);
                shown.push((row.clone(), ShownRow::Same(row)));
            }
            None => missing.push(row),
        }
    }
    for row in missing {
        let alike = |other: &[String]| row.iter().zip(other).filter(|(a, b)| a == b).count();
        let nearest = unexpected.iter().enumerate().rev().max_by_key(|(_, other)| alike(other));
        let nearest = nearest.filter(|(_, other)| alike(other) > 0 || row.len() == 1).map(|(at, _)| at);
        match nearest {
            Some(at) => {
                let other = unexpected.remove(at);
                let cell = |(a, b): (&String, &String)| if a == b { a.clone() } else { format!("{a}→{b}") };
                let cells = row.iter().zip(&other).map(cell).collect();
                shown.push((row, ShownRow::Changed(cells)));
            }
            None => shown.push((row.clone(), ShownRow::Missing(row))),
        }
    }
    shown.extend(unexpected.into_iter().map(|row| (row.clone(), ShownRow::Unexpected(row))));
    shown.sort_by(|(a, _), (b, _)| a.cmp(b));
    let lines: Vec<ShownRow> = shown.into_iter().map(|(_, line)| line).collect();
    Some(format!("actual differs from expected:\n\n{}", table(header, &lines)))
}

/// The rows with those beside what differs, in columns.
fn table(header: &[String], lines: &[ShownRow]) -> String {
    let is_same = |at: usize| matches!(lines.get(at), Some(ShownRow::Same(_)) | None);
    let mut cells: Vec<Vec<String>> = vec![marked("@@", header)];
    let mut is_cut = false;
    for (at, line) in lines.iter().enumerate() {
        let (mark, row) = match line {
            ShownRow::Same(row) => {
                let is_beside = !is_same(at + 1) || at.checked_sub(1).is_some_and(|before| !is_same(before));
                if !is_beside {
                    if !is_cut {
                        cells.push(marked("...", &vec!["...".to_owned(); header.len()]));
                    }
                    is_cut = true;
                    continue;
                }
                ("", row)
            }
            ShownRow::Changed(row) => ("→", row),
            ShownRow::Missing(row) => ("---", row),
            ShownRow::Unexpected(row) => ("+++", row),
        };
        is_cut = false;
        cells.push(marked(mark, row));
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..=header.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let separator = if column == 0 { "" } else { "," };
            let width = if column == header.len() { 0 } else { widths[column] };
            let _ = write!(line, "{separator}{cell:width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.truncate(text.trim_end().len());
    text
}

fn marked(mark: &str, row: &[String]) -> Vec<String> {
    [mark.to_owned()].into_iter().chain(row.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(expected: &[&[&str]], actual: &[&[&str]]) -> Option<String> {
        let rows = |rows: &[&[&str]]| {
            let mut rows: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
            rows.sort_unstable();
            rows
        };
        shown(&["id".to_owned(), "is_valid".to_owned()], rows(expected), rows(actual))
    }

    #[test]
    fn rows_in_another_order_are_the_same() {
        assert_eq!(said(&[&["1", "a"], &["2", "b"]], &[&["2", "b"], &["1", "a"]]), None);
        assert_eq!(said(&[], &[]), None);
        assert!(said(&[&["1", "a"]], &[&["1", "a"], &["1", "a"]]).is_some());
    }

    #[test]
    fn texts_are_compared_word_by_word_or_as_they_are() {
        let differ = |expected: &str, actual: &str, is_exact| {
            let (expected, actual) = (expected.to_owned(), actual.to_owned());
            text_difference(&ComparedText { actual, expected, is_exact })
        };
        assert_eq!(differ("a +\n  b", "\na + b ", false), None);
        assert_eq!(differ("a", "a", true), None);
        insta::assert_snapshot!(differ("a +\n  b", "a + b", true).unwrap(), @r"
        actual differs from expected:

        --- a +
        ---   b
        +++ a + b
        ");
    }

    #[test]
    fn what_differs_is_shown_beside_what_does_not() {
        let expected: [&[&str]; 5] =
            [&["1", "true"], &["2", "true"], &["3", "true"], &["4", "true"], &["5", "x"]];
        let actual: [&[&str]; 5] =
            [&["1", "true"], &["2", "true"], &["3", "true"], &["4", "false"], &["6", "y"]];
        insta::assert_snapshot!(said(&expected, &actual).unwrap(), @r"
        actual differs from expected:

        @@ ,id ,is_valid
        ...,...,...
           ,3  ,true
        →  ,4  ,true→false
        ---,5  ,x
        +++,6  ,y
        ");
    }
}
