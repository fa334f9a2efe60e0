//! Txns as they are logged: a leader's own, for which somebody must have asked, and a learner's, which its leader has sent.

use super::execute::{QUOTA_EXCEEDED, SESSION_EXPIRED, SESSION_MOVED, is_refusal};
use super::history::{Cause, History, Origin};
use super::view::View;
use crate::checkers::{
    Verdict, Violation, committed_never_lost, ephemerals, epochs, executed_at_most_once, no_early_expiry,
    prefix, read_only, session_moved, session_validity, txns_match_model, zxid_unique,
};
use bytes::Bytes;
use quorate_core::contract::StoreSeq;
use quorate_core::jute::{OpCode, Reader, Txn, TxnRecord};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};

impl View {
    /// The server logs a txn.
    pub(super) fn logged(
        &mut self,
        seq: StoreSeq,
        (zxid, bytes): (Zxid, &Bytes),
        history: &mut History,
    ) -> Verdict {
        read_only::logs_nothing(self.server, self.is_read_only, zxid)?;
        if self.lead.is_some() {
            self.proposed(zxid, bytes, history)?;
        } else {
            let known = history.origin(zxid);
            zxid_unique::as_proposed(zxid, known.map(|known| &known.bytes), bytes)?;
            prefix::follows(zxid, known.map(|known| known.before), self.ledger.end)?;
        }
        self.ledger.asked(seq, zxid);
        Ok(())
    }

    /// The server's history is to end at `to`, or to be that of another that ends there.
    pub(super) fn cuts(&mut self, seq: StoreSeq, to: Zxid, history: &History) -> Verdict {
        zxid_unique::is_known(to, to == Zxid::ZERO || history.origin(to).is_some())?;
        let end = self.ledger.end;
        let (had, keeps) = (history.committed_part(end), history.committed_part(to));
        committed_never_lost::cut(self.server, (end, to), (had, keeps))?;
        self.ledger.cut_asked(seq, to);
        Ok(())
    }

    fn proposed(&mut self, zxid: Zxid, bytes: &Bytes, history: &mut History) -> Verdict {
        let txn = match Txn::decode_all(&mut Reader::new(bytes.clone())) {
            Ok(txn) => txn,
            Err(error) => return txns_match_model::not_decoded(zxid, &error.to_string()),
        };
        if zxid.epoch() < history.tail().epoch() {
            history.probes.push("deposed_leader_proposes");
        }
        let before = self.ledger.end;
        txns_match_model::next(&txn, zxid, before, self.ledger.epochs.current)?;
        epochs::has_room(zxid, self.config.last_counter)?;
        self.judge_session(&txn)?;
        let records: Vec<&TxnRecord> =
            history.behind(before, self.model.zxid).map(|txn| &txn.record).collect();
        txns_match_model::fits(&txn.record, &records, &self.model.tree)?;
        let (cause, no_ephemeral) = self.cause(&txn, history)?;
        let moved_to = match &cause {
            Cause::Request(asked) if !is_refusal(&txn.record) && session_moved::needs_owner(&txn.record) => {
                let owner = self.lead.as_ref().and_then(|lead| lead.owners.get(&txn.header.session));
                owner.copied().filter(|owner| *owner != asked.server)
            }
            _ => None,
        };
        let (bytes, applied, proposer) = (bytes.clone(), self.model.zxid, self.server);
        history.propose(txn, Origin { bytes, cause, applied, before, proposer, no_ephemeral, moved_to })
    }

    /// A session that is closing, or gone, has nothing made in its name.
    fn judge_session(&self, txn: &Txn) -> Verdict {
        let session = txn.header.session;
        if self.is_alive(session) { Ok(()) } else { ephemerals::behind_its_close(session, &txn.record) }
    }

    /// Who a txn is made for, and what an ephemeral of theirs is answered, where none can be.
    fn cause(&mut self, txn: &Txn, history: &mut History) -> Result<(Cause, Option<i32>), Violation> {
        let header = &txn.header;
        let unasked = || executed_at_most_once::unasked(header).expect_err("it always is");
        if header.opcode == OpCode::CreateSession {
            let lead = self.lead.as_mut().expect("only a leader is asked for causes");
            if header.session == SessionId::NONE || lead.sessions.contains_key(&header.session) {
                return Err(unasked());
            }
            let server = if history.is_alone { self.server } else { server_of(header.session) };
            let cause = history.created_session(txn, server)?;
            if let TxnRecord::CreateSession { timeout } = txn.record {
                lead.created(header.session, timeout as u64, self.now.mono);
                lead.owners.insert(header.session, server);
            }
            return Ok((cause, None));
        }
        if header.session == SessionId::NONE {
            let is_reaper = matches!(header.opcode, OpCode::DeleteContainer | OpCode::Error);
            return if is_reaper { Ok((Cause::Reaper, None)) } else { Err(unasked()) };
        }
        let asked = history.take_asked(header.session, header.cxid, Some(self.server));
        if let Some(asked) = asked.as_ref().filter(|asked| asked.server != self.server && self.is_space_low)
            && let TxnRecord::Error { err: QUOTA_EXCEEDED } = txn.record
        {
            history.probes.push("request_refused");
            return Ok((Cause::RefusedForSpace(asked.clone()), None));
        }
        let no_ephemeral = match &asked {
            Some(asked) => self.no_ephemeral(header.session, asked, history)?,
            None => None,
        };
        if is_refusal(&txn.record) && no_ephemeral.is_none() && !history.is_alone {
            let asked = asked.ok_or_else(unasked)?;
            self.judge_refusal(txn, asked.server)?;
            history.probes.push("request_refused");
            return Ok((Cause::Request(asked), None));
        }
        if header.opcode == OpCode::CloseSession {
            // A learner's client may ask again for what is under way.
            let may_be_doubled = asked.is_some() && !history.is_alone;
            let closes = self.closes(header.session, asked.is_none(), history)?;
            closes.or(may_be_doubled.then_some(())).ok_or_else(unasked)?;
        }
        match asked {
            Some(asked) => {
                self.judge_validity(txn, history)?;
                if let Some(lead) = &mut self.lead {
                    lead.owners.entry(header.session).or_insert(asked.server);
                }
                Ok((Cause::Request(asked), no_ephemeral))
            }
            None if header.opcode == OpCode::CloseSession && header.cxid == Xid(0) => {
                Ok((Cause::Expiry, None))
            }
            None => Err(unasked()),
        }
    }

    /// A leader does nothing in the name of a session that is over, whoever forwards it.
    fn judge_validity(&self, txn: &Txn, history: &History) -> Verdict {
        let session = txn.header.session;
        let is_known = self.lead.as_ref().is_some_and(|lead| lead.sessions.contains_key(&session));
        let may_be_done = is_known || history.is_alone || !session_moved::needs_owner(&txn.record);
        session_validity::executed(&txn.header, !may_be_done && history.created.contains(&session))
    }

    /// A leader refuses a request by a txn: because its session is over, or is served elsewhere.
    fn judge_refusal(&self, txn: &Txn, server: usize) -> Verdict {
        let session = txn.header.session;
        match txn.record {
            TxnRecord::Error { err: SESSION_MOVED } => {
                let owner = self.lead.as_ref().and_then(|lead| lead.owners.get(&session)).copied();
                session_moved::refused(&txn.header, server, owner)
            }
            TxnRecord::Error { err: SESSION_EXPIRED } => {
                session_moved::expired(&txn.header, self.is_alive(session))
            }
            _ => Ok(()),
        }
    }

    /// A closeSession is logged; `None` when the session can't be closed.
    fn closes(
        &mut self,
        session: SessionId,
        is_expiry: bool,
        history: &mut History,
    ) -> Result<Option<()>, Violation> {
        history.closing.insert(session);
        let lead = self.lead.as_mut().expect("only a leader closes");
        let Some(known) = lead.sessions.get_mut(&session) else { return Ok(None) };
        if known.is_closing {
            return Ok(None);
        }
        known.is_closing = true;
        if is_expiry {
            no_early_expiry::expired(session, known.touched, self.now.mono)?;
        }
        Ok(Some(()))
    }
}

/// The server that gave a session its id.
pub(super) fn server_of(session: SessionId) -> usize {
    ((session.0 as u64) >> 56) as usize - 1
}
