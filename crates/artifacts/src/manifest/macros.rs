//! Macros and `docs` blocks in dbt's words.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::super::paths::in_package;
use mep_lang::jinja::Templates;
use mep_lang::project::Project;

/// All macros, by unique id.
pub(super) fn macros(project: &Project, templates: &Templates) -> Json {
    let written = templates.macro_texts().map(|text| {
        let path = in_package(project, &text.path);
        let json = json!({
            "name": text.name,
            "resource_type": "macro",
            "package_name": text.package,
            "path": path.to_string_lossy(),
            "original_file_path": path.to_string_lossy(),
            "unique_id": text.unique_id,
            "macro_sql": text.text,
            "depends_on": { "macros": text.calls },
        });
        (text.unique_id, json)
    });
    Json::Object(written.collect::<Map<_, _>>())
}

/// All `docs` blocks, by unique id.
pub(super) fn docs(project: &Project) -> Json {
    let written = project.docs.iter().map(|block| {
        let id = format!("doc.{}.{}", block.package, block.name);
        let path = in_package(project, &block.path);
        let below: &Path = &path.iter().skip(1).collect::<std::path::PathBuf>();
        let json = json!({
            "name": block.name,
            "resource_type": "doc",
            "package_name": block.package,
            "path": below.to_string_lossy(),
            "original_file_path": path.to_string_lossy(),
            "unique_id": id,
            "block_contents": block.text,
        });
        (id, json)
    });
    Json::Object(written.collect::<Map<_, _>>())
}
