#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = std::env::temp_dir().join(format!("mep-fuzz-avro-{}", std::process::id()));
    mep::fuzzing::avro(bytes, &folder).expect("the folder can be written");
});
