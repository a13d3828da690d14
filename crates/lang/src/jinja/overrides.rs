//! Macros by which a dbt project changes what dbt itself does, and which mep never asks: each is told, with what mep does
//! in its place.
//!
//! Must not know: what the macros say that mep asks, such as the built-in tests and `generate_schema_name`.

use super::adapter::Unsupported;
use super::bound::Function;
use super::macros::is_builtin_file;
use super::namespaces::PREFIXES;
use super::rewrite::Materialization;
use super::scope::OVERRIDABLE;
use super::templates::DefinedMacros;
use crate::project::{Place, Problem};

/// Macros of dbt with one purpose.
struct Internal {
    names: &'static [&'static str],
    /// What mep does in their place.
    instead: &'static str,
    help: &'static str,
}

const INTERNALS: [Internal; 7] = [
    Internal {
        names: &["generate_database_name"],
        instead: "tables have a schema and no database",
        help: "tell environments apart by the target's `schema`, and take the macro away",
    },
    Internal {
        names: &[
            "get_merge_sql",
            "get_merge_update_columns",
            "get_merge_unique_key_match",
            "get_delete_insert_merge_sql",
            "get_insert_overwrite_merge_sql",
            "get_insert_into_sql",
            "get_incremental_append_sql",
            "get_incremental_default_sql",
            "get_incremental_delete_insert_sql",
            "get_incremental_insert_overwrite_sql",
            "get_incremental_merge_sql",
            "get_incremental_microbatch_sql",
            "get_quoted_csv",
            "diff_columns",
            "diff_column_data_types",
            "process_schema_changes",
            "sync_column_schemas",
            "check_for_schema_changes",
            "incremental_validate_on_schema_change",
            "alter_column_type",
            "alter_relation_add_remove_columns",
        ],
        instead: "increments are merged by mep itself",
        help: "set `incremental_strategy`, `unique_key` and `on_schema_change` in config, and take the macro away",
    },
    Internal {
        names: &[
            "build_snapshot_table",
            "build_snapshot_staging_table",
            "create_columns",
            "post_snapshot",
            "snapshot_check_all_get_existing_columns",
            "snapshot_check_strategy",
            "snapshot_get_time",
            "snapshot_hash_arguments",
            "snapshot_merge_sql",
            "snapshot_staging_table",
            "snapshot_string_as_time",
            "snapshot_timestamp_strategy",
            "strategy_dispatch",
        ],
        instead: "snapshots are made by mep itself",
        help: "set `strategy`, `unique_key` and the like in the snapshot's config, and take the macro away",
    },
    Internal {
        names: &["get_test_sql", "get_unit_test_sql", "should_store_failures", "get_fixture_sql"],
        instead: "the SQL of a test is its SELECT, and mep counts its rows",
        help: "set `fail_calc`, `limit`, `warn_if` and `error_if` in the test's config, and take the macro away",
    },
    Internal {
        names: &["run_hooks", "make_hook_config", "before_begin", "in_transaction", "after_commit"],
        instead: "there are no hooks",
        help: "make the statements models, or run them around mep, and take the macro away",
    },
    Internal {
        names: &[
            "apply_grants",
            "copy_grants",
            "support_multiple_grantees_per_dcl_statement",
            "get_grant_sql",
            "get_revoke_sql",
            "get_show_grant_sql",
            "get_dcl_statement_list",
            "call_dcl_statements",
        ],
        instead: "there are no grants",
        help: "let the warehouse give them, and take the macro away",
    },
    Internal {
        names: &[
            "alter_column_comment",
            "alter_relation_comment",
            "basic_load_csv_rows",
            "check_schema_exists",
            "collect_freshness",
            "create_csv_table",
            "create_indexes",
            "create_or_replace_view",
            "create_schema",
            "create_table_as",
            "create_view_as",
            "drop_relation",
            "drop_relation_if_exists",
            "drop_schema",
            "drop_schema_named",
            "get_assert_columns_equivalent",
            "get_batch_size",
            "get_binding_char",
            "get_catalog",
            "get_catalog_relations",
            "get_column_schema_from_query",
            "get_columns_in_query",
            "get_columns_in_relation",
            "get_create_index_sql",
            "get_create_sql",
            "get_create_table_as_sql",
            "get_create_view_as_sql",
            "get_csv_sql",
            "get_drop_sql",
            "get_empty_schema_sql",
            "get_empty_subquery_sql",
            "get_limit_sql",
            "get_limit_subquery_sql",
            "get_or_create_relation",
            "get_rename_sql",
            "get_replace_sql",
            "get_show_sql",
            "get_table_columns_and_constraints",
            "handle_existing_table",
            "information_schema_name",
            "list_relations_without_caching",
            "list_schemas",
            "load_cached_relation",
            "load_csv_rows",
            "load_relation",
            "make_backup_relation",
            "make_intermediate_relation",
            "make_temp_relation",
            "persist_docs",
            "rename_relation",
            "reset_csv_table",
            "set_sql_header",
            "should_revoke",
            "truncate_relation",
            "validate_sql",
        ],
        instead: "mep makes, reads, replaces and describes tables by itself",
        help: "set config in its place, or take the macro away",
    },
];

/// Names that every text has from mep, whatever the project defines.
const OWN_NAMES: [&str; 14] = [
    "adapter",
    "builtins",
    "exceptions",
    "execute",
    "flags",
    "invocation_id",
    "logical_date",
    "model",
    "modules",
    "project_name",
    "run_started_at",
    "schema",
    "target",
    "this",
];

/// A warning of each macro of the project that dbt would ask and mep does not.
pub(super) fn ignored(definitions: &DefinedMacros) -> Vec<Problem> {
    let is_own = |place: &Place| !is_builtin_file(place.text.path());
    let is_builtin = |name: &str| ASKED.contains(&name) || BUILTIN_TESTS.contains(&name);
    let own = definitions.iter().filter(|(_, (place, _))| is_own(place));
    own.filter_map(|(name, (place, _))| {
        let warning = match name.split_once("__") {
            // These are dispatched, as in dbt, but for the name of the adapter.
            Some((adapter, of)) if is_builtin(of) && !PREFIXES.contains(&adapter) => {
                Some(of_another_adapter(name, of))
            }
            Some((_, of)) => replaced(name, of),
            None => replaced(name, name).or_else(|| shadowed(name)),
        };
        warning.map(|warning| warning.at(place))
    })
    .collect()
}

/// A warning of each way to make relations by which a project changes one of dbt's own. Others are told where a model asks for them.
pub(super) fn ignored_materializations(all: &[(Materialization, Place)]) -> Vec<Problem> {
    let is_asked = |adapter: &str| adapter == "default" || PREFIXES.contains(&adapter);
    let changing = all.iter().filter(|(one, _)| MADE.contains(&one.name.as_str()) && is_asked(&one.adapter));
    let warning = |(one, place): &(Materialization, Place)| {
        let message = format!("the materialization `{}` changes nothing: mep makes that by itself", one.name);
        Problem::new(message).at(place).help("set config in its place, or take it away")
    };
    changing.map(warning).collect()
}

/// What mep makes, and dbt by a materialization of this name.
const MADE: [&str; 7] = ["view", "table", "incremental", "ephemeral", "seed", "snapshot", "test"];

/// Macros of dbt that mep asks.
const ASKED: [&str; 3] = ["get_where_subquery", "generate_schema_name", "generate_alias_name"];

/// The macros of the built-in tests.
const BUILTIN_TESTS: [&str; 4] =
    ["test_unique", "test_not_null", "test_accepted_values", "test_relationships"];

fn replaced(name: &str, of: &str) -> Option<Problem> {
    let internal = INTERNALS.iter().find(|internal| internal.names.contains(&of))?;
    let message =
        format!("the macro `{name}` changes nothing, since mep does not ask it: {}", internal.instead);
    Some(Problem::new(message).help(internal.help))
}

fn of_another_adapter(name: &str, of: &str) -> Problem {
    Problem::new(format!(
        "the macro `{name}` changes nothing: mep asks `mep__{of}`, `duckdb__{of}` or else `default__{of}`"
    ))
    .help(format!("name it `mep__{of}`"))
}

fn shadowed(name: &str) -> Option<Problem> {
    if OVERRIDABLE.contains(&name) {
        return None;
    }
    let is_own =
        Function::named(name).is_some() || OWN_NAMES.contains(&name) || Unsupported::named(name).is_some();
    is_own.then(|| {
        Problem::new(format!("the macro `{name}` is never called: the name stands for mep's own `{name}`"))
            .help("give the macro another name, and call it by that")
    })
}
