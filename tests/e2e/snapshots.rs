//! Snapshots: versions of the rows of a source that has no log, as dbt keeps them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::project::Project;
use crate::random::check_cases;

const SOURCES: &str = "\
sources:
  - name: shop
    tables:
      - name: customers
        columns:
          - {name: id, data_type: bigint}
          - {name: city, data_type: varchar}
          - {name: changed, data_type: timestamp}
";

const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev:
      type: local
      path: warehouse
      schema: main
      threads: 2
      sources:
        shop: {type: files, path: shop}
";

/// A customer as the shop says that it is now: id, city, hour of November in which that changed.
type Customer<'a> = (Option<i64>, Option<&'a str>, u32);

fn hour(hour: u32) -> String {
    format!("2018-11-01T{hour:02}:00:00")
}

/// A project whose only source holds each customer as it is.
fn shop() -> Project {
    let project = Project::new();
    project.file("profiles.yml", PROFILES).file("sources.yml", SOURCES);
    project
}

fn customers(project: &Project, customers: &[Customer<'_>]) {
    let mut text = String::new();
    for (id, city, changed) in customers {
        let line = json!({"id": id, "city": city, "changed": hour(*changed)});
        writeln!(text, "{line}").unwrap();
    }
    project.file("shop/customers/all.json", text);
}

/// A shop with one snapshot of all its customers.
fn with_config(config: &str) -> Project {
    let project = shop();
    snapshot(&project, config);
    project
}

fn snapshot(project: &Project, config: &str) {
    let sql = format!(
        "{{% snapshot addresses %}}\n{{{{ config({config}) }}}}\nselect * from {{{{ source('shop', 'customers') }}}}\n{{% endsnapshot %}}\n"
    );
    project.file("snapshots/addresses.sql", sql);
}

const BY_TIME: &str = "unique_key='id', strategy='timestamp', updated_at='changed'";
const BY_CITY: &str = "unique_key='id', strategy='check', check_cols=['city']";

/// The hour of a time in November 2018; a time of the run is `now`.
fn shown(time: &Json) -> String {
    match time.as_str() {
        Some(text) if text.starts_with("2018-11-01T") => text[11..13].to_owned(),
        Some(_) => "now".to_owned(),
        None => String::new(),
    }
}

/// The versions, each as `id city from..to`, in order; what a deletion says stands behind.
fn versions(project: &Project) -> Vec<String> {
    let rows = project.rows("select * from main.addresses order by id, dbt_valid_from, dbt_valid_to");
    let text = |row: &Json| {
        assert!(
            row["dbt_valid_to"].is_null() || row["dbt_valid_from"].as_str() < row["dbt_valid_to"].as_str(),
            "{row}"
        );
        let id = row["id"].as_i64().map_or("nobody".to_owned(), |id| id.to_string());
        let city = row["city"].as_str().unwrap_or("nowhere");
        let deleted = row["dbt_is_deleted"].as_str().filter(|deleted| *deleted == "True");
        let deleted = deleted.map(|_| " deleted").unwrap_or_default();
        format!("{id} {city} {}..{}{deleted}", shown(&row["dbt_valid_from"]), shown(&row["dbt_valid_to"]))
    };
    rows.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn by_time_a_row_that_changed_later_is_a_new_version() {
    let project = with_config(BY_TIME);
    customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1), (Some(3), None, 5)]);
    project.succeed(&["snapshot"]);
    assert_eq!(versions(&project), ["1 Oslo 01..", "2 Rome 01..", "3 nowhere 05.."]);
    customers(
        &project,
        &[
            (Some(1), Some("Bern"), 4),
            (Some(2), Some("Bonn"), 1),
            (Some(3), Some("Kiel"), 3),
            (Some(4), Some("Graz"), 6),
        ],
    );
    project.succeed(&["snapshot"]);
    assert_eq!(
        versions(&project),
        ["1 Oslo 01..04", "1 Bern 04..", "2 Rome 01..", "3 nowhere 05..", "4 Graz 06.."]
    );
    let ids = project.rows(
        "select count(distinct dbt_scd_id) as ids, count(*) as n, count(dbt_updated_at - dbt_valid_from) as same
        from main.addresses where dbt_updated_at = dbt_valid_from",
    );
    assert_eq!(ids, json!([{"ids": 5, "n": 5, "same": 5}]));
}

#[test]
fn by_columns_a_row_that_differs_is_a_new_version_and_null_is_a_value() {
    let project = with_config(BY_CITY);
    customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(2), None, 1), (None, Some("Rome"), 1)]);
    project.succeed(&["snapshot"]);
    assert_eq!(versions(&project), ["1 Oslo now..", "2 nowhere now..", "nobody Rome now.."]);
    customers(&project, &[(Some(1), Some("Oslo"), 2), (Some(2), Some("Kiel"), 1), (None, None, 1)]);
    project.succeed(&["snapshot"]);
    let expected = [
        "1 Oslo now..",
        "2 nowhere now..now",
        "2 Kiel now..",
        "nobody Rome now..now",
        "nobody nowhere now..",
    ];
    assert_eq!(versions(&project), expected);
    let gapless = project.rows(
        "select count(*) as n from main.addresses a join main.addresses b
        on a.dbt_valid_to = b.dbt_valid_from and a.id is not distinct from b.id",
    );
    assert_eq!(gapless, json!([{"n": 2}]));
}

#[test]
fn check_cols_all_compares_every_column_and_updated_at_dates_the_versions() {
    let project = with_config("unique_key='id', strategy='check', check_cols='all', updated_at='changed'");
    customers(&project, &[(Some(1), Some("Oslo"), 1)]);
    project.succeed(&["snapshot"]);
    customers(&project, &[(Some(1), Some("Oslo"), 3)]);
    project.succeed(&["snapshot"]);
    assert_eq!(versions(&project), ["1 Oslo 01..03", "1 Oslo 03.."]);
}

#[test]
fn a_row_that_is_gone_stays_ends_or_is_said_to_be_deleted_as_hard_deletes_asks() {
    let both = [(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1)];
    let back = [(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 9)];
    let after = |config: &str| {
        let project = with_config(&format!("{BY_TIME}, {config}"));
        let mut looks = Vec::new();
        for look in [&both[..], &both[..1], &both[..1], &back[..]] {
            customers(&project, look);
            project.succeed(&["snapshot"]);
            looks.push(versions(&project)[1..].join(", "));
        }
        looks
    };
    let stays = ["2 Rome 01..", "2 Rome 01..", "2 Rome 01..", "2 Rome 01..09, 2 Rome 09.."];
    assert_eq!(after("hard_deletes='ignore'"), stays);
    assert_eq!(after("invalidate_hard_deletes=false"), stays);
    let ends = ["2 Rome 01..", "2 Rome 01..now", "2 Rome 01..now", "2 Rome 01..now, 2 Rome 09.."];
    assert_eq!(after("hard_deletes='invalidate'"), ends);
    assert_eq!(after("invalidate_hard_deletes=true"), ends);
    let deleted = "2 Rome 01..now, 2 Rome now.. deleted";
    assert_eq!(
        after("hard_deletes='new_record'"),
        ["2 Rome 01..", deleted, deleted, "2 Rome 01..now, 2 Rome now..now deleted, 2 Rome now.."]
    );
}

#[test]
fn a_key_of_several_columns_names_a_row() {
    let project = with_config("unique_key=['id', 'city'], strategy='timestamp', updated_at='changed'");
    customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(1), None, 1), (Some(1), Some("Rome"), 1)]);
    project.succeed(&["snapshot"]);
    customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(1), None, 2), (Some(1), Some("Rome"), 3)]);
    project.succeed(&["snapshot"]);
    let expected = ["1 nowhere 01..02", "1 Rome 01..03", "1 Oslo 01..", "1 nowhere 02..", "1 Rome 03.."];
    assert_eq!(versions(&project), expected);
}

#[test]
fn a_key_that_is_doubled_stops_the_snapshot_and_leaves_the_table() {
    let project = with_config(BY_TIME);
    let doubled = [(Some(1), Some("Oslo"), 1), (Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1)];
    customers(&project, &doubled);
    insta::assert_snapshot!(project.fail(1, &["snapshot"]), @r"
       start  source shop.customers
          ok  source shop.customers  3 rows, [size], [time]  (1 new)
        plan  1 snapshot
       start  snapshot addresses
       error  snapshot addresses  [time]

    what failed:
      snapshot addresses
          `unique_key` (id) must identify one row, but the snapshot's source has several rows for 1 of its values
    failed in [time]: 1 built, 1 in error
    ");
    customers(&project, &doubled[1..]);
    project.succeed(&["snapshot"]);
    customers(&project, &doubled);
    insta::assert_snapshot!(project.fail(1, &["snapshot", "--quiet"]), @r"
       error  snapshot addresses  [time]

    what failed:
      snapshot addresses
          `unique_key` (id) must identify one row, but the snapshot's source has several rows for 1 of its values
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(versions(&project), ["1 Oslo 01..", "2 Rome 01.."]);
}

#[test]
fn nothing_new_writes_nothing_and_rows_that_are_the_same_again_write_no_rows() {
    let project = with_config(BY_CITY);
    customers(&project, &[(Some(1), Some("Oslo"), 1)]);
    project.succeed(&["snapshot"]);
    let before = project.listing("warehouse");
    project.succeed(&["snapshot"]);
    assert_eq!(project.listing("warehouse"), before);
    customers(&project, &[(Some(1), Some("Oslo"), 2)]);
    project.succeed(&["run", "--select", "source:shop"]);
    let plan = project.print(&["plan", "--select", "addresses"]);
    insta::assert_snapshot!(project.normalized(&plan), @r"
    snapshot  snapshot addresses    raw_customers changed in customers/all.json [reads 1 row, [size]]
    1 step
    ");
    let files = || {
        let files = project.listing("warehouse/main/addresses/data");
        files
            .into_iter()
            .filter(|(path, size, _)| *size > 0 && path.extension().is_some())
            .collect::<Vec<_>>()
    };
    let before = files();
    project.succeed(&["snapshot"]);
    assert_eq!(files(), before);
    assert_eq!(versions(&project), ["1 Oslo now.."]);
    let plan = project.print(&["plan", "--select", "addresses"]);
    insta::assert_snapshot!(plan, @"nothing to do: everything is as it should be");
}

#[test]
fn a_killed_snapshot_leaves_the_old_table_and_the_next_one_completes_it() {
    for place in ["build-before-publish", "publish-before-rename", "publish-after-rename"] {
        let project = with_config(&format!("{BY_TIME}, hard_deletes='invalidate'"));
        customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1)]);
        project.succeed(&["snapshot"]);
        let old = versions(&project);
        customers(&project, &[(Some(1), Some("Bern"), 2), (Some(3), Some("Kiel"), 1)]);
        project.succeed(&["run", "--select", "source:shop"]);
        let killed = project.run_with(&["snapshot", "--select", "addresses"], &[("MEP_FAIL_POINT", place)]);
        assert_eq!(killed.code, None, "{place}: {killed:?}");
        let new = ["1 Oslo 01..02", "1 Bern 02..", "2 Rome 01..now", "3 Kiel 01.."];
        let found = versions(&project);
        assert_eq!(
            found,
            if place == "publish-after-rename" { new.map(str::to_owned).to_vec() } else { old }
        );
        project.succeed(&["snapshot"]);
        assert_eq!(versions(&project), new);
    }
}

#[test]
fn a_full_refresh_leaves_the_versions_and_says_so() {
    let project = with_config(BY_TIME);
    customers(&project, &[(Some(1), Some("Oslo"), 1)]);
    project.succeed(&["build"]);
    customers(&project, &[(Some(1), Some("Bern"), 2)]);
    insta::assert_snapshot!(project.succeed(&["build", "--full-refresh"]), @r"
     warning  --full-refresh leaves snapshots as they are, since their past is nowhere else: addresses
       start  source shop.customers
          ok  source shop.customers  1 row, [size], [time]  (1 full refresh)
        plan  1 snapshot
       start  snapshot addresses
          ok  snapshot addresses  2 rows, [size], [time]  (raw_customers changed in customers/all.json)
    done in [time]: 2 built
    ");
    assert_eq!(versions(&project), ["1 Oslo 01..02", "1 Bern 02.."]);
    project.succeed(&["snapshot", "--full-refresh", "--quiet"]);
    assert_eq!(versions(&project), ["1 Oslo 01..02", "1 Bern 02.."]);
}

#[test]
fn a_build_takes_snapshots_between_what_they_read_and_what_reads_them_and_a_run_leaves_them_out() {
    let project = shop();
    project.model(
        "known",
        "{{ config(materialized='table') }} select id, upper(city) as city, changed from {{ source('shop', 'customers') }}",
    );
    project.file(
        "snapshots/all.yml",
        "snapshots:
  - name: addresses
    relation: ref('known')
    description: Where customers live.
    config: {strategy: timestamp, unique_key: id, updated_at: changed, tags: [kept]}
    columns:
      - name: id
        data_tests: [not_null]
",
    );
    project.model(
        "moves",
        "{{ config(materialized='table') }} select id, city from {{ ref('addresses') }} where dbt_valid_to is not null",
    );
    customers(&project, &[(Some(1), Some("Oslo"), 1)]);
    insta::assert_snapshot!(project.fail(1, &["run"]), @r"
       start  source shop.customers
          ok  source shop.customers  1 row, [size], [time]  (1 new)
        plan  2 tables
       start  table known
          ok  table known  1 row, [size], [time]  (first run)
       start  table moves
       error  table moves  [time]

    what failed:
      table moves
          it reads main.addresses, which is not built yet: build it first, as in mep build --select +moves
    failed in [time]: 2 built, 1 in error
    ");
    insta::assert_snapshot!(project.succeed(&["build"]), @r"
     current  source shop.customers
        plan  1 snapshot, 1 table; 1 current
     current  table known
       start  snapshot addresses
          ok  snapshot addresses  1 row, [size], [time]  (first run)
        pass  test not_null_addresses_id  [time]
       start  table moves
          ok  table moves  0 rows, [size], [time]  (first run)
    done in [time]: 2 built, 2 current, 1 passed
    ");
    customers(&project, &[(Some(1), Some("Bern"), 2)]);
    project.succeed(&["build"]);
    assert_eq!(project.rows("select * from main.moves"), json!([{"id": 1, "city": "OSLO"}]));
    assert_eq!(versions(&project), ["1 OSLO 01..02", "1 BERN 02.."]);
    assert_eq!(
        project.print(&["ls", "--select", "resource_type:snapshot"]),
        "songs.addresses\nsongs.not_null_addresses_id\n"
    );
    assert_eq!(project.print(&["ls", "--resource-type", "snapshot", "--output", "name"]), "addresses\n");
    assert_eq!(
        project.print(&["ls", "--select", "tag:kept", "--output", "name"]),
        "addresses\nnot_null_addresses_id\n"
    );
    let manifest: Json =
        serde_json::from_slice(&std::fs::read(project.path("target/manifest.json")).unwrap()).unwrap();
    let node = &manifest["nodes"]["snapshot.songs.addresses"];
    assert_eq!(node["resource_type"], "snapshot");
    assert_eq!(node["config"]["materialized"], "snapshot");
    assert_eq!(node["config"]["strategy"], "timestamp");
    assert_eq!(node["raw_code"], "select * from {{ ref('known') }}");
    assert_eq!(node["depends_on"]["nodes"], json!(["model.songs.known"]));
    assert_eq!(manifest["child_map"]["snapshot.songs.addresses"][0], "model.songs.moves");
}

#[test]
fn the_end_of_a_current_version_and_the_names_of_columns_and_tables_are_as_asked_for() {
    let names = "snapshot_meta_column_names={'dbt_valid_from': 'since', 'dbt_valid_to': 'until', 'dbt_scd_id': 'version'}";
    let end = "dbt_valid_to_current=\"date '9999-12-31'\"";
    let project = with_config(&format!(
        "{BY_TIME}, {names}, {end}, target_schema='past', alias='places', hard_deletes='new_record'"
    ));
    let all = [(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1)];
    customers(&project, &all);
    project.succeed(&["snapshot"]);
    customers(&project, &[(Some(1), Some("Bern"), 4)]);
    project.succeed(&["snapshot"]);
    customers(&project, &[(Some(1), Some("Bern"), 4), (Some(2), Some("Bonn"), 5)]);
    project.succeed(&["snapshot"]);
    let rows = project.rows(
        "select id, city, since < timestamp '2019-01-01' as of_source, until = arrow_cast(date '9999-12-31', 'Timestamp(Microsecond, None)') as current, dbt_is_deleted
        from past.places order by id, until, current",
    );
    let row = |id: i64, city: &str, of_source: bool, current: bool, deleted: &str| json!({"id": id, "city": city, "of_source": of_source, "current": current, "dbt_is_deleted": deleted});
    assert_eq!(
        rows,
        json!([
            row(1, "Oslo", true, false, "False"),
            row(1, "Bern", true, true, "False"),
            row(2, "Rome", true, false, "False"),
            row(2, "Rome", false, false, "True"),
            row(2, "Bonn", false, true, "False"),
        ])
    );
    let columns = project.rows("select count(version) as n from past.places");
    assert_eq!(columns, json!([{"n": 5}]));
}

#[test]
fn a_column_may_come_and_go_and_old_versions_keep_what_they_had() {
    let project = with_config(BY_CITY);
    customers(&project, &[(Some(1), Some("Oslo"), 1), (Some(2), Some("Rome"), 1)]);
    project.succeed(&["snapshot"]);
    let path = "snapshots/addresses.sql";
    let text = std::fs::read_to_string(project.path(path)).unwrap();
    project.file(path, text.replace("select *", "select id, city, cast(id as varchar) as code"));
    customers(&project, &[(Some(1), Some("Bern"), 2), (Some(2), Some("Rome"), 3)]);
    project.succeed(&["snapshot"]);
    let rows = project.rows("select id, city, code, changed from main.addresses order by id, dbt_valid_from");
    assert_eq!(
        rows,
        json!([
            {"id": 1, "city": "Oslo", "code": null, "changed": hour(1)},
            {"id": 1, "city": "Bern", "code": "1", "changed": null},
            {"id": 2, "city": "Rome", "code": null, "changed": hour(1)},
        ])
    );
    let text = text.replace("select *", "select id, city, id as code");
    project.file(path, text);
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: column `code` is varchar in the stored snapshot and bigint now: what was stored cannot be read as
     │ that
      ╭─[snapshots/addresses.sql:1:25]
    1 │ {% snapshot addresses %}
      ·                         ▲
    2 │ {{ config(unique_key='id', strategy='check', check_cols=['city']) }}
      ╰────
     help: cast it in the SELECT
    ");
}

#[test]
fn a_table_that_is_no_snapshot_is_left_alone() {
    let project = shop();
    project.model("addresses", "{{ config(materialized='table') }} select 1 as id");
    customers(&project, &[(Some(1), Some("Oslo"), 1)]);
    project.succeed(&["run"]);
    std::fs::remove_file(project.path("models/addresses.sql")).unwrap();
    snapshot(&project, BY_TIME);
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: there is a table `main.addresses` already, which lacks `dbt_scd_id`: it is not a snapshot with
     │ these columns
      ╭─[snapshots/addresses.sql:1:25]
    1 │ {% snapshot addresses %}
      ·                         ▲
    2 │ {{ config(unique_key='id', strategy='timestamp', updated_at='changed') }}
      ╰────
     help: give the snapshot another `alias`, or the names that it was taken with
    ");
    assert_eq!(project.rows("select * from main.addresses"), json!([{"id": 1}]));
}

#[test]
fn compiling_shows_the_select_that_a_snapshot_is_taken_of() {
    let project = with_config(BY_CITY);
    let select = "select * from main.raw_customers\n";
    assert_eq!(project.print(&["compile", "--select", "addresses"]).trim_start(), select);
    let compiled = "target/compiled/songs/snapshots/addresses.sql/addresses.sql";
    assert_eq!(std::fs::read_to_string(project.path(compiled)).unwrap().trim_start(), select);
}

/// What a look finds, by key: the city and the hour of its change.
type Look = BTreeMap<i64, (Option<u8>, u32)>;

const CITIES: [&str; 3] = ["Bern", "Oslo", "Rome"];

fn look() -> impl Strategy<Value = Look> {
    proptest::collection::btree_map(0..4_i64, (proptest::option::weighted(0.8, 0..3_u8), 1..6_u32), 0..5)
}

/// A time that a row tells; `None`: that of a run.
type Moment = Option<u32>;

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    id: i64,
    city: Option<u8>,
    from: Moment,
    /// `None`: it is current.
    to: Option<Moment>,
    is_deleted: bool,
}

/// dbt's rules of the timestamp strategy, one row after another.
fn by_hand(looks: &[Look], hard_deletes: &str) -> Vec<String> {
    let mut kept: Vec<Kept> = Vec::new();
    for look in looks {
        let mut begun = Vec::new();
        for current in kept.iter_mut().filter(|version| version.to.is_none()) {
            let id = current.id;
            match look.get(&id) {
                None if hard_deletes == "ignore" || current.is_deleted => {}
                None => {
                    current.to = Some(None);
                    if hard_deletes == "new_record" {
                        begun.push(Kept { id, city: current.city, from: None, to: None, is_deleted: true });
                    }
                }
                // What comes back cannot have been there before the run that found it deleted.
                Some((city, _)) if current.is_deleted => {
                    current.to = Some(None);
                    begun.push(Kept { id, city: *city, from: None, to: None, is_deleted: false });
                }
                Some((city, changed)) if current.from.is_some_and(|from| from < *changed) => {
                    current.to = Some(Some(*changed));
                    begun.push(Kept { id, city: *city, from: Some(*changed), to: None, is_deleted: false });
                }
                Some(_) => {}
            }
        }
        for (id, (city, changed)) in look {
            let is_known = kept.iter().any(|version| version.id == *id && version.to.is_none());
            if !is_known && !begun.iter().any(|version| version.id == *id) {
                begun.push(Kept { id: *id, city: *city, from: Some(*changed), to: None, is_deleted: false });
            }
        }
        kept.extend(begun);
    }
    let time = |time: Option<u32>| time.map_or("now".to_owned(), |hour| format!("{hour:02}"));
    let shown = |version: &Kept| {
        let city = version.city.map_or("nowhere", |city| CITIES[usize::from(city)]);
        let to = version.to.map(time).unwrap_or_default();
        let deleted = if version.is_deleted { " deleted" } else { "" };
        format!("{} {city} {}..{to}{deleted}", version.id, time(version.from))
    };
    let mut shown: Vec<String> = kept.iter().map(shown).collect();
    shown.sort();
    shown
}

fn check(looks: &[(Look, Option<usize>)], hard_deletes: &str) {
    const PLACES: [&str; 2] = ["build-before-publish", "publish-before-rename"];
    let project = with_config(&format!("{BY_TIME}, hard_deletes='{hard_deletes}'"));
    for (look, killed) in looks {
        let rows: Vec<Customer<'_>> = look
            .iter()
            .map(|(id, (city, changed))| (Some(*id), city.map(|city| CITIES[usize::from(city)]), *changed))
            .collect();
        customers(&project, &rows);
        if let Some(place) = killed {
            let output = project.run_with(&["snapshot", "-q"], &[("MEP_FAIL_POINT", PLACES[*place])]);
            assert!(matches!(output.code, None | Some(0)), "{output:?}");
        }
        project.succeed(&["snapshot", "--quiet"]);
    }
    let mut found = versions(&project);
    found.sort();
    let looks: Vec<Look> = looks.iter().map(|(look, _)| look.clone()).collect();
    assert_eq!(found, by_hand(&looks, hard_deletes));
}

#[test]
fn whatever_is_looked_at_the_versions_are_those_that_dbt_keeps() {
    let modes = proptest::sample::select(vec!["ignore", "invalidate", "new_record"]);
    let looks = proptest::collection::vec((look(), proptest::option::weighted(0.2, 0..2_usize)), 1..5);
    check_cases(30, 2018, &(looks, modes), |(looks, hard_deletes)| check(&looks, hard_deletes));
}
