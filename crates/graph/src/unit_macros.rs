//! Unit tests of macros: the text that a call gives.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::compiled::CompiledTest;
use super::names::NodeNames;
use super::unit_tests::{ComparedRows, CompiledUnit, UnitCompiler, unplanned};
use mep_core::relation::Relation;
use mep_lang::jinja::{Rendered, Subject};
use mep_lang::project::{Problem, SourceText, UnitMacro, UnitTest};
use mep_sql::{alignment, without_semicolon};

/// Texts that are to be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedText {
    /// What the macro gives.
    pub actual: String,
    /// What it is to give.
    pub expected: String,
    /// Whether white space is compared too.
    pub is_exact: bool,
}

impl UnitCompiler<'_> {
    /// A test of a macro: its call is rendered by now, and its text is a SELECT where rows are expected.
    pub(super) fn macro_test(&self, test: &UnitTest, of: &UnitMacro) -> Result<CompiledTest, Problem> {
        let rendered = self.called(test, of)?;
        let actual = rendered.sql.clone();
        let unit = if let Some(text) = &of.text {
            let (expected, is_exact) = (text.value.clone(), of.is_exact);
            CompiledUnit::Text(ComparedText { actual: actual.clone(), expected, is_exact })
        } else {
            CompiledUnit::Rows(self.macro_rows(test, without_semicolon(&actual))?)
        };
        Ok(CompiledTest { sql: actual, rendered, unit: Some(unit) })
    }

    /// What a macro's text is to give as a SELECT.
    fn macro_rows(&self, test: &UnitTest, select: &str) -> Result<ComparedRows, Problem> {
        let planned = self.scope.plan(select);
        let plan = planned.map_err(|problem| {
            let help = "the text of the macro is no SELECT by itself: compare it with expect: {text: ...}";
            unplanned(test, &problem).help(help)
        })?;
        if alignment::tables(&plan).map_or(true, |tables| !tables.is_empty()) {
            let message = format!("the unit test `{}`: what the macro gives reads tables", test.name.value);
            let help = "compare its text with expect: {text: ...}, or test a model that calls it";
            return Err(Problem::new(message).at(&test.name.place).help(help));
        }
        self.compared_rows(test, &test.expect, &plan.output(), &format!("(\n{select}\n)"))
    }

    /// What a call of the macro gives.
    fn called(&self, test: &UnitTest, of: &UnitMacro) -> Result<Rendered, Problem> {
        let name = &test.model.value;
        let called = name.rsplit('.').next().unwrap_or(name);
        if !self.templates.has_macro(called) {
            let problem = Problem::new(format!("there is no macro `{name}`")).at(&test.model.place);
            return Err(problem.did_you_mean(called, self.templates.macro_names()));
        }
        let file = test.name.place.text.path().to_owned();
        let text = SourceText::new(file, format!("{{{{ {name}(**__mep_arguments) }}}}"));
        let subject = Subject {
            text: &text,
            block: None,
            name: &test.name.value,
            unique_id: &test.name.value,
            resource_type: "unit_test",
            fqn: &[],
            this: Relation::new(&self.project.target.schema, &test.name.value),
            config: IndexMap::new(),
            description: "",
            columns: &[],
        };
        let names = NodeNames {
            names: self.names.clone(),
            is_incremental: false,
            parts: None,
            scope: Some(self.scope.clone()),
            asking: None,
        };
        let arguments = Json::Object(of.args.clone().into_iter().collect());
        let sees = [("__mep_arguments", arguments)];
        let rendered = self.templates.render_overriding(&subject, Arc::new(names), &test.overrides, &sees);
        rendered.map_err(|problem| {
            let said = Problem::new(format!("the unit test `{}`: {}", test.name.value, problem.message()));
            let said = said.at(&test.name.place);
            match problem.help_text() {
                Some(help) => said.help(help),
                None => said,
            }
        })
    }
}
