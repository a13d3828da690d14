//! The docs: one HTML file that says what the tables of a project are, where they come from, and how they stand.
//!
//! Owns what the page says (`Site`), the page itself (`page/`, hand-written, with nothing to fetch) and serving it.
//! Comes in: a graph, what was compiled, what the warehouse holds, the results of the last run. Goes out: one text of
//! HTML. Must not know: how tables are built, how the command line speaks.

mod bundle;
mod catalog;
mod charts;
mod gather;
mod holdings;
mod page;
mod results;
pub mod server;
mod site;

pub use catalog::catalog;
pub use charts::{ChartError, ChartSpec, chart_specs, read_chart, reference as reference_of_charts};
pub use gather::{SiteInputs, gather};
pub use holdings::Holdings;
pub use page::{live_page, page};
pub use results::{Results, ResultsError, results};
pub use site::{Chart, Site};
