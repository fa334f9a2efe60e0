//! Whole peers, driven by text: every script in `scripts/` is run, and what it prints (each command above its output) is
//! compared with the snapshot beside it. Behind every command all invariants are checked.
//!
//! Clients speak bytes: requests go through the server's decoder, replies through the client's. Storage confirms at once,
//! unless a script says `hold`. Time stands still, unless a script says `advance`.

mod arguments;
mod client;
mod render;
mod requests;
mod world;

use std::path::{Path, PathBuf};
use world::World;

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/scripts");
    let entries = std::fs::read_dir(directory).expect("the directory of scripts can be read");
    let mut scripts: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    scripts.sort();
    scripts
}

fn run(script: &str) -> String {
    let mut world = World::default();
    for line in script.lines() {
        world.line(line);
    }
    world.into_output()
}

#[test]
fn every_script_prints_what_its_snapshot_says() {
    let scripts = scripts();
    assert!(!scripts.is_empty(), "there are scripts");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut failed = Vec::new();
    for path in scripts {
        let name = path.file_stem().expect("a script has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a script can be read");
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            settings.bind(|| insta::assert_snapshot!(name.clone(), run(&text)));
        }));
        if passed.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "scripts that print something else: {failed:?}");
}

#[test]
fn a_peer_is_deterministic_and_its_clone_goes_on_alike() {
    for path in scripts() {
        let text = std::fs::read_to_string(&path).expect("a script can be read");
        let (mut one, mut other) = (World::default(), World::default());
        for line in text.lines() {
            one.line(line);
            other.replace_peer_by_its_clone();
            other.line(line);
            assert_eq!(one.digest(), other.digest(), "{}: {line}", path.display());
        }
        assert_eq!(one.into_output(), other.into_output(), "{}", path.display());
    }
}
