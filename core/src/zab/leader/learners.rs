//! One learner as its leader sees it: who it is, how far it is, what it has acknowledged, how long it may be silent.

use crate::contract::LoadId;
use crate::vocabulary::{Mono, ServerId, Zxid};
use crate::zab::config::LearnerKind;
use std::collections::VecDeque;

/// Who a learner said it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Introduction {
    /// Unchecked: any long.
    pub(super) sid: i64,
    pub(super) kind: LearnerKind,
    /// Whether it truncates exactly, snapshots included.
    pub(super) is_quorate: bool,
}

/// How far a learner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It has not said who it is.
    Connected,
    /// It has, and waits for the epoch.
    Introduced,
    /// It knows the epoch, and is to acknowledge it.
    Informed,
    /// It has, and waits for others to do so. Its history ends in this zxid.
    EpochAcked(Zxid),
    /// What it lacks is read from the log.
    Loading(LoadId, Zxid),
    /// It was sent the history and NEWLEADER, and hears of everything that is proposed since.
    Synchronising,
    /// It has acknowledged NEWLEADER, and waits for others to do so.
    Acknowledged,
    /// It was told that it is up to date.
    Serving,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct LearnerHandler {
    pub(super) step: Step,
    pub(super) introduction: Option<Introduction>,
    /// When it is given up unless it does what it is to do; none while it waits for others.
    pub(super) deadline: Option<Mono>,
    /// While it takes over the history, which it does without a word: since when nothing has shown that it is there.
    pub(super) silent_since: Mono,
    /// Whether that is too long ago for a quorum to count on it.
    pub(super) is_silent: bool,
    /// What it acknowledges by acknowledging NEWLEADER: everything that was committed when it was sent the history.
    pub(super) history_end: Zxid,
    /// Its log is durable up to here; this counts once it has taken over the history.
    pub(super) acked: Zxid,
    /// Bytes that it was sent at once to bring it up to date, on top of what may wait for any learner.
    pub(super) sync_bytes: usize,
    pub(super) serving_since: Mono,
    /// Rounds of PINGs that it has not answered, oldest first.
    pub(super) unanswered: VecDeque<u64>,
    /// The last round that it answered.
    pub(super) answered: u64,
}

impl LearnerHandler {
    pub(super) fn new(deadline: Mono) -> Self {
        LearnerHandler {
            step: Step::Connected,
            introduction: None,
            deadline: Some(deadline),
            silent_since: Mono::default(),
            is_silent: false,
            history_end: Zxid::ZERO,
            acked: Zxid::ZERO,
            sync_bytes: 0,
            serving_since: Mono::default(),
            unanswered: VecDeque::new(),
            answered: 0,
        }
    }

    /// Its id, if it is one that a configuration can have and the learner means to vote.
    pub(super) fn follower(&self) -> Option<ServerId> {
        let introduction = self.introduction.filter(|who| who.kind == LearnerKind::Follower)?;
        u8::try_from(introduction.sid).ok().map(ServerId)
    }

    pub(super) fn is(&self, kind: LearnerKind) -> bool {
        self.introduction.is_some_and(|who| who.kind == kind)
    }

    /// Whether it hears of what is proposed and committed.
    pub(super) fn is_forwarded_to(&self) -> bool {
        matches!(self.step, Step::Synchronising | Step::Acknowledged | Step::Serving)
    }

    /// Whether a quorum can count on it: it has the history, or is about to have it.
    pub(super) fn takes_part(&self) -> bool {
        self.is_forwarded_to() && !(self.step == Step::Synchronising && self.is_silent)
    }

    /// Whether it has taken over the history, so that its acknowledgements count.
    pub(super) fn has_history(&self) -> bool {
        matches!(self.step, Step::Acknowledged | Step::Serving)
    }
}
