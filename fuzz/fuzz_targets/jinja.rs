#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mep_lang::project::Project;

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("mep-fuzz-jinja-{}", std::process::id()));
    mep::fuzzing::project(&folder).expect("the folder can be written")
});

fuzz_target!(|bytes: &[u8]| mep::fuzzing::jinja(bytes, &PROJECT));
