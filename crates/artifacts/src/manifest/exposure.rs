//! An exposure in dbt's words.

use serde_json::{Value as Json, json};

use mep_lang::project::Exposure;

/// What an exposure has that no other node has.
pub(super) fn add(json: &mut Json, exposure: &Exposure) {
    json["type"] = exposure.kind.clone().into();
    json["url"] = exposure.url.clone().into();
    json["label"] = exposure.label.clone().into();
    json["maturity"] = exposure.maturity.clone().into();
    let mut owner = json!({ "email": null, "name": null });
    for (key, value) in &exposure.owner {
        owner[key.as_str()] = value.clone();
    }
    json["owner"] = owner;
}
