//! `sim/ZOO.md`: a row for each bug, and the words behind the table, which are people's.

use super::{Row, bug};
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "# The bug zoo

Written by `quorate-sim zoo`, profile zoo: from seed 0 up to the first violation that the expected checker finds; then the plan is shrunk. Each row
is of the commit that it names. What other checkers found up to there stands behind it. Seeds change with the generator of plans.
Events and CPU s are those of the sweep up to its end, on all processors; the build is not in them. \"Left\" is what of faults and of
what clients do is left in the smallest plan that the expected checker still finds broken, with the CPU s that finding it took.

| bug | JIRA | scenario | expected checker | found | seed | events | CPU s | left | CPU s | commit | verdict |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

impl Row {
    fn line(&self) -> String {
        let Row { bug, found, others, seed, events, cpu_s, shrunk, commit, verdict } = self;
        let others = if others.is_empty() { String::new() } else { format!(" (also {})", others.join(" ")) };
        let seed = seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
        let (left, shrunk_cpu) = shrunk
            .map_or((String::new(), String::new()), |(left, cpu)| (left.to_string(), format!("{cpu:.1}")));
        format!(
            "| {} | {} | {} | {} | {found}{others} | {seed} | {events} | {cpu_s:.1} | {left} | {shrunk_cpu} | {commit} | {verdict} |",
            bug.name, bug.jira, bug.scenario, bug.expected,
        )
    }
}

/// Puts rows into the table in a file, in the place of older ones of the same bugs.
pub(super) fn write(file: &Path, rows: &[Row]) -> Result<(), String> {
    let shown = file.display();
    let before = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| format!("{shown} can't be read: {error}"))?,
    };
    std::fs::write(file, merged(&before, rows)).map_err(|error| format!("{shown} can't be written: {error}"))
}

fn merged(before: &str, rows: &[Row]) -> String {
    let name = |line: &str| line.split('|').nth(1).map(|name| name.trim().to_owned()).unwrap_or_default();
    let new: Vec<String> = rows.iter().map(Row::line).collect();
    let names: Vec<String> = new.iter().map(|line| name(line)).collect();
    let kept = before.lines().filter(|line| line.starts_with("| Z") && !names.contains(&name(line)));
    let mut lines: Vec<String> = kept.map(str::to_owned).chain(new).collect();
    lines.sort_by_key(|line| bug::order(&name(line)));
    let mut text = HEAD.to_owned();
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    if let Some(words) = before.find("\n## ") {
        text.push_str(&before[words..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::bug::Bug;
    use super::*;

    fn row(name: &str, seed: Option<u64>) -> Row {
        let text = |text: &str| text.to_owned();
        let (jira, scenario, expected) = (text("none"), text("r1"), text("epochs"));
        Row {
            bug: Bug { name: text(name), patch: "p".into(), jira, scenario, expected },
            found: text("epochs"),
            others: Vec::new(),
            seed,
            events: 7,
            cpu_s: 0.25,
            shrunk: seed.map(|_| (3, 1.5)),
            commit: text("abc"),
            verdict: "caught",
        }
    }

    #[test]
    fn a_new_row_takes_the_place_of_the_old_and_words_stay() {
        let first = merged("", &[row("Z31", Some(4)), row("Z05", Some(1))]);
        let first = format!("{first}\n## Ruled out\n\n- Z99\n");
        let second = merged(&first, &[row("Z31", Some(5))]);
        let rows: Vec<&str> = second.lines().filter(|line| line.starts_with("| Z")).collect();
        assert_eq!(
            rows,
            [
                "| Z05 | none | r1 | epochs | epochs | 1 | 7 | 0.2 | 3 | 1.5 | abc | caught |",
                "| Z31 | none | r1 | epochs | epochs | 5 | 7 | 0.2 | 3 | 1.5 | abc | caught |",
            ]
        );
        assert!(second.ends_with("\n\n## Ruled out\n\n- Z99\n"));
        assert_eq!(merged(&second, &[]), second);
    }
}
