//! Working through steps that depend on each other, several at once.
//!
//! Pure of what a step does: it knows indices, dependencies and outcomes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mep_core::threads::on_deep_stacks;
use parking_lot::{Condvar, Mutex};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should; what depends on it goes on.
    Done,
    /// It failed; what depends on it is skipped.
    Failed,
    /// It was not begun, because this earlier step failed.
    Skipped {
        /// The step that failed.
        because_of: usize,
    },
    /// It was not begun, because the run was ended after a failure elsewhere.
    Cancelled,
}

/// What a step takes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepWeight {
    /// Little: several such steps fill the machine together.
    Light,
    /// All cores by itself: beside another step both would only wait for memory.
    Heavy,
}

/// The steps to work through.
pub struct Steps<'a> {
    /// For each step, those that it comes after.
    pub dependencies: &'a [Vec<usize>],
    /// For each step, what it takes.
    pub weights: &'a [StepWeight],
}

struct ScheduleState {
    waiting: Vec<BTreeSet<usize>>,
    ready: BTreeSet<usize>,
    outcomes: Vec<Option<Outcome>>,
    running: usize,
    heavy_is_running: bool,
    ended: bool,
}

/// Works through all steps, at most `threads` at once, each after its dependencies, lower indices first. A heavy step
/// runs alone.
///
/// With `fail_fast` no step begins after one has failed. `skip` is told of each step that is not begun.
pub fn work_through(
    steps: &Steps<'_>,
    threads: usize,
    fail_fast: bool,
    work: impl Fn(usize) -> bool + Sync,
    skip: impl Fn(usize, Outcome) + Sync,
) -> Vec<Outcome> {
    let count = steps.dependencies.len();
    let mut dependents = vec![Vec::new(); count];
    for (step, needs) in steps.dependencies.iter().enumerate() {
        for need in needs {
            dependents[*need].push(step);
        }
    }
    let waiting: Vec<BTreeSet<usize>> =
        steps.dependencies.iter().map(|needs| needs.iter().copied().collect()).collect();
    let ready = (0..count).filter(|step| waiting[*step].is_empty()).collect();
    let outcomes = vec![None; count];
    let state = Mutex::new(ScheduleState {
        waiting,
        ready,
        outcomes,
        running: 0,
        heavy_is_running: false,
        ended: false,
    });
    let changed = Condvar::new();
    let worker = || {
        let mut guard = state.lock();
        loop {
            if let Some(step) = guard.take(steps.weights) {
                drop(guard);
                // What waits for a step would wait for ever if a panic ended its thread.
                let done = catch_unwind(AssertUnwindSafe(|| work(step))).unwrap_or(false);
                guard = state.lock();
                guard.running -= 1;
                guard.heavy_is_running = false;
                guard.outcomes[step] = Some(if done { Outcome::Done } else { Outcome::Failed });
                if done {
                    guard.release(step, &dependents);
                } else {
                    guard.fail(step, &dependents, &skip);
                    guard.ended |= fail_fast;
                }
                if guard.ended {
                    guard.ready.clear();
                }
                changed.notify_all();
            } else if guard.running == 0 && guard.ready.is_empty() {
                return;
            } else {
                changed.wait(&mut guard);
            }
        }
    };
    on_deep_stacks(threads.clamp(1, count.max(1)), worker);
    let outcomes = state.into_inner().outcomes;
    let ended = outcomes.into_iter().enumerate();
    ended
        .map(|(step, outcome)| {
            outcome.unwrap_or_else(|| {
                skip(step, Outcome::Cancelled);
                Outcome::Cancelled
            })
        })
        .collect()
}

impl ScheduleState {
    /// The first ready step that may begin now.
    fn take(&mut self, weights: &[StepWeight]) -> Option<usize> {
        if self.heavy_is_running {
            return None;
        }
        let may_begin = |step: &&usize| weights[**step] == StepWeight::Light || self.running == 0;
        let step = *self.ready.iter().find(may_begin)?;
        self.ready.remove(&step);
        self.running += 1;
        self.heavy_is_running = weights[step] == StepWeight::Heavy;
        Some(step)
    }

    fn release(&mut self, step: usize, dependents: &[Vec<usize>]) {
        for dependent in &dependents[step] {
            self.waiting[*dependent].remove(&step);
            if self.waiting[*dependent].is_empty() && self.outcomes[*dependent].is_none() {
                self.ready.insert(*dependent);
            }
        }
    }

    fn fail(&mut self, failed: usize, dependents: &[Vec<usize>], skip: &impl Fn(usize, Outcome)) {
        let mut pending = dependents[failed].clone();
        while let Some(step) = pending.pop() {
            if self.outcomes[step].is_none() {
                let outcome = Outcome::Skipped { because_of: failed };
                self.outcomes[step] = Some(outcome);
                skip(step, outcome);
                pending.extend(&dependents[step]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs steps of which `failing` fail; gives the order in which steps began and their outcomes.
    fn run(dependencies: &[Vec<usize>], failing: &[usize], fail_fast: bool) -> (Vec<usize>, Vec<Outcome>) {
        let begun = Mutex::new(Vec::new());
        let weights = vec![StepWeight::Light; dependencies.len()];
        let outcomes = work_through(
            &Steps { dependencies, weights: &weights },
            1,
            fail_fast,
            |step| {
                begun.lock().push(step);
                !failing.contains(&step)
            },
            |_, _| {},
        );
        (begun.into_inner(), outcomes)
    }

    #[test]
    fn a_step_begins_after_what_it_depends_on() {
        let (begun, outcomes) = run(&[vec![2], vec![0, 2], vec![]], &[], false);
        assert_eq!(begun, [2, 0, 1]);
        assert_eq!(outcomes, [Outcome::Done; 3]);
    }

    #[test]
    fn what_depends_on_a_failed_step_is_skipped_and_the_rest_goes_on() {
        let (begun, outcomes) = run(&[vec![], vec![0], vec![1], vec![]], &[0], false);
        assert_eq!(begun, [0, 3]);
        let skipped = Outcome::Skipped { because_of: 0 };
        assert_eq!(outcomes, [Outcome::Failed, skipped, skipped, Outcome::Done]);
    }

    #[test]
    fn a_step_that_panics_has_failed_and_nobody_waits_for_it() {
        let dependencies = [vec![], vec![0], vec![]];
        let steps = Steps { dependencies: &dependencies, weights: &[StepWeight::Light; 3] };
        let outcomes = work_through(&steps, 2, false, |step| step != 0 || panic!("as asked"), |_, _| {});
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Skipped { because_of: 0 }, Outcome::Done]);
    }

    #[test]
    fn with_fail_fast_nothing_begins_after_a_failure() {
        let (begun, outcomes) = run(&[vec![], vec![], vec![]], &[0], true);
        assert_eq!(begun, [0]);
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Cancelled, Outcome::Cancelled]);
    }

    #[test]
    fn several_threads_work_through_everything_once_and_heavy_steps_run_alone() {
        let dependencies: Vec<Vec<usize>> =
            (0..200).map(|step: usize| if step < 10 { vec![] } else { vec![step - 10, step / 2] }).collect();
        let begun = Mutex::new(Vec::new());
        let weight = |step: usize| if step.is_multiple_of(3) { StepWeight::Heavy } else { StepWeight::Light };
        let weights: Vec<StepWeight> = (0..200).map(weight).collect();
        let running = Mutex::new(Vec::new());
        work_through(
            &Steps { dependencies: &dependencies, weights: &weights },
            4,
            false,
            |step| {
                begun.lock().push(step);
                let mut now = running.lock();
                now.push(step);
                assert!(now.len() == 1 || now.iter().all(|step| weights[*step] == StepWeight::Light));
                drop(now);
                std::thread::yield_now();
                running.lock().retain(|one| *one != step);
                true
            },
            |_, _| {},
        );
        let mut begun = begun.into_inner();
        begun.sort_unstable();
        assert_eq!(begun, (0..200).collect::<Vec<_>>());
    }
}
