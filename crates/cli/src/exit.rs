//! Exit codes, and the variables of the environment.

use std::process::ExitCode;

use mep_core::keys::{Key, key};

/// How mep ends. The numbers are documented and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all went well.
    Success,
    /// 1: a node or a test failed.
    Failed,
    /// 2: wrong usage, a selection of nothing, or problems in the project and nothing else that failed.
    Usage,
    /// 3: another run holds the warehouse.
    Held,
    /// 130: Ctrl-C or SIGTERM ended a run.
    Interrupted,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Success, Self::Failed, Self::Usage, Self::Held, Self::Interrupted];

    /// What it says.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "all went well",
            Self::Failed => "a node or a test failed, or a comparison found differences",
            Self::Usage => {
                "wrong usage, an empty selection, or problems in the project and no other failure: trying again does not help"
            }
            Self::Held => {
                "another run holds the warehouse; --wait SECONDS of run, build and seed waits for it"
            }
            Self::Interrupted => "Ctrl-C or SIGTERM ended a run; it says what is published and what is not",
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The variables of the environment that mep looks at, beside those that options name.
pub const VARIABLES: [Key; 6] = [
    key("MEP_LOG", "error, warn, info, debug or trace", "info", "What is logged on standard error."),
    key("NO_COLOR", "anything", "", "No colours."),
    key("CLICOLOR_FORCE", "anything", "", "Colours even where the output is not a terminal."),
    key("HADOOP_CONF_DIR", "folder", "", "Hadoop's configuration, where a target of type hive names none."),
    key("HADOOP_USER_NAME", "name", "", "The user for HDFS and the metastore, where there is no Kerberos."),
    key("USER", "name", "mep", "The same, where HADOOP_USER_NAME is not set."),
];

/// What the help of mep ends with.
pub(super) fn help() -> String {
    let codes = Exit::ALL.iter().map(|exit| format!("  {}  {}\n", exit.code(), exit.meaning()));
    let variables = VARIABLES.iter().map(|variable| format!("  {:<16}  {}\n", variable.name, variable.doc));
    format!(
        "Exit codes:\n{}\nEnvironment:\n{}\nA new project: mep init shop",
        codes.collect::<String>(),
        variables.collect::<String>()
    )
}
