//! Keys of config that dbt's adapters and packages read, and that change no row of what mep builds.
//!
//! Each is told once where it is written, with why nothing comes of it. A key that would change rows is not here but
//! among those that are refused.

use super::reader::ConfigOf;
use mep_core::keys::{Key, Section, accepted, without_effect};

const LAYOUT: &str = "How rows lie on disk changes none of them; tables are Parquet, laid out by mep.";
const COMPUTE: &str = "mep runs on this machine, and takes what memory and threads the target gives.";
const VIEWS: &str = "Who may see a view's SQL is for the warehouse to say.";
const EXPIRY: &str = "Rows stay for as long as the model gives them.";
const LABELS: &str = "Labels are for the warehouse's own lists.";
const REFRESH: &str = "A table is brought up to date by a run, and by nothing else.";
const COPIES: &str = "Superseded content stays for as long as the target says.";
const RIGHTS: &str = "No rights are given or taken; give them where the tables are.";
const CATALOG: &str = "Tables are known to the target's warehouse, and to no other catalog.";
const STATEMENTS: &str = "mep makes its own statements, and publishes in one step.";
const OF_PYTHON: &str = "It is of dbt's Python models.";
const SCHEDULE: &str = "A run builds what its inputs changed, and nothing else.";

/// Keys of models, seeds and snapshots.
const OF_TABLES: [Key; 154] = [
    // Of dbt itself.
    without_effect("contract", "A contract is of models; a seed has its `column_types`."),
    without_effect("access", "Of models alone: a seed or snapshot may be read by any other node."),
    without_effect("freshness", SCHEDULE),
    without_effect("static_analysis", "Every model is analyzed."),
    without_effect("sync", SCHEDULE),
    without_effect("schema_origin", CATALOG),
    without_effect("database_origin", CATALOG),
    without_effect("adapter_properties", LAYOUT),
    without_effect("compute", COMPUTE),
    without_effect("grants", RIGHTS),
    without_effect("copy_grants", RIGHTS),
    accepted("persist_docs", "Descriptions are always kept with the tables, where the warehouse can."),
    without_effect("on_configuration_change", "What changed in a config is built by the next run."),
    // Of Snowflake.
    without_effect("transient", COPIES),
    without_effect("cluster_by", LAYOUT),
    without_effect("automatic_clustering", LAYOUT),
    without_effect("snowflake_warehouse", COMPUTE),
    without_effect("snowflake_initialization_warehouse", COMPUTE),
    without_effect("query_tag", LABELS),
    without_effect("table_tag", LABELS),
    without_effect("secure", VIEWS),
    without_effect("row_access_policy", RIGHTS),
    without_effect("target_lag", REFRESH),
    without_effect("refresh_mode", REFRESH),
    without_effect("refresh_warehouse", COMPUTE),
    without_effect("initialize", REFRESH),
    without_effect("scheduler", REFRESH),
    without_effect("tmp_relation_type", STATEMENTS),
    without_effect("change_tracking", COPIES),
    without_effect("data_retention_time_in_days", COPIES),
    without_effect("max_data_extension_time_in_days", COPIES),
    without_effect("storage_serialization_policy", LAYOUT),
    without_effect("external_volume", CATALOG),
    without_effect("base_location_root", CATALOG),
    without_effect("base_location_subpath", CATALOG),
    without_effect("catalog", CATALOG),
    without_effect("catalog_name", CATALOG),
    without_effect("catalog_sync", CATALOG),
    without_effect("python_version", OF_PYTHON),
    without_effect("imports", OF_PYTHON),
    without_effect("secrets", OF_PYTHON),
    without_effect("external_access_integrations", OF_PYTHON),
    without_effect("use_anonymous_sproc", OF_PYTHON),
    // Of BigQuery.
    without_effect("partition_expiration_days", EXPIRY),
    without_effect("hours_to_expiration", EXPIRY),
    without_effect("require_partition_filter", "A query may read any part of a table."),
    without_effect("time_ingestion_partitioning", LAYOUT),
    without_effect("copy_partitions", STATEMENTS),
    without_effect("kms_key_name", "Files are as safe as the folder that they lie in."),
    without_effect("labels", LABELS),
    without_effect("labels_from_meta", LABELS),
    without_effect("resource_tags", LABELS),
    without_effect("grant_access_to", RIGHTS),
    without_effect("enable_refresh", REFRESH),
    without_effect("refresh_interval_minutes", REFRESH),
    without_effect("max_staleness", REFRESH),
    without_effect("allow_non_incremental_definition", REFRESH),
    without_effect("job_execution_timeout_seconds", COMPUTE),
    without_effect("job_retries", COMPUTE),
    without_effect("maximum_bytes_billed", COMPUTE),
    without_effect("intermediate_format", STATEMENTS),
    without_effect("submission_method", OF_PYTHON),
    without_effect("dataproc_cluster_name", OF_PYTHON),
    without_effect("dataproc_region", OF_PYTHON),
    without_effect("compute_region", OF_PYTHON),
    without_effect("gcs_bucket", OF_PYTHON),
    without_effect("enable_list_inference", OF_PYTHON),
    without_effect("notebook_template_id", OF_PYTHON),
    without_effect("storage_uri", CATALOG),
    // Of Redshift and Postgres.
    without_effect("sort", LAYOUT),
    without_effect("sort_type", LAYOUT),
    without_effect("dist", LAYOUT),
    without_effect("bind", VIEWS),
    without_effect("backup", COPIES),
    without_effect("auto_refresh", REFRESH),
    without_effect("query_group", COMPUTE),
    without_effect("unlogged", COPIES),
    without_effect("indexes", LAYOUT),
    // Of Spark and Databricks.
    without_effect("location_root", CATALOG),
    without_effect("include_full_name_in_path", CATALOG),
    without_effect("clustered_by", LAYOUT),
    without_effect("liquid_clustered_by", LAYOUT),
    without_effect("auto_liquid_cluster", LAYOUT),
    without_effect("buckets", LAYOUT),
    without_effect("tblproperties", LABELS),
    without_effect("table_format", LAYOUT),
    without_effect("compression", LAYOUT),
    without_effect("databricks_compute", COMPUTE),
    without_effect("databricks_tags", LABELS),
    without_effect("column_tags", LABELS),
    without_effect("http_path", COMPUTE),
    without_effect("cluster_id", COMPUTE),
    without_effect("job_cluster_config", COMPUTE),
    without_effect("create_notebook", OF_PYTHON),
    without_effect("index_url", OF_PYTHON),
    without_effect("additional_libs", OF_PYTHON),
    without_effect("user_folder_for_python", OF_PYTHON),
    without_effect("use_safer_relation_operations", STATEMENTS),
    without_effect("view_update_via_alter", STATEMENTS),
    without_effect("use_managed_iceberg", LAYOUT),
    without_effect("source_alias", STATEMENTS),
    without_effect("target_alias", STATEMENTS),
    // Of Trino and Athena.
    without_effect("properties", LAYOUT),
    without_effect("table_properties", LAYOUT),
    without_effect("view_security", VIEWS),
    without_effect("views_enabled", STATEMENTS),
    without_effect("on_table_exists", STATEMENTS),
    without_effect("table_type", LAYOUT),
    without_effect("partitioned_by", LAYOUT),
    without_effect("bucketed_by", LAYOUT),
    without_effect("bucket_count", LAYOUT),
    without_effect("write_compression", LAYOUT),
    without_effect("field_delimiter", LAYOUT),
    without_effect("s3_data_dir", CATALOG),
    without_effect("s3_data_naming", CATALOG),
    without_effect("s3_tmp_table_dir", CATALOG),
    without_effect("external_location", "Where a table lies is for the target to say."),
    without_effect("ha", STATEMENTS),
    without_effect("force_batch", STATEMENTS),
    without_effect("native_drop", STATEMENTS),
    without_effect("seed_by_insert", STATEMENTS),
    without_effect("seed_s3_upload_args", STATEMENTS),
    without_effect("unique_tmp_table_suffix", STATEMENTS),
    without_effect("temp_schema", STATEMENTS),
    without_effect("versions_to_keep", COPIES),
    without_effect("lf_tags_config", RIGHTS),
    without_effect("lf_inherited_tags", RIGHTS),
    without_effect("lf_grants", RIGHTS),
    without_effect("num_retries", COMPUTE),
    without_effect("spark_encryption", OF_PYTHON),
    without_effect("spark_properties", OF_PYTHON),
    without_effect("timeout", COMPUTE),
    // Of DuckDB and ClickHouse.
    without_effect("location", "Where a table lies is for the target to say."),
    without_effect("format", LAYOUT),
    without_effect("options", LAYOUT),
    without_effect("glue_register", CATALOG),
    without_effect("glue_database", CATALOG),
    without_effect("partition_columns", LAYOUT),
    without_effect("engine", LAYOUT),
    without_effect("order_by", LAYOUT),
    without_effect("primary_key", LAYOUT),
    without_effect("sharding_key", LAYOUT),
    without_effect("settings", COMPUTE),
    without_effect("query_settings", COMPUTE),
    without_effect("projections", LAYOUT),
    // Of SQL Server, Fabric, Firebolt, Teradata, Oracle and Vertica.
    without_effect("as_columnstore", LAYOUT),
    without_effect("auto_provision_aad_principals", RIGHTS),
    without_effect("primary_index", LAYOUT),
    without_effect("table_kind", LAYOUT),
    without_effect("table_option", LAYOUT),
    without_effect("with_statistics", LAYOUT),
    without_effect("parallel", COMPUTE),
    without_effect("segmented_by_string", LAYOUT),
    // Of packages.
    without_effect("elementary", "What the package elementary watches is not watched."),
];
/// Keys of tests.
const OF_TESTS: [Key; 5] = [
    without_effect("snowflake_warehouse", COMPUTE),
    without_effect("databricks_compute", COMPUTE),
    without_effect("query_tag", LABELS),
    without_effect("sql_header", STATEMENTS),
    without_effect("static_analysis", "Every test is analyzed."),
];
/// Keys of sources.
const OF_SOURCES: [Key; 2] = [
    without_effect("plugin", "Only files that lie in a folder are read."),
    without_effect("materialize", "What is read of a source is always landed."),
];

/// Those of config of this kind.
pub(super) fn adapter_keys(of: ConfigOf) -> &'static [Key] {
    match of {
        ConfigOf::Model | ConfigOf::Seed | ConfigOf::Snapshot => &OF_TABLES,
        ConfigOf::Test => &OF_TESTS,
        ConfigOf::Source => &OF_SOURCES,
    }
}

/// All of them, for the reference.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("Keys of dbt's adapters and packages, of models, seeds and snapshots", &[&OF_TABLES]),
        Section::of("Keys of dbt's adapters, of tests", &[&OF_TESTS]),
        Section::of("Keys of dbt's adapters, of source tables", &[&OF_SOURCES]),
    ]
}
