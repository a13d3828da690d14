//! The selectors of `selectors.yml`: trees of unions, intersections and what is left out of them.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::criterion::{Criterion, Distance};
use super::spec::{IndirectSelection, SelectorSpec};
use mep_lang::project::{Problem, Problems, SelectorDefinition};

/// The selectors of a project, by name.
#[derive(Clone, Debug, Default)]
pub struct NamedSelectors {
    selectors: IndexMap<String, SelectorSpec>,
    default: Option<String>,
}

impl NamedSelectors {
    /// Those of a project, in their order: each may name those before it.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn of(definitions: &[SelectorDefinition]) -> Result<Self, Problems> {
        let mut named = Self::default();
        let mut problems = Problems::default();
        for definition in definitions {
            match named.spec(&definition.definition, true) {
                Ok(spec) => {
                    if definition.is_default && named.default.is_some() {
                        let problem =
                            Problem::new("two selectors are the default").at(&definition.name.place);
                        problems.push(problem.help("take `default` from one of them"));
                    } else if definition.is_default {
                        named.default = Some(definition.name.value.clone());
                    }
                    named.selectors.insert(definition.name.value.clone(), spec);
                }
                Err(problem) => problems.push(problem.at(&definition.name.place)),
            }
        }
        problems.none_or(named)
    }

    /// A selector.
    pub(super) fn get(&self, name: &str) -> Option<&SelectorSpec> {
        self.selectors.get(name)
    }

    /// The one that is taken where nothing is selected.
    pub(super) fn preset(&self) -> Option<&SelectorSpec> {
        self.get(self.default.as_deref()?)
    }

    /// All names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.selectors.keys().map(String::as_str)
    }

    fn spec(&self, definition: &Json, is_root: bool) -> Result<SelectorSpec, Problem> {
        let Json::Object(mapping) = definition else {
            let Json::String(text) = definition else {
                return Err(expected("a text or a mapping", definition));
            };
            return SelectorSpec::criterion(text, IndirectSelection::default());
        };
        for (key, make) in [
            ("union", SelectorSpec::Union as fn(Vec<SelectorSpec>, IndirectSelection) -> SelectorSpec),
            ("intersection", SelectorSpec::Intersection),
        ] {
            if let Some(parts) = mapping.get(key) {
                if is_root && mapping.len() > 1 {
                    let problem = Problem::new(format!("`{key}` has other keys beside it"));
                    return Err(problem.help("put them into its list: `exclude` is one of its items"));
                }
                return self.group(parts, make);
            }
        }
        self.criterion(mapping)
    }

    /// The parts of a group, with what an `exclude` among them leaves out.
    fn group(
        &self,
        parts: &Json,
        make: fn(Vec<SelectorSpec>, IndirectSelection) -> SelectorSpec,
    ) -> Result<SelectorSpec, Problem> {
        let Json::Array(parts) = parts else { return Err(expected("a list", parts)) };
        let (mut included, mut excluded) = (Vec::new(), None);
        for part in parts {
            match part.get("exclude").filter(|_| part.get("method").is_none()) {
                Some(_) if excluded.is_some() => {
                    return Err(Problem::new("two `exclude` stand in one list").help("join them into one"));
                }
                Some(left_out) => excluded = Some(self.excluded(left_out)?),
                None => included.push(self.spec(part, false)?),
            }
        }
        Ok(without(make(included, IndirectSelection::default()), excluded))
    }

    fn excluded(&self, parts: &Json) -> Result<SelectorSpec, Problem> {
        let Json::Array(parts) = parts else { return Err(expected("a list", parts)) };
        let parts = parts.iter().map(|part| self.spec(part, false)).collect::<Result<_, _>>()?;
        Ok(SelectorSpec::Union(parts, IndirectSelection::default()))
    }

    /// `{method: …, value: …}` and what may stand beside both, or one method alone: `{tag: nightly}`.
    fn criterion(&self, mapping: &Map<String, Json>) -> Result<SelectorSpec, Problem> {
        if let (1, Some((method, value))) = (mapping.len(), mapping.iter().next()) {
            return self.method(method, &text(value)?, &Map::new());
        }
        if let (Some(method), Some(value)) =
            (mapping.get("method").and_then(Json::as_str), mapping.get("value"))
        {
            return self.method(method, &text(value)?, mapping);
        }
        let keys: Vec<&str> = mapping.keys().map(String::as_str).collect();
        let problem = Problem::new(format!(
            "expected `method` and `value`, or one method alone, found {}",
            keys.join(", ")
        ));
        Err(problem.help("write {method: tag, value: nightly}, or {tag: nightly}"))
    }

    fn method(&self, method: &str, value: &str, beside: &Map<String, Json>) -> Result<SelectorSpec, Problem> {
        const KNOWN: [&str; 9] = [
            "method",
            "value",
            "children",
            "parents",
            "children_depth",
            "parents_depth",
            "childrens_parents",
            "indirect_selection",
            "exclude",
        ];
        if let Some(unknown) = beside.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            let problem = Problem::new(format!("unknown key `{unknown}` beside `method`"));
            return Err(problem.did_you_mean(unknown, KNOWN));
        }
        let excluded = beside.get("exclude").map(|parts| self.excluded(parts)).transpose()?;
        if method == "selector" {
            let named = self.get(value).cloned().ok_or_else(|| {
                let problem = Problem::new(format!("there is no selector `{value}` above this one"));
                problem.did_you_mean(value, self.names())
            })?;
            return Ok(without(named, excluded));
        }
        let flag = |key: &str| beside.get(key) == Some(&Json::Bool(true));
        let reach = |key: &str, depth: &str| {
            let steps = beside.get(depth).and_then(Json::as_u64);
            flag(key).then(|| Distance(steps.and_then(|steps| usize::try_from(steps).ok())))
        };
        let criterion = Criterion {
            method: Criterion::method(method, &format!("{method}:{value}"))?,
            value: value.to_owned(),
            parents: reach("parents", "parents_depth"),
            children: reach("children", "children_depth"),
            childrens_parents: flag("childrens_parents"),
        };
        let indirect = match beside.get("indirect_selection").map(text).transpose()? {
            None => IndirectSelection::default(),
            Some(word) => IndirectSelection::of(&word).ok_or_else(|| {
                let problem = Problem::new(format!("unknown `indirect_selection` `{word}`"));
                problem.did_you_mean(&word, IndirectSelection::WORDS.map(|(word, _)| word))
            })?,
        };
        Ok(without(SelectorSpec::One { criterion, written: format!("{method}:{value}"), indirect }, excluded))
    }
}

fn without(spec: SelectorSpec, excluded: Option<SelectorSpec>) -> SelectorSpec {
    match excluded {
        Some(excluded) => SelectorSpec::Without(vec![spec, excluded], IndirectSelection::default()),
        None => spec,
    }
}

fn text(value: &Json) -> Result<String, Problem> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
        other => Err(expected("a text", other)),
    }
}

fn expected(what: &str, found: &Json) -> Problem {
    Problem::new(format!("expected {what}, found `{found}`"))
        .help("see docs/selecting.md for the form of a selector")
}
