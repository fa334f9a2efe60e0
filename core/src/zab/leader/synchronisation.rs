//! Synchronisation: each learner is brought to this server's history, and a quorum has to acknowledge that (`quorum-protocol.md` §5.3–§5.7).
//!
//! What a learner lacks is chosen, written and followed by NEWLEADER in one call, so that nothing can be proposed in between and be missed
//! (ZOOKEEPER-962). Whoever has a history that is none of ours gets the whole database; only a learner that says it is Quorate is told to
//! truncate, and only to a txn of its own epoch that both must have, since Java keeps snapshots beyond the target and one txn too many
//! when it misses the target.
//!
//! A Quorate follower that lost its connection may have logged what is proposed and not committed yet. It keeps that, counts for it once it
//! has acknowledged NEWLEADER, and serves when all of it is committed. (Java truncates what it may just be committing.)

use super::discovery::Promise;
use super::learners::Step;
use super::{Leader, LeaderTurn, Phase};
use crate::contract::{EpochKind, LoadId, Output, SyncMode};
use crate::jute::Decode as _;
use crate::jute::{Encode as _, QuorumPacket, Reader, TxnHeader, Writer};
use crate::quorum::ServerSet;
use crate::vocabulary::{LinkId, Millis, Mono, Zxid};
use crate::zab::committed_log::CommittedLog;
use crate::zab::config::{LearnerKind, NO_HISTORY};
use crate::zab::event::LeaderEvent;
use bytes::{Bytes, BytesMut};

/// A database takes its time on the way; so many times `initLimit` unless the link says that it is written. A quorum counts on whom it is
/// sent to for less: `timers.rs`.
const SNAPSHOT_PATIENCE: u64 = 10;

/// A quorum has promised itself; acknowledgements of NEWLEADER are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Synchronisation {
    /// This server among them once `currentEpoch` is on its disk.
    pub(super) acknowledged: ServerSet,
    pub(super) deadline: Mono,
}

impl Promise {
    fn into_synchronisation(self, deadline: Mono) -> Synchronisation {
        Synchronisation { acknowledged: ServerSet::EMPTY, deadline }
    }
}

/// How a learner gets what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// Its history is the beginning of ours.
    Diff,
    /// It is so up to this txn.
    Trunc(Zxid),
    /// It is anything.
    Snap,
}

impl Opening {
    fn mode(self) -> SyncMode {
        match self {
            Opening::Diff => SyncMode::Diff,
            Opening::Trunc(_) => SyncMode::Trunc,
            Opening::Snap => SyncMode::Snap,
        }
    }
}

/// How a learner whose history ends in `last` gets what it lacks from the ring; none when the log may know.
fn choose(log: &CommittedLog, last: Zxid, is_quorate: bool) -> Option<Opening> {
    if log.after(last).is_some() {
        return Some(Opening::Diff);
    }
    if let Some(shared) = log.at_or_before(last) {
        // A server that has a txn has every earlier one of the same epoch.
        let truncates = is_quorate && shared.epoch() == last.epoch();
        return Some(if truncates { Opening::Trunc(shared) } else { Opening::Snap });
    }
    (log.is_empty() || last == NO_HISTORY).then_some(Opening::Snap)
}

/// What was read from the log, which holds `last` itself then, if it leads from there to the ring.
fn connects(txns: Vec<Bytes>, last: Zxid, log: &CommittedLog) -> Option<Vec<(Zxid, Bytes)>> {
    let mut loaded: Vec<(Zxid, Bytes)> = Vec::with_capacity(txns.len());
    for txn in txns {
        let zxid = TxnHeader::decode(&mut Reader::new(txn.clone())).ok()?.zxid;
        let before = loaded.last().map_or(last, |(before, _)| *before);
        if !before.may_precede(zxid) {
            return None;
        }
        loaded.push((zxid, txn));
    }
    let reaches_the_ring = log.after(loaded.last()?.0).is_some();
    reaches_the_ring.then_some(loaded)
}

impl Leader {
    /// A quorum has promised itself.
    pub(super) fn begin_synchronisation(&mut self, promise: Promise, turn: &mut LeaderTurn<'_>) {
        let deadline = turn.now + self.config.init_span();
        self.phase = Phase::Synchronisation(promise.into_synchronisation(deadline));
        turn.events.push(LeaderEvent::StoreEpoch { kind: EpochKind::Current, epoch: self.epoch });
        let waiting = self.learners.iter().filter(|(_, handler)| matches!(handler.step, Step::EpochAcked(_)));
        let waiting: Vec<LinkId> = waiting.map(|(link, _)| *link).collect();
        for link in waiting {
            self.synchronise(link, turn);
        }
    }

    /// Brings a learner that has acknowledged the epoch up to date.
    pub(super) fn synchronise(&mut self, link: LinkId, turn: &mut LeaderTurn<'_>) {
        let Some(handler) = self.learners.get_mut(&link) else { return };
        let Step::EpochAcked(last) = handler.step else { return };
        let log = turn.ground.committed_log;
        let is_ahead = last.epoch() == self.epoch && last.counter() > 0 && last > log.last();
        if matches!(self.phase, Phase::Relay) && is_ahead {
            // Its last master was ahead of this one, which will have heard of that soon.
            handler.deadline = Some(turn.now + self.config.init_span());
            return;
        }
        let is_quorate = handler.introduction.is_some_and(|who| who.is_quorate);
        if is_quorate && self.proposals.is_outstanding(last) {
            return self.open(link, (Opening::Diff, last), &[], turn);
        }
        if let Some(opening) = choose(log, last, is_quorate) {
            return self.open(link, (opening, last), &[], turn);
        }
        let first = log.first().expect("an empty ring is chosen from without the log");
        self.loads += 1;
        let id = LoadId(u64::from(self.epoch.0) << 32 | u64::from(self.loads));
        handler.step = Step::Loading(id, last);
        let max_bytes = self.config.load_bytes;
        turn.outbox.push(Output::Load { id, after: last, up_to: first, max_bytes });
    }

    /// The log has answered.
    pub(super) fn history_loaded(&mut self, id: LoadId, txns: Option<Vec<Bytes>>, turn: &mut LeaderTurn<'_>) {
        let waiting = self.learners.iter().find_map(|(link, handler)| match handler.step {
            Step::Loading(other, last) if other == id => Some((*link, last)),
            _ => None,
        });
        let Some((link, last)) = waiting else { return };
        match txns.and_then(|txns| connects(txns, last, turn.ground.committed_log)) {
            Some(loaded) => self.open(link, (Opening::Diff, last), &loaded, turn),
            None => self.open(link, (Opening::Snap, last), &[], turn),
        }
    }

    /// Sends the opening, everything behind it, and NEWLEADER; from here on the learner hears of what is proposed.
    fn open(
        &mut self,
        link: LinkId,
        (opening, last): (Opening, Zxid),
        loaded: &[(Zxid, Bytes)],
        turn: &mut LeaderTurn<'_>,
    ) {
        let log = turn.ground.committed_log;
        assert_eq!(log.last(), self.proposals.last_committed(), "the ring holds what was committed");
        let sent_before = turn.outbox.bytes();
        let mut patience = self.config.init_span();
        let (packet, from) = match opening {
            Opening::Diff => (QuorumPacket::Diff { zxid: log.last() }, last),
            Opening::Trunc(to) => (QuorumPacket::Trunc { zxid: to }, to),
            Opening::Snap => {
                let image = (turn.ground.image)();
                let zxid = image.zxid();
                let snap = QuorumPacket::Snap { zxid: self.name_of_database((link, last), zxid) };
                turn.outbox.send_links([link], |out| snap.encode(&mut Writer::new(out)));
                turn.outbox.push(Output::SendSnapshot { link, image });
                patience = Millis(patience.0 * SNAPSHOT_PATIENCE);
                (snap, zxid)
            }
        };
        let from = loaded.last().map_or(from, |(zxid, _)| *zxid);
        let Some(rest) = log.after(from.min(log.last())) else {
            return self.drop_learner(link, "the database is behind the ring of committed txns", turn);
        };
        let new_leader =
            QuorumPacket::NewLeader { zxid: Zxid::new(self.epoch, 0), config: Some(self.config_text()) };
        let Some(handler) = self.learners.get_mut(&link) else { return };
        let is_follower = handler.is(LearnerKind::Follower);
        let sid = handler.introduction.map_or(-1, |who| who.sid);
        turn.events.push(LeaderEvent::Synchronises { sid, by: opening.mode() });
        turn.outbox.send_links([link], |out| {
            if opening != Opening::Snap {
                packet.encode(&mut Writer::new(out));
            }
            for (zxid, txn) in loaded.iter().chain(rest) {
                write_proposal(*zxid, txn, out);
                QuorumPacket::Commit { zxid: *zxid }.encode(&mut Writer::new(out));
            }
            let outstanding = self.proposals.outstanding().filter(|(zxid, _)| is_follower && *zxid > from);
            for (zxid, txn) in outstanding {
                write_proposal(*zxid, txn, out);
            }
            new_leader.encode(&mut Writer::new(out));
        });
        handler.step = Step::Synchronising;
        handler.history_end = from.max(log.last());
        handler.deadline = Some(turn.now + patience);
        handler.silent_since = turn.now;
        handler.sync_bytes = turn.outbox.bytes() - sent_before;
    }

    /// The zxid that a database is sent by, to a learner whose log ends with `last`. Java neither cuts its log nor removes newer snapshots
    /// for one, and takes up whatever is beyond that zxid when it goes on or starts again. So for whoever is ahead of our history it has to
    /// be beyond theirs: the beginning of this epoch is, which is what Java's own leaders say once they are established.
    fn name_of_database(&self, (link, last): (LinkId, Zxid), zxid: Zxid) -> Zxid {
        let who = self.learners.get(&link).and_then(|handler| handler.introduction);
        match who {
            Some(who) if !who.is_quorate && last > zxid => zxid.max(Zxid::new(self.epoch, 0)),
            _ => zxid,
        }
    }

    /// The configuration last seen, as text.
    fn config_text(&self) -> Bytes {
        let config = self.members.last_seen().unwrap_or(self.members.committed());
        Bytes::from(config.to_string())
    }

    /// The first acknowledgement of a learner, which has to be that of NEWLEADER. Java 3.8.0 may acknowledge proposals before it; what
    /// those promise counts once this one has come.
    pub(super) fn new_leader_acked(&mut self, link: LinkId, zxid: Zxid, turn: &mut LeaderTurn<'_>) {
        let Some(handler) = self.learners.get_mut(&link) else { return };
        if zxid != Zxid::new(self.epoch, 0) {
            if zxid > self.proposals.last_proposed() {
                return self.drop_learner(link, "it acknowledged what was not proposed", turn);
            }
            handler.acked = handler.acked.max(zxid);
            return;
        }
        handler.step = Step::Acknowledged;
        handler.deadline = None;
        handler.acked = handler.acked.max(handler.history_end);
        let follower = handler.follower();
        if let (Phase::Synchronisation(sync), Some(follower)) = (&mut self.phase, follower) {
            sync.acknowledged.insert(follower);
            return self.end_synchronisation(turn);
        }
        match self.phase {
            Phase::Broadcast => {
                self.commit(turn);
                self.tell_up_to_date(turn);
            }
            Phase::Relay => self.tell_up_to_date(turn),
            _ => {}
        }
    }

    /// `currentEpoch` is on disk: this server's own acknowledgement.
    pub(super) fn current_epoch_stored(&mut self, turn: &mut LeaderTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        sync.acknowledged.insert(self.config.me);
        self.end_synchronisation(turn);
    }

    /// Goes on once a quorum has taken over the history, which is committed by that.
    fn end_synchronisation(&mut self, turn: &mut LeaderTurn<'_>) {
        let Phase::Synchronisation(sync) = self.phase else { return };
        if sync.acknowledged.contains(self.config.me) && self.members.have_quorums(&sync.acknowledged) {
            self.phase = Phase::Broadcast;
            turn.events.push(LeaderEvent::Established { epoch: self.epoch });
            self.tell_up_to_date(turn);
        }
    }

    /// UPTODATE to everybody who waits for it, and has nothing that is not committed.
    pub(super) fn tell_up_to_date(&mut self, turn: &mut LeaderTurn<'_>) {
        let (now, sync_span, committed) =
            (turn.now, self.config.sync_span(), self.proposals.last_committed());
        let waiting = self
            .learners
            .iter_mut()
            .filter(|(_, handler)| handler.step == Step::Acknowledged && handler.history_end <= committed);
        let links = waiting.map(|(link, handler)| {
            handler.step = Step::Serving;
            handler.deadline = Some(now + sync_span);
            handler.serving_since = now;
            handler.sync_bytes = 0;
            *link
        });
        turn.outbox.send_links(links, |out| QuorumPacket::UpToDate.encode(&mut Writer::new(out)));
    }
}

/// Appends a PROPOSAL.
pub(super) fn write_proposal(zxid: Zxid, txn: &Bytes, out: &mut BytesMut) {
    QuorumPacket::Proposal { zxid, txn: txn.clone() }.encode(&mut Writer::new(out));
}
