#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = std::env::temp_dir().join(format!("mep-fuzz-manifest-{}", std::process::id()));
    mep::fuzzing::manifest(bytes, &folder).expect("the folder can be written");
});
