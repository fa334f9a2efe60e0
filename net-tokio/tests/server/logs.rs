//! The README's table of events is the source's.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_event_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split("## Logs").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut files = Vec::new();
    sources(&root.join("src/server"), &mut files);
    files.push(root.join("src/logging.rs"));
    let mut names = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests make up events of their own, and so does the debug line of an event that has no text yet.
        let text = text.split("#[cfg(test)]").next().unwrap();
        for name in text.split("name: \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if name == "peer_event" {
                continue;
            }
            names += 1;
            assert!(
                section.contains(&format!("`{name}`")),
                "{name} of {} is not in the table",
                file.display()
            );
        }
    }
    assert!(names > 30, "only {names} events were found");
}
