//! Which paths must be judged together.
//!
//! A path stands alone unless a multi names others with it, a session had ephemerals at several, or whether its parent is there may
//! have mattered. A parent that was
//! acknowledged before anything was asked for below it, and that nobody removes, is *settled*: its children need not be judged
//! with it.

use super::operations::{End, Kind, NEVER, NONE, Operations, Step, What};
use std::collections::{BTreeMap, BTreeSet};

/// Paths that are judged together, and what touches them.
#[derive(Clone, Debug, Default)]
pub(super) struct Component {
    pub(super) paths: Vec<u32>,
    /// In the order of the recording.
    pub(super) operations: Vec<u32>,
    /// Sessions with ephemerals here.
    pub(super) owners: BTreeSet<u32>,
    /// Whether something may have happened here of which nobody knows.
    pub(super) has_unknown: bool,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) components: Vec<Component>,
    /// Of each path its component.
    pub(super) component_of: Vec<u32>,
    pub(super) settled: Vec<bool>,
}

impl Partition {
    pub(super) fn of(operations: &Operations) -> Self {
        let settled = settled(operations);
        let mut joined = Joined { above: (0..operations.paths.len() as u32).collect() };
        let mut ephemeral_of: BTreeMap<u32, u32> = BTreeMap::new();
        for operation in &operations.list {
            let steps = operations.steps(operation);
            for step in steps {
                joined.join(steps[0].path, step.path);
                if operation.may_change() && matches!(step.what, What::Create { is_ephemeral: true, .. }) {
                    // They go at one moment.
                    let first = *ephemeral_of.entry(operation.session).or_insert(step.path);
                    joined.join(first, step.path);
                }
                let parent = operations.parents[step.path as usize];
                let needs_parent = matches!(step.what, What::Create { .. } | What::Delete { .. });
                if needs_parent && parent != NONE && !settled[parent as usize] {
                    joined.join(parent, step.path);
                }
            }
        }
        Self::collect(operations, settled, joined)
    }

    /// Everything in one component.
    #[cfg(test)]
    pub(super) fn whole(operations: &Operations) -> Self {
        let mut joined = Joined { above: (0..operations.paths.len() as u32).collect() };
        (0..operations.paths.len() as u32).for_each(|path| joined.join(0, path));
        Self::collect(operations, settled(operations), joined)
    }

    fn collect(operations: &Operations, settled: Vec<bool>, mut joined: Joined) -> Self {
        let mut component_of = vec![NONE; operations.paths.len()];
        let mut components: Vec<Component> = Vec::new();
        for path in 0..operations.paths.len() as u32 {
            let root = joined.root(path) as usize;
            if component_of[root] == NONE {
                component_of[root] = components.len() as u32;
                components.push(Component::default());
            }
            component_of[path as usize] = component_of[root];
            components[component_of[root] as usize].paths.push(path);
        }
        for (index, operation) in operations.list.iter().enumerate() {
            let steps = operations.steps(operation);
            let Some(first) = steps.first() else { continue };
            let component = &mut components[component_of[first.path as usize] as usize];
            component.operations.push(index as u32);
            let has_ended = operation.end != End::Unknown;
            component.has_unknown |= operation.kind == Kind::Write && !has_ended;
            let creates = |step: &Step| matches!(step.what, What::Create { is_ephemeral: true, .. });
            if steps.iter().any(creates) && operation.may_change() {
                component.owners.insert(operation.session);
                component.has_unknown = true;
            }
        }
        Partition { components, component_of, settled }
    }
}

/// The paths that are there whenever something is asked for below them.
fn settled(operations: &Operations) -> Vec<bool> {
    let paths = operations.paths.len();
    let (mut acknowledged, mut needed) = (vec![NEVER; paths], vec![NEVER; paths]);
    let mut may_go = vec![false; paths];
    for operation in &operations.list {
        for step in operations.steps(operation) {
            let path = step.path as usize;
            match step.what {
                What::Create { is_ephemeral, .. } => {
                    if operation.end == End::Done && !is_ephemeral {
                        acknowledged[path] = acknowledged[path].min(operation.at);
                    }
                    may_go[path] |= is_ephemeral;
                    let parent = operations.parents[path];
                    if parent != NONE {
                        needed[parent as usize] = needed[parent as usize].min(operation.sent);
                    }
                }
                What::Delete { .. } => {
                    may_go[path] |= operation.may_change() || operation.end.is_failure(0, -111);
                    may_go[path] |=
                        matches!(operation.end, End::Failed { .. }) && operations.steps(operation).len() > 1;
                }
                _ => {}
            }
        }
    }
    (0..paths).map(|path| acknowledged[path] < needed[path] && !may_go[path]).collect()
}

/// Union and find.
struct Joined {
    above: Vec<u32>,
}

impl Joined {
    fn root(&mut self, path: u32) -> u32 {
        let mut at = path;
        while self.above[at as usize] != at {
            let next = self.above[at as usize];
            self.above[at as usize] = self.above[next as usize];
            at = next;
        }
        at
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.above[one.max(other) as usize] = one.min(other);
    }
}
