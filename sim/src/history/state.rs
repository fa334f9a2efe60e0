//! What the nodes of a history come to, step by step, and back.
//!
//! Both checkers share this file and nothing else; a test holds it against the reference model (`crate::model`).

use super::operations::{End, NONE, Operation, Operations, Shown, Step, What};

/// A node, as far as the checkers follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) data: u32,
    pub(super) version: i32,
    /// The session it lives by, [`NONE`] for a persistent one.
    pub(super) owner: u32,
    /// 0 when they are not known.
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
}

/// How an operation fits where it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It would have been told something else.
    No,
    /// It changes nothing.
    Unchanged,
    Changed,
}

/// A point to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

/// The nodes of all paths.
pub(super) struct Tree<'a> {
    operations: &'a Operations,
    /// Paths that are there whenever a child needs them.
    settled: &'a [bool],
    nodes: Vec<Option<Node>>,
    children: Vec<u32>,
    undo: Vec<(u32, Option<Node>)>,
    /// Of all nodes, whatever their order.
    pub(super) fingerprint: u128,
}

/// Mixes numbers into 128 bits.
pub(super) fn mixed(numbers: [u64; 5]) -> u128 {
    let lane = |seed: u64| {
        numbers.iter().fold(seed, |mixed, number| {
            let mixed = (mixed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    };
    u128::from(lane(0x5155_4f52_4154_4531)) << 64 | u128::from(lane(0x6a09_e667_f3bc_c908))
}

fn fingerprint_of(path: u32, node: Option<Node>) -> u128 {
    node.map_or(0, |node| {
        let place = u64::from(path) << 32 | u64::from(node.data);
        let version = u64::from(node.version as u32) << 32 | u64::from(node.owner);
        mixed([1, place, version, node.czxid as u64, node.mzxid as u64])
    })
}

impl<'a> Tree<'a> {
    pub(super) fn new(operations: &'a Operations, settled: &'a [bool]) -> Self {
        let paths = operations.paths.len();
        let (nodes, children) = (vec![None; paths], vec![0; paths]);
        Tree { operations, settled, nodes, children, undo: Vec::new(), fingerprint: 0 }
    }

    pub(super) fn node(&self, path: u32) -> Option<Node> {
        self.nodes[path as usize]
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// Everything is as it was at the mark.
    pub(super) fn rewind(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            let (path, node) = self.undo.pop().expect("there are more than at the mark");
            self.put(path, node);
        }
    }

    /// Nobody comes back behind this.
    pub(super) fn forget_marks(&mut self) {
        self.undo.clear();
    }

    fn put(&mut self, path: u32, node: Option<Node>) {
        let before = std::mem::replace(&mut self.nodes[path as usize], node);
        self.fingerprint ^= fingerprint_of(path, before) ^ fingerprint_of(path, node);
        let parent = self.operations.parents[path as usize];
        if parent != NONE {
            let count = &mut self.children[parent as usize];
            *count = *count + u32::from(node.is_some()) - u32::from(before.is_some());
        }
    }

    fn set(&mut self, path: u32, node: Option<Node>) {
        self.undo.push((path, self.nodes[path as usize]));
        self.put(path, node);
    }

    /// Tries an operation here, as its reply says that it went; as `may_have_been` when there is none: then it fits if it changes
    /// something. What does not fit leaves nothing behind.
    pub(super) fn attempt(&mut self, operation: &Operation, zxid: i64, may_have_been: bool) -> Fit {
        let mark = self.mark();
        let operations = self.operations;
        let mut failure = None;
        for (index, step) in operations.steps(operation).iter().enumerate() {
            match self.step(operation.session, step, zxid) {
                Err(code) => {
                    failure = Some((index, code));
                    break;
                }
                Ok(()) if may_have_been || self.shows(step) => {}
                Ok(()) => {
                    self.rewind(mark);
                    return Fit::No;
                }
            }
        }
        let fits = match (failure, operation.end) {
            (None, end) => may_have_been || end == End::Done,
            (Some((index, code)), end) => !may_have_been && end.is_failure(index, code),
        };
        if !fits || failure.is_some() {
            self.rewind(mark);
        }
        match (fits, self.undo.len() > mark.0) {
            (true, true) => Fit::Changed,
            (true, false) if !may_have_been => Fit::Unchanged,
            _ => Fit::No,
        }
    }

    /// The session is over: of these nodes its own go.
    pub(super) fn close(&mut self, session: u32, paths: &[u32]) -> Fit {
        let mut fit = Fit::Unchanged;
        for path in paths {
            if self.node(*path).is_some_and(|node| node.owner == session) {
                self.set(*path, None);
                fit = Fit::Changed;
            }
        }
        fit
    }

    fn step(&mut self, session: u32, step: &Step, zxid: i64) -> Result<(), i32> {
        let found = self.node(step.path);
        let expected = |wanted: i32, node: Node| {
            if wanted == -1 || wanted == node.version { Ok(node) } else { Err(-103) }
        };
        match step.what {
            What::Create { data, is_ephemeral } => {
                let owner = self.parent_owner(step.path)?;
                if found.is_some() {
                    return Err(-110);
                }
                if owner != NONE {
                    return Err(-108);
                }
                let owner = if is_ephemeral { session } else { NONE };
                self.set(step.path, Some(Node { data, version: 0, owner, czxid: zxid, mzxid: zxid }));
            }
            What::Delete { version } => {
                expected(version, found.ok_or(-101)?)?;
                if self.children[step.path as usize] > 0 {
                    return Err(-111);
                }
                self.set(step.path, None);
            }
            What::Set { data, version } => {
                let node = expected(version, found.ok_or(-101)?)?;
                let next = match node.version.wrapping_add(1) {
                    -1 => 0,
                    next => next,
                };
                self.set(step.path, Some(Node { data, version: next, mzxid: zxid, ..node }));
            }
            What::Check { version } => {
                expected(version, found.ok_or(-101)?)?;
            }
            What::Look => {
                found.ok_or(-101)?;
            }
        }
        Ok(())
    }

    /// Whose the parent of `path` is; an error when there is none.
    fn parent_owner(&self, path: u32) -> Result<u32, i32> {
        let parent = self.operations.parents[path as usize];
        if parent == NONE || self.settled[parent as usize] {
            return Ok(NONE);
        }
        self.node(parent).map(|node| node.owner).ok_or(-101)
    }

    /// Whether the step's node is as its reply has shown it.
    fn shows(&self, step: &Step) -> bool {
        let Some(Shown { data, version, czxid, mzxid }) = step.shown else { return true };
        let same = |told: i64, known: i64| told == 0 || known == 0 || told == known;
        self.node(step.path).is_some_and(|node| {
            node.version == version
                && data.is_none_or(|data| data == node.data)
                && same(czxid, node.czxid)
                && same(mzxid, node.mzxid)
        })
    }
}
