//! GroupCommits a source how far models are committed, for tools that look there. Nobody reads it back, and nothing waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use mep_contract::source::tail::{Offsets, ReaderGroup, Stream};

/// How often it is said that a source cannot be told.
const WARN: Duration = Duration::from_mins(1);

/// How long the end of group_commits is waited for.
const LAST: Duration = Duration::from_secs(2);

/// A thread that tells a source, of each model the latest.
pub(super) struct GroupCommits {
    sender: UnboundedSender<(String, Offsets)>,
    thread: JoinHandle<()>,
}

impl GroupCommits {
    /// Begins; the group of a model is `prefix` and its name.
    pub(super) fn start(source: Arc<dyn Stream>, prefix: String) -> Self {
        let (sender, mut receiver) = unbounded_channel::<(String, Offsets)>();
        let thread = tokio::task::spawn_blocking(move || {
            let mut groups: BTreeMap<String, Box<dyn ReaderGroup>> = BTreeMap::new();
            let mut warned: Option<Instant> = None;
            while let Some(first) = receiver.blocking_recv() {
                let mut latest: BTreeMap<String, Offsets> = BTreeMap::from([first]);
                while let Ok((model, offsets)) = receiver.try_recv() {
                    latest.insert(model, offsets);
                }
                for (model, offsets) in latest {
                    let name = format!("{prefix}.{model}");
                    let told = match groups
                        .remove(&name)
                        .map_or_else(|| source.group(&name), |group| Ok(Some(group)))
                    {
                        Ok(Some(mut group)) => {
                            let told = group.commit(&offsets);
                            groups.insert(name.clone(), group);
                            told
                        }
                        Ok(None) => return,
                        Err(error) => Err(error),
                    };
                    let Err(error) = told else { continue };
                    if warned.is_none_or(|warned| warned.elapsed() >= WARN) {
                        warned = Some(Instant::now());
                        tracing::warn!(
                            "the consumer group {name} does not say how far {model} is: {error}; the stream does without it"
                        );
                    }
                }
            }
        });
        Self { sender, thread }
    }

    /// How far a model is now.
    pub(super) fn commit(&self, model: &str, committed: &Offsets) {
        // A source that is told nothing has no receiver.
        let _ = self.sender.send((model.to_owned(), committed.clone()));
    }

    /// Ends once the latest is told, or after a moment.
    pub(super) async fn end(self) {
        drop(self.sender);
        let _ = tokio::time::timeout(LAST, self.thread).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use mep_contract::source::SourceError;
    use mep_contract::source::tail::{StreamPartition, Tail};

    type Told = Arc<Mutex<Vec<(String, i64)>>>;

    struct Listener(Told);

    struct Listening(String, Told);

    impl Stream for Listener {
        fn describe(&self) -> String {
            "t".into()
        }

        fn tail(
            &self,
            _: &Offsets,
            _: &BTreeMap<StreamPartition, Vec<i64>>,
        ) -> Result<Box<dyn Tail>, SourceError> {
            unreachable!()
        }

        fn landed(&self, _: &mut dyn Iterator<Item = &str>) -> Offsets {
            unreachable!()
        }

        fn group(&self, name: &str) -> Result<Option<Box<dyn ReaderGroup>>, SourceError> {
            Ok(Some(Box::new(Listening(name.to_owned(), self.0.clone()))))
        }
    }

    impl ReaderGroup for Listening {
        fn commit(&mut self, offsets: &Offsets) -> Result<(), SourceError> {
            let mut told = self.1.lock().unwrap();
            told.extend(offsets.values().map(|offset| (self.0.clone(), *offset)));
            if offsets.values().any(|offset| *offset == 1) {
                return Err(SourceError::Away("no answer".into()));
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_source_is_told_the_latest_of_each_model_whatever_it_answers() {
        let told = Told::default();
        let group_commits = GroupCommits::start(Arc::new(Listener(told.clone())), "mep.songs.prod".into());
        let offsets = |next| Offsets::from([(StreamPartition { topic: "t".into(), number: 0 }, next)]);
        for next in 1..=100 {
            group_commits.commit("one", &offsets(next));
            group_commits.commit("other", &offsets(next * 2));
        }
        group_commits.end().await;
        let told = told.lock().unwrap();
        let last = |name: &str| told.iter().rev().find(|(group, _)| group == name).map(|told| told.1);
        assert_eq!(last("mep.songs.prod.one"), Some(100));
        assert_eq!(last("mep.songs.prod.other"), Some(200));
    }
}
