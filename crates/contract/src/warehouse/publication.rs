//! What a relation held from a time on.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::table::TableVersion;

/// What was published under a relation's name, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// When readers came to see it.
    pub at: DateTime<Utc>,
    /// What they saw from then on.
    pub table: Arc<TableVersion>,
}
