//! Where dbt-duckdb finds the rows of a source table: `external_location`, a path or a call of a function that reads one.
//!
//! Owns the words of it. Comes in: the text, and what its patterns (`{name}`) stand for. Goes out: paths, and how they
//! are read. Must not know: which files there are.

use serde_json::Value as Json;

use super::SourceTable;

/// Files of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalLocation {
    /// The paths, each perhaps a glob; relative ones lie in the project's folder.
    pub paths: Vec<String>,
    /// What the files are, where the call says it.
    pub format: Option<ExternalFormat>,
    /// Whether each column of CSV is a text.
    pub all_texts: bool,
    /// Whether names of folders such as `day=2024-01-05` are columns; `None`: where those of all files agree.
    pub hive_partitioning: Option<bool>,
}

/// What files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalFormat {
    /// Parquet.
    Parquet,
    /// CSV, with what separates fields.
    Csv(char),
    /// JSON.
    Json,
}

/// Why a location cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// A call without its last bracket.
    #[error("the call has no end")]
    Endless,
    /// On another machine.
    #[error("`{0}` is not on this machine, and only files that are can be read")]
    Elsewhere(String),
    /// Another function than those that read files.
    #[error("`{0}` is no function that mep reads files by")]
    Function(String),
    /// An argument that is none.
    #[error("`{argument}` is no option of `{function}`")]
    Argument {
        /// The argument.
        argument: String,
        /// The function that is called.
        function: String,
    },
    /// More or less than one character.
    #[error("`{option}`: expected one character, found `{value}`")]
    Character {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// An option that mep does not have.
    #[error("the option `{option}` with `{value}` would read other rows than mep does")]
    Option {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// A pattern that has no end, or none that begins.
    #[error("`{0}` has a brace that stands alone")]
    Brace(String),
    /// A pattern that stands for nothing.
    #[error("there is no `{{{0}}}` here")]
    Pattern(String),
    /// A path without quotes.
    #[error("expected a path in quotes, found `{0}`")]
    Unquoted(String),
}

/// Options of DuckDB's functions that say what mep does anyhow.
const KNOWN: [(&str, &[&str]); 12] = [
    ("header", &["true", "1"]),
    ("auto_detect", &["true", "1"]),
    ("union_by_name", &["true", "1"]),
    ("filename", &["false", "0"]),
    ("hive_types_autocast", &["true", "1"]),
    ("ignore_errors", &["false", "0"]),
    ("all_varchar", &["false", "0"]),
    ("format", &["auto", "newline_delimited", "nd", "array", "unstructured"]),
    ("records", &["true", "auto"]),
    ("parallel", &["true", "false"]),
    ("quote", &["\""]),
    ("escape", &["\""]),
];
/// Options that say how much is looked at, which changes no row.
const HARMLESS: [&str; 4] = ["sample_size", "maximum_object_size", "buffer_size", "max_line_size"];

impl ExternalLocation {
    /// Reads the text that a source table has.
    ///
    /// # Errors
    /// Where it says something that mep does not do.
    pub fn of(table: &SourceTable, text: &str) -> Result<Self, LocationError> {
        let text = filled_in(table, text)?;
        let text = text.trim();
        let location = match text.split_once('(') {
            Some((function, rest)) => {
                let inner = rest.trim_end().strip_suffix(')').ok_or(LocationError::Endless)?;
                Self::of_call(function.trim(), inner)?
            }
            None => Self {
                paths: vec![unquoted(text).to_owned()],
                format: None,
                all_texts: false,
                hive_partitioning: None,
            },
        };
        match location.paths.iter().find(|path| path.contains("://") && !path.starts_with("file://")) {
            Some(path) => Err(LocationError::Elsewhere(path.clone())),
            None => Ok(location),
        }
    }

    fn of_call(function: &str, inner: &str) -> Result<Self, LocationError> {
        let format = match function.to_ascii_lowercase().as_str() {
            "read_parquet" | "parquet_scan" => ExternalFormat::Parquet,
            "read_csv" | "read_csv_auto" => ExternalFormat::Csv(','),
            "read_json" | "read_json_auto" | "read_ndjson" | "read_ndjson_auto" | "read_json_objects" => {
                ExternalFormat::Json
            }
            _ => return Err(LocationError::Function(function.to_owned())),
        };
        let mut arguments = arguments(inner).into_iter();
        let first = arguments.next().unwrap_or_default();
        let mut location =
            Self { paths: paths(&first)?, format: Some(format), all_texts: false, hive_partitioning: None };
        for argument in arguments {
            let (name, value) =
                argument.split_once(":=").or_else(|| argument.split_once('=')).ok_or_else(|| {
                    LocationError::Argument { argument: argument.clone(), function: function.to_owned() }
                })?;
            location.set(&name.trim().to_ascii_lowercase(), unquoted(value.trim()))?;
        }
        Ok(location)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), LocationError> {
        let lower = value.to_ascii_lowercase();
        match name {
            "delim" | "sep" | "delimiter" => {
                let mut characters = match value {
                    "\\t" => "\t".chars(),
                    other => other.chars(),
                };
                let (Some(one), None) = (characters.next(), characters.next()) else {
                    return Err(LocationError::Character {
                        option: name.to_owned(),
                        value: value.to_owned(),
                    });
                };
                self.format = Some(ExternalFormat::Csv(one));
                Ok(())
            }
            "all_varchar" if lower == "true" || lower == "1" => {
                self.all_texts = true;
                Ok(())
            }
            "hive_partitioning" if ["true", "1", "false", "0"].contains(&lower.as_str()) => {
                self.hive_partitioning = Some(lower == "true" || lower == "1");
                Ok(())
            }
            _ if HARMLESS.contains(&name) => Ok(()),
            _ if KNOWN.iter().any(|(known, values)| *known == name && values.contains(&lower.as_str())) => {
                Ok(())
            }
            _ => Err(LocationError::Option { option: name.to_owned(), value: value.to_owned() }),
        }
    }
}

/// The text with what its patterns stand for, as Python's `format` reads them.
fn filled_in(table: &SourceTable, text: &str) -> Result<String, LocationError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            filled.push_str(brace);
            rest = after;
            continue;
        }
        let (name, after) = after
            .split_once('}')
            .filter(|_| brace == "{")
            .ok_or_else(|| LocationError::Brace(text.to_owned()))?;
        filled.push_str(&pattern(table, name).ok_or_else(|| LocationError::Pattern(name.to_owned()))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn pattern(table: &SourceTable, name: &str) -> Option<String> {
    let identifier = || table.identifier.clone().unwrap_or_else(|| table.name.clone());
    match name {
        "name" => Some(table.name.clone()),
        "identifier" => Some(identifier()),
        "schema" => Some(table.schema.clone().unwrap_or_else(|| table.source.clone())),
        _ => {
            let own = table.config.get(name).map(|located| &located.value);
            match own.or_else(|| table.properties.meta.get(name))? {
                Json::String(text) => Some(text.clone()),
                Json::Number(number) => Some(number.to_string()),
                _ => None,
            }
        }
    }
}

/// The arguments of a call, at commas that stand in no quotes and no brackets.
fn arguments(inner: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut quote, mut start) = (Vec::new(), 0_usize, None, 0);
    for (at, character) in inner.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                arguments.push(inner[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inner[start..].trim();
    if !last.is_empty() {
        arguments.push(last.to_owned());
    }
    arguments
}

/// A path, or a list of them.
fn paths(argument: &str) -> Result<Vec<String>, LocationError> {
    let list = argument.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
    let written = list.map_or_else(|| vec![argument.to_owned()], arguments);
    let path = |text: &String| {
        let inner = unquoted(text);
        if inner.len() == text.len() {
            return Err(LocationError::Unquoted(text.clone()));
        }
        Ok(inner.to_owned())
    };
    written.iter().map(path).collect()
}

fn unquoted(text: &str) -> &str {
    let of = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    of('\'').or_else(|| of('"')).unwrap_or(text)
}
