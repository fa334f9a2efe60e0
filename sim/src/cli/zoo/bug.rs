//! A patch that brings a bug back, and what its head says.

use std::path::{Path, PathBuf};

/// The patch that changes nothing.
pub(super) const NOTHING: &str = "Z00";

/// A bug of the zoo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bug {
    /// As its file is called, without its end.
    pub(super) name: String,
    pub(super) patch: PathBuf,
    /// Who met it.
    pub(super) jira: String,
    pub(super) scenario: String,
    /// The checker that has to find it.
    pub(super) expected: String,
}

impl Bug {
    fn read(path: &Path) -> Result<Bug, String> {
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Bug::parse(name, path, &text)
            .map_err(|missing| format!("{shown} has no line {missing:?} in its head"))
    }

    /// The error is the field that is missing.
    fn parse(name: String, patch: &Path, text: &str) -> Result<Bug, &'static str> {
        let head = || text.lines().take_while(|line| !line.starts_with("diff "));
        let field = |name: &'static str| {
            let found = head().find_map(|line| line.strip_prefix(name));
            found.map(|value| value.trim().to_owned()).ok_or(name)
        };
        Ok(Bug {
            name,
            patch: patch.to_owned(),
            jira: field("JIRA:")?,
            scenario: field("Scenario:").unwrap_or_else(|_| "r0".to_owned()),
            expected: field("Expected:")?,
        })
    }
}

/// All bugs of a zoo, by name, without the patch that changes nothing.
pub(super) fn all(zoo: &Path) -> Result<Vec<Bug>, String> {
    let shown = zoo.display();
    let entries = std::fs::read_dir(zoo).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let mut patches: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "patch"))
        .filter(|path| path.file_stem().is_some_and(|name| name != NOTHING))
        .collect();
    patches.sort();
    let mut bugs: Vec<Bug> = patches.iter().map(|path| Bug::read(path)).collect::<Result<_, _>>()?;
    bugs.sort_by_key(|bug| order(&bug.name));
    Ok(bugs)
}

/// Z9 comes before Z10.
pub(super) fn order(name: &str) -> (u32, String) {
    let rest = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    (rest[..digits].parse().unwrap_or_default(), name.to_owned())
}

/// Those that are asked for, in the order in which they are.
pub(super) fn chosen(all: Vec<Bug>, names: &[String]) -> Result<Vec<Bug>, String> {
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let found = all.iter().find(|bug| bug.name == *name).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|bug| bug.name.as_str()).collect();
            format!("there is no bug {name}; there are {}", known.join(" "))
        })
    };
    names.iter().map(find).collect()
}

/// So many of them, by the commit: another handful on each, the same on the same.
pub(super) fn handful(mut all: Vec<Bug>, count: usize, commit: &str) -> Vec<Bug> {
    // FNV-1a over both: names of bugs differ in their last digits.
    let rank = |bug: &Bug| {
        let bytes = commit.bytes().chain(bug.name.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Every bit of it decides about the first ones.
        let mixed = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ mixed >> 33
    };
    all.sort_by_key(rank);
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Bug: Z31\nJIRA: ZOOKEEPER-3125\nScenario: r1\nStory: long\n  ago\nExpected: digest\n\ndiff --git a b\nExpected: no\n";

    fn bug(name: &str) -> Bug {
        Bug::parse(name.to_owned(), Path::new("p"), TEXT).expect("its head is whole")
    }

    #[test]
    fn the_head_says_who_finds_it_and_where() {
        let bug = bug("Z31");
        assert_eq!(
            (bug.jira.as_str(), bug.scenario.as_str(), bug.expected.as_str()),
            ("ZOOKEEPER-3125", "r1", "digest")
        );
        let without = TEXT.replace("Scenario: r1\n", "");
        let bug = Bug::parse("Z31".to_owned(), Path::new("p"), &without).expect("it has a default");
        assert_eq!(bug.scenario, "r0");
        let headless = Bug::parse("Z31".to_owned(), Path::new("p"), "diff\nExpected: no\n");
        assert_eq!(headless, Err("JIRA:"));
    }

    #[test]
    fn bugs_stand_in_the_order_of_their_numbers() {
        let mut names = ["Z110", "Z22b", "Z9", "Z22"];
        names.sort_by_key(|name| order(name));
        assert_eq!(names, ["Z9", "Z22", "Z22b", "Z110"]);
    }

    #[test]
    fn another_commit_is_another_handful() {
        let all: Vec<Bug> = (1..60).map(|number| bug(&format!("Z{number:02}"))).collect();
        let names = |commit: &str| -> Vec<String> {
            handful(all.clone(), 5, commit).into_iter().map(|bug| bug.name).collect()
        };
        assert_eq!(names("abc"), names("abc"));
        let all: std::collections::BTreeSet<String> =
            (0..100).flat_map(|commit| names(&format!("{commit:x}"))).collect();
        assert!(all.len() > 50, "{} of 59 in a hundred commits", all.len());
    }

    #[test]
    fn who_is_not_there_is_told_with_who_is() {
        let problem = chosen(vec![bug("Z31")], &["Z99".to_owned()]).expect_err("there is none");
        assert!(problem.contains("Z99") && problem.contains("Z31"));
    }
}
