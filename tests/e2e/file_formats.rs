//! Files of a source in every format, compression and type, and the columns that nobody declares.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};

use crate::project::Project;

/// A project with the source table `events.things` of these columns, about whose files this is said.
fn things(said: &str, columns: &[(&str, &str)]) -> Project {
    let project = Project::new();
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, data_type)| format!("{{name: {name}, data_type: \"{data_type}\"}}"))
        .collect();
    project.file(
        "sources.yml",
        format!(
            "sources: [{{name: events, tables: [{{name: things, {said}columns: [{}]}}]}}]\n",
            columns.join(", ")
        ),
    );
    project.model("all_things", "select * from {{ source('events', 'things') }}");
    project
}

fn rejects(project: &Project) -> String {
    let rows =
        project.rows("select unit, line, reason from main.raw_things_rejects order by unit, line, reason");
    let line = |row: &Json| {
        format!("{}:{}: {}", row["unit"].as_str().unwrap(), row["line"], row["reason"].as_str().unwrap())
    };
    rows.as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a script of Python in the project's folder.
fn python(project: &Project, script: &str) {
    project.file("make.py", script);
    let output = Command::new("python3").arg("make.py").current_dir(project.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn text_of_every_compression_is_read_by_its_bytes_or_its_name() {
    let project = things("", &[("id", "bigint"), ("note", "varchar")]);
    python(
        &project,
        r#"
import bz2, gzip, lzma, os
os.makedirs("events/things", exist_ok=True)
packs = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
for number, (ending, pack) in enumerate(packs.items()):
    json = "".join(f'{{"id": {number * 1000 + n}, "note": "é{n}"}}\n' for n in range(500)).encode()
    csv = ("id,note\n" + "".join(f"{number * 1000 + n},é{n}\n" for n in range(500, 1000))).encode()
    # Two streams behind one another, as `cat` makes them.
    half = json.rindex(b"\n", 0, len(json) // 2) + 1
    open(f"events/things/a.json.{ending}", "wb").write(pack(json[:half]) + pack(json[half:]))
    open(f"events/things/b.csv.{ending}", "wb").write(pack(csv))
    open(f"events/things/unnamed_{ending}", "wb").write(pack(b'{"id": -1, "note": "' + ending.encode() + b'"}\n'))
    broken = pack(csv)
    open(f"events/things/broken.csv.{ending}", "wb").write(broken[:len(broken) - 12])
    open(f"events/things/flipped.csv.{ending}", "wb").write(broken[:40] + b"\xff\xff\xff" + broken[43:])
"#,
    );
    let rows: String = (3000..4000).map(|id| format!("{id},z\n")).collect();
    let zstd = zstd::encode_all(format!("id,note\n{rows}").as_bytes(), 3).unwrap();
    project.file("events/things/c.csv.zst", zstd).file("events/things/empty.csv.xz", "");
    project.file("sources.yml", std::fs::read_to_string(project.path("sources.yml")).unwrap());
    project.succeed(&["run"]);
    let whole = project.rows(
        "select count(*) as n, count(distinct id) as ids, min(id) as least, max(id) as most from main.all_things where batch not like '%broken%' and batch not like '%flipped%'",
    );
    assert_eq!(whole, json!([{"n": 4003, "ids": 4001, "least": -1, "most": 3999}]));
    let reasons = rejects(&project);
    for ending in ["gz", "bz2", "xz"] {
        assert!(
            reasons.lines().any(|line| line.starts_with(&format!("things/broken.csv.{ending}:"))
                && (line.contains("ends early") || line.contains("is damaged"))),
            "{reasons}"
        );
        assert!(reasons.contains(&format!("things/flipped.csv.{ending}:")), "{reasons}");
    }
}

#[test]
fn json_over_several_lines_is_read_and_what_has_another_shape_is_a_reject() {
    let project = things("", &[("id", "bigint"), ("who", "struct<name varchar, tags varchar[]>")]);
    project
        .file(
            "events/things/list.json",
            "[\n  {\"id\": 1,\n   \"who\": {\"name\": \"Ann\", \"tags\": [\"a\", null]}},\n  {\"id\": \"x\"},\n  7,\n  {\"id\": 2, \"who\": {\"tags\": \"no list\"}},\n  {\"id\": 3,\n   \"who\":\n     oops}\n  ,{\"id\": 4}\n]\n",
        )
        .file("events/things/pretty.json", "{\n  \"id\": 5,\n  \"who\": {}\n}\n{\n  \"id\": 6\n}\n")
        .file("events/things/lines.json", "{\"id\": 7}\n{\"id\": 8,\n")
        .file("events/things/open.json", "[{\"id\": 9},\n {\"id\": 10,\n");
    project.succeed(&["run"]);
    insta::assert_snapshot!(rejects(&project));
    assert_eq!(
        project.rows("select id, who from main.all_things order by id"),
        json!([
            {"id": 1, "who": {"name": "Ann", "tags": ["a", null]}}, {"id": 4, "who": null},
            {"id": 5, "who": {"name": null, "tags": null}}, {"id": 6, "who": null}, {"id": 7, "who": null},
            {"id": 9, "who": null}
        ])
    );
    // Said to be a document, a file is one however it begins.
    let project = things("format: json, ", &[("id", "bigint")]);
    project.file("events/things/1.json", "{\"id\": 1} {\"id\":\n2}{\"id\": 3}\n");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select count(*) as n from main.all_things"), json!([{"n": 3}]));
}

const OF_AVRO: &str = r#"
import bz2, json, lzma, os, zlib
os.makedirs("events/things", exist_ok=True)

def long(n):
    n = (n << 1) ^ (n >> 63)
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

def data(b):
    return long(len(b)) + b

schema = {"type": "record", "name": "r", "fields": [
    {"name": "ID", "type": "long"},
    {"name": "name", "type": ["null", "string"]},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "other", "type": "boolean"}]}

def row(n):
    name = long(1) + data(f"n{n}".encode()) if n % 2 else long(0)
    tags = long(2) + data(b"x") + data(str(n).encode()) + long(0)
    return long(n) + name + tags + data((n * 100 + 25).to_bytes(4, "big")) + long(1714557600000 + n) + data(b"00000000-0000-0000-0000-00000000000%d" % (n % 10)) + b"\x01"

def raw_deflate(b):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(b) + packer.flush()

packs = {"null": lambda b: b, "deflate": raw_deflate, "bzip2": bz2.compress, "xz": lzma.compress}
sync = bytes(range(16))
for number, (codec, pack) in enumerate(packs.items()):
    out = b"Obj\x01" + long(2) + data(b"avro.schema") + data(json.dumps(schema).encode()) + data(b"avro.codec") + data(codec.encode()) + long(0) + sync
    for block in range(3):
        rows = [row(number * 100 + block * 10 + n) for n in range(10)]
        out += long(10) + data(pack(b"".join(rows))) + sync
    open(f"events/things/{codec}.avro", "wb").write(out)
    if codec == "deflate":
        open("events/things/cut.avro", "wb").write(out[:-30])
"#;

#[test]
fn avro_of_every_compression_lands_by_the_names_of_its_fields() {
    let project = things(
        "",
        &[
            ("id", "integer"),
            ("name", "varchar"),
            ("tags", "varchar[]"),
            ("price", "decimal(7,2)"),
            ("at", "timestamp"),
            ("key", "varchar"),
        ],
    );
    python(&project, OF_AVRO);
    project.succeed(&["run"]);
    let rows = project.rows(
        "select batch, count(*) as n, sum(price) as total, count(name) as names, sum(cardinality(tags)) as tags from main.all_things group by 1 order by 1",
    );
    let of = |codec: &str, total: f64| json!({"batch": format!("things/{codec}.avro"), "n": 30, "total": total, "names": 15, "tags": 60});
    let rows = rows.as_array().unwrap();
    assert_eq!(rows[0], of("bzip2", 6442.5));
    assert_eq!((&rows[1]["batch"], &rows[1]["n"]), (&json!("things/cut.avro"), &json!(20)));
    assert_eq!(rows[2], of("deflate", 3442.5));
    assert_eq!(rows[3], of("null", 442.5));
    assert_eq!(rows[4], of("xz", 9442.5));
    assert_eq!(
        project.rows("select id, name, tags, price, at, key from main.all_things where id = 1"),
        json!([{"id": 1, "name": "n1", "tags": ["x", "1"], "price": 1.25, "at": "2024-05-01T10:00:00.001",
                "key": "00000000-0000-0000-0000-000000000001"}])
    );
    let reasons = rejects(&project);
    assert!(reasons.starts_with("things/cut.avro:21: the file is damaged after row 20"), "{reasons}");
    // A column of a type that cannot become the declared one refuses the file, with its name.
    let project = things("format: avro, ", &[("id", "bigint"), ("tags", "bigint")]);
    python(&project, OF_AVRO);
    project.succeed(&["run"]);
    let reasons = rejects(&project);
    assert!(
        reasons.contains("null.avro:1: the column \"tags\" is a list, which cannot be read as bigint; none of the file's rows are read"),
        "{reasons}"
    );
}

#[test]
fn nested_columns_of_parquet_are_matched_by_name_and_converted_within() {
    let project = things(
        "",
        &[
            ("id", "bigint"),
            ("sizes", "smallint[]"),
            ("place", "struct<city varchar, zip bigint, gone date>"),
            ("scores", "map<varchar, double>"),
        ],
    );
    let sizes = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![Some(70_000)]),
        Some(vec![]),
    ]);
    let fields = Fields::from(vec![
        Field::new("ZIP", DataType::Int32, true),
        Field::new("city", DataType::Utf8, true),
        Field::new("more", DataType::Int64, true),
    ]);
    let place = StructArray::new(
        fields,
        vec![
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4)])) as ArrayRef,
            Arc::new(StringArray::from(vec!["a", "b", "c", "d"])),
            Arc::new(Int64Array::from(vec![0; 4])),
        ],
        None,
    );
    let batch = RecordBatch::try_from_iter_with_nullable(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef, true),
        ("sizes", Arc::new(sizes.clone()) as ArrayRef, true),
        ("place", Arc::new(place) as ArrayRef, true),
    ])
    .unwrap();
    project.file("events/things/1.parquet", parquet(&batch));
    let wrong = RecordBatch::try_from_iter_with_nullable(vec![
        ("id", Arc::new(Int64Array::from(vec![5; sizes.len()])) as ArrayRef, true),
        ("place", Arc::new(sizes) as ArrayRef, true),
    ])
    .unwrap();
    project.file("events/things/2.parquet", parquet(&wrong));
    project.file("events/things/3.json", "{\"id\": 6, \"scores\": {\"a\": 1, \"b\": null}}\n");
    project.succeed(&["run"]);
    insta::assert_snapshot!(rejects(&project));
    assert_eq!(
        project.rows("select id, sizes, place, scores from main.all_things order by id"),
        json!([
            {"id": 1, "sizes": [1, null], "place": {"city": "a", "zip": 1, "gone": null}, "scores": null},
            {"id": 2, "sizes": null, "place": {"city": "b", "zip": null, "gone": null}, "scores": null},
            {"id": 4, "sizes": [], "place": {"city": "d", "zip": 4, "gone": null}, "scores": null},
            {"id": 6, "sizes": null, "place": null, "scores": {"a": 1.0, "b": null}},
        ])
    );
}

#[test]
fn every_type_can_be_declared_and_what_holds_others_is_unnested_in_sql() {
    let project = things(
        "",
        &[
            ("id", "bigint"),
            ("opened", "time"),
            ("raw", "binary"),
            ("seen", "timestamp with time zone"),
            ("items", "array<struct<sku: varchar, n: integer>>"),
            ("sizes", "map<varchar, bigint>"),
        ],
    );
    project
        .file(
            "events/things/1.json",
            "{\"id\": 1, \"opened\": \"09:30\", \"raw\": \"AQI=\", \"seen\": \"2024-05-01T10:00:00+02:00\", \"items\": [{\"sku\": \"a\", \"n\": 2}, {\"sku\": \"b\"}], \"sizes\": {\"x\": 1}}\n\
             {\"id\": 2, \"opened\": \"24:00:00\"}\n{\"id\": 3, \"raw\": \"?\"}\n{\"id\": 4, \"items\": [{\"n\": 1}, {\"n\": \"many\"}]}\n{\"id\": 5, \"sizes\": {\"x\": 1.5}}\n",
        )
        .file("events/things/2.csv", "id,opened,raw,seen,items,sizes\n6,23:59:59.5,,,\"[{\"\"sku\"\": \"\"c\"\"}]\",{}\n");
    project.model(
        "lines",
        "{{ config(materialized='incremental') }}
         with items as (select id, unnest(items) as item from {{ source('events', 'things') }})
         select id, item['sku'] as sku, item['n'] as n from items",
    );
    project.model(
        "rest",
        "{{ config(materialized='table') }} select id, opened, encode(raw, 'hex') as raw, seen, sizes['x'] as x from {{ source('events', 'things') }}",
    );
    project.succeed(&["run"]);
    insta::assert_snapshot!(rejects(&project));
    let lines = json!([
        {"id": 1, "sku": "a", "n": 2}, {"id": 1, "sku": "b", "n": null}, {"id": 6, "sku": "c", "n": null}
    ]);
    assert_eq!(project.rows("select id, sku, n from main.lines order by id, sku"), lines);
    assert_eq!(
        project.rows("select id, cast(opened as varchar) as opened, raw, seen, x from main.rest order by id"),
        json!([
            {"id": 1, "opened": "09:30:00", "raw": "0102", "seen": "2024-05-01T08:00:00", "x": 1},
            {"id": 6, "opened": "23:59:59.500", "raw": null, "seen": null, "x": null},
        ])
    );
    project.file("events/things/3.json", "{\"id\": 7, \"items\": [{\"sku\": \"d\", \"n\": 1}]}\n");
    project.succeed(&["run"]);
    let incremental = project.rows("select id, sku, n from main.lines order by id, sku");
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select id, sku, n from main.lines order by id, sku"), incremental);
    assert_eq!(incremental.as_array().unwrap().len(), 4);
}

#[test]
fn columns_that_nobody_declares_are_shown_pinned_and_never_change_silently() {
    let project = Project::new();
    project.file(
        "models/sources.yml",
        "# what comes in\nsources:\n  - name: events\n    tables:\n      - name: things   # of all kinds\n        csv: {delimiter: ';', null_text: ['-']}\n",
    );
    project.model(
        "all_things",
        "{{ config(materialized='table') }} select * from {{ source('events', 'things') }}",
    );
    project.file("events/things/1.csv", "id;note;day\n1;a;2024-05-01\n2;-;-\n");
    let planned = project.print(&["plan"]);
    assert!(planned.contains("columns by its files: id bigint, note varchar, day date"), "{planned}");
    project.succeed(&["run"]);
    project.file("events/things/2.csv", "id;note;day\n2.5;b;2024-05-02\n");
    let said = project.fail(1, &["run"]);
    assert!(
        said.replace("\n     ", "")
            .contains("the column `id` was bigint by the files that were loaded last, and is double"),
        "{said}"
    );
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select id from main.all_things order by id")[1], json!({"id": 2.0}));
    project.file("events/things/2.csv", "id;note;day\n3;b;2024-05-02\n");
    project.succeed(&["run", "--full-refresh"]);
    let dry = project.print(&["source", "infer", "--dry-run"]);
    insta::assert_snapshot!(dry, @r"
    id    bigint
    note  varchar
    day   date
    ");
    project.succeed(&["source", "infer"]);
    let yaml = std::fs::read_to_string(project.path("models/sources.yml")).unwrap();
    insta::assert_snapshot!(yaml);
    let said = project.succeed(&["source", "infer"]);
    assert!(said.contains("all 3 columns have their types"), "{said}");
    // From now on a row that does not fit is a reject, and files land one by one.
    project.file("events/things/3.csv", "id;note;day\n4.5;c;2024-05-03\n5;d;2024-05-03\n");
    project.succeed(&["run"]);
    assert_eq!(
        rejects(&project),
        "things/3.csv:2: field \"id\": expected bigint, found 4.5 (has a fraction)"
    );
    assert_eq!(
        project.rows("select id, note from main.all_things order by id"),
        json!([{"id": 1, "note": "a"}, {"id": 2, "note": null}, {"id": 3, "note": "b"}, {"id": 5, "note": "d"}])
    );
}

#[test]
fn what_is_said_of_files_where_there_are_none_is_refused() {
    let project = things("format: csv, ", &[("id", "bigint")]);
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    project.file("profiles.yml", profiles.replace("{type: files, path: events}", "{type: simulator}"));
    insta::assert_snapshot!(project.fail(2, &["compile"]));
    let project = things("format: orc, ", &[("id", "bigint")]);
    insta::assert_snapshot!(project.fail(2, &["compile"]));
}
