//! `profiles.yml`: the profile and the target that this invocation works on.
//!
//! Only the chosen target's strings are rendered, so that another one's missing environment variable is no problem.

use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::files::read_text;
use super::item::{Item, Mapping};
use super::project_file::ProjectFile;
use super::strings::Strings;
use super::target::read_target;
use super::{LoadOptions, Located, Place, Problem, Problems, SourceText, Target, nearest};
use super::{profile_secrets, yaml};
use mep_core::keys::{Key, Section, Shape, key};

/// The file's name.
pub(super) const FILE: &str = "profiles.yml";

const KEYS: [Key; 2] = [
    key(
        "target",
        "name",
        "the only one, or default",
        "The target where `--target` and `MEP_TARGET` say nothing.",
    )
    .of(Shape::Text),
    key("outputs", "mapping of targets", "needed", "The targets, by name.").of(Shape::Mapping(
        &Shape::ByType(&[
            ("local", Shape::Keys(&["A target", "A target of type local"])),
            ("hive", Shape::Keys(&["A target", "A target of type hive"])),
        ]),
    )),
];

/// The keys of a profile.
pub(super) fn reference() -> Section {
    Section::of("A profile", &[&KEYS])
}

/// The target that the options and the project's file choose.
pub(super) fn choose(
    options: &LoadOptions,
    project: &ProjectFile,
    strings: &Strings,
    problems: &mut Problems,
) -> Option<Target> {
    let text = match open(options) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    profile_secrets::keep_of_text(text.text());
    let node = yaml::parse(&text, problems)?;
    profile_secrets::keep_of_values(&node);
    let profiles = Item::file(&text, &node).mapping(problems);
    let profile = choose_profile(options, project, profiles, problems)?;
    let chosen = Profile { name: profile.key, item: profile };
    chosen.target(options, strings, problems)
}

/// Opens `profiles.yml`: in the folder asked for, else beside the project, else where dbt keeps it.
fn open(options: &LoadOptions) -> Result<SourceText, Problem> {
    let in_folder = |folder: &Path| {
        let path = folder.join(FILE);
        let is_root = folder == options.root;
        let name = if is_root { FILE.to_owned() } else { path.display().to_string() };
        path.exists().then(|| read_text(&path, &name))
    };
    if let Some(folder) = &options.profiles_dir {
        return in_folder(folder).unwrap_or_else(|| {
            let problem = Problem::new(format!("there is no {FILE} in {}", folder.display()));
            Err(problem.help("check the folder of the profiles that mep was called with"))
        });
    }
    let home: Option<PathBuf> = std::env::home_dir().map(|home| home.join(".dbt"));
    let found = in_folder(&options.root).or_else(|| home.as_deref().and_then(in_folder));
    found.unwrap_or_else(|| {
        let problem = Problem::new(format!("there is no {FILE}"));
        Err(problem.help("write one beside the project, or in ~/.dbt: it says where tables go"))
    })
}

fn choose_profile<'a>(
    options: &LoadOptions,
    project: &ProjectFile,
    profiles: Mapping<'a>,
    problems: &mut Problems,
) -> Option<Item<'a>> {
    // dbt once kept settings under `config` beside the profiles.
    let names = || profiles.items().map(|(key, _)| key.text).filter(|name| *name != "config");
    let list = names().collect::<Vec<_>>().join(", ");
    let (wanted, place) = match (&options.profile, &project.profile) {
        (Some(name), _) => (name.as_str(), None),
        (None, Some(Located { value, place })) => (value.as_str(), Some(place)),
        (None, None) => match (names().next(), names().nth(1)) {
            (Some(only), None) => (only, None),
            // A project's file that cannot be read may well name one.
            _ if !project.is_readable => return None,
            (None, _) => {
                let problem = profiles.item.problem(format!("expected a profile in {FILE}, found none"));
                problems.push(problem.help("write one: its name, `outputs:`, and below it each target"));
                return None;
            }
            (Some(_), Some(_)) => {
                let problem = profiles.item.problem(format!("expected one profile, found {list}"));
                problems
                    .push(problem.help("choose one with `profile:` in dbt_project.yml or with --profile"));
                return None;
            }
        },
    };
    let found = profiles.get(wanted);
    if found.is_none() {
        let problem = Problem::new(format!("there is no profile `{wanted}`"));
        problems.push(offer(at(problem, place), wanted, "profiles", names()));
    }
    found
}

struct Profile<'a> {
    name: &'a str,
    item: Item<'a>,
}

impl Profile<'_> {
    fn target(&self, options: &LoadOptions, strings: &Strings, problems: &mut Problems) -> Option<Target> {
        let profile = self.item.mapping(problems);
        profile.refuse_unknown("a profile", &[&KEYS], problems);
        let Some(outputs) = profile.get("outputs").filter(|outputs| !outputs.is_empty()) else {
            let problem = self.item.problem(format!("the profile `{}` needs `outputs`", self.name));
            problems.push(problem.help("name each target under `outputs:`, with its type, path and schema"));
            return None;
        };
        let outputs = outputs.mapping(problems);
        let wanted = self.wanted(options, profile, outputs, strings, problems)?;
        let found = outputs.items().find(|(key, _)| key.text == wanted.value);
        let Some((key, output)) = found else {
            let message = format!("there is no target `{}` in the profile `{}`", wanted.value, self.name);
            let names = outputs.items().map(|(key, _)| key.text);
            problems.push(offer(Problem::new(message).at(&wanted.place), &wanted.value, "targets", names));
            return None;
        };
        let mut node = output.node.clone();
        let before = problems.len();
        profile_secrets::render(strings, output.file, &mut node, problems);
        if problems.len() > before {
            return None;
        }
        let output = Item { node: &node, ..output };
        let mut target = read_target(self.name, key, output, problems)?;
        target.dialect = target.dialect.or_else(|| Dialect::of_adapters(outputs));
        if let Some(threads) = options.threads {
            target.threads = threads;
        }
        Some(target)
    }

    /// The name of the target: as asked for, as written, or the only one.
    fn wanted(
        &self,
        options: &LoadOptions,
        profile: Mapping<'_>,
        outputs: Mapping<'_>,
        strings: &Strings,
        problems: &mut Problems,
    ) -> Option<Located<String>> {
        let located = |name: &str, place: Place| Located { value: name.to_owned(), place };
        if let Some(name) = &options.target {
            return Some(located(name, outputs.item.place()));
        }
        if let Some(item) = profile.get("target").filter(|item| !item.is_null()) {
            let mut node = item.node.clone();
            strings.render(item.file, &mut node, &[], problems);
            let rendered = Item { node: &node, ..item };
            return rendered.located_text(problems);
        }
        let mut names = outputs.items().map(|(key, _)| key);
        match (names.next(), names.next(), outputs.get("default")) {
            (Some(only), None, _) => Some(located(only.text, only.place())),
            (_, _, Some(default)) => Some(located("default", default.place())),
            _ => {
                let names: Vec<&str> = outputs.items().map(|(key, _)| key.text).collect();
                let message = format!("expected one target, found {}", names.join(", "));
                let problem = self.item.problem(message);
                problems.push(problem.help("choose one with `target:` in the profile or with --target"));
                None
            }
        }
    }
}

fn at(problem: Problem, place: Option<&Place>) -> Problem {
    match place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// Says which names there are, the nearest first.
fn offer<'a>(problem: Problem, wanted: &str, things: &str, names: impl Iterator<Item = &'a str>) -> Problem {
    let names: Vec<&str> = names.collect();
    let all = match names.as_slice() {
        [] => format!("there are no {things}"),
        names => format!("the {things} are {}", names.join(", ")),
    };
    problem.help(match nearest(wanted, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    })
}
