//! What the files of a table or partition are: by the classes of Java and the settings that the metastore has of them.
//!
//! Owns which of these mep reads in place. Must not know: how a file is read.

use hive_metastore::StorageDescriptor;
use pilota::FastStr;

use super::column_type::HiveType;
use super::csv::CsvFormat;
use super::reader::HiveColumn;
use super::text::TextFormat;
use crate::entry::{PARQUET_SERDE, parameters};
use crate::parameters::Parameters;
use mep_core::fingerprint::Structure;

const PARQUET_SERDES: [&str; 2] = [PARQUET_SERDE, "parquet.hive.serde.ParquetHiveSerDe"];
const AVRO_SERDE: &str = "org.apache.hadoop.hive.serde2.avro.AvroSerDe";
const TEXT_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const CSV_SERDE: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";

/// What files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileForm {
    /// Parquet, whose columns are found by name.
    Parquet,
    /// Avro, whose columns are found by name.
    Avro,
    /// Lines, split at marks.
    Text(TextFormat),
    /// Lines of CSV, whose values are all texts.
    Csv(CsvFormat),
}

impl FileForm {
    /// What the files that an entry describes are; `table` are the parameters of the table.
    ///
    /// # Errors
    /// What mep does not read of it, and how to go on.
    pub(super) fn of(descriptor: &StorageDescriptor, table: &Parameters) -> Result<Self, String> {
        let serde = descriptor.serde_info.as_ref();
        let class = serde.and_then(|serde| serde.serialization_lib.as_deref()).unwrap_or_default();
        let own = parameters(serde.and_then(|serde| serde.parameters.as_ref()));
        let settings = Settings { own, table };
        let input = descriptor.input_format.as_deref().unwrap_or_default();
        match class {
            _ if PARQUET_SERDES.contains(&class) => {
                settings.refuse("parquet.column.index.access", "false")?;
                Ok(Self::Parquet)
            }
            AVRO_SERDE => {
                let given = ["avro.schema.url", "avro.schema.literal"];
                match given.into_iter().find(|key| settings.get(key).is_some()) {
                    Some(key) => {
                        Err(refused(&format!("its columns stand in `{key}`, and not in the metastore")))
                    }
                    None => Ok(Self::Avro),
                }
            }
            TEXT_SERDE if input == TEXT_INPUT => settings.text().map(Self::Text),
            CSV_SERDE if input == TEXT_INPUT => settings.csv().map(Self::Csv),
            _ => Err(refused(&format!("its files are read by the class {class} of the format {input}"))),
        }
    }

    /// The columns that files have, of those that the metastore has: CSV has texts, whatever is said of its columns.
    pub(super) fn columns(&self, columns: Vec<HiveColumn>) -> Vec<HiveColumn> {
        match self {
            Self::Csv(_) => {
                columns.into_iter().map(|column| HiveColumn { of: HiveType::String, ..column }).collect()
            }
            Self::Parquet | Self::Avro | Self::Text(_) => columns,
        }
    }

    /// Whether files name no columns, so that a column is known by its place.
    pub(super) fn is_by_place(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Csv(_))
    }

    /// Adds it to what something is made of.
    pub(super) fn add_to(&self, parts: &mut Structure) {
        match self {
            Self::Parquet => parts.tag("parquet"),
            Self::Avro => parts.tag("avro"),
            Self::Text(TextFormat { marks, escape, null, header, last_takes_rest }) => {
                parts.tag("text").bytes(marks).flag(escape.is_some()).number(escape.unwrap_or_default());
                parts.bytes(null).count(*header).flag(*last_takes_rest)
            }
            Self::Csv(CsvFormat { separator, quote, escape, header }) => {
                let marks = [separator, quote, escape].into_iter().collect::<String>();
                parts.tag("csv").text(&marks).count(*header)
            }
        };
    }
}

fn refused(what: &str) -> String {
    format!(
        "{what}, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …"
    )
}

/// What is set of the files: in their own entry, else in that of the table.
struct Settings<'a> {
    own: &'a Parameters,
    table: &'a Parameters,
}

impl Settings<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.own.get(key).or_else(|| self.table.get(key)).map(FastStr::as_str)
    }

    /// Refuses a setting that has another value than the one that mep reads by.
    fn refuse(&self, key: &str, known: &str) -> Result<(), String> {
        match self.get(key) {
            Some(value) if !value.eq_ignore_ascii_case(known) => {
                Err(refused(&format!("`{key}` is `{}`", value.escape_debug())))
            }
            _ => Ok(()),
        }
    }

    /// How many lines of each file are no rows.
    fn header(&self) -> Result<usize, String> {
        self.refuse("skip.footer.line.count", "0")?;
        let set = self.get("skip.header.line.count").unwrap_or("0");
        set.trim().parse().map_err(|_| refused(&format!("`skip.header.line.count` is `{set}`")))
    }

    fn text(&self) -> Result<TextFormat, String> {
        self.refuse("serialization.encoding", "utf-8")?;
        self.refuse("line.delim", "\n")?;
        self.refuse("hive.lazysimple.extended_boolean_literal", "false")?;
        for key in ["timestamp.formats", "textinputformat.record.delimiter"] {
            if let Some(value) = self.get(key) {
                return Err(refused(&format!("`{key}` is `{}`", value.escape_debug())));
            }
        }
        let mut format = TextFormat { header: self.header()?, ..TextFormat::default() };
        let keys: [&[&str]; 3] = [
            &["field.delim", "serialization.format"],
            &["collection.delim", "colelction.delim"],
            &["mapkey.delim"],
        ];
        for (mark, keys) in format.marks.iter_mut().zip(keys) {
            if let Some(set) = keys.iter().find_map(|key| self.get(key)) {
                *mark = byte(set)?;
            }
        }
        format.escape = self.get("escape.delim").map(byte).transpose()?;
        if let Some(null) = self.get("serialization.null.format") {
            format.null = null.as_bytes().to_vec();
        }
        let rest = self.get("serialization.last.column.takes.rest");
        format.last_takes_rest = rest.is_some_and(|set| set.eq_ignore_ascii_case("true"));
        Ok(format)
    }

    fn csv(&self) -> Result<CsvFormat, String> {
        let mut format = CsvFormat { header: self.header()?, ..CsvFormat::default() };
        for (key, place) in [
            ("separatorChar", &mut format.separator),
            ("quoteChar", &mut format.quote),
            ("escapeChar", &mut format.escape),
        ] {
            if let Some(set) = self.get(key).and_then(|set| set.chars().next()) {
                *place = set;
            }
        }
        Ok(format)
    }
}

/// A mark, which is set as the number of a byte or as a character.
fn byte(set: &str) -> Result<u8, String> {
    if let Ok(number) = set.parse::<i8>() {
        return Ok(number.cast_unsigned());
    }
    let first = set.chars().next().unwrap_or('\0');
    u8::try_from(first).ok().filter(u8::is_ascii).ok_or_else(|| refused(&format!("its marks are `{set}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_metastore::SerDeInfo;

    fn form(
        class: &str,
        own: &[(&'static str, &'static str)],
        table: &[(&'static str, &'static str)],
    ) -> String {
        let of = |set: &[(&'static str, &'static str)]| -> Parameters {
            set.iter()
                .map(|(key, value)| (FastStr::from_static_str(key), FastStr::from_static_str(value)))
                .collect()
        };
        let descriptor = StorageDescriptor {
            input_format: Some(FastStr::from_static_str(TEXT_INPUT)),
            serde_info: Some(SerDeInfo {
                name: None,
                serialization_lib: Some(FastStr::new(class)),
                parameters: Some(of(own)),
            }),
            ..StorageDescriptor::default()
        };
        match FileForm::of(&descriptor, &of(table)) {
            Ok(form) => format!("{form:?}"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn settings_say_how_lines_are_split() {
        insta::assert_snapshot!(form(TEXT_SERDE, &[], &[]), @"Text(TextFormat { marks: [1, 2, 3, 4, 5, 6, 7, 8], escape: None, null: [92, 78], header: 0, last_takes_rest: false })");
        let set = [
            ("field.delim", ","),
            ("escape.delim", "\\"),
            ("serialization.null.format", "NULL"),
            ("collection.delim", "9"),
        ];
        insta::assert_snapshot!(form(TEXT_SERDE, &set, &[("skip.header.line.count", "1")]), @"Text(TextFormat { marks: [44, 9, 3, 4, 5, 6, 7, 8], escape: Some(92), null: [78, 85, 76, 76], header: 1, last_takes_rest: false })");
        insta::assert_snapshot!(form(CSV_SERDE, &[("separatorChar", ";")], &[]), @r#"Csv(CsvFormat { separator: ';', quote: '"', escape: '\\', header: 0 })"#);
    }

    #[test]
    fn what_mep_does_not_read_is_named() {
        insta::assert_snapshot!(form("org.apache.hadoop.hive.serde2.RegexSerDe", &[], &[]), @"its files are read by the class org.apache.hadoop.hive.serde2.RegexSerDe of the format org.apache.hadoop.mapred.TextInputFormat, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …");
        insta::assert_snapshot!(form(TEXT_SERDE, &[("serialization.encoding", "GBK")], &[]), @"`serialization.encoding` is `GBK`, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …");
        insta::assert_snapshot!(form(TEXT_SERDE, &[], &[("skip.footer.line.count", "2")]), @"`skip.footer.line.count` is `2`, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …");
        insta::assert_snapshot!(form(AVRO_SERDE, &[], &[("avro.schema.url", "hdfs:///a.avsc")]), @"its columns stand in `avro.schema.url`, and not in the metastore, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …");
        insta::assert_snapshot!(form(PARQUET_SERDE, &[("parquet.column.index.access", "true")], &[]), @"`parquet.column.index.access` is `true`, which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select …");
    }
}
