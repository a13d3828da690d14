//! Uses of generic tests: a test is a macro, and its use in YAML gives the arguments.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::Kwargs;
use serde_json::Value as Json;

use super::collections::{Dict, List, of_json};
use super::macros::Macro;
use super::noted::located_in_yaml;
use super::problem::{message, root};
use super::relation_value::RelationValue;
use super::scope::{About, Scope};
use super::source_map::SourceMap;
use super::subject::{Parsed, Rendered, Resolver};
use super::templates::Templates;
use crate::project::{Problem, TestUse, nearest};
use crate::relation::Relation;

/// What a generic test is about.
#[derive(Clone, Debug)]
pub struct TestSubject<'a> {
    /// The use of the test.
    pub test: &'a TestUse,
    /// `model`: the relation that is tested.
    pub relation: Relation,
    /// `column_name`.
    pub column: Option<&'a str>,
    /// The test looks only at rows for which this SQL holds.
    pub where_sql: Option<&'a str>,
    /// The unique id of the test.
    pub unique_id: &'a str,
}

impl TestSubject<'_> {
    /// The test's name. A package before it says where a test comes from; here all are the project's own or built in.
    fn name(&self) -> &str {
        let written = &self.test.test.value;
        written.rsplit('.').next().unwrap_or(written)
    }

    /// `model`: the relation, or those of its rows that the test looks at.
    fn model(&self) -> Value {
        match self.where_sql {
            Some(condition) => {
                format!("(select * from {} where {condition}) dbt_subquery", self.relation).into()
            }
            None => RelationValue::of(self.relation.clone().into()),
        }
    }

    fn problem(&self, message: impl std::fmt::Display, help: String) -> Problem {
        Problem::new(format!("the test `{}` {message}", self.name())).at(&self.test.test.place).help(help)
    }
}

impl Templates {
    /// The first pass over a use of a generic test.
    ///
    /// # Errors
    /// Where there is no such test, or its arguments do not fit.
    pub fn parse_test(&self, subject: &TestSubject<'_>) -> Result<Parsed, Problem> {
        let test = self.test(subject)?;
        let scope = self.test_scope(subject, None, Vec::new());
        let arguments = self.arguments(subject, test, &scope)?;
        let mut noted = std::mem::take(&mut *scope.noted());
        if test.reaches {
            let scope = self.test_scope(subject, None, called(test, arguments));
            *scope.noted() = noted;
            self.call_test(subject, &scope)?;
            noted = std::mem::take(&mut *scope.noted());
        }
        Ok(located_in_yaml(noted, &subject.test.test.place))
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
        let arguments = self.arguments(subject, test, &scope)?;
        let scope = self.test_scope(subject, Some(resolver), called(test, arguments));
        let sql = self.call_test(subject, &scope)?;
        Ok(Rendered { sql, map: SourceMap::whole(subject.test.test.place.clone()) })
    }

    fn test(&self, subject: &TestSubject<'_>) -> Result<&Arc<Macro>, Problem> {
        let name = subject.name();
        self.shared.macros.get(&format!("test_{name}")).ok_or_else(|| {
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
    ) -> Arc<Scope> {
        let about = About {
            name: subject.name().to_owned(),
            unique_id: subject.unique_id.to_owned(),
            resource_type: "test".to_owned(),
            fqn: Vec::new(),
            path: subject.test.test.place.text.path().to_string_lossy().into_owned(),
            this: subject.relation.clone(),
            config: IndexMap::new(),
        };
        Scope::new(self.shared.clone(), about, resolver, extra)
    }

    fn call_test(&self, subject: &TestSubject<'_>, scope: &Arc<Scope>) -> Result<String, Problem> {
        let rendered = self
            .environment
            .get_template(super::templates::TEST_CALL)
            .and_then(|template| template.render(Value::from_dyn_object(scope.clone())));
        rendered.map_err(|error| self.failed(subject, &error))
    }

    /// The arguments of a test's macro, checked against its parameters.
    fn arguments(
        &self,
        subject: &TestSubject<'_>,
        test: &Macro,
        scope: &Arc<Scope>,
    ) -> Result<Vec<(String, Value)>, Problem> {
        let mut arguments = vec![("model".to_owned(), subject.model())];
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
                return Err(
                    subject.problem(format_args!("has no parameter `{name}`"), test.parameters_help(name))
                );
            }
            let value = self.argument(value, scope).map_err(|error| self.failed(subject, &error))?;
            match arguments.iter_mut().find(|(earlier, _)| earlier == name) {
                Some((_, earlier)) => *earlier = value,
                None => arguments.push((name.clone(), value)),
            }
        }
        let given = |name: &str| arguments.iter().any(|(argument, _)| argument == name);
        let missing =
            test.parameters.iter().find(|parameter| !parameter.has_default && !given(&parameter.name));
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

    /// A text that holds Jinja, or is a call of `ref`, `source` or `var`, is evaluated.
    fn argument(&self, value: &Json, scope: &Arc<Scope>) -> Result<Value, minijinja::Error> {
        match value {
            Json::String(text) => match expression(text) {
                Some(expression) => self.evaluated(expression, scope),
                None if text.contains("{{") || text.contains("{%") => {
                    let rewritten = super::rewrite::Rewritten::of(text);
                    let template = self.environment.template_from_str(&rewritten.text)?;
                    template.render(Value::from_dyn_object(scope.clone())).map(Value::from)
                }
                None => Ok(text.as_str().into()),
            },
            Json::Array(values) => {
                let values: Result<Vec<Value>, _> =
                    values.iter().map(|value| self.argument(value, scope)).collect();
                values.map(List::of)
            }
            Json::Object(entries) => {
                let entries: Result<IndexMap<Value, Value>, minijinja::Error> = entries
                    .iter()
                    .map(|(key, value)| Ok((Value::from(key.as_str()), self.argument(value, scope)?)))
                    .collect();
                entries.map(Dict::of)
            }
            other => Ok(of_json(other)),
        }
    }

    fn evaluated(&self, expression: &str, scope: &Arc<Scope>) -> Result<Value, minijinja::Error> {
        let rewritten = super::rewrite::Rewritten::of(&format!("{{% do __mep_give({expression}) %}}"));
        let template = self.environment.template_from_str(&rewritten.text)?;
        template.render(Value::from_dyn_object(scope.clone()))?;
        Ok(scope.take_given().unwrap_or_default())
    }
}

/// What the template that calls a test finds in its scope.
fn called(test: &Arc<Macro>, arguments: Vec<(String, Value)>) -> Vec<(&'static str, Value)> {
    vec![("__mep_test", Macro::value(test)), ("__mep_arguments", Kwargs::from_iter(arguments).into())]
}

/// The expression that an argument is as a whole.
fn expression(text: &str) -> Option<&str> {
    const CALLS: [&str; 4] = ["ref(", "source(", "var(", "env_var("];
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        return (!inner.contains("{{")).then(|| inner.trim_matches('-').trim());
    }
    (CALLS.iter().any(|call| text.starts_with(call)) && text.ends_with(')')).then_some(text)
}
