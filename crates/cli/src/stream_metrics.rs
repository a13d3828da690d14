//! The numbers of streams for Prometheus, in its text format.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use chrono::{DateTime, Utc};

use mep_contract::source::tail::StreamPartition;
use mep_core::patient_listener::PatientListener;
use mep_stream::{Now, Progress};

/// The version of the text format that is written.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `/metrics` from now on, and says at which address.
///
/// # Errors
/// Where the address cannot be listened on.
pub(super) async fn serve(address: SocketAddr, progress: Arc<Progress>) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let metrics = move || {
        let text = text(&progress.now(), Utc::now());
        async move { ([(CONTENT_TYPE, FORMAT)], text) }
    };
    let router = Router::new().route("/metrics", get(metrics));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(PatientListener::new(listener), router).await {
            tracing::warn!("the metrics are no longer served: {error}");
        }
    });
    Ok(address)
}

/// The numbers as text.
fn text(now: &Now, at: DateTime<Utc>) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: Vec<(String, f64)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let partitions = |value: &dyn Fn(&StreamPartition, &mep_stream::PartitionProgress) -> f64| {
        let partitions = now.partitions.iter();
        partitions
            .map(|(partition, shown)| {
                let topic = escaped(&partition.topic);
                (format!("topic=\"{topic}\",partition=\"{}\"", partition.number), value(partition, shown))
            })
            .collect()
    };
    let models = |value: &dyn Fn(&mep_stream::ModelProgress) -> f64| {
        let models = now.models.iter();
        models.map(|(model, shown)| (format!("model=\"{}\"", escaped(model)), value(shown))).collect()
    };
    family(
        "mep_stream_next_offset",
        "gauge",
        "Offset of the next event that is read.",
        partitions(&|_, shown| shown.next as f64),
    );
    family(
        "mep_stream_lag_events",
        "gauge",
        "Events that are not committed by every model.",
        partitions(&|partition, _| now.lag(partition) as f64),
    );
    let lags =
        now.models.keys().map(|model| (format!("model=\"{}\"", escaped(model)), now.lag_of(model) as f64));
    family("mep_stream_model_lag_events", "gauge", "Events that a model has not committed.", lags.collect());
    family(
        "mep_stream_events_read_total",
        "counter",
        "Events that were read for a model.",
        models(&|shown| shown.counts.read as f64),
    );
    family(
        "mep_stream_events_taken_total",
        "counter",
        "Events that a model's SQL has seen.",
        models(&|shown| shown.counts.taken as f64),
    );
    family(
        "mep_stream_events_late_total",
        "counter",
        "Events whose window was closed.",
        models(&|shown| shown.counts.late as f64),
    );
    family(
        "mep_stream_events_dead_total",
        "counter",
        "Events that could not be read.",
        models(&|shown| shown.counts.dead as f64),
    );
    family(
        "mep_stream_rows_written_total",
        "counter",
        "Rows that were written.",
        models(&|shown| shown.counts.written as f64),
    );
    family(
        "mep_stream_open_windows",
        "gauge",
        "Windows that are open.",
        models(&|shown| shown.open_windows as f64),
    );
    family("mep_stream_epoch", "counter", "Epochs that were committed.", models(&|shown| shown.epoch as f64));
    let committed = now.models.iter().filter_map(|(model, shown)| {
        let seconds = shown.last_commit?.timestamp_millis() as f64 / 1_000.0;
        Some((format!("model=\"{}\"", escaped(model)), seconds))
    });
    family(
        "mep_stream_last_commit_timestamp_seconds",
        "gauge",
        "When this process committed an epoch last, in seconds since 1970.",
        committed.collect(),
    );
    family(
        "mep_stream_last_commit_age_seconds",
        "gauge",
        "Seconds since the last commit; before the first one, since this process began with the model.",
        models(&|shown| shown.commit_age(at).as_seconds_f64()),
    );
    let closed = now.models.iter().filter_map(|(model, shown)| {
        Some((format!("model=\"{}\"", escaped(model)), shown.closed_until? as f64 / 1_000.0))
    });
    family(
        "mep_stream_closed_until_seconds",
        "gauge",
        "Until when windows are closed, in seconds since 1970.",
        closed.collect(),
    );
    let waiting = now.waiting.keys().map(|who| (format!("of=\"{}\"", escaped(who)), 1.0));
    family("mep_stream_waiting", "gauge", "1 for what waits for a server.", waiting.collect());
    text
}

/// A label's value, in which three characters are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_contract::source::tail::Offsets;
    use mep_stream::{Counts, ModelProgress, PartitionProgress};

    #[test]
    fn the_numbers_are_in_the_text_format() {
        let mut now = Now::default();
        let partition = StreamPartition { topic: "listen_events".into(), number: 2 };
        now.partitions.insert(partition.clone(), PartitionProgress { next: 40, end: Some(140) });
        let counts = Counts { read: 50, taken: 40, late: 7, dead: 3, written: 12 };
        let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
        let shown = ModelProgress {
            counts,
            closed_until: Some(1_500),
            open_windows: 3,
            epoch: 9,
            began: at(100_000),
            last_commit: Some(at(160_250)),
        };
        now.models.insert("a\"b".to_owned(), shown);
        let behind = ModelProgress { began: at(100_000), ..ModelProgress::default() };
        now.models.insert("behind".to_owned(), behind);
        let committed = |next| Offsets::from([(partition.clone(), next)]);
        now.committed.insert("a\"b".to_owned(), committed(40));
        now.committed.insert("behind".to_owned(), committed(15));
        insta::assert_snapshot!(text(&now, at(172_750)));
    }
}
