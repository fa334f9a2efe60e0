//! The numbers of sequential nodes: below a parent that stays, each is above those that came before.

use super::Window;
use super::operations::{NONE, Numbered, Operations, What};
use std::collections::{BTreeMap, BTreeSet};

/// Of each parent that nobody removes, what was created below it.
fn by_parent(operations: &Operations) -> BTreeMap<u32, Vec<Numbered>> {
    let mut removed = BTreeSet::new();
    for operation in operations.list.iter().filter(|operation| operation.may_change()) {
        for step in operations.steps(operation) {
            match step.what {
                What::Delete { .. } | What::Create { is_ephemeral: true, .. } => {
                    removed.insert(step.path);
                }
                _ => {}
            }
        }
    }
    let mut numbered: BTreeMap<u32, Vec<Numbered>> = BTreeMap::new();
    for one in operations.numbered.iter().filter(|one| one.parent == NONE || !removed.contains(&one.parent)) {
        numbered.entry(one.parent).or_default().push(*one);
    }
    numbered
}

fn words(operations: &Operations, later: &Numbered, earlier: &Numbered) -> String {
    format!(
        "[{}] was given a number that is not above that of [{}]",
        operations.words(later.operation),
        operations.words(earlier.operation)
    )
}

/// What was asked for when another had been answered has a greater number.
pub(super) fn by_time(operations: &Operations) -> Option<Window> {
    for numbered in by_parent(operations).into_values() {
        let at = |one: &Numbered| operations.list[one.operation as usize];
        let (mut by_sent, mut by_answer) = (numbered.clone(), numbered);
        by_sent.sort_by_key(|one| at(one).sent);
        by_answer.sort_by_key(|one| at(one).at);
        let mut answered = by_answer.into_iter().peekable();
        let mut highest: Option<Numbered> = None;
        for one in by_sent {
            while let Some(before) = answered.next_if(|before| at(before).at < at(&one).sent) {
                highest = highest.filter(|highest| highest.number > before.number).or(Some(before));
            }
            if let Some(earlier) = highest.filter(|highest| highest.number >= one.number) {
                let path = one.parent;
                let paths =
                    if path == NONE { "/".to_owned() } else { operations.paths[path as usize].clone() };
                return Some(Window {
                    paths: vec![paths],
                    from: at(&earlier).sent,
                    to: at(&one).at,
                    detail: words(operations, &one, &earlier),
                });
            }
        }
    }
    None
}

/// What has a greater zxid has a greater number.
pub(super) fn by_zxid(operations: &Operations) -> Result<(), String> {
    for mut numbered in by_parent(operations).into_values() {
        numbered.retain(|one| operations.list[one.operation as usize].zxid > 0);
        // The steps of one multi stand in their order already.
        numbered.sort_by_key(|one| operations.list[one.operation as usize].zxid);
        if let Some(pair) = numbered.windows(2).find(|pair| pair[0].number >= pair[1].number) {
            return Err(words(operations, &pair[1], &pair[0]));
        }
    }
    Ok(())
}
