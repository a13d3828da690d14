//! Descriptions, and the `{% docs %}` blocks of Markdown files that they can name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::item::Item;
use super::strings::{Strings, is_jinja};
use super::{DocsBlock, Place, Problem, Problems, SourceText, Span};

#[expect(clippy::unwrap_used, reason = "the pattern is constant, and a test uses it")]
static BLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{%-?\s*(?:docs\s+([A-Za-z0-9_]+)|(enddocs)\b[^%]*?)\s*-?%\}").unwrap());

#[expect(clippy::unwrap_used, reason = "the pattern is constant, and a test uses it")]
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\{\{-?\s*doc\(\s*(?:['"][^'"]*['"]\s*,\s*)?['"]([^'"]*)['"]\s*\)\s*-?\}\}"#).unwrap()
});

/// Named texts of the project's Markdown files.
#[derive(Debug)]
pub(super) struct Docs {
    blocks: BTreeMap<String, (String, Place)>,
    /// Those of the project and of other packages, which are looked for after the own ones.
    others: BTreeMap<String, String>,
    /// Renders what else than `doc()` a description calls.
    strings: Strings,
}

impl Docs {
    /// No texts yet.
    pub(super) fn new(strings: Strings) -> Self {
        Self { blocks: BTreeMap::new(), others: BTreeMap::new(), strings }
    }

    /// The texts by their names, for others to name.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, String)> + use<'_> {
        self.blocks.iter().map(|(name, (text, _))| (name.clone(), text.clone()))
    }

    /// The blocks, for the artifacts.
    pub(super) fn of_package(&self, package: &str) -> Vec<DocsBlock> {
        let block = |(name, (text, place)): (&String, &(String, Place))| DocsBlock {
            package: package.to_owned(),
            name: name.clone(),
            text: text.clone(),
            path: place.text.path().to_owned(),
        };
        self.blocks.iter().map(block).collect()
    }

    /// Makes texts of others known, of which an earlier one stays.
    pub(super) fn share(&mut self, others: impl Iterator<Item = (String, String)>) {
        for (name, text) in others {
            self.others.entry(name).or_insert(text);
        }
    }

    fn text(&self, name: &str) -> Option<&String> {
        self.blocks.get(name).map(|(text, _)| text).or_else(|| self.others.get(name))
    }

    /// What renders the strings of YAML.
    pub(super) fn strings(&self) -> &Strings {
        &self.strings
    }

    /// Adds the blocks of a file.
    pub(super) fn add(&mut self, file: &SourceText, problems: &mut Problems) {
        let mut open: Option<(String, Place, usize)> = None;
        for tag in BLOCK.captures_iter(file.text()) {
            let Some(whole) = tag.get(0) else { continue };
            let place = file.at(Span::range(whole.start(), whole.end()));
            match (tag.get(1), open.take()) {
                (Some(_), Some((name, start, _))) => problems.push(never_ends(&name, &start)),
                (None, None) => {
                    problems
                        .push(Problem::new("expected a `docs` tag before this one, found none").at(&place));
                }
                (None, Some((name, start, from))) => {
                    let text = file.text()[from..whole.start()].trim().to_owned();
                    self.insert(name, text, start, problems);
                }
                (Some(_), None) => {}
            }
            open = tag.get(1).map(|name| (name.as_str().to_owned(), place, whole.end()));
        }
        if let Some((name, start, _)) = open {
            problems.push(never_ends(&name, &start));
        }
    }

    fn insert(&mut self, name: String, text: String, place: Place, problems: &mut Problems) {
        if let Some((_, first)) = self.blocks.get(&name) {
            // `__overview__` and the like are pages of dbt's own docs.
            if name.starts_with("__") {
                return;
            }
            problems.push(written_twice("docs blocks", &name, &place, first));
        } else {
            self.blocks.insert(name, (text, place));
        }
    }

    /// A description, with the blocks that it names in place of their names.
    pub(super) fn description(&self, item: Option<Item<'_>>, problems: &mut Problems) -> Option<String> {
        let item = item?;
        let text = item.text(problems)?;
        if !is_jinja(&text) {
            return Some(text);
        }
        if is_jinja(&CALL.replace_all(&text, "")) {
            return self.rendered(item, &text, problems);
        }
        let replace = |call: &Captures<'_>| {
            let name = &call[1];
            if let Some(block) = self.text(name) {
                return block.clone();
            }
            let problem = item.problem(format!("there is no docs block `{name}`"));
            let help = format!("write {{% docs {name} %}}...{{% enddocs %}} in a .md file beside the models");
            let known = self.blocks.keys().map(String::as_str);
            problems.push(problem.help(help).did_you_mean(name, known));
            String::new()
        };
        Some(CALL.replace_all(&text, replace).into_owned())
    }

    fn rendered(&self, item: Item<'_>, text: &str, problems: &mut Problems) -> Option<String> {
        let mut texts: BTreeMap<String, String> = self.others.clone();
        texts.extend(self.texts());
        let rendered = self.strings.described(text, move |name| texts.get(name).cloned());
        rendered.map_err(|problem| problems.push(problem.at(&item.place()))).ok()
    }
}

fn never_ends(name: &str, place: &Place) -> Problem {
    Problem::new(format!("the docs block `{name}` never ends")).at(place).help("end it with {% enddocs %}")
}

/// Two things have a name that only one can have.
pub(super) fn written_twice(things: &str, name: &str, second: &Place, first: &Place) -> Problem {
    let (line, _) = first.line_column();
    let problem = Problem::new(format!("two {things} are named `{name}`")).at(second);
    problem.help(format!("the first is in {}, line {line}", first.text.path().display()))
}
