//! Sending events to a file or an endpoint.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use mep_lang::project::OpenLineageReceiver;

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why events were not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The file cannot be written.
    #[error("{} cannot be written: {}", .0.display(), mep_core::os_error::OsMessage(.1))]
    File(PathBuf, #[source] io::Error),
    /// The endpoint does not take them.
    #[error("{url} took {sent} of {all} events: {reason}")]
    Http {
        /// The endpoint.
        url: String,
        /// How many events it took.
        sent: usize,
        /// How many there are.
        all: usize,
        /// Why it took no more.
        reason: String,
    },
}

/// Sends events; a relative path of a file is relative to `root`.
///
/// # Errors
/// Where the file cannot be written, or the endpoint does not take all of them.
pub fn send(receiver: &OpenLineageReceiver, root: &Path, events: &[Json]) -> Result<(), NotSent> {
    match receiver {
        OpenLineageReceiver::File(path) => {
            let path = root.join(path);
            add_lines(&path, events).map_err(|error| NotSent::File(path, error))
        }
        OpenLineageReceiver::Http { url, api_key } => post(url, api_key.as_deref(), events),
    }
}

fn add_lines(path: &Path, events: &[Json]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    // One write, so that the lines of two runs do not mix.
    OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes())
}

fn post(url: &str, api_key: Option<&str>, events: &[Json]) -> Result<(), NotSent> {
    let tls = ureq::tls::TlsConfig::builder()
        .provider(ureq::tls::TlsProvider::NativeTls)
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .build();
    let agent =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).tls_config(tls).build().new_agent();
    for (sent, event) in events.iter().enumerate() {
        let mut request = agent.post(url);
        if let Some(key) = api_key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        request.send_json(event).map_err(|error| NotSent::Http {
            url: url.to_owned(),
            sent,
            all: events.len(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}
