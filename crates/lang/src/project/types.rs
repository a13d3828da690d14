//! The types that a project is read into.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::constraints::{Constraint, ConstraintKind};
use super::dialect::Dialect;
use super::groups::ModelGroup;
use super::openlineage::OpenLineageConfig;
use super::semantics::Semantics;
use super::text::{Located, Place, SourceText, Span};
use super::unit_tests::UnitTest;
use super::versions::ModelVersion;
use mep_core::connection::{
    CassandraConnection, FilesReading, KafkaConnection, MessageFormat, PostgresConnection, SimulatorConfig,
};
use mep_core::root::{Outside, Root};

/// A project: everything that its files say, checked as far as one file can be checked alone.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that holds the project.
    pub root: PathBuf,
    /// Its name: of `dbt_project.yml`, else `mep`'s view of the folder's name.
    pub name: String,
    /// `vars:` of `dbt_project.yml`, overlaid by `--vars`.
    pub vars: IndexMap<String, Json>,
    /// The packages that lie in its folder.
    pub packages: Vec<super::Package>,
    /// The packages that it names and that are not there, by what they are probably called.
    pub missing_packages: Vec<String>,
    /// Whether a name alone in a package's `ref()` is looked for there before it is in the project, by a flag of dbt.
    pub own_package_first: bool,
    /// In which packages `adapter.dispatch` looks for the macros of a package, where it says so.
    pub dispatch: IndexMap<String, Vec<String>>,
    /// Which warnings are errors, where its file says so.
    pub warn_options: Option<mep_core::warnings::WarnOptions>,
    /// The folder of packages, relative to the root.
    pub packages_path: PathBuf,
    /// The folder for artifacts, relative to the root (`target` unless `target-path` says otherwise).
    pub target_path: PathBuf,
    /// The target that this invocation works on.
    pub target: Target,
    /// `models/**/*.sql`.
    pub models: Vec<SqlFile>,
    /// `tests/**/*.sql`: singular tests; a file with `{% test %}` blocks in `tests/generic` is a macro file instead.
    pub tests: Vec<SqlFile>,
    /// `macros/**/*.sql` and `tests/generic/**/*.sql`.
    pub macros: Vec<SourceText>,
    /// The blocks of `snapshots/**/*.sql`, and every `snapshots:` entry with a relation.
    pub snapshots: Vec<Snapshot>,
    /// `seeds/**/*.csv`.
    pub seeds: Vec<SeedFile>,
    /// The tables of every `sources:` block.
    pub sources: Vec<SourceTable>,
    /// Every `exposures:` entry.
    pub exposures: Vec<Exposure>,
    /// Every `docs` block.
    pub docs: Vec<DocsBlock>,
    /// The selections of `selectors.yml`.
    pub selectors: Vec<SelectorDefinition>,
    /// What dbt's semantic layer reads.
    pub semantics: Semantics,
    /// Every `groups:` entry.
    pub groups: Vec<ModelGroup>,
    /// Every `unit_tests:` entry.
    pub unit_tests: Vec<UnitTest>,
    /// Whether a key that nothing reads is an error.
    pub is_strict: bool,
    /// Whether the rows that fail a test are kept, where its config does not say.
    pub store_failures: bool,
    /// Texts that are called before a run: those of the packages, then the project's own.
    pub on_run_start: Vec<Located<String>>,
    /// Texts that are called after a run.
    pub on_run_end: Vec<Located<String>>,
    /// What is worth saying but wrong with nothing: a description of a model that does not exist, say.
    pub warnings: Vec<super::Problem>,
}

impl Project {
    /// The folder that holds the project: below it alone are artifacts written and deleted.
    pub fn folder(&self) -> Root {
        Root::new(&self.root)
    }

    /// The name of the package that a file is of: the project's own, where it lies in no other.
    pub fn package_of(&self, path: &Path) -> &str {
        let holds = |package: &&super::Package| path.starts_with(&package.folder);
        self.packages.iter().find(holds).map_or(&self.name, |package| &package.name)
    }

    /// A file or folder below that of the artifacts.
    ///
    /// # Errors
    /// Where a link on the way leads out of the project.
    pub fn artifact(&self, below: impl AsRef<Path>) -> Result<PathBuf, Outside> {
        self.folder().join(self.target_path.join(below))
    }
}

/// A SELECT in a file: a model, a snapshot or a singular test. Or a model in Python.
#[derive(Clone, Debug)]
pub struct SqlFile {
    /// The file's stem; a snapshot's own name.
    pub name: String,
    /// The file.
    pub text: SourceText,
    /// Where in the file the Jinja SQL stands; `None`: all of it.
    pub block: Option<Span>,
    /// Folders below the model path, then the name: `["marts", "mart_top_songs"]`, after the project's name.
    pub fqn: Vec<String>,
    /// What `schema.yml` files say of it.
    pub properties: Properties,
    /// Config from `dbt_project.yml` by folder, then from the properties' `config:`; later ones win per key.
    /// `tags` add up. `config()` in the SQL wins over all of it.
    pub config: IndexMap<String, Located<Json>>,
    /// Of a model with versions: which one it is.
    pub version: Option<ModelVersion>,
}

impl SqlFile {
    /// Its name, and after it the version that it is of: `m.v2`, as references to it write it.
    pub fn versioned_name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}.v{}", self.name, version.version),
            None => self.name.clone(),
        }
    }

    /// Whether it is a model in Python, which is part of the graph and not built.
    pub fn is_python(&self) -> bool {
        self.text.path().extension().is_some_and(|extension| extension == "py")
    }
}

/// A SELECT whose rows are compared with what they were, so that their versions are kept.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The SELECT.
    pub file: SqlFile,
    /// What the YAML says to take it of, such as `ref('a_model')`, where no file holds the SELECT.
    pub relation: Option<Located<String>>,
}

/// A table given as CSV.
#[derive(Clone, Debug)]
pub struct SeedFile {
    /// The file's stem.
    pub name: String,
    /// Relative to the root.
    pub path: PathBuf,
    /// Folders below the seed path, then the name, after the project's name.
    pub fqn: Vec<String>,
    /// What `schema.yml` files say of it.
    pub properties: Properties,
    /// As for models (`column_types`, `delimiter`, ...).
    pub config: IndexMap<String, Located<Json>>,
}

/// What a properties file (`schema.yml`) says of a model, seed or source table.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// Where the entry's name stands; `None` where no properties file names it.
    pub place: Option<Place>,
    /// The project's name, then the folders of the properties file.
    pub folders: Vec<String>,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// Columns in the order written.
    pub columns: Vec<Column>,
    /// Tests of the whole table.
    pub tests: Vec<TestUse>,
    /// What is promised of its rows, beside what is promised of its columns.
    pub constraints: Vec<Constraint>,
    /// Free data for the user's own use.
    pub meta: IndexMap<String, Json>,
    /// The day from which on nothing should refer to it.
    pub deprecation_date: Option<Located<String>>,
}

/// A column as a properties file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name, as written.
    pub name: Located<String>,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// A SQL type (`bigint`, `varchar`, `double`, `boolean`, `timestamp`, `date`, ...).
    pub data_type: Option<Located<String>>,
    /// What is promised of its values.
    pub constraints: Vec<Constraint>,
    /// Tests of this column.
    pub tests: Vec<TestUse>,
    /// Tags that its tests inherit.
    pub tags: Vec<String>,
    /// Whether its tests write the name in quotes, whatever it is.
    pub quote: bool,
    /// Free data for the user's own use.
    pub meta: IndexMap<String, Json>,
}

impl Column {
    /// Whether it is promised to have a value in every row.
    pub fn is_not_null(&self) -> bool {
        self.constraints.iter().any(|constraint| constraint.kind == ConstraintKind::NotNull)
    }
}

/// One use of a generic test: `- unique`, or `- relationships: {to: ref('dim_user'), field: user_key}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TestUse {
    /// The test's name, perhaps with a package (`dbt_utils.accepted_range`).
    pub test: Located<String>,
    /// A name the user gave to this use.
    pub name: Option<String>,
    /// The arguments, in the order written (`arguments:` is unwrapped); strings may hold Jinja such as `ref('m')`.
    pub arguments: IndexMap<String, Json>,
    /// Where the arguments stand.
    pub places: Vec<ArgumentPlace>,
    /// `severity`, `where`, `tags`, `warn_if`, `error_if`, `limit`, `enabled`, ... from `config:` or beside the arguments.
    pub config: IndexMap<String, Located<Json>>,
    /// Markdown for the docs.
    pub description: Option<String>,
}

impl TestUse {
    /// The package that stands before the test's name, and the name.
    pub fn package_and_name(&self) -> (Option<&str>, &str) {
        match self.test.value.rsplit_once('.') {
            Some((package, name)) => (Some(package), name),
            None => (None, &self.test.value),
        }
    }
}

/// Where an argument of a test stands, and what is written in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgumentPlace {
    /// The argument.
    pub name: String,
    /// Where its value stands.
    pub place: Place,
    /// The texts and numbers in it, each as it is written in the value.
    pub texts: Vec<Located<String>>,
}

/// A table that comes from outside.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// The source's name (`events`), the first argument of `source()`.
    pub source: String,
    /// The table's name (`listen_events`), the second argument of `source()`.
    pub name: String,
    /// The source's own description.
    pub source_description: Option<String>,
    /// The table's description, columns and tests.
    pub properties: Properties,
    /// The column that says when an event happened: an integer of epoch milliseconds, or a timestamp. Its UTC day is
    /// the partition that the event lands in.
    pub event_time: Option<Located<String>>,
    /// The name of the landed table; `None`: `raw_<name>`, or with the source's name in it where that is taken.
    pub land_as: Option<String>,
    /// The schema that dbt finds it in, where that is not the source's name.
    pub schema: Option<String>,
    /// The name that dbt finds it by, where that is not its own.
    pub identifier: Option<String>,
    /// Where dbt-duckdb finds its rows.
    pub external_location: Option<Located<String>>,
    /// The path below the connection's path, with a glob for files (`<name>/*` unless the YAML says otherwise).
    pub path: Option<String>,
    /// What it says of its files, over what the connection says.
    pub reading: Option<Located<FilesReading>>,
    /// The Kafka topics that it is read from; none: the connection's prefix and the table's name.
    pub topics: Vec<String>,
    /// What to do where offsets are gone before they were landed; `None`: as the connection says.
    pub on_lost_offsets: Option<OnLostOffsets>,
    /// The column by which a table of a database is divided into ranges.
    pub cursor: Option<Located<String>>,
    /// How many of its rows may be rejected; `None`: any number.
    pub max_rejected: Option<super::MaxRejected>,
    /// `tags:` of the source and the table together.
    pub tags: Vec<String>,
    /// `meta:` of the source.
    pub source_meta: IndexMap<String, Json>,
    /// `loader:` of the table, else of the source: what brings its rows, in the user's words.
    pub loader: Option<String>,
    /// Other `config:`/`meta:` keys.
    pub config: IndexMap<String, Located<Json>>,
    /// Where the table's name stands.
    pub place: Place,
}

impl SourceTable {
    /// The schema that dbt finds it in.
    pub fn found_in(&self) -> &str {
        self.schema.as_deref().unwrap_or(&self.source)
    }

    /// The schema of a database that it is in: the connection's, else the one where dbt finds it.
    pub fn schema_in<'t>(&'t self, connection: &'t PostgresConnection) -> &'t str {
        connection.schema.as_deref().unwrap_or_else(|| self.found_in())
    }

    /// The name that dbt finds it by.
    pub fn found_as(&self) -> &str {
        self.identifier.as_deref().unwrap_or(&self.name)
    }
}

/// Something that uses the models: a dashboard, an application.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The name.
    pub name: String,
    /// The name for people.
    pub label: Option<String>,
    /// `dashboard`, `notebook`, `analysis`, `ml` or `application`.
    pub kind: String,
    /// `high`, `medium` or `low`.
    pub maturity: Option<String>,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// Where it can be seen.
    pub url: Option<String>,
    /// `ref('m')` and `source('s', 't')`, as written.
    pub depends_on: Vec<Located<String>>,
    /// `owner:` as written.
    pub owner: IndexMap<String, Json>,
    /// Tags.
    pub tags: Vec<String>,
    /// Free data for the user's own use; the docs draw its `charts`.
    pub meta: IndexMap<String, Json>,
    /// Where the name stands.
    pub place: Place,
}

/// A selection of `selectors.yml`.
#[derive(Clone, Debug)]
pub struct SelectorDefinition {
    /// Its name.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it takes, as written.
    pub definition: Json,
    /// Whether it is taken where nothing is selected.
    pub is_default: bool,
}

/// A `{% docs %}` block: a text that descriptions name.
#[derive(Clone, Debug)]
pub struct DocsBlock {
    /// The package whose file it stands in.
    pub package: String,
    /// The name.
    pub name: String,
    /// The Markdown in it.
    pub text: String,
    /// The file, relative to the project's root.
    pub path: PathBuf,
}

/// One output of a profile: where tables go, and where sources come from.
#[derive(Clone, Debug)]
pub struct Target {
    /// The profile's name.
    pub profile: String,
    /// The output's name (`local`).
    pub name: String,
    /// The schema (in Hive: the database) that models are built in.
    pub schema: String,
    /// How many nodes run at once.
    pub threads: usize,
    /// Where tables live.
    pub warehouse: WarehouseConfig,
    /// Bytes of memory that a run may use for its queries; `None`: 2 GiB.
    pub memory: Option<u64>,
    /// Days for which content that is no longer pointed at is kept.
    pub retention_days: u32,
    /// Where each source comes from, by source name.
    pub sources: IndexMap<String, SourceConnection>,
    /// Where the rows of streaming models go; `None`: the target streams none.
    pub streaming: Option<StreamingTarget>,
    /// Where runs send OpenLineage events; `None`: nowhere.
    pub openlineage: Option<OpenLineageConfig>,
    /// For which engine the SQL is written, where that is known.
    pub dialect: Option<Dialect>,
    /// Where the target's name stands in `profiles.yml`.
    pub place: Option<Place>,
}

/// Where a target's tables live.
#[derive(Clone, Debug, PartialEq)]
pub enum WarehouseConfig {
    /// `type: local`: Parquet in a folder.
    Local {
        /// The folder; a relative one is relative to the project's root.
        path: PathBuf,
    },
    /// `type: hive`: Parquet on HDFS, known to a Hive metastore.
    Hive(HiveConfig),
}

impl WarehouseConfig {
    /// Its `type`, as profiles.yml says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Hive(_) => "hive",
        }
    }
}

/// Where a Hive warehouse is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiveConfig {
    /// The metastore's addresses, `host:port`; the first that answers is used.
    pub metastore: Vec<String>,
    /// The folder on HDFS below which each schema has its folder, such as `hdfs://namenode:8020/warehouse`. A name
    /// without a port is a nameservice of the Hadoop configuration.
    pub location: String,
    /// The folder of `core-site.xml` and `hdfs-site.xml`; `None`: what `HADOOP_CONF_DIR` says.
    pub hadoop_conf_dir: Option<PathBuf>,
    /// The catalog by which Trino knows the metastore, which its views must name; `hive` unless the target says otherwise.
    pub trino_catalog: String,
    /// Seconds that the metastore and HDFS may take to answer; 30 unless the target says otherwise.
    pub timeout: u64,
}

/// Where the rows of a target's streaming models go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamingTarget {
    /// `type: cassandra`: tables of Apache Cassandra.
    Cassandra(CassandraConnection),
}

/// Where the rows of a source come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConnection {
    /// `type: files`: folders of files.
    Files {
        /// The folder that holds a folder for each table; a relative one lies in the project's folder.
        path: PathBuf,
        /// What the files are, as far as it is said.
        reading: FilesReading,
    },
    /// `type: simulator`: events made up by the bundled simulator.
    Simulator(SimulatorConfig),
    /// `type: kafka`: messages of topics.
    Kafka(KafkaConfig),
    /// `type: postgres`: tables of a database.
    Postgres(PostgresConnection),
    /// `type: warehouse`: tables of the target's own warehouse that others publish.
    Warehouse {
        /// The schema that they are in, where it is not the one that the source says.
        schema: Option<String>,
    },
}

/// Where messages come from, and what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaConfig {
    /// Where Kafka is.
    pub connection: KafkaConnection,
    /// Stands before a table's name in the name of its topic.
    pub topic_prefix: String,
    /// What a message is.
    pub format: MessageFormat,
    /// What to do where offsets are gone before they were landed, unless a table says otherwise.
    pub on_lost_offsets: OnLostOffsets,
}

impl KafkaConfig {
    /// The topics that a source table is read from.
    pub fn topics_of(&self, table: &SourceTable) -> Vec<String> {
        match table.topics.as_slice() {
            [] => vec![format!("{}{}", self.topic_prefix, table.name)],
            topics => topics.to_vec(),
        }
    }
}

/// What to do where offsets are gone before they were landed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLostOffsets {
    /// Stop, and land nothing.
    #[default]
    Fail,
    /// Land what is left, warn, and note the gap.
    Accept,
}
