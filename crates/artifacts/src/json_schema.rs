//! JSON schemas of a project's YAML files, for editors, made of the tables by which the files are read.
//!
//! Knows nothing of any one key.

use mep_core::keys::{Effect, Key, Section, Shape};
use serde_json::{Map, Value as Json, json};

/// A kind of YAML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlFile {
    /// Beside the models, seeds and tests: what is known of them.
    Properties,
    /// `dbt_project.yml`.
    Project,
    /// `profiles.yml`.
    Profiles,
}

impl YamlFile {
    /// What the whole file is.
    fn shape(self) -> Shape {
        match self {
            Self::Properties => Shape::Keys(&["A properties file"]),
            Self::Project => Shape::Keys(&["dbt_project.yml"]),
            Self::Profiles => Shape::Mapping(&Shape::Keys(&["A profile"])),
        }
    }
}

/// The schema of a file, in [draft 7](https://json-schema.org/draft-07), which editors know best; `sections` are the tables of all keys.
///
/// What Jinja gives is known when the file is read: where a number, a word or a truth value stands, its text may stand too.
pub fn json_schema(file: YamlFile, sections: &[Section]) -> Json {
    let mut writer = SchemaWriter { sections, defined: Map::new() };
    let mut schema = writer.value(&file.shape());
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["definitions"] = Json::Object(writer.defined);
    schema
}

struct SchemaWriter<'a> {
    sections: &'a [Section],
    defined: Map<String, Json>,
}

impl SchemaWriter<'_> {
    fn value(&mut self, shape: &Shape) -> Json {
        match shape {
            Shape::Any => json!({}),
            Shape::Text => json!({"type": ["string", "null"]}),
            Shape::Boolean => json!({"anyOf": [{"type": ["boolean", "null"]}, jinja()]}),
            Shape::Number => json!({"anyOf": [{"type": ["number", "null"]}, jinja()]}),
            Shape::Words(words) => json!({"anyOf": [{"enum": words()}, {"type": "null"}, jinja()]}),
            Shape::OneOrMore(of) => {
                let one = self.value(of);
                json!({"anyOf": [one, {"type": "array", "items": one}]})
            }
            Shape::List(of) => json!({"type": ["array", "null"], "items": self.value(of)}),
            Shape::Mapping(of) => {
                json!({"type": ["object", "null"], "additionalProperties": self.value(of)})
            }
            Shape::Keys(titles) => json!({"$ref": format!("#/definitions/{}", self.define(titles))}),
            Shape::ByType(types) => {
                let cases: Vec<Json> = types.iter().map(|(word, shape)| self.case(word, shape)).collect();
                json!({"type": ["object", "null"], "allOf": cases})
            }
            Shape::Either(shapes) => {
                json!({"anyOf": shapes.iter().map(|shape| self.value(shape)).collect::<Vec<_>>()})
            }
        }
    }

    fn case(&mut self, word: &str, shape: &Shape) -> Json {
        let is_of_type = json!({"properties": {"type": {"const": word}}, "required": ["type"]});
        json!({"if": is_of_type, "then": self.value(shape)})
    }

    /// The name under which a mapping with the keys of these sections is defined.
    fn define(&mut self, titles: &[&str]) -> String {
        let name: String = titles
            .iter()
            .flat_map(|title| title.split(|letter: char| !letter.is_ascii_alphanumeric()))
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("_");
        if self.defined.contains_key(&name) {
            return name;
        }
        // It stands there before its keys are written, since a mapping may hold one like itself.
        self.defined.insert(name.clone(), Json::Null);
        let all = self.sections;
        let sections = all.iter().filter(|section| titles.contains(&section.title.as_str()));
        let mut properties = Map::new();
        let mut needed = Vec::new();
        for key in sections.flat_map(|section| &section.keys) {
            if key.default == "needed" {
                needed.push(Json::from(key.name));
            }
            if !properties.contains_key(key.name) {
                properties.insert(key.name.to_owned(), self.key(key));
            }
        }
        let mapping = json!({
            "type": ["object", "null"],
            "properties": properties,
            "required": needed,
            "additionalProperties": false,
        });
        self.defined.insert(name.clone(), mapping);
        name
    }

    fn key(&mut self, key: &Key) -> Json {
        let value = self.value(&key.shape);
        let mut described = match value {
            // Beside a reference, draft 7 reads nothing.
            Json::Object(value) if value.contains_key("$ref") => json!({"allOf": [value]}),
            other => other,
        };
        described["description"] = match (key.effect, key.default) {
            (Effect::Read, "" | "needed") => key.doc.to_owned(),
            (Effect::Read, default) => format!("{} Without it: {default}.", key.doc),
            (Effect::Silent | Effect::Told, _) => format!("Without an effect here. {}", key.doc),
        }
        .into();
        described
    }
}

fn jinja() -> Json {
    json!({"type": "string", "pattern": r"\{\{|\{%"})
}

#[cfg(test)]
mod tests {
    use mep_core::keys::key;

    use super::*;

    #[test]
    fn a_mapping_is_defined_once_and_says_what_its_keys_take() {
        const KEYS: [Key; 3] = [
            key("name", "name", "needed", "What it is called.").of(Shape::Text),
            key("kind", "", "a", "Which one it is.").of(Shape::Words(|| vec!["a", "b"])),
            key("within", "mapping", "", "One like it.").of(Shape::Keys(&["A properties file"])),
        ];
        let schema = json_schema(YamlFile::Properties, &[Section::of("A properties file", &[&KEYS])]);
        insta::assert_snapshot!(format!("{schema:#}"));
    }
}
