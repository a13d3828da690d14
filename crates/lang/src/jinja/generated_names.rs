//! Names that a project makes by macros of its own: as in dbt, `generate_schema_name` and `generate_alias_name` are asked for
//! whatever is stored.

use std::sync::Arc;

use super::subject::{Refusal, Resolved, Resolver, Subject};
use super::templates::Templates;
use crate::project::{Problem, SourceText};

/// Which name of a relation is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneratedName {
    /// Its schema.
    Schema,
    /// Its own.
    Alias,
}

impl GeneratedName {
    /// The macros that can make it, the first one of the project's before the others: those that dbt would dispatch to.
    fn macros(self) -> [&'static str; 4] {
        match self {
            Self::Schema => [
                "generate_schema_name",
                "mep__generate_schema_name",
                "duckdb__generate_schema_name",
                "default__generate_schema_name",
            ],
            Self::Alias => [
                "generate_alias_name",
                "mep__generate_alias_name",
                "duckdb__generate_alias_name",
                "default__generate_alias_name",
            ],
        }
    }
}

/// A name is made before it is known what others are called.
struct NoNames;

impl Resolver for NoNames {
    fn resolve_ref(&self, _: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        Err(Refusal::new(format!("the name of what is stored cannot depend on ref('{name}')")))
    }

    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, Refusal> {
        Err(Refusal::new(format!(
            "the name of what is stored cannot depend on source('{source}', '{table}')"
        )))
    }

    fn is_incremental(&self) -> bool {
        false
    }
}

impl Templates {
    /// Whether the project has macros that make names.
    pub fn generates_names(&self) -> bool {
        let all = [GeneratedName::Schema, GeneratedName::Alias];
        all.into_iter().flat_map(GeneratedName::macros).any(|name| self.has_own_macro(name))
    }

    /// The name that the project's macro makes of what config says, where it has one.
    ///
    /// # Errors
    /// Where the macro fails.
    pub fn generated_name(
        &self,
        which: GeneratedName,
        custom: Option<&str>,
        subject: &Subject<'_>,
    ) -> Result<Option<String>, Problem> {
        let Some(name) = which.macros().into_iter().find(|name| self.has_own_macro(name)) else {
            return Ok(None);
        };
        let custom = custom.map_or_else(|| "none".to_owned(), |text| serde_json::json!(text).to_string());
        let text = SourceText::new(subject.text.path(), format!("{{{{ {name}({custom}, model) }}}}"));
        let asked = Subject { text: &text, block: None, ..subject.clone() };
        let rendered = self.render(&asked, Arc::new(NoNames))?;
        Ok(Some(rendered.sql.trim().to_owned()))
    }
}
