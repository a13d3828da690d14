//! reconcile: the speed side beside the batch side.

use serde_json::json;

use super::arguments::{Global, ReconcileArguments, TextOrJson};
use super::exit::Exit;
use super::terminal::{Palette, Terminal};
use mep_app::AppError;
use mep_app::Rendering;
use mep_app::is_streaming;
use mep_app::reconcile::{Reconciled, reconcile as compare};
use mep_core::quantity::{count, plural};
use mep_stream::reconcile::{Cause, Difference, DifferenceKind, Reconciliation};

/// Compares, and says where both sides differ.
///
/// # Errors
/// Where a side cannot be read.
pub(super) fn reconcile(global: &Global, arguments: &ReconcileArguments) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "reconcile", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), is_streaming)?;
    let all = compare(&workspace, &nodes, arguments.since)?;
    let is_past = all.iter().any(|of| of.outcome.share() > arguments.tolerance);
    match arguments.output {
        TextOrJson::Json => {
            let models: serde_json::Map<_, _> =
                all.iter().map(|of| (of.model.clone(), json!(of.outcome))).collect();
            super::print(&format!("{:#}\n", json!({ "agrees": !is_past, "models": models })))?;
        }
        TextOrJson::Text => {
            for Reconciled { model, outcome, counts_by_offset } in &all {
                super::print(&shown(
                    model,
                    outcome,
                    *counts_by_offset,
                    arguments.limit,
                    Palette::of_stdout(),
                ))?;
            }
            Terminal::new(global.log_format, global.quiet).result(
                if is_past {
                    "the speed side and the batch side differ"
                } else {
                    "the speed side and the batch side agree"
                },
                is_past,
            );
        }
    }
    Ok(if is_past { Exit::Failed } else { Exit::Success })
}

/// A model's comparison as lines. By how many events one side is ahead is said where the source counts events by offsets.
fn shown(name: &str, outcome: &Reconciliation, is_counted: bool, limit: usize, palette: Palette) -> String {
    let by = |events: u64| if is_counted { format!("{} ", plural(events, "event")) } else { String::new() };
    let different = outcome.different();
    let mark = if different == 0 { palette.good("agrees") } else { palette.bad("differs") };
    let mut lines = vec![format!(
        "{mark}  {name}: {}, {} equal, {} differ{}",
        plural(outcome.rows, "row"),
        count(outcome.equal),
        count(different),
        match outcome.pending {
            0 => String::new(),
            pending => format!(", {} not landed yet", count(pending)),
        }
    )];
    if let Some(since) = outcome.since {
        lines.push(format!("    compared are events since {since}"));
    }
    if outcome.not_landed > 0 {
        lines.push(format!("    the stream is {}ahead of what is landed", by(outcome.not_landed)));
    }
    if outcome.not_streamed > 0 {
        lines.push(format!("    the stream is {}behind what is landed", by(outcome.not_streamed)));
    }
    for difference in outcome.differences.iter().take(limit) {
        lines.push(format!("    {}", shown_difference(difference)));
    }
    let more = outcome.differences.len().saturating_sub(limit);
    if more > 0 {
        lines.push(palette.faint(&format!("    and {more} more; see them with --limit")));
    }
    lines.join("\n") + "\n"
}

fn shown_difference(difference: &Difference) -> String {
    let kind = match difference.kind {
        DifferenceKind::OnlySpeed => "only in the stream",
        DifferenceKind::OnlyBatch => "only in the batch",
        DifferenceKind::Values => "with other values",
    };
    let cause = match difference.cause {
        Some(Cause::Late) => "late",
        Some(Cause::NotLanded) => "not landed yet",
        Some(Cause::NotStreamed) => "not streamed yet",
        Some(Cause::Dead) => "a column of the key is null",
        None => "cause unknown",
    };
    format!(
        "{}  {} {kind} ({cause}), such as {}",
        difference.window,
        plural(difference.rows, "row"),
        difference.example
    )
}
