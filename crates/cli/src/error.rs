//! How the reason for which a command ended early is shown, and with which exit code.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::exit::Exit;
use super::terminal::Palette;
use mep_app::AppError;
use mep_contract::sink::SinkError;
use mep_contract::warehouse::LeaseError;
use mep_core::os_error::plain;
use mep_lang::project::{Problem, Problems};
use mep_stream::JobError;

/// The exit code.
pub fn exit_of(error: &AppError) -> Exit {
    match error {
        AppError::Problems(_) => Exit::Usage,
        AppError::Lease(LeaseError::Held(_))
        | AppError::Stream(JobError::Sink { error: SinkError::Held { .. }, .. }) => Exit::Held,
        _ => Exit::Failed,
    }
}

/// All of it, for standard error.
pub fn shown(error: &AppError, palette: Palette) -> String {
    match error {
        AppError::Problems(problems) => shown_problems(problems, palette),
        AppError::Query(problem) => shown_problems(&Problem::clone(problem).into(), palette),
        other => format!("{} {}\n", palette.bad("error:"), plain(&other.to_string())),
    }
}

/// Each problem with its place, the source line and a way on, and their number.
pub fn shown_problems(problems: &Problems, palette: Palette) -> String {
    let mut text = each_shown(problems, palette);
    if problems.len() > 1 {
        text.push_str(&format!("{} problems\n", problems.len()));
    }
    text
}

/// Each problem with its place, the source line and a way on.
pub(super) fn each_shown(problems: &Problems, palette: Palette) -> String {
    let mut theme =
        if palette.is_coloured() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    "error:".clone_into(&mut theme.characters.error);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut text = String::new();
    for problem in problems.iter() {
        // Writing to a String cannot fail.
        let _ = handler.render_report(&mut text, problem);
        text.push('\n');
    }
    text
}
