//! The first pass in each of the ways in which the second one may go: what stands under `{% if execute %}` or
//! `{% if is_incremental() %}` is an input like any other.

use std::sync::Arc;

use tracing::subscriber::{NoSubscriber, with_default};

use super::answer::Asked;
use super::scope::Noted;
use super::subject::{Refusal, Resolved, Resolver};
use crate::project::Problem;
use mep_core::relation::Relation;

/// What a pass says of itself, and what it noted until it ended.
type Pass<T> = (Result<T, Problem>, Noted);

/// Stands for the names before they are known.
struct Guess {
    schema: Option<String>,
    is_incremental: bool,
}

impl Resolver for Guess {
    fn resolve_ref(&self, _: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        Ok(Relation { schema: self.schema.clone(), name: name.to_owned() }.into())
    }

    fn resolve_source(&self, _: &str, table: &str) -> Result<Resolved, Refusal> {
        Ok(Relation { schema: self.schema.clone(), name: table.to_owned() }.into())
    }

    fn is_incremental(&self) -> bool {
        self.is_incremental
    }

    fn ask(&self, _: &str) -> Result<Asked, Refusal> {
        Ok(Asked::Unknown)
    }
}

/// What all passes note, and a key of the config that they do not agree on; `this` stands for the schema of all names. Where the
/// pass without resolved names fails, why, and what it noted until then. Where another one fails, so does the second pass, which
/// says why.
pub(super) fn all(
    this: &Relation,
    pass: &dyn Fn(Option<Arc<dyn Resolver>>) -> Pass<()>,
) -> Pass<Option<String>> {
    let (rendered, mut noted) = pass(None);
    if let Err(problem) = rendered {
        return (Err(problem), noted);
    }
    let mut depending = None;
    for is_incremental in [false, true] {
        let is_another = if is_incremental { noted.uses_is_incremental } else { noted.asks_execute };
        if !is_another {
            continue;
        }
        // It was said, or will be said, by the other passes.
        let guess = Guess { schema: this.schema.clone(), is_incremental };
        let (_, more) = silently(|| pass(Some(Arc::new(guess))));
        depending = depending.or_else(|| {
            let differs = |(key, value): &(&String, _)| noted.config.get(*key) != Some(*value);
            more.config.iter().find(differs).map(|(key, _)| key.clone())
        });
        noted.add(more);
    }
    (Ok(depending), noted)
}

/// Does `work`, of which nothing that it logs is told: it was told, or will be.
pub fn silently<T>(work: impl FnOnce() -> T) -> T {
    with_default(NoSubscriber::default(), work)
}

/// Says that a config is not the same in all passes.
pub(super) fn config_depends(key: &str) -> Problem {
    let problem = Problem::new(format!("the config `{key}` depends on `execute` or on `is_incremental()`"));
    problem.help("config is read before anything is built: say it outside of the `if`")
}
