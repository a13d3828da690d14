#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = std::env::temp_dir().join(format!("mep-fuzz-landing-{}", std::process::id()));
    let counts = mep::fuzzing::landing(bytes, &folder).expect("the folder can be written");
    assert_eq!(counts.read, counts.landed + counts.rejected);
});
