//! schema: what editors check and complete a project's YAML files by.

use mep_app::AppError;
use mep_artifacts::{YamlFile, json_schema};
use mep_core::keys::Section;
use mep_docs::reference_of_charts;
use mep_graph::reference_of_config;
use mep_lang::project::{reference_of_files, reference_of_profiles};

use super::arguments::{SchemaArguments, SchemaOf};
use super::exit::Exit;
use super::print;

/// Prints the schema.
///
/// # Errors
/// Where standard output cannot be written.
pub(super) fn schema(arguments: SchemaArguments) -> Result<Exit, AppError> {
    let file = match arguments.file {
        SchemaOf::Properties => YamlFile::Properties,
        SchemaOf::Project => YamlFile::Project,
        SchemaOf::Profiles => YamlFile::Profiles,
    };
    print(&format!("{:#}\n", json_schema(file, &reference_of_yaml())))?;
    Ok(Exit::Success)
}

/// The keys of all YAML files.
pub fn reference_of_yaml() -> Vec<Section> {
    let mut sections = reference_of_config();
    sections.extend(reference_of_files());
    sections.extend(reference_of_profiles());
    sections.push(reference_of_charts());
    sections
}
