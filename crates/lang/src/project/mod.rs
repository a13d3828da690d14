//! What the user's files say.
//!
//! Owns reading and checking the files of a project: the SQL of models, tests and macros, the CSV of seeds, and the
//! YAML beside them with the place of every value. Comes in: a folder. Goes out: a [`Project`], or all [`Problems`]
//! at once. Must not know: Jinja beyond the strings of `profiles.yml` and `sources.yml`, SQL, the graph, any warehouse.

pub mod postgres_connection;
mod problem;
pub mod text;

mod columns;
mod config_tree;
mod constraints;
mod dialect;
mod docs;
mod exposures;
mod external_location;
mod files;
mod files_reading;
mod groups;
mod hive_target;
mod ignored_files;
mod item;
mod kafka_connection;
mod load;
mod max_rejected;
mod nesting;
mod openlineage;
mod package_lock;
mod packages;
mod pin;
mod profile_secrets;
mod profiles;
mod project_file;
mod properties;
mod selectors;
mod semantics;
mod snapshots;
mod snippet;
mod sources;
mod streaming_target;
mod strings;
mod target;
mod target_path;
mod test_uses;
mod types;
mod unit_macros;
mod unit_steps;
mod unit_tests;
mod vars;
mod versions;
mod warn_options;
mod yaml;

#[cfg(test)]
mod tests;

use mep_core::keys::Section;
pub use mep_core::nearest::nearest;

pub use config_tree::hooks_after;
pub use constraints::{Constraint, ConstraintKind};
pub use dialect::Dialect;
pub use external_location::{ExternalFormat, ExternalLocation, LocationError};
pub use groups::ModelGroup;
pub use load::{LoadOptions, find_root, load};
pub use max_rejected::MaxRejected;
pub use nesting::{TOO_DEEP, TemplateNesting};
pub use openlineage::{OpenLineageConfig, OpenLineageReceiver};
pub use package_lock::{LOCK_FILE, PackageLock};
pub use packages::{Package, PackageOrigin, Packages, WantedPackage};
pub use pin::PinnedColumn;
pub use problem::{Problem, Problems, Weight};
pub use semantics::{Metric, SavedQuery, SemanticModel, SemanticWords, Semantics};
pub(crate) use strings::OF_OTHER_TARGETS;
pub use target::bytes_of;
pub use text::{Located, Place, SourceText, Span};
pub use types::*;
pub use unit_macros::UnitMacro;
pub use unit_steps::UnitStep;
pub use unit_tests::{Overrides, UnitInput, UnitRows, UnitTest};
pub use vars::mapping_of_yaml;
pub use versions::ModelVersion;
pub use warn_options::{warn_options, warn_options_of_words};

/// The value of a text of YAML, which is no file of the project. Of a key that is written twice the last counts, as in Python.
///
/// # Errors
/// Where it is no YAML.
pub fn yaml_of(text: &str) -> Result<serde_json::Value, Problems> {
    let mut problems = Problems::default();
    let node = yaml::parse(&SourceText::new("YAML", text), &mut problems);
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(node.map_or(serde_json::Value::Null, |node| node.json()))
}

/// The keys of a project's files, for the reference.
pub fn reference_of_files() -> Vec<Section> {
    let mut sections = project_file::reference();
    sections.extend(properties::reference());
    sections.push(columns::reference());
    sections.push(constraints::reference());
    sections.push(test_uses::reference());
    sections.extend(sources::reference());
    sections.push(exposures::reference());
    sections.push(selectors::reference());
    sections.push(groups::reference());
    sections.push(versions::reference());
    sections.extend(unit_tests::reference());
    sections.extend(semantics::reference());
    sections
}

/// The keys of `profiles.yml`, for the reference.
pub fn reference_of_profiles() -> Vec<Section> {
    let mut sections = vec![profiles::reference()];
    sections.extend(target::reference());
    sections
}
