//! Files of CSV as a source: every way to write it, and rows that are none in the rejects with their file, line and reason.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::project::Project;

const COLUMNS: &str = "columns: [{name: id, data_type: bigint, constraints: [{type: not_null}]}, {name: name, data_type: varchar}, \
                       {name: price, data_type: 'decimal(9,2)'}, {name: day, data_type: date}]";

/// A project with the source table `events.sales`, about whose files this is said.
fn sales(said: &str) -> Project {
    let project = Project::new();
    project.file(
        "sources.yml",
        format!("sources: [{{name: events, tables: [{{name: sales, {said}{COLUMNS}}}]}}]\n"),
    );
    project.model(
        "all_sales",
        "{{ config(materialized='incremental') }} select * from {{ source('events', 'sales') }}",
    );
    project
}

fn rejects(project: &Project) -> String {
    let rows = project
        .rows("select unit, line, reason, text from main.raw_sales_rejects order by unit, line, reason");
    let line = |row: &Json| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        format!("{}:{}: {} [{}]", text("unit"), row["line"], text("reason"), text("text"))
    };
    rows.as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How many rows of the source were read, landed and rejected, of each file.
fn counts(project: &Project) -> Vec<(String, u64, u64, u64)> {
    let manifest = std::fs::read(project.path("warehouse/main/raw_sales/manifest.json")).unwrap();
    let manifest: Json = serde_json::from_slice(&manifest).unwrap();
    let units = manifest["batches"].as_object().unwrap().values();
    let units = units.flat_map(|batch| batch["units"].as_array().unwrap());
    let count = |unit: &Json, key: &str| unit[key].as_u64().unwrap();
    let mut all: Vec<_> = units
        .map(|unit| {
            assert_eq!(count(unit, "read"), count(unit, "landed") + count(unit, "rejected"), "{unit}");
            let id = unit["id"].as_str().unwrap().to_owned();
            (id, count(unit, "read"), count(unit, "landed"), count(unit, "rejected"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn rows_of_csv_land_and_those_that_are_none_are_rejects_and_the_counts_add_up() {
    let project = sales("");
    project
        .file(
            "events/sales/1.csv",
            "\u{feff}day,ID,name,price,other\r\n2024-05-01,1,\"Ann, \"\"A\"\"\nSmith\",1.50,x\r\n,2,,,\n\n2024-05-02,3,\"\",.5,\n",
        )
        .file(
            "events/sales/2.csv",
            "id,name,price,day\n1,a,1,2024-05-01\n2,b\n3,c,1,2024-05-01,more\nx,d,1,2024-05-01\n5,e,1.005,2024-05-01\n\
             6,f,1,2024-02-30\n,g,1,2024-05-01\n8,\"h\"h,1,2024-05-01\n9,\"i,1,2024-05-01\n10,j,1,2024-05-01\n",
        )
        .file("events/sales/3.tsv", "id\tname\tprice\tday\n11\ta,b\t2\t2024-05-03\n");
    project.succeed(&["run"]);
    insta::assert_snapshot!(rejects(&project));
    assert_eq!(
        project.rows("select id, name, price, day from main.all_sales order by batch, id"),
        json!([
            {"id": 1, "name": "Ann, \"A\"\nSmith", "price": 1.5, "day": "2024-05-01"},
            {"id": 2, "name": null, "price": null, "day": null},
            {"id": 3, "name": "", "price": 0.5, "day": "2024-05-02"},
            {"id": 1, "name": "a", "price": 1.0, "day": "2024-05-01"},
            {"id": 10, "name": "j", "price": 1.0, "day": "2024-05-01"},
            {"id": 11, "name": "a,b", "price": 2.0, "day": "2024-05-03"},
        ])
    );
    let counts = counts(&project);
    assert_eq!(counts[0], ("sales/1.csv".to_owned(), 3, 3, 0));
    assert_eq!(counts[1], ("sales/2.csv".to_owned(), 10, 2, 8));
}

#[test]
fn csv_is_read_as_it_is_said_to_be_written() {
    let project = sales(
        "path: 'sales/*.txt', format: csv, csv: {delimiter: '|', quote: \"'\", escape: '\\', comment: '#', header: false, \
         null_text: ['', 'NULL'], encoding: windows-1252}, ",
    );
    let bytes = [
        b"# id|name|price|day\n1|'caf\xe9 | \\'x\\''|1.5|2024-05-01\n".as_slice(),
        b"2|NULL|NULL|NULL\n3|'NULL'|2|2024-05-02\n4|a\\|b|3\n",
    ]
    .concat();
    project.file("events/sales/a.txt", bytes).file("events/sales/other.json", "no CSV");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select id, name, price from main.all_sales order by id"),
        json!([
            {"id": 1, "name": "café | 'x'", "price": 1.5}, {"id": 2, "name": null, "price": null},
            {"id": 3, "name": "NULL", "price": 2.0}
        ])
    );
    assert_eq!(rejects(&project), "sales/a.txt:5: 3 fields, and 4 columns are declared [4|a\\|b|3]");
    // Said otherwise, the same bytes are other rows: they are landed anew, as a full refresh would land them.
    let yaml = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", yaml.replace("['', 'NULL']", "['']").replace("windows-1252", "iso-8859-5"));
    assert!(project.succeed(&["plan"]).is_empty() || project.plan().iter().any(|line| line.contains("land")));
    project.succeed(&["run"]);
    let names = "select id, name from main.all_sales order by id";
    let incremental = project.rows(names);
    assert_eq!(incremental[0], json!({"id": 1, "name": "cafщ | 'x'"}));
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows(names), incremental);
}

#[test]
fn utf_16_is_known_by_its_mark_and_bytes_of_no_character_are_a_reject() {
    let project = sales("");
    let utf16: Vec<u8> = "\u{feff}id,name\n1,日本\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    project
        .file("events/sales/utf16.csv", utf16)
        .file("events/sales/utf8.csv", [b"id,name\n2,caf\xe9\n".as_slice(), "3,é\n".as_bytes()].concat());
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select id, name from main.all_sales order by id"),
        json!([{"id": 1, "name": "日本"}, {"id": 3, "name": "é"}])
    );
    insta::assert_snapshot!(rejects(&project), @"sales/utf8.csv:2: no UTF-8: the byte 0xE9 at byte 6 of the row [2,caf�]");
}

#[test]
fn late_replaced_and_withdrawn_files_of_csv_come_to_what_a_full_refresh_gives() {
    let project = sales("");
    let file = |name: &str, from: u32, to: u32| {
        let rows: String = (from..to).map(|id| format!("{id},n{id},{id}.25,2024-05-01\n")).collect();
        project.file(&format!("events/sales/{name}"), format!("id,name,price,day\n{rows}"));
    };
    let rows = || project.rows("select id, name, price, batch from main.all_sales order by batch, id");
    file("b.csv", 0, 20);
    project.succeed(&["run"]);
    file("a.csv", 20, 30);
    project.succeed(&["run"]);
    file("b.csv", 5, 15);
    project.succeed(&["run"]);
    let incremental = rows();
    assert_eq!(incremental.as_array().unwrap().len(), 20);
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(rows(), incremental);
    // What is withdrawn stays, as of any source, and the run says so.
    std::fs::remove_file(project.path("events/sales/a.csv")).unwrap();
    let said = project.succeed(&["run"]);
    assert!(said.contains("sales/a.csv"), "{said}");
    assert_eq!(rows(), incremental);
}

#[test]
fn files_that_are_not_what_is_said_are_an_error() {
    let project = sales("format: ndjson, ");
    let rows: String = (0..20).map(|id| format!("{id},n,1,2024-05-01\n")).collect();
    project.file("events/sales/a.csv", format!("id,name,price,day\n{rows}"));
    insta::assert_snapshot!(project.fail(1, &["run"]));
    let project = sales("format: csv, ");
    project.file("events/sales/a.csv", "PAR1 and more");
    let said = project.fail(1, &["run"]);
    assert!(
        said.replace("\n     ", "").contains("sales/a.csv: it is Parquet, and `format: csv` is declared"),
        "{said}"
    );
    let project = sales("");
    project.file("events/sales/a.orc", "ORC and more");
    assert!(project.fail(1, &["run"]).contains("it is ORC"));
    // A limit that is said says what may be.
    let project = sales("format: ndjson, max_rejected: 100%, ");
    project.file("events/sales/a.csv", format!("id,name,price,day\n{rows}"));
    project.succeed(&["run"]);
    assert_eq!(counts(&project), [("sales/a.csv".to_owned(), 21, 0, 21)]);
}

#[test]
fn what_python_writes_is_read_as_python_reads_it() {
    let project = Project::new();
    project.file(
        "sources.yml",
        "sources: [{name: events, tables: [{name: odd, csv: {null_text: []}, columns: [{name: a, data_type: varchar}, {name: b, data_type: varchar}, {name: c, data_type: varchar}]}]}]",
    );
    project.model(
        "odd_rows",
        "{{ config(materialized='table') }} select a, b, c from {{ source('events', 'odd') }}",
    );
    project.file(
        "make.py",
        r##"
import csv, json, random, os
random.seed(11)
os.makedirs("events/odd", exist_ok=True)
alphabet = ["a", "é", '"', '""', ",", "\n", "\r\n", " ", "'", "\\", "#", "日", ";", "x,y", "NULL", "0"]
rows = []
for n in range(4):
    with open(f"events/odd/{n}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=[csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC][n], lineterminator=["\n", "\r\n"][n % 2])
        writer.writerow(["a", "b", "c"])
        for _ in range(500):
            writer.writerow(["".join(random.choices(alphabet, k=random.randint(0, 5))) for _ in range(3)])
    with open(f"events/odd/{n}.csv", newline="", encoding="utf-8") as file:
        rows += [row for row in csv.reader(file)][1:]
print(json.dumps(sorted(rows)))
"##,
    );
    let output = Command::new("python3").arg("make.py").current_dir(project.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut expected: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    project.succeed(&["run"]);
    let rows = project.rows("select a, b, c from main.odd_rows");
    let mut found: Vec<Vec<String>> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["a", "b", "c"].map(|key| row[key].as_str().unwrap().to_owned()).to_vec())
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found.len(), 2000);
    assert_eq!(found, expected);
}

#[test]
fn a_column_that_no_row_has_is_warned_of_with_the_name_of_the_header_that_was_meant() {
    let project = sales("");
    project.file("events/sales/a.txt", "id,name,prise,day\n1,a,2.5,2024-05-01\n");
    let said = project.succeed(&["run"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no row has a value for the column `price`"), "{said}");
    assert!(said.contains("they have `prise`, which is not declared"), "{said}");
    // Of a header without any declared column not even that is known: the file is a reject as a whole.
    project.file("events/sales/b.csv", "id;name;price;day\n1;a;2.5;2024-05-01\n");
    project.succeed(&["run"]);
    assert_eq!(
        rejects(&project),
        "sales/b.csv:1: the column \"id\" is missing; none of the file's rows are read [id;name;price;day]"
    );
}
