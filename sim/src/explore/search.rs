//! Breadth first: every state once, in the order of its distance from the beginning, so that the first violation is a nearest one.
//!
//! A state is a row of numbers (`space.rs`), kept one behind the other; with each, where it was reached from, and by what. That is the thread's,
//! not the search's: whoever hears of a panic can tell the way to it.

use super::choice::Choice;
use super::disk::SEED;
use super::space::Space;
use super::table::next;
use super::{Beginning, Bounds, Progress};
use crate::checkers::Violation;
use hashbrown::HashTable;
use std::cell::RefCell;
use std::hash::BuildHasher as _;

thread_local! {
    static TRAIL: RefCell<Trail> = const { RefCell::new(Trail { reached: Vec::new(), next: (0, 0) }) };
}

/// How the states of the search under way were reached.
#[derive(Debug)]
struct Trail {
    /// From which state, and by which choice.
    reached: Vec<(u32, u32)>,
    /// What is being tried.
    next: (u32, u32),
}

impl Trail {
    /// How a state was reached from the first one.
    fn path(&self, mut at: u32) -> Vec<Choice> {
        let mut path = Vec::new();
        while at != 0 {
            let (from, choice) = self.reached[at as usize];
            path.push(Choice::unpack(choice));
            at = from;
        }
        path.reverse();
        path
    }

    /// The way to what is being tried, and that.
    fn path_to_next(&self) -> Vec<Choice> {
        let mut path = self.path(self.next.0);
        path.push(Choice::unpack(self.next.1));
        path
    }
}

/// The way to what this thread tries at the moment, or has tried last.
pub(super) fn path_under_way() -> Vec<Choice> {
    TRAIL.with_borrow(Trail::path_to_next)
}

/// What a search has come to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) states: u64,
    pub(super) transitions: u64,
    /// The depth up to which everything was seen.
    pub(super) depth: u32,
    /// Whether there is nothing beyond that.
    pub(super) is_whole: bool,
    /// Whether the bound on states has ended it.
    pub(super) is_full: bool,
    /// States in which nothing can happen.
    pub(super) ends: u64,
    pub(super) broken: Option<(Violation, Vec<Choice>)>,
}

#[derive(Debug)]
struct States {
    width: usize,
    rows: Vec<u32>,
    count: usize,
    table: HashTable<u32>,
}

impl States {
    fn new(width: usize) -> Self {
        TRAIL.with_borrow_mut(|trail| trail.reached.clear());
        States { width, rows: Vec::new(), count: 0, table: HashTable::new() }
    }

    fn row(&self, at: usize) -> &[u32] {
        &self.rows[at * self.width..(at + 1) * self.width]
    }

    /// Adds a state, unless it is there.
    fn add(&mut self, row: &[u32], reached: (u32, u32)) -> bool {
        let hasher = SEED.hasher();
        let hash = hasher.hash_one(row);
        let (rows, width) = (&self.rows, self.width);
        let row_of = |at: u32| &rows[at as usize * width..(at as usize + 1) * width];
        if self.table.find(hash, |at| row_of(*at) == row).is_some() {
            return false;
        }
        self.table.insert_unique(hash, next(self.count), |at| hasher.hash_one(row_of(*at)));
        self.rows.extend_from_slice(row);
        self.count += 1;
        TRAIL.with_borrow_mut(|trail| trail.reached.push(reached));
        true
    }
}

/// Where a search begins.
///
/// # Errors
/// The rule that is broken before anything was chosen.
pub(super) fn beginning(space: &mut Space, from: Beginning) -> Result<Vec<u32>, Violation> {
    let state = match from {
        Beginning::Scratch => space.scratch(),
        Beginning::Elected => space.elected(),
    }?;
    space.check(&state)?;
    Ok(state)
}

/// Looks at everything, as far as the bounds let it.
pub(super) fn search(space: &mut Space, bounds: &Bounds, told: &mut dyn FnMut(Progress)) -> Found {
    let mut found =
        Found { states: 0, transitions: 0, depth: 0, is_whole: false, is_full: false, ends: 0, broken: None };
    let first = match beginning(space, bounds.from) {
        Ok(first) => first,
        Err(violation) => return Found { broken: Some((violation, Vec::new())), ..found },
    };
    let mut states = States::new(space.width());
    states.add(&first, (0, 0));
    let (mut begin, mut end) = (0, 1);
    while begin < end && found.depth < bounds.depth {
        if look_at_level(space, &mut states, (begin, end), bounds.max_states, &mut found) {
            break;
        }
        (begin, end) = (end, states.count);
        found.depth += 1;
        let new = (end - begin) as u64;
        told(Progress {
            depth: found.depth,
            new,
            states: states.count as u64,
            transitions: found.transitions,
        });
    }
    found.states = states.count as u64;
    found.is_whole = begin == end;
    found
}

/// Follows everything that can happen in the states of a distance; true when that ends the search.
fn look_at_level(
    space: &mut Space,
    states: &mut States,
    (begin, end): (usize, usize),
    max_states: u64,
    found: &mut Found,
) -> bool {
    let mut choices = Vec::new();
    let mut state = Vec::new();
    for at in begin..end {
        space.choices(states.row(at), &mut choices);
        found.ends += u64::from(choices.is_empty());
        for choice in &choices {
            state.clear();
            state.extend_from_slice(states.row(at));
            found.transitions += 1;
            let reached = (next(at), choice.pack());
            TRAIL.with_borrow_mut(|trail| trail.next = reached);
            let mut verdict = space.happen(&mut state, *choice);
            if verdict.is_ok() && states.add(&state, reached) {
                verdict = space.check(&state);
            }
            if let Err(violation) = verdict {
                found.broken = Some((violation, path_under_way()));
                return true;
            }
            if states.count as u64 >= max_states {
                found.is_full = true;
                return true;
            }
        }
    }
    false
}
