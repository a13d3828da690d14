//! The name of a table or view in a warehouse.
//!
//! Owns the one type by which all stages name what is in a warehouse. Must not know what stands behind the name.

use std::fmt;

/// A table or view in a warehouse: a schema (in Hive: a database) and a name.
///
/// Displayed as SQL refers to it; a part is quoted where it is not a plain lower-case identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relation {
    /// The schema; `None` for a name that lives only within a statement, such as an ephemeral model's.
    pub schema: Option<String>,
    /// The table's or view's own name.
    pub name: String,
}

/// What the name of a table of rejected rows ends with.
const REJECTED: &str = "__rejected";

impl Relation {
    /// A table or view in a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }

    /// The table of the rows of a landed one that could not be read.
    #[must_use]
    pub fn rejects(&self) -> Self {
        Self { schema: self.schema.clone(), name: format!("{}_rejects", self.name) }
    }

    /// The table that keeps rows which were to be published in this one, and failed its tests.
    #[must_use]
    pub fn rejected(&self) -> Self {
        Self { schema: self.schema.clone(), name: format!("{}{REJECTED}", self.name) }
    }

    /// The table of the events that came too late for this one.
    #[must_use]
    pub fn late(&self) -> Self {
        Self { schema: self.schema.clone(), name: format!("{}_late", self.name) }
    }

    /// Whether it is named as a table of rejected rows is.
    pub fn is_named_rejected(&self) -> bool {
        self.name.ends_with(REJECTED)
    }

    /// A name within one process for something of this table that is not published. It says the schema too: tables of one
    /// name in several schemas are built at once.
    #[must_use]
    pub fn aside(&self, what: &'static str) -> Self {
        Self { schema: None, name: format!("__mep_{what}_{self}") }
    }

    /// The same of several such things: its `at`-th one.
    #[must_use]
    pub fn aside_at(&self, what: &'static str, at: usize) -> Self {
        Self { schema: None, name: format!("__mep_{what}_{at}_{self}") }
    }

    /// A name within one process for groups that are kept with this table: its `at`-th ones.
    #[must_use]
    pub fn kept_groups(&self, at: usize) -> Self {
        Self { schema: Some("__mep_groups".to_owned()), name: format!("{at} {self}") }
    }

    /// The name of an ephemeral model within the statements that use it.
    pub fn ephemeral(model: &str) -> Self {
        Self { schema: None, name: format!("__dbt__cte__{model}") }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", Quoted(schema))?;
        }
        write!(f, "{}", Quoted(&self.name))
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && self.0.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if plain { f.write_str(self.0) } else { write!(f, "\"{}\"", self.0.replace('"', "\"\"")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_one_name_in_several_schemas_have_names_of_their_own() {
        let aside = |schema, name| Relation::new(schema, name).aside("new");
        assert_ne!(aside("a", "t"), aside("b", "t"));
        assert_ne!(aside("a.b", "c"), aside("a", "b.c"));
        assert_eq!(aside("a", "t").to_string(), "\"__mep_new_a.t\"");
    }
}
