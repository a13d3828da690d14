//! Uses of generic tests: a test is a macro, and its use in YAML gives the arguments.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::Kwargs;
use minijinja::{Environment, Value};
use serde_json::Value as Json;

use super::adapter::dispatched;
use super::macros::Macro;
use super::noted::located_in_yaml;
use super::passes;
use super::problem::{message, root};
use super::relation_value::RelationValue;
use super::scope::{About, RenderScope};
use super::source_map::SourceMap;
use super::subject::{Parsed, Rendered, Resolver};
use super::templates::{Templates, printed_as_nothing, tell};
use super::visits::bounded;
use super::yaml_value::{Bare, evaluated, is_jinja, rendered, rendered_text};
use crate::project::{Place, Problem, TestUse, nearest};
use mep_core::relation::Relation;

/// The macros by which a project says for itself which rows tests look at.
const WHERE_MACROS: [&str; 4] = [
    "get_where_subquery",
    "mep__get_where_subquery",
    "duckdb__get_where_subquery",
    "default__get_where_subquery",
];

/// What a generic test is about.
#[derive(Clone, Debug)]
pub struct TestSubject<'a> {
    /// The use of the test.
    pub test: &'a TestUse,
    /// `model`: the relation that is tested.
    pub relation: Relation,
    /// `column_name`, as SQL writes it.
    pub column: Option<&'a str>,
    /// Whether the column is known to hold truth values.
    pub is_boolean: bool,
    /// The config of the test; it looks only at rows for which its `where` holds.
    pub config: &'a IndexMap<String, Json>,
    /// The unique id of the test.
    pub unique_id: &'a str,
}

impl TestSubject<'_> {
    /// The test's name.
    fn name(&self) -> &str {
        let written = &self.test.test.value;
        written.rsplit('.').next().unwrap_or(written)
    }

    /// The package that stands before it.
    fn package(&self) -> Option<&str> {
        self.test.test.value.rsplit_once('.').map(|(package, _)| package)
    }

    /// The rows that the test looks at, where they are not all.
    fn condition(&self) -> Option<&str> {
        self.config.get("where").and_then(Json::as_str).filter(|condition| !condition.trim().is_empty())
    }

    fn problem(&self, message: impl std::fmt::Display, help: String) -> Problem {
        Problem::new(format!("the test `{}` {message}", self.name())).at(&self.test.test.place).help(help)
    }

    /// Where an argument stands; the test itself, where that is not known.
    fn argument_place(&self, name: &str) -> &Place {
        let places = &self.test.places;
        places.iter().find(|place| place.name == name).map_or(&self.test.test.place, |found| &found.place)
    }

    /// Where its `where` stands.
    fn condition_place(&self) -> &Place {
        self.test.config.get("where").map_or(&self.test.test.place, |condition| &condition.place)
    }

    /// The texts that its SQL is made of, with where they stand.
    fn texts(&self) -> Vec<(String, Place)> {
        let condition = self.condition().map(|text| (text.to_owned(), self.condition_place().clone()));
        let texts = self.test.places.iter().flat_map(|argument| &argument.texts);
        condition.into_iter().chain(texts.map(|text| (text.value.clone(), text.place.clone()))).collect()
    }
}

impl Templates {
    /// The first pass over a use of a generic test.
    ///
    /// # Errors
    /// Where there is no such test, or its arguments do not fit.
    pub fn parse_test(&self, subject: &TestSubject<'_>) -> Result<Parsed, Problem> {
        let test = self.test(subject)?;
        let pass = |resolver: Option<Arc<dyn Resolver>>| {
            let scope = self.test_scope(subject, resolver.clone(), Vec::new());
            let settled = self.config(subject, &scope).and_then(|config| {
                let subject = &TestSubject { config: &config, ..subject.clone() };
                Ok((self.arguments(subject, test, &scope)?, config.clone()))
            });
            let mut noted = std::mem::take(&mut *scope.noted());
            noted.calls(test.unique_id());
            // These two are written so that they need no rendering to be known.
            if !test.is_builtin() || !["test_unique", "test_not_null"].contains(&test.name.as_str()) {
                let rows = self.shared.macros.get("get_where_subquery");
                if let Some(rows) = rows {
                    noted.calls(rows.unique_id());
                }
            }
            let called = settled.and_then(|(arguments, config)| {
                let subject = &TestSubject { config: &config, ..subject.clone() };
                if !test.reaches {
                    return Ok(());
                }
                let given = called(subject, test, arguments);
                let scope = || {
                    let scope = self.test_scope(subject, resolver.clone(), given.clone());
                    *scope.noted() = noted.clone();
                    scope
                };
                let (called, scope, missing) = self.call_test(subject, &scope);
                noted = std::mem::take(&mut *scope.noted());
                noted.missing.extend(missing.filter(|_| !noted.asks_rows));
                called.map(|_| ())
            });
            (called, noted)
        };
        let (passed, noted) = passes::all(&subject.relation, &pass);
        match passed? {
            Some(key) => Err(passes::config_depends(&key).at(&subject.test.test.place)),
            None => Ok(located_in_yaml(noted, &subject.test.test.place)),
        }
    }

    /// The second pass over a use of a generic test.
    ///
    /// # Errors
    /// Where there is no such test, or its arguments do not fit.
    pub fn render_test(
        &self,
        subject: &TestSubject<'_>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Rendered, Problem> {
        let test = self.test(subject)?;
        let scope = self.test_scope(subject, Some(resolver.clone()), Vec::new());
        let config = self.config(subject, &scope)?;
        let subject = &TestSubject { config: &config, ..subject.clone() };
        let arguments = self.arguments(subject, test, &scope)?;
        let noted = std::mem::take(&mut *scope.noted());
        let given = called(subject, test, arguments);
        let scope = move || {
            let scope = self.test_scope(subject, Some(resolver.clone()), given.clone());
            *scope.noted() = noted.clone();
            scope
        };
        let (sql, scope, missing) = self.call_test(subject, &scope);
        let sql = sql?;
        let noted = std::mem::take(&mut *scope.noted());
        if let Some(missing) = missing.filter(|_| noted.asks_rows) {
            tell(&missing);
        }
        let Parsed { refs, sources, config, .. } = located_in_yaml(noted, &subject.test.test.place);
        let sql = match self.replaced(subject)[..] {
            [] => sql,
            ref own => format!("-- by macros of this project: {}\n{sql}", own.join(", ")),
        };
        let map = SourceMap::of_texts(subject.test.test.place.clone(), &sql, &subject.texts());
        Ok(Rendered { sql, map, refs, sources, config })
    }

    /// The project's macros that stand in for what is built in: whoever reads the SQL learns why it is another one.
    fn replaced(&self, subject: &TestSubject<'_>) -> Vec<String> {
        let own = |name: &String| self.shared.macros.get(name).is_some_and(|found| !found.is_builtin());
        let is_builtin = |name: &str| self.shared.macros.get(name).is_some_and(|found| found.is_builtin());
        let test = format!("test_{}", subject.name());
        let parts = if is_builtin(&test) { dispatched(&test).to_vec() } else { Vec::new() };
        let rows = WHERE_MACROS.iter().map(|name| (*name).to_owned());
        parts.into_iter().find(own).into_iter().chain(rows.into_iter().find(own)).collect()
    }

    fn test(&self, subject: &TestSubject<'_>) -> Result<&Arc<Macro>, Problem> {
        let name = subject.name();
        let of_macro = format!("test_{name}");
        let found = match subject.package() {
            Some(package) => self.shared.macros.qualified(package, &of_macro),
            None => self.shared.macros.seen_from(self.shared.macros.package_of(subject.unique_id), &of_macro),
        };
        found.ok_or_else(|| {
            let help = match nearest(name, self.generic_tests()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "define it by a `{{% test {name}(model, column_name) %}}` block in tests/generic/"
                ),
            };
            Problem::new(format!("there is no test `{name}`")).at(&subject.test.test.place).help(help)
        })
    }

    fn test_scope(
        &self,
        subject: &TestSubject<'_>,
        resolver: Option<Arc<dyn Resolver>>,
        extra: Vec<(&'static str, Value)>,
    ) -> Arc<RenderScope> {
        let about = About {
            name: subject.name().to_owned(),
            unique_id: subject.unique_id.to_owned(),
            package: self.shared.macros.package_of(subject.unique_id).to_owned(),
            resource_type: "test".to_owned(),
            fqn: Vec::new(),
            path: subject.test.test.place.text.path().to_string_lossy().into_owned(),
            this: subject.relation.clone(),
            config: subject.config.clone(),
            description: String::new(),
            columns: Json::Null,
            raw: String::new(),
        };
        RenderScope::new(self.shared.clone(), about, resolver, extra)
    }

    fn call_test(
        &self,
        subject: &TestSubject<'_>,
        scope: &dyn Fn() -> Arc<RenderScope>,
    ) -> (Result<String, Problem>, Arc<RenderScope>, Option<Problem>) {
        let once = |environment: &Environment<'static>| {
            let scope = scope();
            let rendered = environment
                .get_template(super::templates::TEST_CALL)
                .and_then(|template| bounded(|| template.render(Value::from_dyn_object(scope.clone()))));
            (rendered, scope)
        };
        let (rendered, scope) = once(&self.environment);
        let missing = match &rendered {
            Err(error) if self.forgives(error) => printed_as_nothing(self.failed(subject, error)),
            _ => return (rendered.map_err(|error| self.failed(subject, &error)), scope, None),
        };
        let (rendered, scope) = once(self.lenient());
        match rendered {
            Ok(sql) => (Ok(sql), scope, Some(missing)),
            Err(error) => (Err(self.failed(subject, &error)), scope, None),
        }
    }

    /// The config of a test with its `where` as SQL: Jinja in it is that of a model.
    fn config(
        &self,
        subject: &TestSubject<'_>,
        scope: &Arc<RenderScope>,
    ) -> Result<IndexMap<String, Json>, Problem> {
        let mut config = subject.config.clone();
        if let Some(condition) = subject.condition().filter(|condition| is_jinja(condition)) {
            let condition = rendered_text(&self.environment, scope, condition)
                .map_err(|error| self.failed(subject, &error).at(subject.condition_place()))?;
            config.insert("where".to_owned(), condition.into());
        }
        Ok(config)
    }

    /// `model`: the relation, or those of its rows that the test looks at.
    fn model(&self, subject: &TestSubject<'_>, scope: &Arc<RenderScope>) -> Result<Value, minijinja::Error> {
        let relation = RelationValue::of(subject.relation.clone().into());
        let is_own = |name: &&&str| self.shared.macros.get(name).is_some_and(|found| !found.is_builtin());
        match (WHERE_MACROS.iter().find(is_own), subject.condition()) {
            (Some(own), _) => {
                let extra = vec![("__mep_relation", relation)];
                let inner = self.test_scope(subject, scope.resolver.clone(), extra);
                let model = evaluated(&self.environment, &inner, &format!("{own}(__mep_relation)"));
                scope.noted().add(std::mem::take(&mut *inner.noted()));
                model
            }
            (None, Some(condition)) => {
                Ok(format!("(select * from {} where {condition}) dbt_subquery", subject.relation).into())
            }
            (None, None) => Ok(relation),
        }
    }

    /// The arguments of a test's macro, checked against its parameters.
    fn arguments(
        &self,
        subject: &TestSubject<'_>,
        test: &Macro,
        scope: &Arc<RenderScope>,
    ) -> Result<Vec<(String, Value)>, Problem> {
        let model = self.model(subject, scope).map_err(|error| self.failed(subject, &error))?;
        let mut arguments = vec![("model".to_owned(), model)];
        if let Some(column) = subject.column {
            if !test.takes("column_name") {
                return Err(subject.problem(
                    "is not about a column: it has no parameter `column_name`",
                    "put it among the tests of the table, or give its macro the parameter".to_owned(),
                ));
            }
            arguments.push(("column_name".to_owned(), column.into()));
        }
        for (name, value) in &subject.test.arguments {
            if !test.takes(name) {
                let problem =
                    subject.problem(format_args!("has no parameter `{name}`"), test.parameters_help(name));
                return Err(problem.at(subject.argument_place(name)));
            }
            let value = rendered(&self.environment, scope, value, Bare::Call);
            let value =
                value.map_err(|error| self.failed(subject, &error).at(subject.argument_place(name)))?;
            match arguments.iter_mut().find(|(earlier, _)| earlier == name) {
                Some((_, earlier)) => *earlier = value,
                None => arguments.push((name.clone(), value)),
            }
        }
        // A macro that was written for it may do without an argument, as in dbt: it is not defined then.
        let given = |name: &str| arguments.iter().any(|(argument, _)| argument == name);
        let mut parameters = test.parameters.iter().filter(|_| test.is_builtin());
        let missing = parameters.find(|parameter| !parameter.has_default && !given(&parameter.name));
        if let Some(missing) = missing {
            let help = match missing.name.as_str() {
                "column_name" => "put the test below a column, or give it `column_name`".to_owned(),
                name => format!("write `{name}:` below the test's name"),
            };
            return Err(subject.problem(format_args!("needs the argument `{}`", missing.name), help));
        }
        Ok(arguments)
    }

    /// The problem that an error in a test stands for: it is placed at the use of the test.
    fn failed(&self, subject: &TestSubject<'_>, error: &minijinja::Error) -> Problem {
        let root = root(error);
        let names: Vec<&str> = self.macro_names().collect();
        let (message, help) = message(root, &names);
        let place = match (root.name(), root.line()) {
            (Some(file), Some(line)) if self.is_macro_file(file) => format!(" ({file}:{line})"),
            _ => String::new(),
        };
        let problem = Problem::new(format!("the test `{}`: {message}{place}", subject.name()));
        let problem = problem.at(&subject.test.test.place);
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

/// What the template that calls a test finds in its scope.
fn called(
    subject: &TestSubject<'_>,
    test: &Arc<Macro>,
    arguments: Vec<(String, Value)>,
) -> Vec<(&'static str, Value)> {
    vec![
        ("__mep_test", Macro::value(test)),
        ("__mep_arguments", Kwargs::from_iter(arguments).into()),
        ("__mep_is_boolean", subject.is_boolean.into()),
    ]
}
