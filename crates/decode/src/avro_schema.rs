//! Schemas of Avro as their records are read.

/// Makes texts of what a schema says to be UUIDs written as texts: as the sixteen bytes that a decoder makes of them, nobody would know
/// them again.
pub fn texts_for_uuids(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Array(parts) => parts.iter_mut().for_each(texts_for_uuids),
        serde_json::Value::Object(keys) => {
            let is = |key: &str, value: &str| keys.get(key).is_some_and(|found| found == value);
            if is("type", "string") && is("logicalType", "uuid") {
                keys.remove("logicalType");
            }
            // A default is a value, and no schema.
            keys.iter_mut().filter(|(key, _)| *key != "default").for_each(|(_, part)| texts_for_uuids(part));
        }
        _ => {}
    }
}
