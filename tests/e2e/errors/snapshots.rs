//! Snapshots that do not say what they are of, each told at its place.

use super::refused;

#[track_caller]
fn block(config: &str) -> String {
    let sql = format!(
        "{{% snapshot kept %}}\n{{{{ config({config}) }}}}\nselect ts, user_id, song from {{{{ source('events', 'listens') }}}}\n{{% endsnapshot %}}\n"
    );
    refused(&[("snapshots/kept.sql", &sql)])
}

#[test]
fn a_strategy_needs_what_it_looks_at() {
    insta::assert_snapshot!(block("tags='a'"), @r"
      error: a snapshot needs `unique_key`
       ╭─[snapshots/kept.sql:1:20]
     1 │ {% snapshot kept %}
       ·                    ▲
     2 │ {{ config(tags='a') }}
       ╰────
      help: say which columns name a row

      error: a snapshot needs `strategy`
       ╭─[snapshots/kept.sql:1:20]
     1 │ {% snapshot kept %}
       ·                    ▲
     2 │ {{ config(tags='a') }}
       ╰────
      help: write timestamp, with `updated_at`, or check, with `check_cols`

    2 problems
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='timestamp'"), @r"
     error: strategy `timestamp` needs `updated_at`
      ╭─[snapshots/kept.sql:2:33]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='timestamp') }}
      ·                                 ────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: say which column holds the time of a row's last change, or use strategy `check`
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='check'"), @r"
     error: strategy `check` needs `check_cols`
      ╭─[snapshots/kept.sql:2:33]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check') }}
      ·                                 ────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: list the columns to compare, or write all
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='checks'"), @r"
     error: `strategy`: expected one of timestamp, check, found `checks`
      ╭─[snapshots/kept.sql:2:33]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='checks') }}
      ·                                 ────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='timestamp', updated_at='ts', check_cols='all'"), @r"
     error: strategy `timestamp` looks at `updated_at` alone, and `check_cols` is of strategy `check`
      ╭─[snapshots/kept.sql:2:72]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='timestamp', updated_at='ts', check_cols='all') }}
      ·                                                                        ──────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: take `check_cols` away, or use strategy `check`
    ");
}

#[test]
fn hard_deletes_are_said_once_and_as_one_of_three() {
    let check = "unique_key='user_id', strategy='check', check_cols='all'";
    insta::assert_snapshot!(block(&format!("{check}, hard_deletes='delete'")), @r"
     error: `hard_deletes`: expected one of ignore, invalidate, new_record, found `delete`
      ╭─[snapshots/kept.sql:2:69]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', hard_deletes='delete') }}
      ·                                                                     ────────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
    ");
    insta::assert_snapshot!(block(&format!("{check}, hard_deletes='ignore', invalidate_hard_deletes=true")), @r"
     error: `invalidate_hard_deletes` is the old name of `hard_deletes`, and both are written
      ╭─[snapshots/kept.sql:2:92]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', hard_deletes='ignore', invalidate_hard_deletes=true) }}
      ·                                                                                            ───────────────────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: keep `hard_deletes` alone
    ");
}

#[test]
fn columns_that_config_names_are_checked_against_the_select() {
    insta::assert_snapshot!(block("unique_key=\"user_id || '-' || song\", strategy='check', check_cols='all'"), @r#"
     error: `unique_key` names `user_id || '-' || song`, which is not a column of the model
      ╭─[snapshots/kept.sql:2:11]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key="user_id || '-' || song", strategy='check', check_cols='all') }}
      ·           ──────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `user_id`?
    "#);
    insta::assert_snapshot!(block("unique_key='user_id', strategy='check', check_cols=['sonk']"), @r"
     error: `check_cols` names `sonk`, which is not a column of the model
      ╭─[snapshots/kept.sql:2:51]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols=['sonk']) }}
      ·                                                   ──────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `song`?
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='timestamp', updated_at='ts'"), @r"
     error: `updated_at` names `ts`: expected a timestamp or a date, found bigint
      ╭─[snapshots/kept.sql:2:55]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='timestamp', updated_at='ts') }}
      ·                                                       ──────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: cast it in the SELECT: cast(ts as timestamp) as ts
    ");
    insta::assert_snapshot!(block("unique_key='user_id', strategy='check', check_cols='all', updated_at='at'"), @r"
     error: `updated_at` names `at`, which is not a column of the model
      ╭─[snapshots/kept.sql:2:69]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', updated_at='at') }}
      ·                                                                     ──────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: the columns are ts, user_id, song
    ");
}

#[test]
fn names_and_the_end_of_current_versions_are_checked() {
    let check = "unique_key='user_id', strategy='check', check_cols='all'";
    insta::assert_snapshot!(block(&format!("{check}, snapshot_meta_column_names={{'dbt_valid_form': 'since'}}")), @r"
     error: a snapshot adds no column `dbt_valid_form`
      ╭─[snapshots/kept.sql:2:69]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', snapshot_meta_column_names={'dbt_valid_form': 'since'}) }}
      ·                                                                     ──────────────────────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `dbt_valid_from`?
    ");
    insta::assert_snapshot!(block(&format!("{check}, snapshot_meta_column_names={{'dbt_valid_from': 'ts'}}")), @r"
     error: a snapshot adds the column `ts`, which the SELECT gives too
      ╭─[snapshots/kept.sql:2:69]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', snapshot_meta_column_names={'dbt_valid_from': 'ts'}) }}
      ·                                                                     ──────────────────────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: give it another name with `as`, or the added one by `snapshot_meta_column_names`
    ");
    insta::assert_snapshot!(block(&format!("{check}, dbt_valid_to_current='forever'")), @r"
     error: `dbt_valid_to_current`: there is no column `forever` here
      ╭─[snapshots/kept.sql:2:69]
    1 │ {% snapshot kept %}
    2 │ {{ config(unique_key='user_id', strategy='check', check_cols='all', dbt_valid_to_current='forever') }}
      ·                                                                     ────────────────────
    3 │ select ts, user_id, song from {{ source('events', 'listens') }}
      ╰────
     help: write SQL of a time that reads no column, such as date '9999-12-31'
    ");
}

#[test]
fn a_file_of_snapshots_holds_blocks_that_end() {
    insta::assert_snapshot!(refused(&[
        ("snapshots/a.sql", "select 1 as x"),
        ("snapshots/b.sql", "{% snapshot b %} select 1 as x"),
        ("snapshots/c.sql", "select 1 {% endsnapshot %}"),
        ("snapshots/d.sql", "{# {% snapshot x %} #}{% snapshot d %} a {% snapshot e %} b {% endsnapshot %}"),
    ]), @r"
      error: there is no snapshot in this file
       ╭─[snapshots/a.sql:1:1]
     1 │ select 1 as x
       · ▲
       ╰────
      help: write {% snapshot a_name %} select ... {% endsnapshot %}

      error: the snapshot `b` never ends
       ╭─[snapshots/b.sql:1:1]
     1 │ {% snapshot b %} select 1 as x
       · ────────────────
       ╰────
      help: end it with {% endsnapshot %}

      error: there is no snapshot in this file
       ╭─[snapshots/c.sql:1:1]
     1 │ select 1 {% endsnapshot %}
       · ▲
       ╰────
      help: write {% snapshot a_name %} select ... {% endsnapshot %}

      error: expected a `snapshot` tag before this one, found none
       ╭─[snapshots/c.sql:1:10]
     1 │ select 1 {% endsnapshot %}
       ·          ─────────────────
       ╰────

      error: the snapshot `d` never ends
       ╭─[snapshots/d.sql:1:23]
     1 │ {# {% snapshot x %} #}{% snapshot d %} a {% snapshot e %} b {% endsnapshot %}
       ·                       ────────────────
       ╰────
      help: end it with {% endsnapshot %}

    5 problems
    ");
}

#[test]
fn errors_within_a_block_are_pointed_at_in_its_file() {
    let config = "{{ config(unique_key='user_id', strategy='check', check_cols='all') }}";
    let sql = format!(
        "-- two of them\n{{% snapshot a %}}{config}\nselect user_id,\n  sonk from {{{{ source('events', 'listens') }}}}{{% endsnapshot %}}\n\n{{% snapshot b %}}{config}\nselect user_id, {{{{ nothing }}}} from {{{{ ref('a') }}}}{{% endsnapshot %}}\n"
    );
    insta::assert_snapshot!(refused(&[("snapshots/both.sql", &sql)]), @r"
      error: there is no column `sonk` here
       ╭─[snapshots/both.sql:4:3]
     3 │ select user_id,
     4 │   sonk from {{ source('events', 'listens') }}{% endsnapshot %}
       ·   ────
     5 │ 
       ╰────
      help: did you mean `song`?

      error: `nothing` is not defined
       ╭─[snapshots/both.sql:7:20]
     6 │ {% snapshot b %}{{ config(unique_key='user_id', strategy='check', check_cols='all') }}
     7 │ select user_id, {{ nothing }} from {{ ref('a') }}{% endsnapshot %}
       ·                    ───────
       ╰────
      help: give it a value, or ask `nothing is defined` first

    2 problems
    ");
    let sql = sql.replace("{{ nothing }}", "1 as one");
    insta::assert_snapshot!(refused(&[("snapshots/both.sql", &sql)]), @r"
     error: there is no column `sonk` here
      ╭─[snapshots/both.sql:4:3]
    3 │ select user_id,
    4 │   sonk from {{ source('events', 'listens') }}{% endsnapshot %}
      ·   ────
    5 │ 
      ╰────
     help: did you mean `song`?
    ");
    let sql = sql.replace("sonk", "song").replace("ref('a')", "ref('z')").replace("1 as one", "{% if %}");
    insta::assert_snapshot!(refused(&[("snapshots/both.sql", &sql)]), @r"
     error: syntax error: unexpected end of block
      ╭─[snapshots/both.sql:7:23]
    6 │ {% snapshot b %}{{ config(unique_key='user_id', strategy='check', check_cols='all') }}
    7 │ select user_id, {% if %} from {{ ref('z') }}{% endsnapshot %}
      ·                       ──
      ╰────
     help: close the block: {% end... %}
    ");
    let sql = sql.replace("{% if %}", "");
    insta::assert_snapshot!(refused(&[("snapshots/both.sql", &sql)]), @r"
     error: there is no model or seed `z`
      ╭─[snapshots/both.sql:7:31]
    6 │ {% snapshot b %}{{ config(unique_key='user_id', strategy='check', check_cols='all') }}
    7 │ select user_id,  from {{ ref('z') }}{% endsnapshot %}
      ·                               ─
      ╰────
    ");
}

#[test]
fn a_snapshot_of_yaml_names_a_relation_that_is_there() {
    let yaml = |relation: &str| {
        format!(
            "snapshots:\n  - name: kept\n    relation: {relation}\n    config: {{strategy: check, check_cols: all, unique_key: user_id}}\n"
        )
    };
    insta::assert_snapshot!(refused(&[("snapshots/a.yml", &yaml("ref('nothing')"))]), @r"
     error: there is no model or seed `nothing`
      ╭─[snapshots/a.yml:3:15]
    2 │   - name: kept
    3 │     relation: ref('nothing')
      ·               ──────────────
    4 │     config: {strategy: check, check_cols: all, unique_key: user_id}
      ╰────
    ");
    insta::assert_snapshot!(refused(&[("snapshots/a.yml", &yaml("source('events', ")), ]), @r"
     error: syntax error: unexpected `}`
      ╭─[snapshots/a.yml:3:15]
    2 │   - name: kept
    3 │     relation: source('events', 
      ·               ────────────────
    4 │     config: {strategy: check, check_cols: all, unique_key: user_id}
      ╰────
     help: write ref('a_model') or source('a_source', 'a_table')
    ");
    let twice = yaml("source('events', 'listens')");
    let block = "{% snapshot kept %}{{ config(strategy='check', check_cols='all', unique_key='x') }} select 1 as x{% endsnapshot %}";
    insta::assert_snapshot!(refused(&[("snapshots/a.yml", &twice), ("snapshots/b.sql", block)]), @r"
     error: two snapshots are named `kept`
      ╭─[snapshots/a.yml:3:15]
    2 │   - name: kept
    3 │     relation: source('events', 'listens')
      ·               ───────────────────────────
    4 │     config: {strategy: check, check_cols: all, unique_key: user_id}
      ╰────
     help: the first is snapshots/b.sql; give one of them another name, or disable it
    ");
    insta::assert_snapshot!(refused(&[("snapshots/a.yml", &twice.replace("    config", "    strategy: check\n    config"))]), @r"
     error: unknown key `strategy` in the entry of a snapshot
      ╭─[snapshots/a.yml:4:5]
    3 │     relation: source('events', 'listens')
    4 │     strategy: check
      ·     ────────
    5 │     config: {strategy: check, check_cols: all, unique_key: user_id}
      ╰────
     help: put it under `config:`, as in `config: {strategy: ...}`
    ");
}

#[test]
fn a_block_of_a_snapshot_elsewhere_is_sent_to_its_folder() {
    insta::assert_snapshot!(refused(&[("models/a.sql", "{% snapshot a %}select 1 as x{% endsnapshot %}")]), @r"
     error: `{% snapshot %}` belongs in a file of its own
      ╭─[models/a.sql:1:4]
    1 │ {% snapshot a %}select 1 as x{% endsnapshot %}
      ·    ────────
      ╰────
     help: put the snapshot in snapshots/
    ");
}
