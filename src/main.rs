//! The `mep` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What `--version` says. Packages name the commit that they were built from, too; see `packaging/build`.
const VERSION: &str = match option_env!("MEP_BUILD_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    mep_core::threads::on_deep_stack(|| mep_cli::main(VERSION))
}
