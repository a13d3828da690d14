//! Where the rows of source tables are: which files are loaded as a whole, and which tables of the warehouse are read where they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use indexmap::IndexMap;

use super::sources::{absolute, postgres_table};
use crate::error::AppError;
use crate::workspace::Workspace;
use mep_contract::source::WholeTable as _;
use mep_contract::source::declared_type::declared_row_type;
use mep_contract::warehouse::WarehouseError;
use mep_core::connection::PostgresConnection;
use mep_core::fingerprint::Fingerprint;
use mep_decode::rows::sql_name;
use mep_files::{FilesTable, FolderColumns, WholeFormat, WholeOptions};
use mep_graph::{Node, PlacedTable, SeedRows, SeedTable, SourceRows};
use mep_lang::project::{
    ExternalFormat, ExternalLocation, Located, PinnedColumn, Place, Problem, Project, SourceConnection,
    SourceTable,
};
use mep_postgres::{FoundColumn, columns_of};
use mep_run::stored_of;
use mep_sql::stored_schema;

/// Where the rows of a source table are.
///
/// # Errors
/// Where they cannot be read.
pub fn rows_of(workspace: &Workspace, table: &SourceTable, node: &Node) -> Result<SourceRows, Problem> {
    let project = &workspace.project;
    let files = match (&table.external_location, project.target.sources.get(&table.source)) {
        (Some(written), _) => Files::external(project, table, written)?,
        (None, _) if node.is_in_place() => return in_place(workspace, table, node),
        (None, _) if is_declared(table) => return Ok(SourceRows::Landed),
        (None, Some(SourceConnection::Files { path, .. })) => Files::of_connection(project, table, path)?,
        (None, Some(_)) => return Ok(SourceRows::Landed),
        (None, None) => return Err(has_no_place(project, table)),
    };
    loaded(&files, table, node).map(SourceRows::Loaded)
}

/// A table of the warehouse that others publish. Where there is none, or the warehouse cannot be asked, one that is declared is taken to have
/// the columns that would be landed of it: so a project compiles without its warehouse.
fn in_place(workspace: &Workspace, table: &SourceTable, node: &Node) -> Result<SourceRows, Problem> {
    let found = workspace.sources_warehouse().and_then(|warehouse| Ok(stored_of(warehouse.as_ref(), node)?));
    let why = match found {
        Ok(Some(table)) => {
            let partition_columns = table.partition_columns().to_vec();
            return Ok(SourceRows::InPlace(PlacedTable { schema: table.schema, partition_columns }));
        }
        Ok(None) => has_no_place(&workspace.project, table),
        Err(AppError::Warehouse(error @ WarehouseError::InPlace { .. })) => {
            return Err(Problem::new(error.to_string()).at(&table.place));
        }
        Err(error) => {
            let message =
                format!("the columns of the source table `{}` are not known: {error}", node.shown_name());
            Problem::new(message)
                .at(&table.place)
                .help("declare them, each with its `data_type`, to compile without the warehouse")
        }
    };
    if is_declared(table) { Ok(SourceRows::Landed) } else { Err(why) }
}

/// The columns that the files of a source table have; `None` where it is not in files of a connection.
pub fn inferred(project: &Project, table: &SourceTable) -> Option<Result<Vec<PinnedColumn>, Problem>> {
    if table.external_location.is_some() {
        return None;
    }
    let path = match project.target.sources.get(&table.source)? {
        SourceConnection::Files { path, .. } => path,
        SourceConnection::Postgres(connection) => return Some(in_database(connection, table)),
        _ => return None,
    };
    let columns = || {
        let files = Files::of_connection(project, table, path)?;
        let schema = found(&files, table)?.schema();
        let schema = stored(&schema, &files)?;
        let found =
            |field: &Arc<Field>| pinned(table, field.name(), sql_name(field.data_type()).into_owned());
        Ok(schema.fields().iter().map(found).collect())
    };
    Some(columns())
}

/// The columns that a table of a database has.
fn in_database(connection: &PostgresConnection, table: &SourceTable) -> Result<Vec<PinnedColumn>, Problem> {
    let found = columns_of(connection, &postgres_table(table, connection));
    let found = found.map_err(|error| Problem::new(error.to_string()).at(&table.place))?;
    let pinned = |column: &FoundColumn| pinned(table, &column.name, column.declared());
    Ok(found.iter().map(pinned).collect())
}

/// A column with the type that it is declared with, else with the one that was found.
fn pinned(table: &SourceTable, name: &str, found: String) -> PinnedColumn {
    let declared = table.properties.columns.iter().find(|column| column.name.value == name);
    let said = declared.and_then(|column| column.data_type.as_ref()).map(|said| said.value.clone());
    PinnedColumn { name: name.to_owned(), data_type: said.unwrap_or(found) }
}

fn stored(schema: &SchemaRef, files: &Files) -> Result<SchemaRef, Problem> {
    stored_schema(schema, &[]).map_err(|unstorable| {
        let problem = Problem::new(unstorable.to_string()).at(&files.place);
        problem.help("leave the column out of the files, or declare its `data_type`")
    })
}

/// A source table that is loaded with the columns that its files have.
fn loaded(files: &Files, table: &SourceTable, node: &Node) -> Result<SeedTable, Problem> {
    let found = found(files, table)?;
    let schema = stored(&found.schema(), files)?;
    let found = found.stored_as(schema.clone());
    let fingerprint = Fingerprint::of([found.fingerprint().as_str(), node.id.as_str()]);
    Ok(SeedTable { rows: SeedRows::Outside(Arc::new(found)), schema, fingerprint })
}

/// The files of a table, with the columns that they have.
fn found(files: &Files, table: &SourceTable) -> Result<FilesTable, Problem> {
    let options = WholeOptions { declared: declared(table)?, ..files.options.clone() };
    let found = FilesTable::find(&files.places, &options);
    let Some(found) = found.map_err(|error| Problem::new(error.to_string()).at(&files.place))? else {
        let message = format!("the source table `{}.{}` has no files", table.source, table.name);
        return Err(Problem::new(message).at(&files.place).help(files.looked_for()));
    };
    Ok(found)
}

/// Whether the declared columns say all that landing needs.
fn is_declared(table: &SourceTable) -> bool {
    let columns = &table.properties.columns;
    let are_typed = !columns.is_empty() && columns.iter().all(|column| column.data_type.is_some());
    are_typed || table.event_time.is_some()
}

/// The types that columns are declared with.
fn declared(table: &SourceTable) -> Result<IndexMap<String, arrow::datatypes::DataType>, Problem> {
    let typed =
        table.properties.columns.iter().filter_map(|column| Some((column, column.data_type.as_ref()?)));
    typed
        .map(|(column, data_type)| {
            let name = &column.name.value;
            let found = declared_row_type(name, &data_type.value)
                .map_err(|error| Problem::new(error.to_string()).at(&data_type.place))?;
            Ok((name.clone(), found))
        })
        .collect()
}

/// Where the files of a table are.
struct Files {
    /// Folders, each with patterns of which the first that matches counts.
    places: Vec<(PathBuf, Vec<String>)>,
    options: WholeOptions,
    place: Place,
}

impl Files {
    fn of_connection(project: &Project, table: &SourceTable, path: &Path) -> Result<Self, Problem> {
        let name = table.identifier.as_ref().unwrap_or(&table.name);
        let patterns = match &table.path {
            Some(pattern) => vec![pattern.clone()],
            None => vec![format!("{name}/*"), format!("{name}.*")],
        };
        let reading = project.files_reading(table)?;
        let names = table.properties.columns.iter().map(|column| column.name.value.clone()).collect();
        Ok(Self {
            places: vec![(absolute(project, path), patterns)],
            options: WholeOptions { reading, names, ..WholeOptions::default() },
            place: table.place.clone(),
        })
    }

    fn external(project: &Project, table: &SourceTable, written: &Located<String>) -> Result<Self, Problem> {
        let location = ExternalLocation::of(table, &written.value).map_err(|reason| {
            let message = format!("`external_location` of `{}.{}`: {reason}", table.source, table.name);
            let help = "write a path of Parquet, CSV or JSON on this machine, or a call such as read_csv('data/*.csv')";
            Problem::new(message).at(&written.place).help(help)
        })?;
        let format = location.format.map(|format| match format {
            ExternalFormat::Parquet => WholeFormat::Parquet,
            ExternalFormat::Csv(delimiter) => WholeFormat::Csv(delimiter),
            ExternalFormat::Json => WholeFormat::Json,
        });
        let places = location.paths.iter().map(|path| split(project, path)).collect();
        let folder_columns = match location.hive_partitioning {
            None => FolderColumns::WhereAllAgree,
            Some(true) => FolderColumns::Yes,
            Some(false) => FolderColumns::No,
        };
        let written_below = project.root.clone();
        let all_texts = location.all_texts;
        let options =
            WholeOptions { format, all_texts, folder_columns, written_below, ..WholeOptions::default() };
        Ok(Self { places, options, place: written.place.clone() })
    }

    fn looked_for(&self) -> String {
        let places = self.places.iter().flat_map(|(root, patterns)| {
            patterns.iter().map(|pattern| root.join(pattern).display().to_string())
        });
        format!("looked for {}", places.collect::<Vec<_>>().join(", "))
    }
}

/// The folder before the first wildcard of a path, and the rest of it.
fn split(project: &Project, path: &str) -> (PathBuf, Vec<String>) {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let is_plain = |part: &&&str| !part.contains(['*', '?', '[', '{']);
    let folders = parts.iter().take(parts.len().saturating_sub(1)).take_while(is_plain).count();
    let folder = parts[..folders].join("/");
    let folder = if path.starts_with('/') && folder.is_empty() { "/".to_owned() } else { folder };
    (absolute(project, Path::new(&folder)), vec![parts[folders..].join("/")])
}

fn has_no_place(project: &Project, table: &SourceTable) -> Problem {
    let (schema, name) = (table.found_in(), table.found_as());
    let message = format!(
        "nothing says where the rows of the source table `{}.{}` come from",
        table.source, table.name
    );
    let help = format!(
        "say in profiles.yml, below `sources:` of the target `{}`, where its files are: `{}: {{type: files, path: ...}}`; or give it an `external_location`; or have a seed or model built as {schema}.{name}, or that table there in the warehouse",
        project.target.name, table.source
    );
    Problem::new(message).at(&table.place).help(help)
}
