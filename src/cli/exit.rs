//! Exit codes.

use std::process::ExitCode;

/// How mep ends. The numbers are documented and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all went well.
    Success,
    /// 1: a node or a test failed.
    Failed,
    /// 2: wrong usage, a problem in the project, or a selection of nothing.
    Usage,
    /// 3: another run holds the warehouse.
    Held,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Held => 3,
        })
    }
}
