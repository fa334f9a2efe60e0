//! Dialling: the leader's quorum port is called a few times; it may not be open yet (`quorum-protocol.md` §6.4).

use super::discovery::Discovery;
use super::{Learner, LearnerTurn, Phase};
use crate::contract::{Output, Port};
use crate::vocabulary::{LinkId, Millis, Mono};

/// Java's: so often, and so long in between.
const DIALS: u32 = 5;
const PAUSE: Millis = Millis(100);

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialling {
    dials: u32,
    /// When the next call is made, unless one is under way.
    redial_at: Option<Mono>,
    deadline: Mono,
}

impl Dialling {
    /// The first call is made.
    pub(super) fn new(deadline: Mono) -> Self {
        Dialling { dials: 1, redial_at: None, deadline }
    }

    pub(super) fn next_timeout(&self) -> Mono {
        self.redial_at.map_or(self.deadline, |at| at.min(self.deadline))
    }
}

impl Learner {
    /// From the beginning, over another connection.
    pub(super) fn dial_again(&mut self, turn: &mut LearnerTurn<'_>) {
        if let Some(link) = self.link.take() {
            turn.outbox.push(Output::CloseLink { link });
        }
        self.phase = Phase::Dialling(Dialling::new(turn.now + self.config.zab.init_span()));
        turn.outbox.push(Output::Dial { port: Port::Quorum, to: self.config.leader });
    }

    pub(super) fn dial_answered(&mut self, link: LinkId, turn: &mut LearnerTurn<'_>) {
        self.link = Some(link);
        self.phase = Phase::Discovery(Discovery::Asked);
        self.introduce(link, turn);
    }

    pub(super) fn dial_refused(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        let Phase::Dialling(dialling) = &mut self.phase else { return };
        if dialling.dials == DIALS {
            return self.unreachable(reason.to_owned(), turn);
        }
        dialling.redial_at = Some(turn.now + PAUSE);
    }

    pub(super) fn dial_timeout(&mut self, turn: &mut LearnerTurn<'_>) {
        let Phase::Dialling(dialling) = &mut self.phase else { return };
        if dialling.deadline <= turn.now {
            return self.unreachable("no answer within initLimit".to_owned(), turn);
        }
        if dialling.redial_at.is_some_and(|at| at <= turn.now) {
            dialling.dials += 1;
            dialling.redial_at = None;
            turn.outbox.push(Output::Dial { port: Port::Quorum, to: self.config.leader });
        }
    }
}
