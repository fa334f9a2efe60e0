//! What all servers share: every txn that a leader ever logged, in chains; which of them are committed; and what was asked.
//!
//! A zxid names one txn with one payload and one predecessor, so a server's whole history is told by its last zxid. The committed
//! txns are a growing prefix that every server follows at its own pace. No server ever reads any of this.

use super::execute::execute;
use super::image::ends_reached;
use crate::checkers::sequence_numbers::SequenceNumbers;
use crate::checkers::versions::Versions;
use crate::checkers::{
    Verdict, Violation, executed_at_most_once, prefix, session_moved, txns_match_model, visible, zxid_unique,
};
use crate::model::{Model, ModelConfig, Who};
use bytes::Bytes;
use quorate_core::jute::{OpCode, Request, Txn, TxnRecord};
use quorate_core::vocabulary::{ConnId, Epoch, LinkId, SessionId, Xid, Zxid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// So many committed txns lie between two models that are kept, for servers that come back; twice as many, whenever more than so many
/// are kept.
const CHECKPOINT: usize = 128;
const MOST_CHECKPOINTS: usize = 64;

/// A request that may become a txn: whose, where it came in, and what.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) server: usize,
    pub(super) conn: ConnId,
    pub(super) request: Arc<Request>,
    /// Who asked: what is proven behind a request is none of its own.
    pub(super) who: Who,
    /// Whether it went on to a leader.
    pub(super) is_forwarded: bool,
}

/// Who a txn was made for.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    Request(Asked),
    /// One that its leader refuses, since its own disk is nearly full.
    RefusedForSpace(Asked),
    /// It was there before the run.
    Image,
    Handshake,
    /// A session that one server alone knew of wants an ephemeral.
    Upgrade,
    Expiry,
    Reaper,
}

/// What is known of a txn beside itself, as its leader logged it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) bytes: Bytes,
    pub(super) cause: Cause,
    /// How far its leader had applied history when it was prepared.
    pub(super) applied: Zxid,
    /// The txn before it in its leader's log.
    pub(super) before: Zxid,
    pub(super) proposer: usize,
    /// What an ephemeral of its session is answered, where none can be.
    pub(super) no_ephemeral: Option<i32>,
    /// The server where its session was by then, if it is not the one it came from.
    pub(super) moved_to: Option<usize>,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct History {
    /// Proposed and not committed; what was lost stays here.
    open: BTreeMap<Zxid, (Txn, Origin)>,
    /// The committed txns, oldest first, and beside each what else is known of it.
    pub(crate) committed: Vec<Txn>,
    pub(super) origins: Vec<Origin>,
    /// How many of them were there before the run.
    pub(super) image: usize,
    /// How many of them were judged; the first server that applies one judges it for all.
    judged: usize,
    pub(super) sequence_numbers: SequenceNumbers,
    pub(super) versions: Versions,
    /// Requests that may still become txns.
    asked: BTreeMap<(SessionId, Xid, u64), Asked>,
    asked_so_far: u64,
    /// What went on to leaders and has not arrived: for each connection the numbers, none for what becomes no txn.
    forwarded: BTreeMap<LinkId, VecDeque<Option<u64>>>,
    /// What a leader was just asked for by a learner.
    pub(super) heard: Option<u64>,
    /// Handshakes for new sessions that have no txn yet, by server and timeout.
    pub(super) handshakes: BTreeMap<(usize, i32), usize>,
    /// Sessions whose createSession is logged and whose client was not told.
    pub(super) unclaimed: BTreeMap<SessionId, (Zxid, i32)>,
    /// Sessions that have upgraded and have no txn yet; those of which any leader has logged a createSession; those that began without.
    pub(super) upgrades: BTreeSet<SessionId>,
    pub(super) created: BTreeSet<SessionId>,
    pub(super) locals: BTreeSet<SessionId>,
    /// Sessions of which any leader has logged a closeSession, and those of which one is committed, with its epoch.
    pub(super) closing: BTreeSet<SessionId>,
    pub(super) ended: BTreeMap<SessionId, Epoch>,
    /// Where each session was attached last, and who has claimed it last.
    pub(super) attached: BTreeMap<SessionId, (usize, ConnId)>,
    pub(super) claimed: BTreeMap<SessionId, ConnId>,
    fresh: Model,
    /// Models behind every so many committed txns; none for a server alone.
    checkpoints: Vec<Model>,
    spacing: usize,
    pub(super) is_alone: bool,
    /// Rare branches that were taken and not counted yet.
    pub(super) probes: Vec<&'static str>,
}

impl History {
    pub(super) fn new(model: ModelConfig, is_alone: bool) -> Self {
        History {
            open: BTreeMap::new(),
            committed: Vec::new(),
            origins: Vec::new(),
            image: 0,
            judged: 0,
            sequence_numbers: SequenceNumbers::default(),
            versions: Versions::default(),
            asked: BTreeMap::new(),
            asked_so_far: 0,
            forwarded: BTreeMap::new(),
            heard: None,
            handshakes: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            upgrades: BTreeSet::new(),
            created: BTreeSet::new(),
            locals: BTreeSet::new(),
            closing: BTreeSet::new(),
            ended: BTreeMap::new(),
            attached: BTreeMap::new(),
            claimed: BTreeMap::new(),
            fresh: Model::new(model),
            checkpoints: Vec::new(),
            spacing: CHECKPOINT,
            is_alone,
            probes: Vec::new(),
        }
    }

    /// The model of an empty history.
    pub(super) fn fresh(&self) -> Model {
        self.fresh.clone()
    }

    /// The last committed txn.
    pub(crate) fn tail(&self) -> Zxid {
        self.committed.last().map_or(Zxid::ZERO, |txn| txn.header.zxid)
    }

    /// Whether anything was proposed that is not committed.
    pub(crate) fn has_lost(&self) -> bool {
        !self.open.is_empty()
    }

    /// Something speaks of `zxid`.
    pub(super) fn visible(&self, zxid: Zxid) -> Verdict {
        visible::committed(zxid, self.is_committed(zxid), self.tail())
    }

    /// These bytes are said to be the txn `zxid`.
    pub(super) fn same_bytes(&self, zxid: Zxid, bytes: &Bytes) -> Verdict {
        zxid_unique::as_proposed(zxid, self.origin(zxid).map(|origin| &origin.bytes), bytes)
    }

    /// The last committed txn up to `zxid`.
    fn tail_up_to(&self, zxid: Zxid) -> Zxid {
        self.position(zxid).checked_sub(1).map_or(Zxid::ZERO, |last| self.committed[last].header.zxid)
    }

    /// How many committed txns there are up to `zxid`.
    pub(super) fn position(&self, zxid: Zxid) -> usize {
        self.committed.partition_point(|txn| txn.header.zxid <= zxid)
    }

    /// Whether the history that ends at `zxid` is a part of the committed one.
    pub(super) fn is_committed(&self, zxid: Zxid) -> bool {
        self.tail_up_to(zxid) == zxid
    }

    /// A committed txn and where it came from.
    pub(super) fn committed_at(&self, position: usize) -> Option<(&Txn, &Origin)> {
        Some((self.committed.get(position)?, self.origins.get(position)?))
    }

    /// What is known of a txn, committed or not.
    pub(super) fn origin(&self, zxid: Zxid) -> Option<&Origin> {
        let committed = || {
            let last = self.position(zxid).checked_sub(1)?;
            (self.committed[last].header.zxid == zxid).then(|| &self.origins[last])
        };
        self.open.get(&zxid).map(|(_, origin)| origin).or_else(committed)
    }

    /// The history that ends at `end` without what is behind `zxid`.
    pub(super) fn cut(&self, end: Zxid, zxid: Zxid) -> Zxid {
        let mut last = end;
        while last > zxid {
            match self.open.get(&last) {
                Some((_, origin)) => last = origin.before,
                None => {
                    let position = self.position(zxid.min(last));
                    return self.committed[..position].last().map_or(Zxid::ZERO, |txn| txn.header.zxid);
                }
            }
        }
        last
    }

    /// Whether the history that ends at `end` holds the one that ends at `zxid`.
    pub(super) fn holds(&self, end: Zxid, zxid: Zxid) -> bool {
        self.cut(end, zxid) == zxid
    }

    /// Of the history that ends at `end` what is committed.
    pub(super) fn committed_part(&self, end: Zxid) -> Zxid {
        let mut last = end;
        while let Some((_, origin)) = self.open.get(&last) {
            last = origin.before;
        }
        last
    }

    /// The txns of the history that ends at `end` that are behind `zxid` and not committed, oldest first.
    pub(super) fn open_behind(&self, end: Zxid, zxid: Zxid) -> Vec<&(Txn, Origin)> {
        let mut found = Vec::new();
        let mut last = end;
        while last > zxid
            && let Some(open) = self.open.get(&last)
        {
            found.push(open);
            last = open.1.before;
        }
        found.reverse();
        found
    }

    /// The txns of the history that ends at `end` that are behind `zxid`, committed or not, oldest first. Who has applied it up to
    /// there need not know what a later leader has committed of the rest.
    pub(super) fn behind(&self, end: Zxid, zxid: Zxid) -> impl Iterator<Item = &Txn> {
        let committed = self.committed_part(end).max(zxid);
        let taken = self.position(zxid)..self.position(committed);
        let open = self.open_behind(end, committed).into_iter().map(|(txn, _)| txn);
        self.committed[taken].iter().chain(open)
    }

    /// A leader has logged a txn of its own.
    pub(super) fn propose(&mut self, txn: Txn, origin: Origin) -> Verdict {
        let zxid = txn.header.zxid;
        if self.is_alone {
            // A server alone has no epochs to tell txns apart by: what a crash took may be numbered again.
            self.open.insert(zxid, (txn, origin));
            return Ok(());
        }
        zxid_unique::proposed_once(zxid, origin.proposer, self.origin(zxid).map(|known| known.proposer))?;
        // A leader that does not know yet that it is none proposes on; what is committed behind its epoch, it need not hold.
        let tail = self.tail_up_to(zxid);
        prefix::extends(zxid, origin.before, tail, self.holds(origin.before, tail))?;
        self.open.insert(zxid, (txn, origin));
        Ok(())
    }

    /// A leader has committed the history that ends at `zxid`.
    pub(super) fn commit(&mut self, zxid: Zxid) -> Verdict {
        let tail = self.tail();
        if zxid <= tail {
            return self.visible(zxid);
        }
        let mut behind = Vec::new();
        let mut last = zxid;
        while last > tail
            && let Some(open) = self.open.remove(&last)
        {
            last = open.1.before;
            behind.push(open);
        }
        if behind.is_empty() && self.is_alone {
            return txns_match_model::was_logged(zxid, tail);
        }
        prefix::extends(zxid, last, tail, last == tail)?;
        for (txn, origin) in behind.into_iter().rev() {
            session_moved::by_its_owner(&txn.header, &origin.cause, origin.moved_to)?;
            if let TxnRecord::CloseSession { .. } = txn.record {
                self.ended.insert(txn.header.session, txn.header.zxid.epoch());
            }
            self.committed.push(txn);
            self.origins.push(origin);
        }
        Ok(())
    }

    /// A request came in that may become a txn; returns its number.
    pub(super) fn ask(
        &mut self,
        session: SessionId,
        xid: Xid,
        (server, conn): (usize, ConnId),
        what: (Arc<Request>, Who),
    ) -> u64 {
        self.asked_so_far += 1;
        let number = self.asked_so_far;
        let (request, who) = what;
        if self.asked.range((session, xid, 0)..=(session, xid, u64::MAX)).next().is_some() {
            self.probes.push("xid_used_again_in_flight");
        }
        let asked = Asked { number, server, conn, request, who, is_forwarded: false };
        self.asked.insert((session, xid, number), asked);
        number
    }

    /// The request of this session and xid that has become a txn, at `server` if that is known: what the server was just asked for by a learner, else the
    /// first that came in there. Clients may use an xid again on another connection, wherever what they asked before is by then.
    pub(super) fn take_asked(
        &mut self,
        session: SessionId,
        xid: Xid,
        server: Option<usize>,
    ) -> Option<Asked> {
        let heard = self.heard.and_then(|number| self.asked.remove(&(session, xid, number)));
        if heard.is_some() {
            self.heard = None;
            return heard;
        }
        let key = self.own_asked(session, xid, server)?;
        self.asked.remove(&key)
    }

    fn own_asked(
        &self,
        session: SessionId,
        xid: Xid,
        server: Option<usize>,
    ) -> Option<(SessionId, Xid, u64)> {
        let mut same = self.asked.range((session, xid, 0)..=(session, xid, u64::MAX));
        same.find(|(_, asked)| server.is_none_or(|server| asked.server == server) && !asked.is_forwarded)
            .map(|(key, _)| *key)
    }

    /// A learner forwards a request to its leader. What `may_become` no txn is counted too: requests arrive in the order in which they
    /// were sent.
    pub(super) fn forwards(
        &mut self,
        link: LinkId,
        (session, xid, server): (SessionId, Xid, usize),
        may_become: bool,
    ) {
        let key = if may_become { self.own_asked(session, xid, Some(server)) } else { None };
        if let Some(asked) = key.and_then(|key| self.asked.get_mut(&key)) {
            asked.is_forwarded = true;
        }
        self.forwarded.entry(link).or_default().push_back(key.map(|(_, _, number)| number));
    }

    /// What was heard over another link goes on over this one.
    pub(super) fn hands_on(&mut self, link: LinkId) {
        let heard = self.heard.take();
        self.forwarded.entry(link).or_default().push_back(heard);
    }

    /// A leader hears what a learner has forwarded, or a follower what an observer has.
    pub(super) fn hears_forwarded(&mut self, link: LinkId) {
        self.heard = self.forwarded.get_mut(&link).and_then(VecDeque::pop_front).flatten();
    }

    /// Nothing can come of this request any more, unless it is with a leader.
    pub(super) fn forget_asked(&mut self, session: SessionId, xid: Xid, number: u64) {
        let key = (session, xid, number);
        if self.asked.get(&key).is_some_and(|asked| !asked.is_forwarded) {
            self.asked.remove(&key);
        }
    }

    /// A createSession is logged.
    pub(super) fn created_session(&mut self, txn: &Txn, server: usize) -> Result<Cause, Violation> {
        let unasked = || executed_at_most_once::unasked(&txn.header).expect_err("it always is");
        let id = txn.header.session;
        let TxnRecord::CreateSession { timeout } = txn.record else { return Err(unasked()) };
        self.created.insert(id);
        if self.upgrades.remove(&id) {
            return Ok(Cause::Upgrade);
        }
        let waiting = self.handshakes.get_mut(&(server, timeout)).filter(|waiting| **waiting > 0);
        let waiting = waiting.ok_or_else(unasked)?;
        *waiting -= 1;
        self.unclaimed.insert(id, (txn.header.zxid, timeout));
        Ok(Cause::Handshake)
    }

    /// Every committed txn up to `position` is judged, though no server has applied all of them one by one.
    pub(super) fn judge_up_to(&mut self, position: usize) -> Verdict {
        if self.judged >= position {
            return Ok(());
        }
        let start = self.judged.checked_sub(1).map_or(Zxid::ZERO, |last| self.committed[last].header.zxid);
        let mut model = self.model_at(start)?;
        for next in self.judged..position {
            let executed = execute(&mut model, &self.committed[next], &self.origins[next])?;
            self.judge(next, &model, executed.outcome.as_ref())?;
        }
        Ok(())
    }

    /// A server has applied the committed txn at `position`; what the model made of it is judged once.
    pub(super) fn judge(
        &mut self,
        position: usize,
        model: &Model,
        outcome: Option<&crate::model::Outcome>,
    ) -> Verdict {
        if position < self.judged {
            return Ok(());
        }
        self.judged = position + 1;
        let txn = &self.committed[position];
        if let (Cause::Request(asked), Some(outcome)) = (&self.origins[position].cause, outcome) {
            txns_match_model::judge(txn, &asked.request, outcome, &mut self.sequence_numbers)?;
        }
        if let Cause::Image = self.origins[position].cause {
            self.count_image(position);
        } else {
            self.versions.committed(txn.header.opcode, &txn.record)?;
            if self.image > 0 {
                ends_reached(&txn.record, &mut self.probes);
                self.note_old_session(position);
            }
        }
        if !self.is_alone && self.judged.is_multiple_of(self.spacing) {
            let mut kept = model.clone();
            kept.forget_connections();
            self.checkpoints.push(kept);
            if self.checkpoints.len() > MOST_CHECKPOINTS {
                self.thin_out();
            }
        }
        Ok(())
    }

    /// Every second of the models that are kept is enough.
    fn thin_out(&mut self) {
        let kept = std::mem::take(&mut self.checkpoints).into_iter();
        self.checkpoints = kept.skip(1).step_by(2).collect();
        self.spacing *= 2;
    }

    /// The model of the history that ends at `end`, committed or not.
    pub(super) fn model_at(&self, end: Zxid) -> Result<Model, Violation> {
        let last_committed = self.committed_part(end);
        let position = self.position(last_committed);
        let kept = (position / self.spacing).min(self.checkpoints.len());
        let (mut model, from) = match kept.checked_sub(1) {
            Some(index) => (self.checkpoints[index].clone(), kept * self.spacing),
            None => (self.fresh.clone(), 0),
        };
        for (txn, origin) in self.committed[from..position].iter().zip(&self.origins[from..position]) {
            execute(&mut model, txn, origin)?;
        }
        for (txn, origin) in self.open_behind(end, last_committed) {
            execute(&mut model, txn, origin)?;
        }
        Ok(model)
    }
}

/// A server alone, whose disk may forget.
impl History {
    /// What was not committed when the process ended, and did not come back, has never been.
    pub(super) fn drop_open(&mut self) {
        self.open.clear();
    }

    /// Txns behind `last` have never been, whatever was said.
    pub(super) fn forget_behind(&mut self, last: Zxid) -> Verdict {
        let kept = self.position(last);
        self.committed.truncate(kept);
        self.origins.truncate(kept);
        self.judged = kept;
        self.image = self.image.min(kept);
        (self.versions, self.sequence_numbers) = (Versions::default(), SequenceNumbers::default());
        (0..self.image).for_each(|position| self.count_image(position));
        for txn in &self.committed[self.image..] {
            self.versions.committed(txn.header.opcode, &txn.record)?;
            match &txn.record {
                TxnRecord::Create(create) => self.sequence_numbers.recreated(create),
                TxnRecord::Multi(parts) if parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) => {
                    for (_, part) in parts {
                        if let TxnRecord::Create(create) = part {
                            self.sequence_numbers.recreated(create);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
