//! What other readers of a warehouse are shown of a relation beside its rows.

use std::collections::BTreeMap;

/// Comments and, for a view, its SELECT as other engines read it. A warehouse that no other engine reads ignores it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presentation {
    /// What the relation is.
    pub description: Option<String>,
    /// What its columns are, by name.
    pub columns: BTreeMap<String, String>,
    /// A view's SELECT.
    pub view: Option<ViewText>,
}

/// A view's SELECT for the engines that share a Hive metastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewText {
    /// As Hive and Spark read it.
    pub hive: String,
    /// As Trino reads it: its own encoding of a view.
    pub trino: String,
}
