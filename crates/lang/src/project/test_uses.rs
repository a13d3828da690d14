//! Uses of generic tests under `data_tests:` (or, as it was called, `tests:`).

use indexmap::IndexMap;

use super::config_tree::{Config, overlay, overlay_all};
use super::docs::Docs;
use super::item::{Item, Mapping, YamlKey};
use super::project_file::both_spellings;
use super::{ArgumentPlace, Located, Problems, TestUse};
use mep_core::keys::{self, Section, Shape, key};
use serde_json::Value as Json;

/// Keys that are config wherever they stand; dbt allows them beside the arguments too.
const CONFIG: [&str; 15] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
    "group",
];

/// What may stand beside a test's own arguments, but for its config.
const KEYS: [keys::Key; 5] = [
    key("name", "name", "from test, table and arguments", "The test's name.").of(Shape::Text),
    key("description", "text", "", "What it looks for.").of(Shape::Text),
    key("arguments", "mapping", "", "The test's arguments; they may also stand beside it.")
        .of(Shape::Mapping(&Shape::Any)),
    key("config", "mapping", "", "Config of the test; its keys may also stand beside it.")
        .of(Shape::Mapping(&Shape::Any)),
    key("test_name", "name", "", "The test, where the list's item is a mapping of these keys.")
        .of(Shape::Text),
];

/// The keys of a use of a test.
pub(super) fn reference() -> Section {
    Section::of("A test in data_tests", &[&KEYS])
}

/// Reads the tests of a table or column; `inherited` is their config from `dbt_project.yml`.
pub(super) fn read_tests(
    thing: Mapping<'_>,
    inherited: &Config,
    docs: &Docs,
    problems: &mut Problems,
) -> Vec<TestUse> {
    let (new, old) = (thing.get("data_tests"), thing.get("tests"));
    if new.is_some() && old.is_some() {
        problems.push(both_spellings(thing));
    }
    let Some(tests) = new.or(old) else { return Vec::new() };
    let items = tests.list(problems);
    items.into_iter().filter_map(|item| read_test(item, inherited, docs, problems)).collect()
}

fn read_test(item: Item<'_>, inherited: &Config, docs: &Docs, problems: &mut Problems) -> Option<TestUse> {
    if let Some(name) = item.as_text() {
        return Some(TestUse {
            test: Located { value: name.to_owned(), place: item.place() },
            name: None,
            arguments: IndexMap::new(),
            places: Vec::new(),
            config: inherited.clone(),
            description: None,
        });
    }
    if !item.is_mapping() {
        problems.push(item.expected("a test's name, or a name with arguments"));
        return None;
    }
    let mapping = item.mapping(problems);
    if let Some(test) = mapping.get("test_name") {
        let test = test.located_text(problems)?;
        return Some(read_use(test, mapping, inherited, docs, problems));
    }
    let mut items = mapping.items();
    let (key, body) = items.next()?;
    if items.next().is_some() {
        let problem =
            item.problem(format!("expected one test in a list's item, found {} keys", mapping.len()));
        let help = format!("indent what belongs to `{}` below it, or begin each test with `-`", key.text);
        problems.push(problem.help(help));
        return None;
    }
    let test = Located { value: key.text.to_owned(), place: key.place() };
    let body = body.mapping(problems);
    Some(read_use(test, body, inherited, docs, problems))
}

fn read_use(
    test: Located<String>,
    body: Mapping<'_>,
    inherited: &Config,
    docs: &Docs,
    problems: &mut Problems,
) -> TestUse {
    let mut read = TestUse {
        test,
        name: None,
        arguments: IndexMap::new(),
        places: Vec::new(),
        config: inherited.clone(),
        description: docs.description(body.get("description"), problems),
    };
    let mut own = Config::new();
    for (key, item) in body.items() {
        match key.text {
            "test_name" | "description" => {}
            "name" => read.name = rendered(item, docs, problems, |item, problems| item.text(problems)),
            "arguments" => {
                for (key, item) in item.mapping(problems).items() {
                    if key.text == "config" {
                        for (key, item) in item.mapping(problems).items() {
                            set(&mut own, key.text, item, docs, problems);
                        }
                        continue;
                    }
                    read.arguments.insert(key.text.to_owned(), item.node.json());
                    read.places.push(argument_place((key, item)));
                }
            }
            "config" => {
                for (key, item) in item.mapping(problems).items() {
                    set(&mut own, key.text, item, docs, problems);
                }
            }
            name if CONFIG.contains(&name) => set(&mut own, name, item, docs, problems),
            name => {
                read.arguments.insert(name.to_owned(), item.node.json());
                read.places.push(argument_place((key, item)));
            }
        }
    }
    overlay_all(&mut read.config, &own);
    read
}

/// Where an argument stands, for the problems that it makes.
fn argument_place((key, item): (YamlKey<'_>, Item<'_>)) -> ArgumentPlace {
    let mut texts = Vec::new();
    item.each_value(&mut |value| {
        let text = match value.node.json() {
            Json::String(text) => text,
            other => other.to_string(),
        };
        texts.push(Located { value: text, place: value.place() });
    });
    ArgumentPlace { name: key.text.to_owned(), place: item.place(), texts }
}

/// Sets a key of config. Jinja in it is that of all YAML, but `where` becomes a part of the test's SQL.
fn set(config: &mut Config, key: &str, item: Item<'_>, docs: &Docs, problems: &mut Problems) {
    if config.contains_key(key) {
        problems.push(config_twice(key, item));
    }
    let value = match key {
        "where" => item.json(),
        _ => rendered(item, docs, problems, |item, _| item.json()),
    };
    overlay(config, key, value);
}

/// What `read` makes of a value once its Jinja is rendered.
fn rendered<T>(
    item: Item<'_>,
    docs: &Docs,
    problems: &mut Problems,
    read: impl FnOnce(Item<'_>, &mut Problems) -> T,
) -> T {
    let mut node = item.node.clone();
    docs.strings().render(item.file, &mut node, &[], problems);
    read(Item { node: &node, ..item }, problems)
}

fn config_twice(key: &str, item: Item<'_>) -> super::Problem {
    let problem = item.problem(format!("expected `{key}` in `config:` or beside it, found both"));
    problem.help("take one of them away")
}
