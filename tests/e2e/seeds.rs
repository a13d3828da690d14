//! Seeds: small tables given as CSV.

use serde_json::json;

use crate::project::Project;

#[test]
fn types_are_told_by_the_values_and_a_leading_zero_makes_a_text() {
    let project = Project::new();
    project.file(
        "seeds/places.csv",
        "zip,city,people,share,open,since,seen\n01234,Oslo,5,1.5,true,2018-11-01,2018-11-01 10:00:00\n99999,\"a, \"\"b\"\"\",,2,false,,\n",
    );
    project.succeed(&["seed"]);
    assert_eq!(
        project.rows("select * from {{ ref('places') }} order by zip"),
        json!([
            {"zip": "01234", "city": "Oslo", "people": 5, "share": 1.5, "open": true, "since": "2018-11-01", "seen": "2018-11-01T10:00:00"},
            {"zip": "99999", "city": "a, \"b\"", "people": null, "share": 2.0, "open": false, "since": null, "seen": null}
        ])
    );
}

#[test]
fn types_and_the_delimiter_can_be_declared() {
    let project = Project::new();
    project.file("seeds/places.csv", "zip;people\r\n1234;5\r\n");
    project.file(
        "seeds/schema.yml",
        "seeds:\n  - name: places\n    config:\n      delimiter: ';'\n      column_types: {zip: varchar, people: double}\n",
    );
    project.succeed(&["seed"]);
    assert_eq!(project.rows("select * from {{ ref('places') }}"), json!([{"zip": "1234", "people": 5.0}]));
    project.file(
        "seeds/schema.yml",
        "seeds:\n  - name: places\n    config: {delimiter: ';', column_types: {zip: date}}\n",
    );
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: column `zip`: `1234` is no date
      ╭─[seeds/places.csv:2:1]
    1 │ zip;people
    2 │ 1234;5
      · ────
      ╰────
    ");
}

#[test]
fn a_changed_file_is_loaded_and_what_reads_it_is_built_anew() {
    let project = Project::new();
    project.file("seeds/people.csv", "name\nAnn\n").file("seeds/others.csv", "name\nBob\n");
    project
        .model("counts", "{{ config(materialized='table') }} select count(*) as n from {{ ref('people') }}");
    project.model("names", "select name from {{ ref('people') }}");
    project.succeed(&["build"]);
    project.file("seeds/people.csv", "name\nAnn\nCat\n");
    insta::assert_snapshot!(project.print(&["plan"]), @r"
    load   seed people              file changed
    build  table counts  all of it  people changed [reads 2 rows, [size]]
    2 steps, 2 current
    ");
    insta::assert_snapshot!(project.succeed(&["build"]), @r"
        plan  1 seed, 1 table; 2 current
     current  seed others
       start  seed people
          ok  seed people  2 rows, [size], [time]  (file changed)
       start  table counts
          ok  table counts  1 row, [size], [time]  (people changed)
     current  view names
    done in [time]: 2 built, 2 current
    ");
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 2}]));
    assert_eq!(
        project.rows("select name from main.names order by 1"),
        json!([{"name": "Ann"}, {"name": "Cat"}])
    );
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_seed_whose_columns_change_is_loaded_with_the_new_ones() {
    let project = Project::new();
    project.file("seeds/people.csv", "name\nAnn\n");
    project.model("names", "select * from {{ ref('people') }}");
    project.succeed(&["build"]);
    project.file("seeds/people.csv", "age,name\n3,Ann\n");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select * from main.names"), json!([{"age": 3, "name": "Ann"}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_seed_without_rows_and_one_that_is_no_csv() {
    let project = Project::new();
    project.file("seeds/people.csv", "name,age\n");
    let said = project.run(&["seed"]);
    insta::assert_snapshot!(said.stderr, @r"
        plan  1 seed
       start  seed people
          ok  seed people  0 rows, [size], [time]  (first run)
    done in [time]: 1 built
    ");
    project.file("seeds/people.csv", "name,age\nAnn\n");
    project.succeed(&["seed"]);
    assert_eq!(project.rows("select * from main.people"), json!([{"name": "Ann", "age": null}]));
    project.file("seeds/people.csv", "name,age\nAnn,1,2\n");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: expected 2 fields as the first line has, found 3
      ╭─[seeds/people.csv:2:1]
    1 │ name,age
    2 │ Ann,1,2
      · ───────
      ╰────
    ");
    project.file("seeds/people.csv", "");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
    error: the file is empty; expected a first line of column names
     ╭─[seeds/people.csv:1:1]
     ╰────
    ");
    project.file("seeds/people.csv", b"name\n\xff\n");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: expected a file in UTF-8, found the byte 0xFF: save it as UTF-8
      ╭─[seeds/people.csv:2:1]
    1 │ name
      ╰────
    ");
}
