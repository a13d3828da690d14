//! Where bytes from outside come in, one function for each kind: what the fuzzers of `fuzz/` and a short test call.
//!
//! Whatever the bytes are, each function returns: what is wrong with them is an error, a problem or a reject. Files are
//! written below a folder that the caller gives.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use indexmap::IndexMap;

use mep_contract::source::{LandingTable, RowSchema, SchemaError, Source, SourceItem};
use mep_contract::warehouse::Warehouse;
use mep_core::connection::FilesReading;
use mep_core::relation::Relation;
use mep_decode::seed;
use mep_files::FilesSource;
use mep_kafka as kafka;
use mep_lang::jinja::{Invocation, Refusal, Resolved, Resolver, Subject, Templates};
use mep_lang::project::{LoadOptions, Project, SourceText, load};
use mep_local::warehouse::LocalWarehouse;
use mep_sql::{DeclaredTable, Scope};

/// The properties of a project, as YAML.
///
/// # Errors
/// Where the folder cannot be written.
pub fn yaml(bytes: &[u8], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("models"))?;
    fs::write(folder.join("dbt_project.yml"), "name: fuzzed\nprofile: fuzzed\n")?;
    fs::write(folder.join("profiles.yml"), PROFILES)?;
    fs::write(folder.join("models/a.sql"), "select 1 as x")?;
    fs::write(folder.join("models/schema.yml"), bytes)?;
    let options = LoadOptions { root: folder.to_owned(), ..LoadOptions::default() };
    if let Err(problems) = load(&options) {
        let _ = problems.to_string();
    }
    Ok(())
}

const PROFILES: &str =
    "fuzzed:\n  target: dev\n  outputs:\n    dev: {type: local, path: warehouse, schema: main}\n";

/// A model, as Jinja. `project` is any, such as [`project`] gives.
pub fn jinja(bytes: &[u8], project: &Project) {
    let text = String::from_utf8_lossy(bytes);
    let time = DateTime::UNIX_EPOCH;
    let invocation = Invocation {
        run_started_at: time,
        logical_date: time.date_naive(),
        full_refresh: false,
        invocation_id: "id".to_owned(),
        command: "run".to_owned(),
    };
    let Ok(templates) = Templates::new(project, invocation) else { return };
    let text = SourceText::new("models/m.sql", text);
    let subject = Subject {
        text: &text,
        block: None,
        name: "m",
        unique_id: "model.fuzzed.m",
        resource_type: "model",
        fqn: &[],
        this: Relation::new("main", "m"),
        config: IndexMap::new(),
        description: "",
        columns: &[],
    };
    if templates.parse(&subject).is_ok() {
        let _ = templates.render(&subject, Arc::new(AnyName));
    }
}

/// An empty project.
///
/// # Errors
/// Where the folder cannot be written.
pub fn project(folder: &Path) -> io::Result<Project> {
    yaml(b"", folder)?;
    let options = LoadOptions { root: folder.to_owned(), ..LoadOptions::default() };
    load(&options).map_err(io::Error::other)
}

struct AnyName;

impl Resolver for AnyName {
    fn resolve_ref(&self, _: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        Ok(Relation::new("main", name).into())
    }

    fn resolve_source(&self, _: &str, table: &str) -> Result<Resolved, Refusal> {
        Ok(Relation::new("main", format!("raw_{table}")).into())
    }

    fn is_incremental(&self) -> bool {
        true
    }
}

/// A SELECT, which is planned against a table `main.t` of a text, a number and a time.
pub fn sql(bytes: &[u8]) {
    let fields = vec![
        Field::new("name", DataType::Utf8View, true),
        Field::new("n", DataType::Int64, true),
        Field::new("at", DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None), true),
    ];
    let scope = Scope::for_planning();
    let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
    if scope.register(&Relation::new("main", "t"), Arc::new(table)).is_ok() {
        let _ = scope.plan(&String::from_utf8_lossy(bytes));
    }
}

/// A seed.
pub fn csv(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let declared = [("a", "decimal(5,2)"), ("b", "varchar(3)")];
    let declared = declared.map(|(name, data_type)| (name.to_owned(), data_type.to_owned()));
    for types in [IndexMap::new(), IndexMap::from(declared)] {
        if let Err(error) = seed::read(&text, ',', &types, false) {
            let place = error.place(&text);
            // A place that is not in the text could not be shown.
            let _ = text.get(place).map(str::len);
        }
    }
}

/// The columns that files and messages are read into.
///
/// # Errors
/// Never, as long as the types are known.
pub fn row_schema() -> Result<RowSchema, SchemaError> {
    let columns = [
        ("ts", "bigint", true),
        ("user_id", "integer", false),
        ("song", "varchar", false),
        ("seconds", "double", false),
        ("price", "decimal(10,2)", false),
        ("at", "timestamp", false),
        ("day", "date", false),
        ("flag", "boolean", false),
    ];
    RowSchema::new(columns, Some("ts"))
}

/// What became of the rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows read.
    pub read: u64,
    /// Rows that would land.
    pub landed: u64,
    /// Rows that would not.
    pub rejected: u64,
}

/// Files of a source: JSON or CSV, compressed or not, Parquet or Avro, as their first bytes say.
///
/// # Errors
/// Where the file cannot be written.
pub fn landing(bytes: &[u8], folder: &Path) -> io::Result<RowCounts> {
    fs::create_dir_all(folder.join("landing"))?;
    fs::write(folder.join("landing/file"), bytes)?;
    fs::write(folder.join("landing/file.csv"), bytes)?;
    // What plainly is of a format that is not read is an error, and no row.
    if bytes.starts_with(b"ORC") {
        return Ok(RowCounts::default());
    }
    let table = LandingTable {
        raw: Relation::new("main", "raw_landing"),
        rejects: Relation::new("main", "raw_landing_rejects"),
        schema: row_schema().map_err(io::Error::other)?,
        reading: FilesReading::default(),
    };
    let source =
        FilesSource::new(folder.to_owned(), "landing/*".to_owned(), &table).map_err(io::Error::other)?;
    let mut counts = RowCounts::default();
    for unit in source.units(&[]).map_err(io::Error::other)?.units {
        let mut reader = source.open(&unit).map_err(io::Error::other)?;
        while let Some(piece) = reader.next().map_err(io::Error::other)? {
            let (landed, rejected) = (&mut counts.landed, &mut counts.rejected);
            let read = piece.read(&mut |item| {
                match item {
                    SourceItem::Rows(rows) => *landed += rows.num_rows() as u64,
                    SourceItem::Reject(_) => *rejected += 1,
                }
                Ok(())
            });
            counts.read += read.map_err(io::Error::other)?;
        }
    }
    Ok(counts)
}

/// A message of Avro, written with [`AVRO_SCHEMA`].
///
/// # Errors
/// Where the schema's file cannot be written or used.
pub fn avro(bytes: &[u8], folder: &Path) -> io::Result<RowCounts> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("fuzzed.avsc"), AVRO_SCHEMA)?;
    let schema = row_schema().map_err(io::Error::other)?;
    let (landed, rejected) =
        kafka::read_avro_record(folder, "fuzzed", &schema, bytes).map_err(io::Error::other)?;
    Ok(RowCounts { read: 1, landed, rejected })
}

/// The schema of the messages of [`avro`].
pub const AVRO_SCHEMA: &str = r#"{"type": "record", "name": "listen", "fields": [
    {"name": "ts", "type": "long"},
    {"name": "user_id", "type": ["null", "int"]},
    {"name": "song", "type": {"type": "enum", "name": "songs", "symbols": ["a", "b"]}},
    {"name": "seconds", "type": "double"},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
    {"name": "words", "type": {"type": "array", "items": "string"}}
]}"#;

/// The manifest of a table of the local warehouse.
///
/// # Errors
/// Where the file cannot be written.
pub fn manifest(bytes: &[u8], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("main/t"))?;
    fs::write(folder.join("main/t/manifest.json"), bytes)?;
    let _ = LocalWarehouse::new(folder).read(&Relation::new("main", "t"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// Numbers that are the same on every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit.max(1)
        }
    }

    /// Pieces of which broken texts are made.
    const PIECES: [&str; 24] = [
        "\"",
        "'",
        "\\",
        "{",
        "}",
        "[",
        "]",
        "{{",
        "}}",
        "{%",
        "%}",
        "(",
        ")",
        ",",
        ":",
        "\n",
        "\0",
        "é",
        "\u{feff}",
        "99999999999999999999999999999999999999999999",
        "-",
        "1e999",
        "null",
        "&a *a",
    ];

    /// A text that is like the given ones, but broken in a few places.
    fn broken(dice: &mut Dice, seeds: &[&[u8]]) -> Vec<u8> {
        let mut bytes = seeds[dice.below(seeds.len())].to_vec();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len() + 1);
            let until = (at + dice.below(12)).min(bytes.len());
            match dice.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
                1 => drop(bytes.drain(at..until)),
                2 => bytes.truncate(at),
                3 => {
                    let copy = bytes[at..until].repeat(1 + dice.below(4));
                    bytes.splice(at..at, copy);
                }
                4 => {
                    let other = seeds[dice.below(seeds.len())];
                    let from = dice.below(other.len());
                    bytes.splice(at..until, other[from..].iter().copied());
                }
                _ => {
                    let piece = PIECES[dice.below(PIECES.len())];
                    bytes.splice(at..at, piece.bytes());
                }
            }
        }
        bytes
    }

    /// Calls `entry` with as many broken inputs. A panic ends the test.
    fn each(inputs: usize, seeds: &[&[u8]], mut entry: impl FnMut(&[u8])) {
        let mut dice = Dice(seeds.len() as u64);
        for seed in seeds {
            entry(seed);
        }
        for _ in 0..inputs {
            entry(&broken(&mut dice, seeds));
        }
    }

    /// A Parquet file.
    fn listens() -> Vec<u8> {
        let columns: [(&str, ArrayRef); 3] = [
            ("ts", Arc::new((0..100).map(|row| 1_541_030_400_000 + row).collect::<Int64Array>())),
            ("user_id", Arc::new((0..100).map(|row| row % 7).collect::<Int64Array>())),
            (
                "song",
                Arc::new(
                    (0..100).map(|row| (row % 3 > 0).then(|| format!("{row}"))).collect::<StringArray>(),
                ),
            ),
        ];
        let columns = columns.into_iter().map(|(name, array)| (name, array, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn any_yaml_is_properties_or_a_problem() {
        let folder = folder();
        let seeds: [&[u8]; 2] = [
            b"version: 2\nmodels:\n  - name: a\n    description: >\n      text\n    columns:\n      - name: x\n        data_tests: [unique, {accepted_values: {values: [1, 2]}}]\n",
            b"sources:\n  - name: s\n    tables:\n      - {name: t, event_time: ts, columns: [{name: ts, data_type: bigint}]}\nexposures: []\n",
        ];
        each(300, &seeds, |bytes| yaml(bytes, folder.path()).unwrap());
    }

    #[test]
    fn any_jinja_renders_or_is_a_problem() {
        let folder = folder();
        let project = project(folder.path()).unwrap();
        let seeds: [&[u8]; 2] = [
            b"{{ config(materialized='table', tags=['x']) }} select {% for c in ['a', 'b'] %}{{ c }}{% if not loop.last %}, {% endif %}{% endfor %} from {{ ref('a') }}",
            b"{% set x = {'k': [1, 2.5]} %}{% macro m(a, b=1) %}{{ a ~ b | upper }}{% endmacro %}select {{ m(x.k[0]) }} from {{ source('s', 't') }} {# note #}",
        ];
        each(300, &seeds, |bytes| jinja(bytes, &project));
    }

    #[test]
    fn any_sql_is_planned_or_is_a_problem() {
        let seeds: [&[u8]; 3] = [
            b"select name, count(*) as n, sum(n) filter (where n > 1) from main.t where at > timestamp '2018-11-01' group by 1 order by 2 desc limit 3",
            b"with x as (select *, row_number() over (partition by name order by at) as r from main.t) select distinct on (name) * from x left join main.t using (name)",
            b"select case when n in (1, 2) then cast(n as decimal(10,2)) else -n * 1.5 end, \"name\" || 'b' from main.t union all select 1, null",
        ];
        each(200, &seeds, sql);
    }

    #[test]
    fn any_csv_is_a_seed_or_an_error_with_its_place() {
        let seeds: [&[u8]; 3] = [
            b"a,b,c\n1.5,x,2018-11-03\n,\"y, \"\"z\"\"\",true\n",
            b"a,b\r\n12345678901234567890,0.30000000000000000004\r\n007,1e400\r\n",
            b"a\n\n\n",
        ];
        each(2_000, &seeds, csv);
    }

    #[test]
    fn any_file_of_a_source_is_rows_and_rejects_that_come_to_what_was_read() {
        let folder = folder();
        let seeds: [&[u8]; 3] = [
            b"{\"ts\":1541030400000,\"user_id\":\"7\",\"song\":\"a\\u0301\",\"seconds\":1.5e1,\"price\":\"1.50\",\"at\":\"2018-11-01T00:00:00Z\",\"day\":\"2018-11-01\",\"flag\":true}\n",
            b"{\"TS\":1541030400000,\"price\":12.3,\"other\":{\"a\":[1,{\"b\":null}]}}\n[1]\n\n{\"ts\":0}\r\n",
            &listens(),
        ];
        each(1_000, &seeds, |bytes| {
            let counts = landing(bytes, folder.path()).unwrap();
            assert_eq!(counts.read, counts.landed + counts.rejected);
        });
    }

    #[test]
    fn any_message_of_avro_is_a_row_or_a_reject() {
        let folder = folder();
        // ts 5, user 3, song b, 1.5 seconds, price 1.50, no words.
        let seeds: [&[u8]; 1] = [&[10, 2, 6, 2, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 4, 0, 0x96, 0]];
        let mut landed = 0;
        each(1_000, &seeds, |bytes| {
            let counts = avro(bytes, folder.path()).unwrap();
            assert_eq!(counts.read, counts.landed + counts.rejected);
            landed += counts.landed;
        });
        assert!(landed > 0);
    }

    #[test]
    fn any_manifest_is_a_table_or_an_error() {
        let folder = folder();
        let seeds: [&[u8]; 2] = [
            b"{\"format\": 2, \"schema\": [{\"name\": \"x\", \"type\": \"Decimal128(10, 2)\", \"nullable\": true}], \"partition_columns\": [], \"partitions\": [], \"run\": \"r\"}",
            b"{\"format\": 1, \"files\": [], \"ledgers\": [], \"batches\": {}}",
        ];
        each(1_000, &seeds, |bytes| manifest(bytes, folder.path()).unwrap());
    }
}
