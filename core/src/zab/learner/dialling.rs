//! Dialling: the leader's quorum port is called a few times; it may not be open yet (`quorum-protocol.md` §6.4).
//!
//! A follower that serves observers takes none while it follows nobody: that counts as a call that nobody answered.

use super::discovery::Discovery;
use super::{Learner, LearnerTurn, Phase};
use crate::contract::Output;
use crate::vocabulary::{LinkId, Millis, Mono};

/// Java's: so often, and so long in between.
const DIALS: u32 = 5;
const PAUSE: Millis = Millis(100);

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialling {
    /// When the next call is made, unless one is under way.
    redial_at: Option<Mono>,
    deadline: Mono,
}

impl Dialling {
    /// The first call is made.
    pub(super) fn new(deadline: Mono) -> Self {
        Dialling { redial_at: None, deadline }
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
        self.dials = 1;
        self.phase = Phase::Dialling(Dialling::new(turn.now + self.config.zab.init_span()));
        turn.outbox.push(Output::Dial { port: self.config.port, to: self.config.leader });
    }

    pub(super) fn dial_answered(&mut self, link: LinkId, turn: &mut LearnerTurn<'_>) {
        self.link = Some(link);
        self.phase = Phase::Discovery(Discovery::Asked);
        self.introduce(link, turn);
    }

    pub(super) fn dial_refused(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        if let Phase::Dialling(Dialling { deadline, .. }) = self.phase {
            self.pause((reason, deadline), turn);
        }
    }

    /// The other end has hung up without a word.
    pub(super) fn turned_away(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        self.pause((reason, turn.now + self.config.zab.init_span()), turn);
    }

    /// Waits for the next call, if there is to be one.
    fn pause(&mut self, (reason, deadline): (&str, Mono), turn: &mut LearnerTurn<'_>) {
        if self.dials == DIALS {
            return self.unreachable(reason.to_owned(), turn);
        }
        self.phase = Phase::Dialling(Dialling { redial_at: Some(turn.now + PAUSE), deadline });
    }

    pub(super) fn dial_timeout(&mut self, turn: &mut LearnerTurn<'_>) {
        let Phase::Dialling(dialling) = &mut self.phase else { return };
        if dialling.deadline <= turn.now {
            return self.unreachable("no answer within initLimit".to_owned(), turn);
        }
        if dialling.redial_at.is_some_and(|at| at <= turn.now) {
            dialling.redial_at = None;
            self.dials += 1;
            turn.outbox.push(Output::Dial { port: self.config.port, to: self.config.leader });
        }
    }
}
