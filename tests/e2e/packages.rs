//! What `packaging/build` makes, installed and used as a user would, with nothing of the repository at hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The output of a program that must succeed.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn build(packages: &[&str]) {
    let built = Command::new(Path::new(ROOT).join("packaging/build")).args(packages).status().unwrap();
    assert!(built.success());
}

/// The package in `target/package` whose name begins and ends so.
#[track_caller]
fn package(begin: &str, end: &str) -> PathBuf {
    let folder = std::fs::read_dir(Path::new(ROOT).join("target/package")).unwrap();
    let mut found = folder.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(begin) && name.ends_with(end)
    });
    let package = found.next().unwrap_or_else(|| panic!("no {begin}*{end} in target/package"));
    assert_eq!(found.next(), None, "an older package was left");
    package
}

/// A new project, made and built by an installed mep in an empty folder.
#[track_caller]
fn works(mep: &Path) {
    let home = TempDir::new().unwrap();
    let call = |folder: &Path, words: &[&str]| {
        let mut command = Command::new(mep);
        command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
        succeed(command.current_dir(folder).args(words))
    };
    let version = call(home.path(), &["--version"]);
    assert!(version.starts_with(concat!("mep ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    call(home.path(), &["init", "shop"]);
    let shop = home.path().join("shop");
    call(&shop, &["build"]);
    let shown = call(&shop, &["show", "--select", "top_artists", "--output", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
    assert_eq!(rows.len(), 5, "{shown}");
}

#[test]
#[ignore = "nightly: builds with the release profile"]
fn the_packages_install_and_work_without_the_repository() {
    build(&["wheel", "deb"]);
    let scratch = TempDir::new().unwrap();
    succeed(
        Command::new("sha256sum")
            .args(["--check", "SHA256SUMS"])
            .current_dir(Path::new(ROOT).join("target/package")),
    );

    let environment = scratch.path().join("environment");
    succeed(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&environment));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--python"]).arg(environment.join("bin/python"));
    succeed(pip.args(["install", "--no-index", "--quiet"]).arg(package("mep-", ".whl")));
    works(&environment.join("bin/mep"));

    let root = scratch.path().join("root");
    let deb = package("mep_", ".deb");
    succeed(Command::new("dpkg-deb").arg("--extract").args([&deb, &root]));
    works(&root.join("usr/bin/mep"));
    let shared = [
        "man/man1/mep.1.gz",
        "man/man1/mep-run.1.gz",
        "doc/mep/copyright",
        "doc/mep/changelog.gz",
        "doc/mep/docs/tutorial.md",
    ];
    let completing = [
        "bash-completion/completions/mep",
        "zsh/vendor-completions/_mep",
        "fish/vendor_completions.d/mep.fish",
    ];
    for file in shared.iter().chain(&completing) {
        assert!(root.join("usr/share").join(file).is_file(), "{file}");
    }
    let depends = succeed(Command::new("dpkg-deb").arg("--field").arg(&deb).arg("Depends"));
    assert!(depends.contains("libc6 (>= ") && depends.contains("libssl3"), "{depends}");
}

#[test]
#[ignore = "nightly: builds with the release profile"]
fn the_static_file_works_and_needs_no_library() {
    build(&["static"]);
    let scratch = TempDir::new().unwrap();
    let archive = package("mep-", "-musl.tar.gz");
    succeed(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(scratch.path()),
    );
    let name = archive.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.gz").to_owned();
    let mep = scratch.path().join(name).join("mep");
    // It asks for no loader, and so for no library.
    let parts = succeed(Command::new("readelf").args(["--wide", "--program-headers"]).arg(&mep));
    assert!(parts.contains("LOAD") && !parts.contains("INTERP"), "{parts}");
    works(&mep);
}

#[test]
fn shells_complete_what_mep_takes_and_every_command_has_a_manual_page() {
    let folder = TempDir::new().unwrap();
    let mep = || Command::new(env!("CARGO_BIN_EXE_mep"));
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(mep().args(["completions", shell]));
        assert!(script.contains("reconcile") && script.contains("full-refresh"), "{script}");
    }
    succeed(mep().arg("man").arg(folder.path()));
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("mep.1").contains("MEP_TARGET"));
    let serve = page("mep-docs-serve.1");
    assert!(serve.contains("The port at 127.0.0.1"));
    let title = serve.lines().find(|line| line.starts_with(".TH ")).unwrap();
    assert!(title.contains(concat!("\"mep ", env!("CARGO_PKG_VERSION"), "\"")), "{title}");
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        // Other characters make `man` complain in a locale without them.
        assert!(std::fs::read(&path).unwrap().is_ascii(), "{}", path.display());
    }
}
