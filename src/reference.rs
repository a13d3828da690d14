//! The reference in docs/reference, made of the tables that the code itself reads by. A test fails where the files say something else;
//! `INSTA_UPDATE=always cargo test reference` writes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use mep_cli::exit::{Exit, VARIABLES};
use mep_cli::{Arguments, arguments::Global, reference_of_dbt_flags, reference_of_yaml};
use mep_core::keys::{Effect, Key, Section, Shape};
use mep_core::warnings::WarningKind;
use mep_docs as docs;
use mep_graph as graph;
use mep_lang::{jinja, project};
use mep_sql as sql;

const MADE: &str = "<!-- Made from the code by src/reference.rs: do not edit. -->\n";

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;").trim().to_owned()
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

fn section(section: &Section) -> String {
    let mut text = format!("## {}\n\n", section.title);
    if section.are_refused {
        text.push_str("These keys of dbt are errors, since leaving them out silently would change results.\n\n| key | |\n|---|---|\n");
        for key in &section.keys {
            let _ = writeln!(text, "| {} | {} |", code(key.name), key.doc);
        }
        return text;
    }
    let reads = section.keys.iter().any(|key| key.effect == Effect::Read);
    if reads {
        text.push_str("| key | takes | default | |\n|---|---|---|---|\n");
    }
    for key in section.keys.iter().filter(|key| key.effect == Effect::Read) {
        let default = match key.default {
            "needed" => "**needed**".to_owned(),
            default => cell(default),
        };
        let doc = if key.doc.contains('`') { key.doc.to_owned() } else { cell(key.doc) };
        let _ = writeln!(text, "| {} | {} | {default} | {doc} |", code(key.name), cell(&key.takes()));
    }
    let accepted: Vec<String> = section
        .keys
        .iter()
        .filter(|key| key.effect == Effect::Silent)
        .map(|key| format!("{} ({})", code(key.name), key.told()))
        .collect();
    if !accepted.is_empty() {
        let _ =
            write!(text, "\nAccepted, since dbt has them, and without an effect: {}.\n", accepted.join(", "));
    }
    let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for key in section.keys.iter().filter(|key| key.effect == Effect::Told) {
        told.entry(key.doc).or_default().push(code(key.name));
    }
    if !told.is_empty() {
        text.push_str("\nWithout an effect here, which a warning says once:\n\n| key of dbt | why no row is another for it |\n|---|---|\n");
        for (why, keys) in told {
            let _ = writeln!(text, "| {} | {why} |", keys.join(", "));
        }
    }
    text
}

fn page(title: &str, intro: &str, sections: &[Section]) -> String {
    let mut text = format!("{MADE}# {title}\n\n{intro}\n\n");
    text.push_str(&sections.iter().map(section).collect::<Vec<_>>().join("\n"));
    text
}

fn functions() -> String {
    let mut sections = jinja::reference_of_functions();
    sections.push(Section::of("Functions of SQL", &[&sql::functions::ADDED]));
    let table = |section: &Section| {
        let mut text = format!("## {}\n\n| | |\n|---|---|\n", section.title);
        for Key { takes, doc, .. } in &section.keys {
            let _ = writeln!(text, "| {} | {doc} |", code(takes));
        }
        text
    };
    let intro = "Jinja is that of dbt: Jinja2's statements, filters and tests, Python's methods of texts, lists and mappings, macros of every file of `macros/` in \
        every file, and these names. A text that asks for rows (`run_query`, `statement`) is rendered once its inputs are built.\n\nSQL is that of \
        [DataFusion](https://datafusion.apache.org/user-guide/sql/index.html), with the functions at the end.";
    let mut text = format!("{MADE}# Functions\n\n{intro}\n\n");
    text.push_str(&sections.iter().map(table).collect::<Vec<_>>().join("\n"));
    text.push_str("\n## Tests\n\n| in `data_tests` | finds |\n|---|---|\n");
    for (test, finds) in jinja::BUILTIN_TESTS_DOC {
        let _ = writeln!(text, "| {} | {finds} |", code(test));
    }
    text.push_str("\nA test of your own is a `{% test name(model, column_name) %}` block below `tests/generic/`, or a query in `tests/` that finds what should not be.\n");
    text
}

fn environment() -> String {
    let mut text =
        format!("{MADE}# Environment and exit codes\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.code(), exit.meaning());
    }
    text.push_str("\n## Variables\n\n| variable | takes | |\n|---|---|---|\n");
    let global = <Global as clap::Args>::augment_args(Command::new("mep"));
    for argument in global.get_arguments() {
        if let Some(name) = argument.get_env() {
            let option = argument.get_long().unwrap_or_default();
            let _ =
                writeln!(text, "| `{}` | | As `--{option}`, which goes over it. |", name.to_string_lossy());
        }
    }
    for Key { name, takes, default, doc, .. } in VARIABLES {
        let default = if default.is_empty() { String::new() } else { format!("; without it {default}") };
        let _ = writeln!(text, "| `{name}` | {takes}{default} | {doc} |");
    }
    text.push_str(
        "\nA project's files ask for any variable by `env_var()`: see [functions](functions.md).\n",
    );
    text
}

/// How an option is written.
fn written(argument: &Arg) -> String {
    let value = argument.get_value_names().unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let value =
        if takes_value { value.iter().map(|name| format!(" <{name}>")).collect() } else { String::new() };
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    match (short, long) {
        (None, None) => format!("<{}>", argument.get_id().as_str().to_uppercase()),
        (short, long) => {
            format!("{}{value}", [short, long].into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
    }
}

fn about(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|value| code(value.get_name()))
        .collect();
    if !text.ends_with('.') {
        text.push('.');
    }
    if !values.is_empty() {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    let default: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !default.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, " Without it: `{}`.", default.join(" "));
    }
    text
}

fn options(command: &Command, wanted: impl Fn(&Arg) -> bool) -> String {
    let hidden = ["help", "version"];
    let mut text = String::new();
    for argument in command
        .get_arguments()
        .filter(|argument| wanted(argument) && !hidden.contains(&argument.get_id().as_str()))
    {
        let _ = writeln!(text, "| {} | {} |", code(&written(argument)), cell(&about(argument)));
    }
    if text.is_empty() { text } else { format!("| option | |\n|---|---|\n{text}") }
}

fn command(path: &str, command: &Command, text: &mut String) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = if about.ends_with('.') { about } else { format!("{about}.") };
    let _ = write!(text, "\n## {path}\n\n{}\n", about.replace("\n\n", " "));
    let options = options(command, |argument| !argument.is_global_set());
    if !options.is_empty() {
        let _ = write!(text, "\n{options}");
    }
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
    {
        self::command(&format!("{path} {}", inner.get_name()), inner, text);
    }
}

fn commands() -> String {
    let all = Arguments::command();
    let mut text = format!(
        "{MADE}# Commands\n\n`mep COMMAND --help` says the same. [Exit codes](environment.md#exit-codes) are the same for all of them; how `--select` names nodes is in \
         [selecting](../selecting.md).\n\n| command | |\n|---|---|\n"
    );
    let shown =
        || all.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set());
    for command in shown() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "| [mep {0}](#mep-{0}) | {about} |", command.get_name());
    }
    let _ = write!(text, "\n## Options of all commands\n\n{}", options(&all, Arg::is_global_set));
    for inner in shown() {
        command(&format!("mep {}", inner.get_name()), inner, &mut text);
    }
    for flags in reference_of_dbt_flags() {
        let _ = write!(text, "\n{}", section(&flags));
    }
    let _ = write!(
        text,
        "\n## Names of warnings\n\n`--warn-error-options` and `flags: warn_error_options` of `dbt_project.yml` take these names, dbt's names of the same, `Deprecations` for all of dbt's \
         that end so, and `all` under `error`. A warning of dbt's that mep has not may be named too.\n\n| name | as dbt names it |\n|---|---|\n"
    );
    for (name, dbt) in WarningKind::reference() {
        let dbt: Vec<String> = dbt.iter().map(|name| code(name)).collect();
        let _ = writeln!(text, "| {} | {} |", code(name), dbt.join(", "));
    }
    text
}

fn pages() -> [(&'static str, String); 6] {
    let mut files = project::reference_of_files();
    files.push(docs::reference_of_charts());
    [
        ("commands.md", commands()),
        (
            "config.md",
            page(
                "Config",
                "Config stands in `{{ config(…) }}` of a file, under `config:` of its entry in a properties file, and by folder in `dbt_project.yml` (`+key`); what stands \
                 nearer to the SQL counts. A key that is not here is warned of, and an error under `--strict`; keys for your own use belong under `meta`.",
                &graph::reference_of_config(),
            ),
        ),
        (
            "files.md",
            page(
                "Files of a project",
                "A project is `models/**/*.sql` with YAML beside them (any name: `schema.yml`, `sources.yml`), `profiles.yml` ([profiles](profiles.md)), and, where you want them, \
                 `macros/`, `tests/`, `seeds/`, `snapshots/` and `dbt_project.yml`. A key that is not here is warned of, and an error under `--strict`. \
                 `mep schema properties` (and `project`, `profiles`) prints a JSON schema made of the same tables, by which editors check and complete such a file: see [editors](../editors.md).",
                &files,
            ),
        ),
        (
            "profiles.md",
            page(
                "Profiles",
                "`profiles.yml` lies beside the project, in `--profiles-dir`, or in `~/.dbt`. Only the target that is used is rendered, so that another one's missing variable is no problem.",
                &project::reference_of_profiles(),
            ),
        ),
        ("functions.md", functions()),
        ("environment.md", environment()),
    ]
}

#[test]
fn the_reference_says_what_the_code_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let writes = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    for (name, text) in pages() {
        let path = folder.join(name);
        if writes {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            kept, text,
            "docs/reference/{name} is not what the code says: INSTA_UPDATE=always cargo test reference"
        );
    }
}

#[test]
fn every_variable_of_the_environment_that_the_code_asks_for_is_in_the_reference() {
    let asked = regex::Regex::new(r#"(?:var|var_os|try_from_env|is_set)\("([A-Z_]+)"\)"#).unwrap();
    let known: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    // Of tests alone.
    let hidden = ["MEP_FAIL_POINT", "MEP_ALWAYS", "INSTA_UPDATE"];
    let mut found = 0;
    for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for name in asked.captures_iter(&text).map(|found| found[1].to_owned()) {
            found += 1;
            assert!(
                known.contains(&name.as_str()) || hidden.contains(&name.as_str()),
                "{}: {name}",
                path.display()
            );
        }
    }
    assert!(found > 2, "{found}");
}

#[test]
fn every_key_says_in_a_sentence_what_it_does() {
    for section in reference_of_yaml() {
        for key in section.keys {
            assert!(
                key.doc.ends_with('.') && key.doc.len() > 5,
                "{}: {}: {}",
                section.title,
                key.name,
                key.doc
            );
        }
    }
}

/// The titles of the sections whose keys may stand in a value of this shape.
fn titles(shape: &Shape) -> Vec<&'static str> {
    match shape {
        Shape::Keys(titles) => titles.to_vec(),
        Shape::OneOrMore(of) | Shape::List(of) | Shape::Mapping(of) => titles(of),
        Shape::ByType(types) => types.iter().flat_map(|(_, shape)| titles(shape)).collect(),
        Shape::Either(shapes) => shapes.iter().flat_map(titles).collect(),
        Shape::Any | Shape::Text | Shape::Boolean | Shape::Number | Shape::Words(_) => Vec::new(),
    }
}

#[test]
fn a_mapping_whose_keys_a_shape_names_is_in_the_reference() {
    let sections = reference_of_yaml();
    let named: Vec<&str> =
        sections.iter().flat_map(|section| &section.keys).flat_map(|key| titles(&key.shape)).collect();
    assert!(named.len() > 20, "{named:?}");
    for title in named {
        assert!(sections.iter().any(|section| section.title == title), "no section is called `{title}`");
    }
}
