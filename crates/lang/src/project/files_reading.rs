//! What files of a source are, where a connection or a source table says it: `format`, and `csv`.

use encoding_rs::Encoding;

use super::item::{Item, Mapping};
use super::{Located, Problem, Problems, Project, SourceConnection, SourceTable};
use mep_core::connection::{CsvForm, CsvMark, FileFormat, FilesReading};
use mep_core::keys::{Key, Section, Shape, key};

/// The key of what files are.
pub(super) const FORMAT: Key = key(
    "format",
    "",
    "what each file looks like",
    "What its files are. A file that is plainly something else is an error.",
)
.of(Shape::Words(|| FileFormat::ALL.map(FileFormat::name).to_vec()));
/// The key of how CSV is written.
pub(super) const CSV: Key =
    key("csv", "mapping", "", "How its CSV is written.").of(Shape::Keys(&[CSV_TITLE]));
const CSV_TITLE: &str = "`csv` of a connection of type files or of a source table";

const CSV_KEYS: [Key; 7] = [
    key("delimiter", "one character, or tab", "`,`; of `.tsv` tab", "What stands between fields.").of(Shape::Text),
    key(
        "header",
        "true or false",
        "true",
        "Whether the first line has the names of the columns. Without it, fields are those of the declared columns, in their order.",
    ).of(Shape::Boolean),
    key(
        "quote",
        "one character, or ''",
        "`\"`",
        "What stands around a field that has delimiters or line ends in it; within it, two of them are one.",
    ).of(Shape::Text),
    key(
        "escape",
        "one character, or ''",
        "",
        "Stands before a character that is to mean nothing, such as a quote or a delimiter.",
    ).of(Shape::Text),
    key("null_text", "text or list", "''", "Fields that are NULL, where they stand without quotes.").of(Shape::OneOrMore(&Shape::Text)),
    key("comment", "one character, or ''", "", "A line that begins with it is no row.").of(Shape::Text),
    key(
        "encoding",
        "name, as windows-1252",
        "UTF-8; UTF-16 by its mark",
        "How characters are written as bytes, by a name of the WHATWG's list.",
    ).of(Shape::Text),
];

/// The keys of `csv`.
pub(super) fn reference() -> Section {
    Section::of(CSV_TITLE, &[&CSV_KEYS])
}

/// What a connection or a source table says of its files; `None` where it says nothing.
pub(super) fn read_files_reading(
    mapping: Mapping<'_>,
    problems: &mut Problems,
) -> Option<Located<FilesReading>> {
    let (format, csv) = (mapping.get("format"), mapping.get("csv"));
    let place = format.or(csv)?.place();
    let format = format.and_then(|item| read_format(item, problems));
    if let (Some(item), Some(other)) = (csv, format.filter(|format| *format != FileFormat::Csv)) {
        problems.push(csv_of_other(other).at(&item.place()));
    }
    let csv = csv.map(|item| read_csv(item.mapping(problems), problems)).unwrap_or_default();
    let value = FilesReading { format, csv };
    (!value.is_plain()).then_some(Located { value, place })
}

fn csv_of_other(format: FileFormat) -> Problem {
    let message = format!("`csv` says how CSV is written, and the files are of `format: {}`", format.name());
    Problem::new(message).help("leave one of them out")
}

fn read_format(item: Item<'_>, problems: &mut Problems) -> Option<FileFormat> {
    let text = item.as_text();
    let found = text.and_then(FileFormat::named);
    if found.is_none() && !item.is_null() {
        let names: Vec<&str> = FileFormat::ALL.iter().map(|format| format.name()).collect();
        let problem = item.expected("ndjson, json, csv, parquet or avro");
        problems.push(match text {
            Some("orc") => problem.help(
                "ORC is not read from folders: have what writes it write Parquet, or read the table by a connection of `type: warehouse`",
            ),
            Some("jsonl") => problem.help("`ndjson` is an object a line"),
            Some(text) => problem.did_you_mean(text, names.iter().copied()),
            None => problem,
        });
    }
    found
}

fn read_csv(mapping: Mapping<'_>, problems: &mut Problems) -> CsvForm {
    mapping.refuse_unknown("`csv`", &[&CSV_KEYS], problems);
    let mut form = CsvForm::default();
    for (key, item) in mapping.items() {
        match key.text {
            "delimiter" => {
                let read = read_mark(item, problems);
                if read == Some(CsvMark::Nothing) {
                    problems.push(item.expected("one character, or tab"));
                }
                form.delimiter = read.and_then(CsvMark::byte);
            }
            "header" => form.header = item.boolean(problems),
            "quote" => form.quote = read_mark(item, problems),
            "escape" => form.escape = read_mark(item, problems),
            "comment" => form.comment = read_mark(item, problems),
            "null_text" => form.null_text = Some(read_null_text(item, problems)),
            "encoding" => form.encoding = read_encoding(item, problems),
            _ => {}
        }
    }
    check_apart(mapping, &form, problems);
    form
}

/// Characters that mean several things mean none of them.
fn check_apart(mapping: Mapping<'_>, form: &CsvForm, problems: &mut Problems) {
    let dialect = form.dialect(b',');
    let marks = [
        ("delimiter", Some(dialect.delimiter)),
        ("quote", dialect.quote),
        ("escape", dialect.escape.filter(|escape| Some(*escape) != dialect.quote)),
        ("comment", dialect.comment),
    ];
    for (at, (name, mark)) in marks.iter().enumerate() {
        let Some(mark) = mark else { continue };
        if let Some((other, _)) = marks[..at].iter().find(|(_, other)| *other == Some(*mark)) {
            let item = mapping.get(name).or_else(|| mapping.get(other));
            let message = format!("`{other}` and `{name}` are both `{}`", char::from(*mark));
            problems.extend(item.map(|item| item.problem(message).help("say another one of either")));
        }
    }
}

/// One character of ASCII that ends no line, or nothing.
fn read_mark(item: Item<'_>, problems: &mut Problems) -> Option<CsvMark> {
    let byte = |text: &str| match text {
        "tab" | "\\t" => Some(b'\t'),
        text if text.len() == 1 => text.bytes().next().filter(|byte| !matches!(byte, b'\n' | b'\r' | 0)),
        _ => None,
    };
    match item.as_text() {
        Some("") => Some(CsvMark::Nothing),
        Some(text) if byte(text).is_some() => byte(text).map(CsvMark::Byte),
        _ => {
            if !item.is_null() {
                problems.push(item.expected("one character of ASCII, in quotes"));
            }
            None
        }
    }
}

/// Texts; YAML's own null is none, though it is easily written for one.
fn read_null_text(item: Item<'_>, problems: &mut Problems) -> Vec<String> {
    let items = match item.as_text() {
        None if !item.is_null() => item.list(problems),
        _ => vec![item],
    };
    let mut texts = Vec::new();
    for item in items {
        if item.is_null() {
            problems.push(item.expected("a text").help("put it in quotes, as 'NULL'"));
        }
        texts.extend(item.text(problems));
    }
    texts
}

fn read_encoding(item: Item<'_>, problems: &mut Problems) -> Option<String> {
    let text = item.text(problems)?;
    // Its readers give one character for whatever there is, which says nothing of the file.
    let found = Encoding::for_label(text.as_bytes()).filter(|found| found.name() != "replacement");
    if found.is_none() {
        let problem = item.expected("the name of an encoding");
        problems
            .push(problem.help("such as utf-8, windows-1252, iso-8859-2, utf-16le, shift_jis or gb18030"));
    }
    found.map(|found| found.name().to_owned())
}

impl Project {
    /// How the files of a source table are read: as it says, and where it says nothing, as its connection does.
    ///
    /// # Errors
    /// Where something is said that nothing comes of.
    pub fn files_reading(&self, table: &SourceTable) -> Result<FilesReading, Problem> {
        let of_connection = match self.target.sources.get(&table.source) {
            Some(SourceConnection::Files { reading, .. }) if table.external_location.is_none() => reading,
            _ => {
                let Some(said) = &table.reading else { return Ok(FilesReading::default()) };
                let of = match &table.external_location {
                    Some(_) => "of one with `external_location` that says it itself",
                    None => "whose source has no connection of `type: files`",
                };
                let message = format!(
                    "`format` and `csv` have no effect on the source table `{}.{}`, {of}",
                    table.source, table.name
                );
                return Err(Problem::new(message).at(&said.place).help("leave them out"));
            }
        };
        let Some(said) = &table.reading else { return Ok(of_connection.clone()) };
        let format = said.value.format.or(of_connection.format);
        let says_csv = said.value.csv != CsvForm::default();
        if let Some(other) = format.filter(|format| says_csv && *format != FileFormat::Csv) {
            return Err(csv_of_other(other).at(&said.place));
        }
        Ok(FilesReading { format, csv: said.value.csv.clone().over(&of_connection.csv) })
    }
}
