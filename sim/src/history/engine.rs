//! Looks for an order of operations that explains every reply: depth first, in the manner of Wing and Gong, with the places where
//! it has been kept as Lowe does.
//!
//! What must happen stands in chains, each in its own order; what may have happened, and nobody knows, stands beside them. An
//! operation can come next when nothing that must still happen was over before it began. An operation that changes nothing is
//! taken as soon as it fits: any order in which it comes later is one in which it comes now. Where the search has been is told by
//! 128 bits of what was taken and what the nodes are; that two places share them is as unlikely as a fault of the memory.

use super::operations::{NEVER, NONE, Operations};
use super::state::{Fit, Mark, Node, Tree, mixed};
use quorate_core::vocabulary::{LookupMap, LookupSeed};

/// So many nodes of a dead end are shown.
const MOST_SHOWN: usize = 4;

/// What an entry does when it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An operation that was answered.
    Answered,
    /// One that may have been.
    MayBe,
    /// The end of a session, that certainly was.
    Closed,
    /// Or that may have been.
    MayBeClosed,
}

/// Something to put in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) operation: u32,
    pub(super) session: u32,
    pub(super) role: Role,
    /// It takes effect between these times.
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) zxid: i64,
    pub(super) may_change: bool,
    /// Of what may be: the chain that must have come so far before.
    pub(super) after: Option<(usize, usize)>,
}

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Problem {
    pub(super) chains: Vec<Vec<Entry>>,
    pub(super) may_be: Vec<Entry>,
    /// Of the sessions that end.
    pub(super) paths: Vec<u32>,
}

/// What was taken: the chain, or where it stands among what may be.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Head(usize),
    MayBe(usize),
}

/// How a search went.
#[derive(Debug)]
pub(super) enum Answer {
    /// In this order.
    Explained(Vec<Entry>),
    /// As far as it came at best.
    Not(Deepest),
    GaveUp,
}

/// The longest order that fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Deepest {
    pub(super) taken: usize,
    /// What each chain waits for.
    pub(super) heads: Vec<Entry>,
    /// The nodes there, as many as are shown.
    pub(super) nodes: Vec<(u32, Option<Node>)>,
}

impl Deepest {
    /// The nodes in words.
    pub(super) fn state(&self, operations: &Operations) -> String {
        let words = |(path, node): &(u32, Option<Node>)| {
            let name = &operations.paths[*path as usize];
            match node {
                None => format!("{name} is not there"),
                Some(node) => {
                    format!("{name} is {} at version {}", operations.datum(node.data), node.version)
                }
            }
        };
        self.nodes.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

struct Frame {
    taken: usize,
    mark: Mark,
    heads: Vec<usize>,
    next: usize,
}

struct Search<'a, 'b> {
    problem: &'b Problem,
    operations: &'a Operations,
    tree: &'b mut Tree<'a>,
    /// Of each chain, behind which nothing that is left is over earlier.
    due: Vec<Vec<u64>>,
    pointers: Vec<usize>,
    used: Vec<bool>,
    taken: Vec<Taken>,
    left: usize,
    place: u128,
    seen: LookupMap<u128, ()>,
    deepest: Deepest,
}

/// Looks for an order; each place costs one of `budget`. The tree is left as it was found.
pub(super) fn solve<'a>(
    operations: &'a Operations,
    tree: &mut Tree<'a>,
    problem: &Problem,
    budget: &mut u64,
) -> Answer {
    let begin = tree.mark();
    let due = problem.chains.iter().map(|chain| {
        let mut least = NEVER;
        let mut due: Vec<u64> = chain
            .iter()
            .rev()
            .map(|entry| {
                least = least.min(entry.high);
                least
            })
            .collect();
        due.reverse();
        due
    });
    let mut search = Search {
        problem,
        operations,
        due: due.collect(),
        pointers: vec![0; problem.chains.len()],
        used: vec![false; problem.may_be.len()],
        taken: Vec::new(),
        left: problem.chains.iter().map(Vec::len).sum(),
        place: 0,
        seen: LookupMap::new(LookupSeed(2)),
        deepest: Deepest::default(),
        tree,
    };
    let answer = search.run(budget);
    search.tree.rewind(begin);
    answer
}

impl Search<'_, '_> {
    fn run(&mut self, budget: &mut u64) -> Answer {
        let mut frames: Vec<Frame> = Vec::new();
        loop {
            self.take_what_changes_nothing();
            if self.left == 0 {
                return Answer::Explained(self.taken_in_order());
            }
            if self.seen.insert(self.tree.fingerprint ^ self.place, ()).is_none() {
                if *budget == 0 {
                    return Answer::GaveUp;
                }
                *budget -= 1;
                let (heads, mark) = (self.heads(), self.tree.mark());
                frames.push(Frame { taken: self.taken.len(), mark, heads, next: 0 });
            }
            loop {
                let Some(frame) = frames.last_mut() else {
                    return Answer::Not(std::mem::take(&mut self.deepest));
                };
                let choice = frame.next;
                frame.next += 1;
                let (taken, mark) = (frame.taken, frame.mark);
                let choice = match frame.heads.get(choice) {
                    Some(chain) => Taken::Head(*chain),
                    None => Taken::MayBe(choice - frame.heads.len()),
                };
                self.rewind(taken, mark);
                match choice {
                    Taken::MayBe(index) if index >= self.problem.may_be.len() => {
                        self.note_dead_end();
                        frames.pop();
                    }
                    choice if self.take(choice) => break,
                    _ => {}
                }
            }
        }
    }

    /// The first time at which something is over that must still happen.
    fn frontier(&self) -> u64 {
        let due = self.due.iter().zip(&self.pointers).filter_map(|(due, pointer)| due.get(*pointer));
        due.copied().min().unwrap_or(NEVER)
    }

    fn head(&self, chain: usize) -> Option<&Entry> {
        self.problem.chains[chain].get(self.pointers[chain])
    }

    /// The chains that may go on with a change, the one that is over first before all others.
    fn heads(&self) -> Vec<usize> {
        let frontier = self.frontier();
        let can_come =
            |chain: &usize| self.head(*chain).is_some_and(|entry| entry.may_change && entry.low <= frontier);
        let mut heads: Vec<usize> = (0..self.problem.chains.len()).filter(can_come).collect();
        heads.sort_by_key(|chain| self.due[*chain][self.pointers[*chain]]);
        heads
    }

    fn take_what_changes_nothing(&mut self) {
        let mut frontier = self.frontier();
        let mut has_moved = true;
        while has_moved {
            has_moved = false;
            for chain in 0..self.problem.chains.len() {
                while self.head(chain).is_some_and(|entry| !entry.may_change && entry.low <= frontier)
                    && self.take(Taken::Head(chain))
                {
                    has_moved = true;
                }
            }
            frontier = self.frontier();
        }
    }

    fn entry(&self, taken: Taken) -> (Entry, u128) {
        match taken {
            Taken::Head(chain) => {
                let pointer = self.pointers[chain];
                let key = mixed([2, chain as u64, pointer as u64, 0, 0]);
                (self.problem.chains[chain][pointer], key)
            }
            Taken::MayBe(index) => (self.problem.may_be[index], mixed([3, index as u64, 0, 0, 0])),
        }
    }

    /// Takes it, if it fits.
    fn take(&mut self, choice: Taken) -> bool {
        let (entry, key) = self.entry(choice);
        if let Taken::MayBe(index) = choice {
            let is_early = entry.after.is_some_and(|(chain, least)| self.pointers[chain] < least);
            if self.used[index] || is_early || entry.low > self.frontier() {
                return false;
            }
        }
        let fit = match entry.role {
            Role::Answered | Role::MayBe => {
                let operation = &self.operations.list[entry.operation as usize];
                self.tree.attempt(operation, entry.zxid, entry.role == Role::MayBe)
            }
            Role::Closed => self.tree.close(entry.session, &self.problem.paths),
            Role::MayBeClosed => match self.tree.close(entry.session, &self.problem.paths) {
                Fit::Unchanged => Fit::No,
                fit => fit,
            },
        };
        if fit == Fit::No {
            return false;
        }
        match choice {
            Taken::Head(chain) => {
                self.pointers[chain] += 1;
                self.left -= 1;
            }
            Taken::MayBe(index) => self.used[index] = true,
        }
        self.place ^= key;
        self.taken.push(choice);
        true
    }

    fn rewind(&mut self, taken: usize, mark: Mark) {
        self.tree.rewind(mark);
        while self.taken.len() > taken {
            let last = self.taken.pop().expect("there are more");
            match last {
                Taken::Head(chain) => {
                    self.pointers[chain] -= 1;
                    self.left += 1;
                }
                Taken::MayBe(index) => self.used[index] = false,
            }
            self.place ^= self.entry(last).1;
        }
    }

    fn taken_in_order(&self) -> Vec<Entry> {
        let mut pointers = vec![0; self.problem.chains.len()];
        let entry = |taken: &Taken| match taken {
            Taken::Head(chain) => {
                pointers[*chain] += 1;
                self.problem.chains[*chain][pointers[*chain] - 1]
            }
            Taken::MayBe(index) => self.problem.may_be[*index],
        };
        self.taken.iter().map(entry).collect()
    }

    /// Nothing goes on here.
    fn note_dead_end(&mut self) {
        if self.taken.len() > self.deepest.taken || self.deepest.heads.is_empty() {
            let heads = (0..self.problem.chains.len()).filter_map(|chain| self.head(chain).copied());
            self.deepest.heads = heads.collect();
            self.deepest.taken = self.taken.len();
            let nodes = self.problem.paths.iter().take(MOST_SHOWN);
            self.deepest.nodes = nodes.map(|path| (*path, self.tree.node(*path))).collect();
        }
    }
}

impl Entry {
    /// An operation that was answered, between these times.
    pub(super) fn answered(operations: &Operations, operation: u32, low: u64) -> Self {
        let known = &operations.list[operation as usize];
        Entry {
            operation,
            session: known.session,
            role: Role::Answered,
            low,
            high: known.at,
            zxid: 0,
            may_change: known.may_change(),
            after: None,
        }
    }

    /// One that may have been, at any time from `low` on.
    pub(super) fn may_be(operations: &Operations, operation: u32) -> Self {
        let low = operations.list[operation as usize].sent;
        Entry {
            role: Role::MayBe,
            high: NEVER,
            may_change: true,
            ..Self::answered(operations, operation, low)
        }
    }

    /// A session may have ended.
    pub(super) fn may_be_closed(session: u32, low: u64, after: Option<(usize, usize)>) -> Self {
        let role = Role::MayBeClosed;
        Entry { operation: NONE, session, role, low, high: NEVER, zxid: 0, may_change: true, after }
    }
}
