//! Writing the types of a source table's columns into the YAML that declares it, which is otherwise left as it is.
//!
//! Owns where in the text columns go, in block style and in flow style. Comes in: a source table as it was read, and its columns. Goes
//! out: the file's text with them. Must not know: where types come from, files on disk.

use super::{Column, Place, Problem, SourceTable};

/// A column of a source table, and its type in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedColumn {
    /// The name.
    pub name: String,
    /// The type.
    pub data_type: String,
}

impl SourceTable {
    /// The text of the file that declares this table, with these columns: declared ones that have no type get theirs, others come behind
    /// them. What has a type keeps it.
    ///
    /// # Errors
    /// Where the table is written in a way that columns cannot be added to.
    pub fn pinned(&self, columns: &[PinnedColumn]) -> Result<String, Problem> {
        let text = self.place.text.text();
        let declared = &self.properties.columns;
        let is_declared = |name: &str| declared.iter().any(|column| column.name.value == name);
        let mut edits: Vec<(usize, String)> = Vec::new();
        for column in declared.iter().filter(|column| column.data_type.is_none()) {
            if let Some(pinned) = columns.iter().find(|pinned| pinned.name == column.name.value) {
                edits.push(typed(text, column, &pinned.data_type));
            }
        }
        let new: Vec<&PinnedColumn> = columns.iter().filter(|column| !is_declared(&column.name)).collect();
        if !new.is_empty() {
            edits.push(match declared.last() {
                Some(last) => behind(text, last, &new),
                None => self.first(text, &new)?,
            });
        }
        // From the end on, so that no edit moves the place of another.
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.0));
        let mut pinned = text.to_owned();
        for (at, insert) in edits {
            pinned.insert_str(at, &insert);
        }
        Ok(pinned)
    }

    /// All columns of a table that has none yet.
    fn first(&self, text: &str, new: &[&PinnedColumn]) -> Result<(usize, String), Problem> {
        let end = value_end(text, &self.place);
        let key = WrittenKey::of(text, self.place.span.start);
        if key.is_flow {
            let items: Vec<String> = new.iter().map(|column| flow(column)).collect();
            return Ok((end, format!(", columns: [{}]", items.join(", "))));
        }
        let indent = " ".repeat(key.indent);
        let at = line_end(text, end);
        let has_columns = text[at..]
            .lines()
            .take_while(|line| line.trim().is_empty() || indent_of(line) >= key.indent)
            .any(|line| indent_of(line) == key.indent && line.trim_start().starts_with("columns:"));
        if has_columns {
            let message =
                format!("the source table `{}.{}` has `columns:` without any", self.source, self.name);
            return Err(Problem::new(message)
                .at(&self.place)
                .help("leave out the key, and pin its columns again"));
        }
        let items: String = new.iter().map(|column| block(column, &format!("{indent}  "))).collect();
        Ok((at, format!("{}{indent}columns:\n{items}", missing_line_end(text, at))))
    }
}

/// The type behind a column's name.
fn typed(text: &str, column: &Column, data_type: &str) -> (usize, String) {
    let (start, end) = (column.name.place.span.start, value_end(text, &column.name.place));
    let key = WrittenKey::of(text, start);
    if key.is_flow {
        return (end, format!(", data_type: {}", scalar(data_type)));
    }
    let at = line_end(text, end);
    let indent = " ".repeat(key.indent);
    (at, format!("{}{indent}data_type: {}\n", missing_line_end(text, at), scalar(data_type)))
}

/// Columns behind the last one that is declared.
fn behind(text: &str, last: &Column, new: &[&PinnedColumn]) -> (usize, String) {
    let (start, end) = (last.name.place.span.start, value_end(text, &last.name.place));
    let key = WrittenKey::of(text, start);
    let line = line_start(text, start);
    let dash = dash_of(text, line, key.indent);
    let is_block_item = text[line..].trim_start_matches(' ').starts_with('-');
    if key.is_flow {
        let close = flow_end(text, end);
        if !is_block_item || text[line..start].matches('{').count() > 1 {
            let items: Vec<String> = new.iter().map(|column| flow(column)).collect();
            return (close, format!(", {}", items.join(", ")));
        }
        let at = line_end(text, close);
        let indent = " ".repeat(dash);
        let items: String = new.iter().map(|column| format!("{indent}- {}\n", flow(column))).collect();
        return (at, format!("{}{items}", missing_line_end(text, at)));
    }
    // The entry ends before the first line that is not further in than its keys.
    let mut at = line_end(text, end);
    let mut rest = at;
    while rest < text.len() {
        let next = line_end(text, rest);
        let here = &text[rest..next];
        if !here.trim().is_empty() {
            if indent_of(here) < key.indent {
                break;
            }
            at = next;
        }
        rest = next;
    }
    let indent = " ".repeat(dash);
    let items: String = new.iter().map(|column| block(column, &indent)).collect();
    (at, format!("{}{items}", missing_line_end(text, at)))
}

/// How the key `name` before a value is written.
struct WrittenKey {
    /// Whether it stands between braces.
    is_flow: bool,
    /// At which character of its line it begins.
    indent: usize,
}

impl WrittenKey {
    fn of(text: &str, value: usize) -> Self {
        let before = text[..value].trim_end_matches(['"', '\'']).trim_end().trim_end_matches(':').trim_end();
        let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
        let before = before.strip_suffix("name").unwrap_or(before);
        let before = before.strip_suffix(['"', '\'']).unwrap_or(before);
        Self {
            is_flow: before.trim_end().ends_with(['{', ',']),
            indent: before.len() - line_start(text, before.len()),
        }
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |feed| feed + 1)
}

/// Behind the line end that comes next.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1)
}

fn missing_line_end(text: &str, at: usize) -> &'static str {
    if at == 0 || text[..at].ends_with('\n') { "" } else { "\n" }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// How far in the dash of a list's item stands, one of whose keys stands at `indent` of the line that begins at `line`.
fn dash_of(text: &str, line: usize, indent: usize) -> usize {
    let is_dash = |line: &&str| line.trim_start().starts_with('-') && indent_of(line) < indent.max(1);
    let here = text[line..].lines().next().unwrap_or_default();
    let above = text[..line].lines().rev();
    std::iter::once(here).chain(above).find(is_dash).map_or(0, indent_of)
}

/// Behind a value, and the quote that closes it.
fn value_end(text: &str, place: &Place) -> usize {
    let (start, end) = (place.span.start, place.span.end());
    let quote = text[..start].chars().next_back().filter(|character| matches!(character, '"' | '\''));
    end + usize::from(quote.is_some_and(|quote| text[end..].starts_with(quote)))
}

/// Behind the brace that closes the mapping which is open at this place.
fn flow_end(text: &str, from: usize) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, character) in text[from..].char_indices() {
        match (character, quote) {
            (_, Some(open)) => quote = quote.filter(|_| character != open),
            ('"' | '\'', None) if at > 0 => quote = Some(character),
            ('{' | '[', None) => depth += 1,
            ('}' | ']', None) if depth == 0 => return from + at + 1,
            ('}' | ']', None) => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

fn block(column: &PinnedColumn, indent: &str) -> String {
    let (name, data_type) = (scalar(&column.name), scalar(&column.data_type));
    format!("{indent}- name: {name}\n{indent}  data_type: {data_type}\n")
}

fn flow(column: &PinnedColumn) -> String {
    format!("{{name: {}, data_type: {}}}", scalar(&column.name), scalar(&column.data_type))
}

/// A text as YAML takes it for one.
fn scalar(text: &str) -> String {
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let means_more = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    if is_word && !means_more.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
    )
}
