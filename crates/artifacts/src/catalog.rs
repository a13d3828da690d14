//! What the warehouse holds: `catalog.json`.

use std::io;

use serde_json::{Value as Json, json};

use super::files;
use super::manifest::{self, Described};
use mep_core::secrets;

/// Writes the catalog, whose `nodes` and `sources` are given.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_catalog(described: Described<'_>, mut contents: Json) -> io::Result<()> {
    let mut json = json!({
        "metadata": manifest::metadata("catalog/v1", described),
        "nodes": contents["nodes"].take(),
        "sources": contents["sources"].take(),
        "errors": null,
    });
    secrets::mask_json(&mut json);
    files::write(&described.project.artifact("catalog.json")?, &serde_json::to_vec(&json)?)
}
