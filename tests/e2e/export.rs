//! Rows for other programs, read again by what reads such files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::reader::{FileReader, StreamReader};
use datafusion::arrow::util::pretty::pretty_format_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;

use crate::project::Project;

const VALUES: &str = "{{ config(materialized='table') }}
select * from (values
    (1, 'say \"a\", then', cast(0.10 as decimal(10, 2)), date '2024-02-29', timestamp '9999-12-31 23:59:59.000001', [1, null], true),
    (2, '', null, null, null, null, false),
    (3, null, cast(-3 as decimal(10, 2)), date '0001-01-01', timestamp '1900-01-01 00:00:00', [2], null)
) as t(id, said, paid, day, at, list, flag)";

const ALL: &str = "select * from {{ ref('vals') }} order by id";

fn project() -> Project {
    let project = Project::new();
    project.model("vals", VALUES);
    project.succeed(&["run"]);
    project
}

fn export(project: &Project, to: &str) -> Vec<u8> {
    let told = project.print(&["export", "--inline", ALL, "--to", to]);
    assert_eq!(told, format!("the query: 3 rows in {to} ([size])\n"));
    fs::read(project.path(to)).unwrap()
}

fn table(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

const TABLE: &str = "
+----+---------------+-------+------------+----------------------------+-------+-------+
| id | said          | paid  | day        | at                         | list  | flag  |
+----+---------------+-------+------------+----------------------------+-------+-------+
| 1  | say \"a\", then | 0.10  | 2024-02-29 | 9999-12-31T23:59:59.000001 | [1, ] | true  |
| 2  |               |       |            |                            |       | false |
| 3  |               | -3.00 | 0001-01-01 | 1900-01-01T00:00:00        | [2]   |       |
+----+---------------+-------+------------+----------------------------+-------+-------+";

#[test]
fn rows_are_the_same_in_every_format() {
    let project = project();
    insta::assert_snapshot!(String::from_utf8(export(&project, "vals.csv")).unwrap(), @r#"
    id,said,paid,day,at,list,flag
    1,"say ""a"", then",0.10,2024-02-29,9999-12-31 23:59:59.000001,"[1,null]",true
    2,"",,,,,false
    3,,-3.00,0001-01-01,1900-01-01 00:00:00,[2],
    "#);

    export(&project, "vals.parquet");
    let file = File::open(project.path("vals.parquet")).unwrap();
    let read = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(table(&read.map(Result::unwrap).collect::<Vec<_>>()), TABLE.trim_start());

    export(&project, "vals.arrow");
    let read = FileReader::try_new(File::open(project.path("vals.arrow")).unwrap(), None).unwrap();
    assert_eq!(table(&read.map(Result::unwrap).collect::<Vec<_>>()), TABLE.trim_start());

    let shown: Json = project.rows(ALL);
    let json = export(&project, "vals.json");
    assert_eq!(serde_json::from_slice::<Json>(&json).unwrap(), shown);
    let lines = export(&project, "vals.ndjson");
    let lines = lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    assert_eq!(Json::Array(lines.collect()), shown);
}

#[test]
fn a_file_is_compressed_as_its_name_says() {
    let project = project();
    let plain = export(&project, "vals.csv");
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(export(&project, "vals.csv.gz").as_slice())
        .read_to_end(&mut unzipped)
        .unwrap();
    assert_eq!(unzipped, plain);
    assert_eq!(zstd::decode_all(export(&project, "vals.csv.zst").as_slice()).unwrap(), plain);
}

#[test]
fn a_model_goes_to_standard_output_and_nothing_else_does() {
    let project = project();
    let output = project.command(&["export", "vals", "--to", "-", "--format", "arrow"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let read = StreamReader::try_new(output.stdout.as_slice(), None).unwrap();
    assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);

    let many = "select x.value as x from generate_series(1, 3000000) as x";
    let mut running = project.command(&["export", "--inline", many, "--to", "-", "--format", "csv"]);
    let mut running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "x");
    assert_eq!(lines.next().unwrap().unwrap(), "1");
    drop(lines);
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success(), "a reader that goes away is no failure: {ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_file_is_there_as_a_whole_or_as_it_was() {
    let project = project();
    let before = export(&project, "vals.csv");
    let fails = "select 1 / (id - 3) as x from {{ ref('vals') }} order by id";
    project.fail(1, &["export", "--inline", fails, "--to", "vals.csv"]);
    assert_eq!(fs::read(project.path("vals.csv")).unwrap(), before);
    project.fail(1, &["export", "--inline", fails, "--to", "new.csv"]);
    let names = fs::read_dir(project.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let csv = names.filter(|name| name.to_string_lossy().contains("csv")).collect::<Vec<_>>();
    assert_eq!(csv, ["vals.csv"], "nothing is left of what failed");

    project.succeed(&["export", "--inline", "select 1 as x where false", "--to", "vals.csv"]);
    assert_eq!(fs::read_to_string(project.path("vals.csv")).unwrap(), "x\n");
    project.succeed(&["export", "--inline", "select 1 as x where false", "--to", "vals.json"]);
    assert_eq!(fs::read_to_string(project.path("vals.json")).unwrap().trim(), "[]");
}

#[test]
fn a_table_is_written_as_it_was() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table') }} select 1 as x");
    project.succeed(&["run"]);
    let results: Json =
        serde_json::from_slice(&fs::read(project.path("target/run_results.json")).unwrap()).unwrap();
    let run = results["metadata"]["invocation_id"].as_str().unwrap().to_owned();
    project.model("one", "{{ config(materialized='table') }} select 2 as x");
    project.succeed(&["run"]);
    project.succeed(&["export", "one", "--to", "then.csv", "--at", &run]);
    project.succeed(&["export", "one", "--to", "now.csv"]);
    assert_eq!(fs::read_to_string(project.path("then.csv")).unwrap(), "x\n1\n");
    assert_eq!(fs::read_to_string(project.path("now.csv")).unwrap(), "x\n2\n");
}

#[test]
fn what_cannot_be_written_is_told_with_a_way_on() {
    let project = project();
    let said = |words: &[&str]| {
        let output = project.run(&[&["export"], words].concat());
        format!("{}ends with {}", output.stderr, output.code.unwrap())
    };
    let mut all = Vec::new();
    for words in [
        &["vals", "--to", "vals.xlsx"][..],
        &["vals", "--to", "-"],
        &["vals", "--to", "s3://lake/vals.csv"],
        &["vals", "--to", "vals.parquet.gz"],
        &["vals", "--to", "nowhere/vals.csv"],
        &["vals", "--to", "models", "--format", "csv"],
        &["vols", "--to", "vals.csv"],
        &["--inline", "select nothing from {{ ref('vals') }}", "--to", "vals.csv"],
    ] {
        all.push(format!("{}\n{}", words.join(" "), said(words)));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}
