//! What must hold, one rule a file, each named after what it checks (`zab-invariants.md` §2, §4, §5).
//!
//! A rule is a function or a small state of its own; [`crate::oracle::Oracle`] and the clients call them where something
//! happened that they judge. The first violation ends the run.

pub(crate) mod ack_durable;
pub(crate) mod client_session;
pub(crate) mod client_view;
pub(crate) mod committed_never_lost;
pub(crate) mod digest;
pub(crate) mod durability;
pub(crate) mod ephemerals;
pub(crate) mod epochs;
pub(crate) mod executed_at_most_once;
pub(crate) mod exits;
pub(crate) mod java_opens_it;
pub(crate) mod leadership;
pub(crate) mod lies;
pub(crate) mod linearizable_writes;
pub(crate) mod local_sessions;
pub(crate) mod multi_atomic;
pub(crate) mod no_early_expiry;
pub(crate) mod observer_masters;
pub(crate) mod one_connection;
pub(crate) mod own_round;
pub(crate) mod prefix;
pub(crate) mod purge;
pub(crate) mod read_only;
pub(crate) mod recovered_state;
pub(crate) mod replies_match_model;
pub(crate) mod sequence_numbers;
pub(crate) mod servers_understand;
pub(crate) mod session_moved;
pub(crate) mod session_order;
pub(crate) mod session_validity;
pub(crate) mod session_view;
pub(crate) mod state_equality;
pub(crate) mod txns_match_model;
pub(crate) mod versions;
pub(crate) mod visible;
pub(crate) mod watches;
pub(crate) mod zxid_unique;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The checker that found it.
    pub checker: &'static str,
    /// What it saw.
    pub detail: String,
}

/// What a check comes to.
pub(crate) type Verdict = Result<(), Violation>;

/// `Ok` when `holds`, else a violation of `checker`.
pub(crate) fn require(checker: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { checker, detail: detail() }) }
}

/// A violation of `checker`.
pub(crate) fn violated(checker: &'static str, detail: String) -> Verdict {
    Err(Violation { checker, detail })
}
