//! Beginning: a model's sink and a source that do not answer are asked again, and with `stands_by` one that another instance has.

use std::time::{Duration, Instant};

use super::job::{JobError, Until};
use super::model::StreamModel;
use super::running::Running;
use super::writing::Pauses;
use mep_contract::sink::{SinkError, Standing};
use mep_contract::source::SourceError;

/// How often it is asked whether another instance still has a model.
const ASK: Duration = Duration::from_secs(1);

/// How often it is said again that another instance has it.
const SAY: Duration = Duration::from_mins(1);

impl Running<'_> {
    /// Where a model stands, and whether another instance had it before; `None` where this one was stopped while it stood by.
    pub(super) async fn open(&self, model: &StreamModel) -> Result<Option<(Standing, bool)>, JobError> {
        let (name, mut stop) = (&model.spec.name, self.stop.clone());
        let (mut pauses, mut said) = (Pauses::default(), LastWarning::default());
        let (mut waits, mut has_stood_by) = (false, false);
        loop {
            let began = Instant::now();
            let opened = tokio::select! {
                opened = self.open_once(model) => opened,
                // What answers at once is not cut short: a stream that begins as it is to end, ends well.
                () = told_to_stop(&mut stop), if waits => return self.stopped(model, has_stood_by),
            };
            waits = true;
            let why = match opened {
                Ok(standing) => {
                    self.progress.lock().waiting.remove(name);
                    if has_stood_by {
                        tracing::info!("{name}: no other process streams it any more; going on");
                    }
                    return Ok(Some((standing, has_stood_by)));
                }
                Err(SinkError::Passing(why)) => {
                    tracing::warn!("{name}: {why}; trying again");
                    why
                }
                Err(SinkError::Held { holder, .. }) if self.options.stands_by => {
                    has_stood_by = true;
                    let why = format!("it is streamed by {holder}");
                    if said.is_news(&why) {
                        tracing::info!("{name}: {why}; standing by");
                    }
                    why
                }
                Err(error) => return Err(JobError::Sink { model: name.clone(), error }),
            };
            let is_held = said.is(&why);
            self.progress.lock().waiting.insert(name.clone(), why);
            let pause = async {
                if is_held { tokio::time::sleep(ASK).await } else { pauses.after(began.elapsed()).await }
            };
            tokio::select! {
                () = pause => {}
                () = told_to_stop(&mut stop) => return self.stopped(model, has_stood_by),
            }
        }
    }

    async fn open_once(&self, model: &StreamModel) -> Result<Standing, SinkError> {
        if self.options.anew {
            model.sink.open_anew().await.map(|()| Standing::default())
        } else {
            model.sink.open().await
        }
    }

    /// What a source is first asked for. A stream that goes on until it is stopped asks again while the source is away.
    pub(super) async fn ask_source<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let (source, mut stop) = (self.job.source.describe(), self.stop.clone());
        let (mut pauses, mut waits) = (Pauses::default(), false);
        loop {
            let began = Instant::now();
            let asked = tokio::select! {
                asked = ask() => asked,
                () = told_to_stop(&mut stop), if waits => return Err(JobError::NotBegun(source)),
            };
            waits = true;
            match asked {
                Err(JobError::Source(SourceError::Away(why))) if self.options.until == Until::Stopped => {
                    tracing::warn!("{why}; trying again");
                    self.progress.lock().waiting.insert(source.clone(), why);
                    tokio::select! {
                        () = pauses.after(began.elapsed()) => {}
                        () = told_to_stop(&mut stop) => return Err(JobError::NotBegun(source)),
                    }
                }
                asked => {
                    self.progress.lock().waiting.remove(&source);
                    return asked;
                }
            }
        }
    }

    /// One that stood by had nothing to do; one that was not answered says so.
    fn stopped(&self, model: &StreamModel, has_stood_by: bool) -> Result<Option<(Standing, bool)>, JobError> {
        let why = self.progress.lock().waiting.remove(&model.spec.name);
        match why {
            _ if has_stood_by => Ok(None),
            Some(why) => {
                Err(JobError::Sink { model: model.spec.name.clone(), error: SinkError::Passing(why) })
            }
            None => Err(JobError::NotBegun(model.sink.describe())),
        }
    }
}

/// What was said last of another instance, and when.
#[derive(Default)]
struct LastWarning {
    last: Option<(String, Instant)>,
}

impl LastWarning {
    fn is(&self, why: &str) -> bool {
        self.last.as_ref().is_some_and(|(last, _)| last == why)
    }

    fn is_news(&mut self, why: &str) -> bool {
        let is_known = self.last.as_ref().is_some_and(|(last, at)| last == why && at.elapsed() < SAY);
        if !is_known {
            self.last = Some((why.to_owned(), Instant::now()));
        }
        !is_known
    }
}

async fn told_to_stop(stop: &mut tokio::sync::watch::Receiver<bool>) {
    if stop.wait_for(|is_to_stop| *is_to_stop).await.is_err() {
        // Nobody is left who could stop it.
        std::future::pending::<()>().await;
    }
}
