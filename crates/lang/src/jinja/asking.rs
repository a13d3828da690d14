//! What a text asks of data while it is rendered: `run_query`, `statement` and `load_result`.
//!
//! Must not know: when a question can be answered. That is for whoever resolves the text's names.

use minijinja::value::{Kwargs, Rest, from_args};
use minijinja::{Error, State, Value};

use super::answer::Asked;
use super::answer_value::AnswerValue;
use super::problem::{invalid, invalid_with_help, refused};
use super::relation_value::RelationValue;
use super::scope::RenderScope;

/// The name by which `run_query` keeps its result, as in dbt.
const RUN_QUERY: &str = "run_query_statement";

impl RenderScope {
    /// The rows of a SELECT; nothing while names are not resolved.
    fn asked(&self, sql: &str) -> Result<Option<Value>, Error> {
        self.asks_for_rows();
        let Some(resolver) = &self.resolver else { return Ok(None) };
        let asked = resolver.ask(sql.trim()).map_err(refused)?;
        if asked == Asked::Unknown {
            tracing::trace!("a question is not answered while names are looked for");
        }
        Ok(Some(AnswerValue::table(asked)))
    }

    /// `run_query(sql)`.
    pub(super) fn run_query(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (sql,): (Value,) = from_args(arguments)?;
        let Some(table) = self.asked(&sql.to_string())? else { return Ok(Value::from(())) };
        self.keep_result(RUN_QUERY, AnswerValue::result(&table));
        Ok(table)
    }

    /// `{% call statement('name', fetch_result=true) %}...{% endcall %}`.
    pub(super) fn statement(&self, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let (Rest(positional), named): (Rest<Value>, Kwargs) = from_args(arguments)?;
        let part = |at: usize, name: &str| match positional.get(at) {
            Some(value) => Ok(Some(value.clone())),
            None => named.get::<Option<Value>>(name),
        };
        let name = part(0, "name")?;
        let keeps = part(1, "fetch_result")?.is_some_and(|keeps| keeps.is_true());
        // What begins a transaction where there are some.
        part(2, "auto_begin")?;
        let language = part(3, "language")?;
        if let Some(language) = language.as_ref().and_then(Value::as_str).filter(|given| *given != "sql") {
            return Err(invalid(format!("a statement is SQL here, not {language}")));
        }
        let caller = named.get::<Option<Value>>("caller")?;
        named.assert_all_used()?;
        let Some(caller) = caller else {
            return Err(invalid_with_help(
                "statement() is called without a block",
                "write {% call statement('name', fetch_result=true) %}select ...{% endcall %}",
            ));
        };
        self.asks_for_rows();
        if self.resolver.is_none() {
            return Ok("".into());
        }
        let sql = caller.call(state, &[])?;
        let table = self.asked(&sql.to_string())?;
        if let (Some(name), Some(table), true) = (name.as_ref().and_then(Value::as_str), table, keeps) {
            self.keep_result(name, AnswerValue::result(&table));
        }
        Ok("".into())
    }

    /// `load_result('name')`.
    pub(super) fn load_result(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (name,): (&str,) = from_args(arguments)?;
        self.asks_for_rows();
        Ok(self.kept_result(name).unwrap_or_else(|| Value::from(())))
    }

    /// `load_relation(relation)`: the relation where it is there, else nothing.
    pub(super) fn load_relation(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (relation,): (Value,) = from_args(arguments)?;
        if RelationValue::relation(&relation).is_none() {
            return Ok(Value::from(()));
        }
        let columns = self.columns_of(&relation)?;
        Ok(if columns.len() == Some(0) { Value::from(()) } else { relation })
    }
}
