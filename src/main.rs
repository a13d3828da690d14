//! mep.
fn main() {}
