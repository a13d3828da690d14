//! Programs of Python's, in the versions that the tests name.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The folder of the programs in `tests/<name>/requirements.txt`, which are installed where they are not there yet.
pub(crate) fn programs(name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_environment");
    let output = Command::new(script).arg(name).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{name} cannot be installed");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
