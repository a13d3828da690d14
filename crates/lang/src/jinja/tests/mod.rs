//! What texts render to, and what mep says of those that do not.

mod answers;
mod conformance;
mod corpus;
mod generic_tests;
mod macro_calls;
mod meaning;
mod patterns;
mod places;
mod problems;
mod relations;
mod robustness;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{TimeZone, Utc};
use indexmap::IndexMap;
use serde_json::json;

use super::*;
use crate::project::{Problem, Project, SourceText, Target, WarehouseConfig};
use mep_core::relation::Relation;

struct Names {
    incremental: bool,
}

impl Resolver for Names {
    fn resolve_ref(&self, _: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        let part = name.strip_prefix("part_of_").map(|of| Relation::new("parts", of));
        Ok(Resolved { relation: Relation::new("music", name), part })
    }

    fn resolve_source(&self, _: &str, table: &str) -> Result<Resolved, Refusal> {
        Ok(Relation::new("music", format!("raw_{table}")).into())
    }

    fn is_incremental(&self) -> bool {
        self.incremental
    }

    fn ask(&self, sql: &str) -> Result<Asked, Refusal> {
        let row = |kind: &str, n: i128| vec![Cell::Text(kind.to_owned()), Cell::Integer(n), Cell::Null];
        match sql {
            "nothing" => Ok(Asked::Rows(Answer { columns: vec!["a".to_owned()], rows: Vec::new() })),
            "refused" => {
                Err(Refusal { message: "no such table".to_owned(), help: Some("build it".to_owned()) })
            }
            _ => Ok(Asked::Rows(Answer {
                columns: ["kind", "n", "last"].map(str::to_owned).to_vec(),
                rows: vec![row("jazz", 2), row("pop", 1), row("pop", 3)],
            })),
        }
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<(String, String)>, Refusal> {
        let column = |name: &str, data_type: &str| (name.to_owned(), data_type.to_owned());
        Ok(match relation.name.as_str() {
            "nothing" => Vec::new(),
            name => vec![column("id", "bigint"), column(name, "varchar"), column("Price", "decimal(10, 2)")],
        })
    }
}

fn project(macros: &[(&str, &str)]) -> Project {
    Project {
        root: PathBuf::new(),
        name: "shop".into(),
        vars: IndexMap::from([
            ("country".to_owned(), json!("SE")),
            ("countries".to_owned(), json!(["SE", "NO"])),
        ]),
        packages: Vec::new(),
        missing_packages: Vec::new(),
        own_package_first: false,
        dispatch: IndexMap::new(),
        packages_path: "dbt_packages".into(),
        target_path: "target".into(),
        target: Target {
            profile: "shop".into(),
            name: "dev".into(),
            schema: "music".into(),
            threads: 2,
            warehouse: WarehouseConfig::Local { path: ".mep".into() },
            memory: None,
            retention_days: 7,
            sources: IndexMap::new(),
            streaming: None,
            openlineage: None,
            dialect: None,
            place: None,
        },
        models: Vec::new(),
        snapshots: Vec::new(),
        tests: Vec::new(),
        on_run_start: Vec::new(),
        on_run_end: Vec::new(),
        macros: macros.iter().map(|(path, text)| SourceText::new(*path, *text)).collect(),
        seeds: Vec::new(),
        sources: Vec::new(),
        exposures: Vec::new(),
        docs: Vec::new(),
        selectors: Vec::new(),
        unit_tests: Vec::new(),
        warn_options: None,
        groups: Vec::new(),
        semantics: crate::project::Semantics::default(),
        is_strict: true,
        store_failures: false,
        warnings: Vec::new(),
    }
}

fn invocation() -> Invocation {
    Invocation {
        run_started_at: Utc.with_ymd_and_hms(2018, 11, 3, 1, 2, 3).unwrap(),
        logical_date: chrono::NaiveDate::from_ymd_opt(2018, 11, 2).unwrap(),
        full_refresh: false,
        invocation_id: "id".into(),
        command: "run".into(),
    }
}

fn templates(macros: &[(&str, &str)]) -> Templates {
    Templates::new(&project(macros), invocation()).map_err(|problems| problems.to_string()).unwrap()
}

fn subject(text: &SourceText) -> Subject<'_> {
    Subject {
        text,
        block: None,
        name: "m",
        unique_id: "model.shop.m",
        resource_type: "model",
        fqn: &[],
        this: Relation::new("music", "m"),
        config: IndexMap::new(),
        description: "",
        columns: &[],
    }
}

fn sql(macros: &[(&str, &str)], text: &str) -> String {
    let text = SourceText::new("models/m.sql", text);
    let rendered = templates(macros).render(&subject(&text), Arc::new(Names { incremental: true }));
    rendered.map_or_else(|problem| said(&problem), |rendered| rendered.sql)
}

fn parse(macros: &[(&str, &str)], text: &str) -> Parsed {
    let text = SourceText::new("models/m.sql", text);
    let parsed = templates(macros).parse(&subject(&text));
    parsed.map_err(|problem| said(&problem)).unwrap()
}

/// A problem as its parts: the message, the place with its text, the label and the help.
fn said(problem: &Problem) -> String {
    let mut lines = vec![format!("problem: {problem}")];
    if let Some(place) = problem.place() {
        let (line, column) = place.line_column();
        let path = place.text.path().display();
        let text =
            place.text.text().get(place.span.start..place.span.end()).expect("the place is in the text");
        lines.push(format!("   at: {path}:{line}:{column} `{text}`"));
    }
    let labels = miette::Diagnostic::labels(problem).into_iter().flatten();
    lines.extend(labels.filter_map(|label| label.label().map(|label| format!("label: {label}"))));
    lines.extend(problem.help_text().map(|help| format!(" help: {help}")));
    lines.join("\n")
}
