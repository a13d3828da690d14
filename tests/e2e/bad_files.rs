//! Files that are damaged in ways that their readers were not made for: each is a reject with its reason or lands, and
//! none ends a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};

use crate::project::{NOVEMBER, Project};

const GOOD: &str = "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": \"a\", \"seconds\": 1.5}\n";
const ROWS: i64 = 200;

fn project() -> Project {
    let project = Project::with_listens();
    project
        .model("plays", "{{ config(materialized='table') }} select * from {{ source('events', 'listens') }}");
    project.file("events/listens/good.json", GOOD);
    project
}

/// A Parquet file of listens, in the way that this compression and these pages make it.
fn parquet(compression: Compression, has_dictionary: bool) -> Vec<u8> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new((0..ROWS).map(|row| NOVEMBER + row).collect::<Int64Array>())),
        ("user_id", Arc::new((0..ROWS).map(|row| row % 7).collect::<Int64Array>())),
        (
            "song",
            Arc::new(
                (0..ROWS)
                    .map(|row| (row % 3 > 0).then(|| format!("song {}", row % 20)))
                    .collect::<StringArray>(),
            ),
        ),
        ("seconds", Arc::new((0..ROWS).map(|row| row as f64 * 0.5).collect::<Float64Array>())),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(has_dictionary)
        .set_data_page_row_count_limit(64)
        .set_write_batch_size(64)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// The file, damaged in one of many ways.
fn damaged(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let footer_start = whole.len() - 8 - footer;
    let flip = |bytes: &mut Vec<u8>, at: usize, bit: usize| bytes[at] ^= 1 << bit;
    match dice.below(8) {
        // The file begins like Parquet, so that it is read as such.
        0 => bytes.truncate(4 + dice.below(whole.len() - 4)),
        1..=4 => {
            let at = footer_start + dice.below(footer + 4);
            flip(&mut bytes, at, dice.below(8));
        }
        5 => {
            let at = footer_start + dice.below(footer);
            bytes[at] = 0xff;
        }
        6 => {
            let at = 4 + dice.below(footer_start - 4);
            flip(&mut bytes, at, dice.below(8));
        }
        _ => {
            let (at, length) = (4 + dice.below(footer_start - 4), 1 + dice.below(12));
            let end = (at + length).min(footer_start);
            bytes[at..end].fill(0xff);
        }
    }
    bytes
}

/// Of each unit, the rows that landed and those that were rejected.
fn units(project: &Project) -> BTreeMap<String, (u64, u64)> {
    let manifest = std::fs::read(project.path("warehouse/main/raw_listens/manifest.json")).unwrap();
    let manifest: Json = serde_json::from_slice(&manifest).unwrap();
    let mut units = BTreeMap::new();
    for batch in manifest["batches"].as_object().unwrap().values() {
        for unit in batch["units"].as_array().unwrap() {
            let count = |key: &str| unit[key].as_u64().unwrap();
            assert_eq!(count("read"), count("landed") + count("rejected"), "{unit}");
            units.insert(unit["id"].as_str().unwrap().to_owned(), (count("landed"), count("rejected")));
        }
    }
    units
}

#[test]
fn a_damaged_parquet_file_lands_or_is_a_reject_and_the_good_ones_land() {
    let forms = [
        parquet(Compression::UNCOMPRESSED, true),
        parquet(Compression::SNAPPY, true),
        parquet(Compression::ZSTD(parquet::basic::ZstdLevel::try_new(1).unwrap()), false),
    ];
    let mut dice = Dice(17);
    for round in 0..6 {
        let project = project();
        project.file("events/listens/whole.parquet", &forms[round % 3]);
        for number in 0..15 {
            project.file(&format!("events/listens/{number}.parquet"), damaged(&forms[round % 3], &mut dice));
        }
        let output = project.run(&["run"]);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(output.code == Some(0) && !said.contains("panicked"), "round {round}\n{said}");
        let units = units(&project);
        assert_eq!(units["listens/good.json"], (1, 0));
        assert_eq!(units["listens/whole.parquet"], (ROWS as u64, 0));
        for (unit, (landed, rejected)) in &units {
            assert!(
                *rejected > 0 || unit.ends_with("good.json") || *landed == ROWS as u64,
                "{unit}: {landed}"
            );
        }
        let without_reason = project
            .rows("select count(*) as n from main.raw_listens_rejects where coalesce(reason, '') = ''");
        assert_eq!(without_reason, json!([{"n": 0}]));
    }
}

#[test]
fn text_files_of_every_odd_kind_are_rejects_with_their_reason() {
    let project = project();
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    project.file("events/listens/nul.json", "\0\0\0\n");
    project.file("events/listens/deep.json", format!("{}\n", "[".repeat(100_000)));
    project.file("events/listens/deep_key.json", format!("{{\"ts\":{}\n", "{\"a\":".repeat(100_000)));
    project.file("events/listens/utf16.json", utf16);
    project.file("events/listens/utf8.json", [b"{\"song\": \"".as_slice(), &[0xff, 0xfe], b"\"}\n"].concat());
    project.file("events/listens/returns.json", GOOD.replace('\n', "\r").repeat(2));
    project.file("events/listens/long.json", format!("{}\n{GOOD}", "x".repeat(70 << 20)));
    project.file("events/listens/empty.json", "");
    project.file("events/listens/short.parquet", "PAR1");
    std::fs::create_dir(project.path("events/listens/folder.json")).unwrap();
    let said = project.succeed(&["run"]);
    assert!(!said.contains("panicked"), "{said}");
    let rows = project.rows(
        "select unit, line, left(reason, 90) as reason from main.raw_listens_rejects order by unit, line",
    );
    let lines = rows.as_array().unwrap().iter();
    let lines = lines.map(|row| {
        format!("{}:{}: {}", row["unit"].as_str().unwrap(), row["line"], row["reason"].as_str().unwrap())
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(units(&project)["listens/long.json"], (1, 1));
}

#[test]
fn a_damaged_file_of_the_warehouse_is_an_error_and_no_panic() {
    let project = project();
    project.succeed(&["run"]);
    let files = walk(&project.path("warehouse/main/raw_listens/data"));
    let whole = std::fs::read(&files[0]).unwrap();
    let mut dice = Dice(5);
    for _ in 0..12 {
        std::fs::write(&files[0], damaged(&whole, &mut dice)).unwrap();
        let output = project.run(&["run", "--full-refresh", "--select", "plays"]);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(matches!(output.code, Some(0 | 1)) && !said.contains("panicked at"), "{said}");
        let output = project.run(&["show", "--inline", "select * from main.raw_listens"]);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(matches!(output.code, Some(0..=2)) && !said.contains("panicked at"), "{said}");
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
    files
}
