//! Where log lines go: to standard error, as text or JSON. `MEP_LOG` sets the level, as in `MEP_LOG=debug`.

use std::io::Write as _;

use tracing_subscriber::EnvFilter;

use super::arguments::{Global, LogFormat};
use mep_core::secrets::{self, Masking};

/// Starts logging.
pub(super) fn start(global: &Global) {
    let default = if global.quiet { "mep=error" } else { "mep=info" };
    let filter = EnvFilter::try_from_env("MEP_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Masking(std::io::stderr()));
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let said = format!("thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"));
        let _ = writeln!(std::io::stderr(), "{}", secrets::masked(&said));
    }));
    // A second start, as in tests, changes nothing.
    let _ = match global.log_format {
        LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
        LogFormat::Text => builder.with_target(false).without_time().with_ansi(false).try_init(),
    };
}
