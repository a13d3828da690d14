//! Contracts and constraints of models, unit tests, and the rows that fail tests: what is checked before readers see anything.

use crate::project::Project;

/// A table with a contract, of these rows, and what its YAML says of its columns.
fn constrained(rows: &str, columns: &str) -> Project {
    let project = Project::new();
    project.file("seeds/numbers.csv", format!("id,amount\n{rows}"));
    project.model("totals", "{{ config(materialized='table') }} select amount, id from {{ ref('numbers') }}");
    project.file(
        "models/schema.yml",
        format!("models:\n  - name: totals\n    config: {{contract: {{enforced: true}}}}\n{columns}"),
    );
    project
}

const PROMISED: &str = "    constraints: [{type: check, expression: amount > 0, name: positive}]
    columns:
      - {name: id, data_type: int, constraints: [{type: primary_key}]}
      - {name: amount, data_type: bigint, constraints: [{type: not_null}]}
";

#[test]
fn columns_that_are_not_the_promised_ones_are_told_before_anything_is_built() {
    let project = constrained(
        "1,2\n",
        "    columns:\n      - {name: id, data_type: varchar}\n      - {name: price, data_type: bigint}\n",
    );
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r#"
      error: `totals` has an enforced contract, and the columns of its SELECT are not the promised ones
      │ 
      │ | column_name | definition_type | contract_type | mismatch_reason       |
      │ | ----------- | --------------- | ------------- | --------------------- |
      │ | amount      | bigint          |               | missing in contract   |
      │ | id          | bigint          | varchar       | data type mismatch    |
      │ | price       |                 | bigint        | missing in definition |
      │ 
       ╭─[models/schema.yml:5:31]
     4 │     columns:
     5 │       - {name: id, data_type: varchar}
       ·                               ───────
     6 │       - {name: price, data_type: bigint}
       ╰────
      help: make the name, the data_type and the number of columns in the contract those of the SELECT, or the
            other way round

    "#);
    assert!(!project.path("warehouse").exists());
}

#[test]
fn rows_that_break_a_constraint_are_never_published() {
    let project = constrained("1,2\n2,3\n", PROMISED);
    project.succeed(&["build"]);
    let before = project.print(&["show", "--inline", "select * from {{ ref('totals') }}"]);
    insta::assert_snapshot!(before, @r#"
    +----+--------+
    | id | amount |
    +----+--------+
    | 1  | 2      |
    | 2  | 3      |
    +----+--------+
    2 rows
    "#);
    project.file("seeds/numbers.csv", "id,amount\n1,2\n1,-3\n3,\n4,0\n");
    let failed = project.fail(1, &["run"]);
    insta::assert_snapshot!(failed, @r#"
        plan  1 seed, 1 table
       start  seed numbers
          ok  seed numbers  4 rows, [size], [time]  (file changed)
       start  table totals
       error  table totals  [time]

    what failed:
      table totals
          3 constraints of the new content are broken, so readers still find the old content:
            not_null (amount): 1 row
            positive: 2 rows
            primary_key (id): 2 rows that share their key with another
    failed in [time]: 1 built, 1 in error
    "#);
    assert_eq!(project.print(&["show", "--inline", "select * from {{ ref('totals') }}"]), before);
}

#[test]
fn a_unique_key_holds_for_all_of_a_table_to_which_rows_are_added() {
    let project = constrained("1,2\n", PROMISED);
    project.model(
        "totals",
        "{{ config(materialized='incremental', incremental_strategy='append') }}
        select amount, id from {{ ref('numbers') }}
        {% if is_incremental() %} where amount > (select max(amount) from {{ this }}) {% endif %}",
    );
    project.succeed(&["build"]);
    project.file("seeds/numbers.csv", "id,amount\n1,2\n1,3\n");
    let failed = project.fail(1, &["run"]);
    assert!(failed.contains("primary_key (id): 2 rows that share their key with another"), "{failed}");
    project.file("seeds/numbers.csv", "id,amount\n1,2\n2,3\n");
    project.succeed(&["run"]);
}

#[test]
fn failing_rows_are_kept_where_that_is_asked_for_and_written_anew() {
    let project = Project::new();
    project.file("seeds/numbers.csv", "id\n1\n1\n2\n");
    project
        .file("seeds/schema.yml", "seeds: [{name: numbers, columns: [{name: id, data_tests: [unique]}]}]\n");
    let failed = project.fail(1, &["build", "--store-failures"]);
    assert!(failed.contains("select * from main_dbt_test__audit.unique_numbers_id"), "{failed}");
    let kept = ["show", "--inline", "select * from main_dbt_test__audit.unique_numbers_id"];
    insta::assert_snapshot!(project.print(&kept), @r#"
    +--------------+-----------+
    | unique_field | n_records |
    +--------------+-----------+
    | 1            | 2         |
    +--------------+-----------+
    1 row
    "#);
    project.file("seeds/numbers.csv", "id\n1\n2\n");
    project.succeed(&["build", "--store-failures"]);
    assert!(project.print(&kept).contains("0 rows"));
}

#[test]
fn a_model_is_built_once_it_has_passed_its_unit_tests() {
    let project = Project::new();
    project.file("seeds/users.csv", "id,email\n1,a@x.org\n");
    project.model("valid", "select id, email, email like '%@%' as is_valid from {{ ref('users') }}");
    project.file("tests/fixtures/users.csv", "id,email\n1,a@x.org\n2,b.x.org\n3,\n");
    let test = |last: &str| {
        format!(
            "unit_tests:
  - name: addresses
    model: valid
    given: [{{input: ref('users'), format: csv, fixture: users}}]
    expect: {{rows: [{{id: 2, is_valid: {last}}}, {{id: 1, is_valid: true}}, {{id: 3}}]}}
"
        )
    };
    project.file("models/unit.yml", test("true"));
    insta::assert_snapshot!(project.fail(1, &["build"]), @r#"
        plan  1 seed, 1 view
       start  seed users
          ok  seed users  1 row, [size], [time]  (first run)
       start  unit test addresses
        fail  unit test addresses  [time]
     skipped  view valid  (because of addresses)

    what failed:
      unit test addresses
          actual differs from expected:
          
          @@,id,is_valid
            ,1 ,true
          → ,2 ,true→false
            ,3 ,NULL
    failed in [time]: 1 built, 1 failed, 1 skipped
    "#);
    project.file("models/unit.yml", test("false"));
    project.succeed(&["test", "--select", "test_type:unit"]);
    project.succeed(&["build"]);
}
