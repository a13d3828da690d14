//! Tables that mep does not read where they are: each is refused before anything is built, with what is in the way.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::{POINTS, SourceTables};

impl SourceTables {
    /// What mep says, without the names of this run.
    fn normalized(&self, said: &str) -> String {
        let said = said.replace(&self.database, "[crm]").replace(&self.hive.schema, "[schema]");
        let path = regex::Regex::new(r"(/\S+)?/\[crm\]\.db").unwrap();
        path.replace_all(&said, "[folder]/[crm].db").into_owned()
    }
}

#[test]
fn tables_that_only_others_can_read_are_refused_with_what_is_in_the_way() {
    let names = ["seen", "changing", "sequence", "columnar", "unions", "zoned", "gone"];
    let tables = SourceTables::new("refused", &names);
    tables.execute_all(&[
        "create table crm.plain (x int) stored as parquet",
        "create view crm.seen as select x from crm.plain",
        "create table crm.sequence (x int) stored as sequencefile",
        "create external table crm.columnar (x int) stored as orc",
        "create table crm.unions (x int, u uniontype<int,string>) stored as textfile",
        "create table crm.zoned (x timestamp with local time zone) stored as textfile",
        "set hive.support.concurrency=true",
        "set hive.txn.manager=org.apache.hadoop.hive.ql.lockmgr.DbTxnManager",
        "create managed table crm.changing (x int) stored as orc tblproperties ('transactional' = 'true')",
    ]);
    for name in names {
        tables
            .hive
            .project
            .model(&format!("of_{name}"), &format!("select * from {{{{ source('crm', '{name}') }}}}"));
    }
    let said = tables.normalized(&tables.hive.fail(2, &["compile"]));
    insta::assert_snapshot!(said, @r"
      error: [crm].seen cannot be read where it is: it is a view, whose SQL only Hive and its like
      │ can execute; read the tables below it, write its SELECT as a model, or have it kept as a table: create
      │ table … stored as parquet as select …
       ╭─[models/crm.yml:5:15]
     4 │     tables:
     5 │       [{name: seen},
       ·               ────
     6 │        {name: changing},
       ╰────

      error: [crm].changing cannot be read where it is: it is an ACID table (`transactional` is
      │ true), whose files hold changes that only Hive puts together; have it copied into an external table:
      │ create external table … stored as parquet as select …
       ╭─[models/crm.yml:6:15]
     5 │       [{name: seen},
     6 │        {name: changing},
       ·               ────────
     7 │        {name: sequence},
       ╰────

      error: [crm].sequence cannot be read where it is: its files are read by the class
      │ org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe of the format
      │ org.apache.hadoop.mapred.SequenceFileInputFormat, which mep does not read; have it copied into a Parquet
      │ table: create table … stored as parquet as select …
       ╭─[models/crm.yml:7:15]
     6 │        {name: changing},
     7 │        {name: sequence},
       ·               ────────
     8 │        {name: columnar},
       ╰────

      error: [crm].columnar cannot be read where it is: its files are read by the class
      │ org.apache.hadoop.hive.ql.io.orc.OrcSerde of the format org.apache.hadoop.hive.ql.io.orc.OrcInputFormat,
      │ which mep does not read; have it copied into a Parquet table: create table … stored as parquet as select
      │ …
       ╭─[models/crm.yml:8:15]
     7 │        {name: sequence},
     8 │        {name: columnar},
       ·               ────────
     9 │        {name: unions},
       ╰────

      error: [crm].unions cannot be read where it is: column `u` is of type uniontype<int,string>,
      │ and mep has no type for uniontype; have it copied without that column
        ╭─[models/crm.yml:9:15]
      8 │        {name: columnar},
      9 │        {name: unions},
        ·               ──────
     10 │        {name: zoned},
        ╰────

      error: [crm].zoned cannot be read where it is: column `x` is of type timestamp with local time
      │ zone, and mep has no type for timestamp with local time zone; have it copied without that column
        ╭─[models/crm.yml:10:15]
      9 │        {name: unions},
     10 │        {name: zoned},
        ·               ─────
     11 │        {name: gone}]
        ╰────

      error: nothing says where the rows of the source table `crm.gone` come from
        ╭─[models/crm.yml:11:15]
     10 │        {name: zoned},
     11 │        {name: gone}]
        ·               ────
        ╰────
      help: say in profiles.yml, below `sources:` of the target `hive`, where its files are: `crm: {type: files,
            path: ...}`; or give it an `external_location`; or have a seed or model built as
            [crm].gone, or that table there in the warehouse

    7 problems
    ");
    // What does not read them is built all the same.
    tables.hive.project.model("other", "{{ config(materialized='table') }} select 1 as x");
    let said = tables.hive.fail(2, &["run"]);
    assert!(said.contains("ok  table other"), "{said}");
}

#[test]
fn what_is_declared_of_a_table_is_checked_at_its_place() {
    let tables = SourceTables::new("checked", &[]);
    tables
        .execute("create table crm.people (id int, name varchar(20), tags array<string>) stored as parquet");
    tables.declare(
        "{name: people, columns: [{name: ID, data_type: bigint}, {name: nmae}, {name: name, data_type: varchar}, {name: tags, data_type: varchar}]}",
    );
    tables.hive.project.model("m", "select id from {{ source('crm', 'people') }}");
    insta::assert_snapshot!(tables.normalized(&tables.hive.fail(2, &["compile"])), @r"
       error: `crm.people` is a table of the warehouse, in which `ID` is integer, and not bigint
        ╭─[models/crm.yml:5:55]
      4 │     tables:
      5 │       [{name: people, columns: [{name: ID, data_type: bigint},
        ·                                                       ──────
      6 │        {name: nmae},
        ╰────
       help: leave its `data_type` out, and cast it in a model where another type is wanted

       error: `crm.people` is a table of the warehouse, and has no column `nmae`
        ╭─[models/crm.yml:6:15]
      5 │       [{name: people, columns: [{name: ID, data_type: bigint},
      6 │        {name: nmae},
        ·               ────
      7 │        {name: name, data_type: varchar},
        ╰────
       help: did you mean `name`?

       error: `crm.people` is a table of the warehouse, in which `tags` is varchar[], and not varchar
        ╭─[models/crm.yml:8:32]
      7 │        {name: name, data_type: varchar},
      8 │        {name: tags, data_type: varchar}]}]
        ·                                ───────
        ╰────
       help: leave its `data_type` out, and cast it in a model where another type is wanted

     3 problems
     ");
    tables.declare("{name: people}");
    tables.hive.project.model("m", "select nmae from {{ source('crm', 'people') }}");
    insta::assert_snapshot!(tables.normalized(&tables.hive.fail(2, &["compile"])), @r"
     error: there is no column `nmae` here
      ╭─[models/m.sql:1:8]
    1 │ select nmae from {{ source('crm', 'people') }}
      ·        ────
      ╰────
     help: did you mean `name`?
    ");
}

#[test]
fn declared_columns_serve_where_the_metastore_is_not_there() {
    let tables = SourceTables::new("offline", &[]);
    let profiles = std::fs::read_to_string(tables.hive.project.path("profiles.yml")).unwrap();
    let away = regex::Regex::new(r"thrift://\S+").unwrap().replace_all(&profiles, "thrift://127.0.0.1:1");
    tables.hive.project.file("profiles.yml", away.as_bytes());
    tables.hive.project.model("m", "select id + 1 as next from {{ source('crm', 'people') }}");
    tables.declare("{name: people, columns: [{name: id, data_type: int}]}");
    tables.hive.succeed(&["compile"]);
    tables.declare("{name: people}");
    insta::assert_snapshot!(tables.normalized(&tables.hive.fail(2, &["compile"])), @r"
     error: the columns of the source table `crm.people` are not known: the hive metastore cannot be reached:
     │ 127.0.0.1:1: connection refused: Connection refused (os error 111)
      ╭─[models/crm.yml:5:15]
    4 │     tables:
    5 │       [{name: people}]
      ·               ──────
      ╰────
     help: declare them, each with its `data_type`, to compile without the warehouse
    ");
}

#[test]
fn a_file_that_is_written_anew_while_it_is_read_is_an_error_and_no_mixture() {
    let tables = SourceTables::new("moving", &["t"]);
    tables.execute_all(&[
        "create external table crm.t (x int) stored as parquet",
        "insert into crm.t values (1)",
    ]);
    tables
        .hive
        .project
        .model("m", "{{ config(materialized='table') }} select x from {{ source('crm', 't') }}");
    tables.hive.succeed(&["run"]);
    tables.execute("insert overwrite table crm.t select 2");
    let [opened] = POINTS;
    assert_eq!(tables.hive.call(&["run"], Some(opened)).status.code(), None, "the run was not killed");
    let mut command = tables.hive.project.command(&["run"]);
    command.env("HADOOP_USER_NAME", "root").env("MEP_FAIL_POINT", format!("{opened}=stop"));
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap());
    let mut heard = String::new();
    while !heard.contains(&format!("waiting at {opened}")) {
        assert!(said.read_line(&mut heard).unwrap() > 0, "{heard}");
    }
    tables.execute("insert overwrite table crm.t select 3");
    kill_process(Pid::from_child(&run), Signal::CONT).unwrap();
    while said.read_line(&mut heard).unwrap() > 0 {}
    assert_eq!(run.wait().unwrap().code(), Some(1), "{heard}");
    let said = tables.normalized(&heard);
    assert!(said.contains("was written anew while it was read") && said.contains("of [crm].t"), "{said}");
    let rows = format!("select x from {}.m", tables.hive.schema);
    assert_eq!(tables.hive.hive(&rows), [["1"]], "nothing of it is published");
    tables.hive.succeed(&["run"]);
    assert_eq!(tables.hive.hive(&rows), [["3"]]);
}

#[test]
fn a_damaged_file_is_named() {
    let tables = SourceTables::new("damaged", &["t"]);
    tables.execute_all(&[
        "create external table crm.text (x string) stored as textfile",
        "insert into crm.text values ('no Parquet at all, but long enough to be one')",
        "create external table crm.t (x int) stored as parquet",
    ]);
    let place = |table: &str| {
        let described = tables.in_hive(&format!("describe formatted crm.{table}"));
        let place = described.iter().find(|row| row[0].starts_with("Location")).unwrap();
        place[1].trim().to_owned()
    };
    tables.execute(&format!("load data inpath '{}' into table crm.t", place("text")));
    tables
        .hive
        .project
        .model("m", "{{ config(materialized='table') }} select x from {{ source('crm', 't') }}");
    let said = tables.normalized(&tables.hive.fail(1, &["run"]));
    assert!(said.contains("/t/000000_0 of [crm].t cannot be read: Parquet error"), "{said}");
}
