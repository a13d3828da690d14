//! Config that seeds have.

use indexmap::IndexMap;

/// The config of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedConfig {
    /// Types of columns, by name.
    pub column_types: IndexMap<String, String>,
    /// What separates fields.
    pub delimiter: char,
}

impl Default for SeedConfig {
    fn default() -> Self {
        Self { column_types: IndexMap::new(), delimiter: ',' }
    }
}
