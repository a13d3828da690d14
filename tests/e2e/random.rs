//! Random cases that are the same ones each time.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// Checks so many cases, or as many as `PROPTEST_CASES` says.
#[track_caller]
pub(crate) fn check_cases<S>(cases: u32, seed: u64, strategy: &S, check: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    check_slow_cases(cases, 200, seed, strategy, check);
}

/// Checks so many cases, and looks at so many smaller ones where one fails.
#[track_caller]
pub(crate) fn check_slow_cases<S>(cases: u32, smaller: u32, seed: u64, strategy: &S, check: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    crate::reasons::are_told_at_once();
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = ProptestConfig {
        cases: asked_for.unwrap_or(cases),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: smaller,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(strategy, |case| {
        check(case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
