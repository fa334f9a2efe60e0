//! C15: a sequential node's number is how many children were created under its parent before, in the order of commits.
//!
//! Counted from the txns alone: it knows no tree, only creations. The count ends where an int does, and the same number is given again and
//! again then: each such node but the first is refused as long as that is there.

use super::{Verdict, require, violated};
use quorate_core::jute::{CreateRequest, CreateTxn};
use std::collections::BTreeMap;

const NAME: &str = "sequence_numbers";
const LAST: i64 = i32::MAX as i64;

/// Creations by parent, of parents that live. System nodes' first children were never created.
#[derive(Clone, Debug, Default)]
pub(crate) struct SequenceNumbers {
    created: BTreeMap<String, i64>,
}

fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn next(number: i64) -> i64 {
    LAST.min(number + 1)
}

impl SequenceNumbers {
    /// A create that was judged before, counted again.
    pub(crate) fn recreated(&mut self, txn: &CreateTxn) {
        let count = self.created.entry(parent_of(&txn.path).to_string()).or_default();
        *count = next(*count);
        self.created.remove(&txn.path);
    }

    /// A create of before the run.
    pub(crate) fn counted(&mut self, txn: &CreateTxn) {
        self.recreated(txn);
        if txn.parent_cversion != -1 {
            self.created.insert(parent_of(&txn.path).to_string(), i64::from(txn.parent_cversion));
        }
    }

    /// A create is committed that `request` asked for.
    pub(crate) fn created(&mut self, request: &CreateRequest, txn: &CreateTxn) -> Verdict {
        let count = self.created.entry(parent_of(&txn.path).to_string()).or_default();
        let number = *count;
        *count = next(number);
        // A node of this name lived before: its children are none of this one's.
        self.created.remove(&txn.path);
        let wanted = request.path.as_deref().unwrap_or_default();
        if !matches!(request.flags, 2 | 3 | 6) {
            return require(NAME, txn.path == wanted, || format!("{wanted:?} is created as {:?}", txn.path));
        }
        if txn.path != format!("{wanted}{number:010}") {
            return violated(NAME, format!("{:?} is created as number {number} of its parent", txn.path));
        }
        Ok(())
    }
}
