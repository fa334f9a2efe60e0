//! Stamps the binary with the commit it is built from. The date is the commit's, so that equal sources give equal binaries;
//! nothing is asked of the network.

use std::process::Command;

fn main() {
    let commit = git(&["log", "-1", "--format=%H"]);
    let date = git(&["log", "-1", "--date=format-local:%Y-%m-%d %H:%M UTC", "--format=%cd"]);
    println!("cargo::rustc-env=QUORATE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=QUORATE_DATE={}", date.as_deref().unwrap_or("unknown"));
    println!("cargo::rerun-if-changed=build.rs");
    // Every commit and checkout appends to this file.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).env("TZ", "UTC").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
