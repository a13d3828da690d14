//! Every type in every form: what mep reads is what HiveServer2 reads, value by value.

use super::SourceTables;

/// A column: its name and type, three values in Hive's SQL, and how Hive and mep say it as text.
struct Column {
    name: &'static str,
    of: &'static str,
    values: [&'static str; 3],
    in_hive: &'static str,
    in_mep: &'static str,
}

const fn plain(name: &'static str, of: &'static str, values: [&'static str; 3]) -> Column {
    Column { name, of, values, in_hive: name, in_mep: name }
}

const fn said(
    name: &'static str,
    of: &'static str,
    values: [&'static str; 3],
    in_hive: &'static str,
    in_mep: &'static str,
) -> Column {
    Column { name, of, values, in_hive, in_mep }
}

/// All types that tables have. The third value of each is NULL.
const COLUMNS: [Column; 18] = [
    plain("b", "boolean", ["true", "false", "null"]),
    plain("i1", "tinyint", ["cast(-128 as tinyint)", "cast(127 as tinyint)", "null"]),
    plain("i2", "smallint", ["cast(-32768 as smallint)", "cast(32767 as smallint)", "null"]),
    plain("i4", "int", ["-2147483648", "2147483647", "null"]),
    plain("i8", "bigint", ["cast(-9223372036854775807 as bigint)", "9223372036854775807", "null"]),
    said(
        "f4",
        "float",
        ["cast(1.5 as float)", "cast(-0.25 as float)", "null"],
        "cast(f4 as double)",
        "cast(f4 as double)",
    ),
    plain("f8", "double", ["0.1D", "-1.5E300D", "null"]),
    said(
        "d9",
        "decimal(9,2)",
        ["1234567.89BD", "-0.01BD", "null"],
        "cast(d9 as string)",
        "cast(d9 as varchar)",
    ),
    said(
        "d38",
        "decimal(38,10)",
        ["1234567890123456789012345678.0123456789BD", "-1BD", "null"],
        "cast(d38 as string)",
        "cast(d38 as varchar)",
    ),
    plain("s", "string", ["'Änglar \u{1f3b5}'", "''", "null"]),
    said(
        "v",
        "varchar(5)",
        ["cast('abc' as varchar(5))", "cast('äöü' as varchar(5))", "null"],
        "cast(v as string)",
        "v",
    ),
    said("c", "char(5)", ["cast('ab' as char(5))", "cast('' as char(5))", "null"], "c", "c"),
    said(
        "y",
        "binary",
        ["cast('xyz' as binary)", "unhex('00FF')", "null"],
        "lower(hex(y))",
        "encode(y, 'hex')",
    ),
    said(
        "dt",
        "date",
        ["date '2018-11-03'", "date '0001-01-01'", "null"],
        "cast(dt as string)",
        "cast(dt as varchar)",
    ),
    said(
        "ts",
        "timestamp",
        ["timestamp '2018-11-03 14:23:59.123456'", "timestamp '1969-12-31 23:59:59.5'", "null"],
        "cast(unix_timestamp(ts) as bigint)",
        "cast(floor(extract(epoch from ts)) as bigint)",
    ),
    said("a", "array<int>", ["array(1, 2, null)", "array(3)", "null"], "a[1]", "a[2]"),
    said(
        "m",
        "map<string,double>",
        ["map('k', 1.5D, 'l', 2.5D)", "map('j', 1D)", "null"],
        "m['k']",
        "m['k']",
    ),
    said(
        "st",
        "struct<x:int,y:array<string>>",
        ["named_struct('x', 1, 'y', array('p', 'q'))", "named_struct('x', 2, 'y', array('r'))", "null"],
        "concat(cast(st.x as string), st.y[0])",
        "cast(st.x as varchar) || st.y[1]",
    ),
];

/// The texts of all columns.
fn selected(of: impl Fn(&Column) -> &'static str) -> String {
    COLUMNS.iter().map(|column| format!("{} as {}", of(column), column.name)).collect::<Vec<_>>().join(", ")
}

/// A row of the values at a place.
fn values(at: usize) -> String {
    let value = |column: &Column| match column.values[at] {
        "null" => format!("cast(null as {})", column.of),
        value => value.to_owned(),
    };
    COLUMNS.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// Statements that fill a table of all types.
fn filled(table: &str, partition: &str) -> String {
    // Nested types cannot be written as NULL: the third row leaves all of its columns out.
    let rows = [0, 1].map(|at| format!("select {at} as id, {}", values(at)));
    format!("insert into crm.{table} {partition} {}", rows.join(" union all "))
}

fn columns() -> String {
    let columns = COLUMNS.iter().map(|column| format!("{} {}", column.name, column.of));
    format!("id int, {}", columns.collect::<Vec<_>>().join(", "))
}

/// What both read of a table is the same.
#[track_caller]
fn same(tables: &SourceTables, table: &str, more: &str) {
    let hive = tables.in_hive(&format!(
        "select id, {}{more} from crm.{table} order by id",
        selected(|column| column.in_hive)
    ));
    let mep = tables.in_mep(&format!(
        "select id, {}{more} from crm.{table} order by id",
        selected(|column| column.in_mep)
    ));
    assert!(!hive.is_empty());
    for (one, other) in hive.iter().zip(&mep) {
        let names = ["id"].into_iter().chain(COLUMNS.iter().map(|column| column.name)).chain(["more"; 3]);
        for (name, (one, other)) in names.zip(one.iter().zip(other)) {
            assert_eq!(one, other, "{table}: column {name}\n{hive:#?}\n{mep:#?}");
        }
    }
    assert_eq!(hive.len(), mep.len(), "{table}");
    let count = format!("select count(*), count(s), max(id) from crm.{table}");
    assert_eq!(tables.in_hive(&count), tables.in_mep(&count), "{table}");
}

/// The forms that tables have.
const FORMS: [(&str, &str); 4] = [
    ("parquet", "stored as parquet"),
    ("avro", "stored as avro"),
    ("text", "stored as textfile"),
    (
        "marked",
        "row format delimited fields terminated by ',' escaped by '\\\\' collection items terminated by '|' \
         map keys terminated by ':' null defined as 'nil' stored as textfile",
    ),
];

#[test]
fn every_type_in_every_form_is_read_as_hiveserver2_reads_it() {
    let names: Vec<String> =
        FORMS.iter().flat_map(|(name, _)| [format!("whole_{name}"), format!("parted_{name}")]).collect();
    let tables = SourceTables::new("corpus", &names.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, form) in FORMS {
        let whole = format!("whole_{name}");
        tables.execute_all(&[
            &format!("create table crm.{whole} ({}) {form}", columns()),
            &filled(&whole, ""),
            &format!("insert into crm.{whole} (id) values (2)"),
        ]);
        same(&tables, &whole, "");
        let parted = format!("parted_{name}");
        tables.execute_all(&[
            &format!(
                "create external table crm.{parted} ({}) partitioned by (day date, n int, k string) {form}",
                columns()
            ),
            &filled(&parted, "partition (day = '2018-11-03', n = 1, k = 'a/b c=%')"),
            &format!(
                "insert into crm.{parted} partition (day = '2018-11-04', n = 2, k = 'ä') (id) values (2)"
            ),
        ]);
        same(&tables, &parted, ", n, k");
        let one = format!("select id from crm.{parted} where day = date '2018-11-03' and n = 1 order by id");
        assert_eq!(tables.in_hive(&one), tables.in_mep(&one));
    }
}

#[test]
fn a_partition_older_than_a_column_is_read_as_hive_reads_it() {
    let tables = SourceTables::new("evolved", &["grown"]);
    tables.execute_all(&[
        "create external table crm.grown (id int, n int, f float) partitioned by (p int) stored as parquet",
        "insert into crm.grown partition (p = 1) values (1, 10, cast(1.5 as float))",
        "alter table crm.grown add columns (late string)",
        "insert into crm.grown partition (p = 2) values (2, 20, cast(2.5 as float), 'x')",
        // The old partition keeps its columns, so that what is written to it now has no `late` either.
        "insert into crm.grown partition (p = 1) values (3, 30, cast(3.5 as float), 'y')",
        "alter table crm.grown change n n bigint cascade",
        "alter table crm.grown change f f double cascade",
        "insert into crm.grown partition (p = 2) values (4, 5000000000, 0.1D, 'z')",
    ]);
    let rows = "select id, n, f, late, p from crm.grown order by id";
    let hive = tables.in_hive(rows);
    assert_eq!(hive, tables.in_mep(rows));
    assert_eq!(hive.len(), 4);
    assert_eq!(
        tables.in_mep("select count(late) from crm.grown"),
        tables.in_hive("select count(late) from crm.grown")
    );
}

#[test]
fn what_trino_made_is_read_as_trino_and_hive_read_it() {
    let tables = SourceTables::new("by_trino", &["made"]);
    let database = &tables.database;
    tables.hive.trino(&format!(
        "create table {database}.made with (format = 'PARQUET', partitioned_by = array['p']) as
         select * from (values (1, cast(1.25 as decimal(20, 4)), timestamp '2018-11-03 14:23:59.123', array[1, null], map(array['k'], array['v']), date '2018-11-03', 'x'),
         (2, null, null, null, null, null, 'y')) as t (id, amount, at, numbers, words, day, p)"
    ));
    let rows = |k: &str, second: &str, amount: &str, at: &str| {
        format!(
            "select id, {amount} as amount, {at} as at, {second} as second, words['{k}'] as w, cast(day as varchar(10)) as day, p from crm.made order by id"
        )
    };
    let hive = tables.in_hive(&rows(
        "k",
        "numbers[0]",
        "cast(amount as string)",
        "cast(unix_timestamp(at) as bigint)",
    ));
    let mep = tables.in_mep(&rows(
        "k",
        "numbers[1]",
        "cast(amount as varchar)",
        "cast(floor(extract(epoch from at)) as bigint)",
    ));
    assert_eq!(hive, mep);
    assert_eq!(hive.len(), 2);
}

#[test]
fn a_text_means_what_it_means_to_hiveserver2() {
    const TEXTS: [&str; 41] = [
        "1",
        " 2 ",
        "1.7",
        "1e3",
        "-5.",
        "+3",
        "abc",
        "",
        "2147483648",
        "0x10",
        "NaN",
        "1d",
        "1f",
        "inf",
        "2018-11-03",
        "2018-13-01",
        "2018-1-3",
        "2018-11-03 10:00:00",
        "2018-11-03T10:00:00",
        "2018-11-03 10:00:00.123456789",
        " 2018-11-03",
        "2018-02-30",
        "true",
        "TRUE",
        "t",
        "eHl6",
        "1.005",
        "99999999999999999999",
        ".5",
        "-",
        "2018-11-03 10:00",
        "2018-11-03 25:00:00",
        "12018-11-03",
        "1.2e1",
        "2018-11-03 10:00:00 UTC",
        "2018-11-03 10:00:00.5Z",
        "+-1",
        "1..2",
        "9999-12-31",
        "2018-11-3 1:2:3",
        " 2018-11-03 10:00:00 ",
    ];
    let types = [
        ("t1", "tinyint", "v", "v"),
        ("t2", "smallint", "v", "v"),
        ("t4", "int", "v", "v"),
        ("t8", "bigint", "v", "v"),
        ("d", "double", "v", "case when v <> v then null else v end"),
        ("m", "decimal(5,2)", "cast(v as string)", "cast(v as varchar)"),
        ("b", "boolean", "v", "v"),
        ("day", "date", "cast(v as string)", "cast(v as varchar)"),
        (
            "at",
            "timestamp",
            "cast(unix_timestamp(v) as bigint)",
            "cast(floor(extract(epoch from v)) as bigint)",
        ),
        ("y", "binary", "lower(hex(v))", "encode(v, 'hex')"),
        ("c", "char(3)", "v", "v"),
        ("vc", "varchar(3)", "v", "v"),
    ];
    let names: Vec<&str> = types.iter().map(|(name, ..)| *name).collect();
    let tables = SourceTables::new("texts", &names);
    let rows: Vec<String> = TEXTS.iter().enumerate().map(|(at, text)| format!("({at}, '{text}')")).collect();
    tables.execute_all(&[
        "create external table crm.texts (id int, s string) stored as textfile",
        &format!("insert into crm.texts values {}", rows.join(", ")),
    ]);
    let described = tables.in_hive("describe formatted crm.texts");
    let place = described.iter().find(|row| row[0].starts_with("Location")).unwrap()[1].trim().to_owned();
    for (name, of, in_hive, in_mep) in types {
        tables.execute(&format!(
            "create external table crm.{name} (id int, v {of}) stored as textfile location '{place}'"
        ));
        // What is no number differs in how it is written, and nowhere else.
        let in_hive =
            if name == "d" { "case when cast(v as string) = 'NaN' then null else v end" } else { in_hive };
        // A job of Hive's reads some texts otherwise than Hive itself does, so none is asked to sort.
        let by_id = |mut rows: Vec<Vec<String>>| {
            rows.sort_by_key(|row| row[0].parse::<usize>().unwrap());
            rows
        };
        let hive = by_id(tables.in_hive(&format!("select id, {in_hive} as v from crm.{name}")));
        let mep = by_id(tables.in_mep(&format!("select id, {in_mep} as v from crm.{name}")));
        assert_eq!(hive.len(), TEXTS.len());
        for ((one, other), text) in hive.iter().zip(&mep).zip(TEXTS) {
            assert_eq!(one[1], other[1], "{of} of {text:?}");
        }
    }
}

#[test]
fn csv_headers_and_compressed_text_are_read_as_hive_reads_them() {
    let tables = SourceTables::new("lines", &["quoted", "headed", "zipped"]);
    tables.execute_all(&[
        "create external table crm.raw (line string) row format delimited fields terminated by '\\001' stored as textfile",
        "insert into crm.raw values ('id,name,note'), ('1,\"Smith, J.\",\"said \"\"yes\"\"\"'), ('2,,x\\\\y'), ('3,short')",
    ]);
    let described = tables.in_hive("describe formatted crm.raw");
    let place = described.iter().find(|row| row[0].starts_with("Location")).unwrap()[1].trim().to_owned();
    tables.execute_all(&[
        &format!(
            "create external table crm.quoted (id int, name string, note string)
             row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde' stored as textfile location '{place}'
             tblproperties ('skip.header.line.count' = '1')"
        ),
        &format!(
            "create external table crm.headed (id int, rest string) row format delimited fields terminated by ','
             stored as textfile location '{place}' tblproperties ('skip.header.line.count' = '1')"
        ),
        "set hive.exec.compress.output=true",
        "set mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.GzipCodec",
        "create external table crm.zipped (id int, s string) stored as textfile",
        "insert into crm.zipped values (1, 'a'), (2, null)",
    ]);
    for (table, columns) in [("quoted", "id, name, note"), ("headed", "id, rest"), ("zipped", "id, s")] {
        // Hive leaves the header out of what it reads itself, and not of what it has a job sort.
        let rows = format!("select {columns} from crm.{table}");
        let (mut hive, mut mep) = (tables.in_hive(&rows), tables.in_mep(&rows));
        hive.sort();
        mep.sort();
        assert_eq!(hive, mep, "{table}");
        assert!(hive.len() >= 2);
    }
}
