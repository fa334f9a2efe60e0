//! C7 to C10: who hears of what, when, how often and in which order. Four rules over one queue of expected events:
//!
//! - `watch_before_data`: when anybody is answered at a zxid, every event of a change up to it has been sent;
//! - `watch_once`: no event without a watch for it, none twice, none left out;
//! - `watch_order`: the events of a connection come in the order of changes, those of one change in their own order;
//! - `watch_replay`: what setWatches brings is what was missed since the client's zxid, and nothing else.

use super::{Verdict, require, violated};
use crate::model::ExpectedEvent;
use quorate_core::vocabulary::{ConnId, Zxid};
use std::collections::VecDeque;

/// An event went to `conn`, of whose expected ones `expected` is what is left.
pub(crate) fn sent(conn: ConnId, expected: &mut VecDeque<ExpectedEvent>, event: &ExpectedEvent) -> Verdict {
    if expected.front() == Some(event) {
        expected.pop_front();
        return Ok(());
    }
    if expected.contains(event) {
        return violated("watch_order", format!("{event:?} comes to {conn:?} before {:?}", expected[0]));
    }
    violated(
        "watch_once",
        format!("{event:?} comes to {conn:?}, which watches for no such thing; expected: {expected:?}"),
    )
}

/// Somebody is answered at `zxid` while `missing` events are not sent yet.
pub(crate) fn before_data(zxid: Zxid, missing: usize, example: impl FnOnce() -> String) -> Verdict {
    require("watch_before_data", missing == 0, || format!("a reply at {zxid} before {}", example()))
}

/// Everything up to `zxid` is applied and its outputs are drained; `missing` events were never sent.
pub(crate) fn all_sent(zxid: Zxid, missing: usize, example: impl FnOnce() -> String) -> Verdict {
    require("watch_once", missing == 0, || {
        format!("all is applied up to {zxid}, and nobody was told {}", example())
    })
}

/// setWatches was answered behind `sent`; the model says `expected`.
pub(crate) fn replayed(sent: &[ExpectedEvent], expected: &[ExpectedEvent]) -> Verdict {
    require("watch_replay", sent == expected, || {
        format!("setWatches brought {sent:?}, the model says {expected:?}")
    })
}
