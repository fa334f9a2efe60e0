//! What servers say to each other, as far as it is a promise or changes what a leader knows.

use super::Oracle;
use crate::checkers::{
    Verdict, ack_durable, epochs, local_sessions, observer_masters, read_only, servers_understand,
};
use bytes::Bytes;
use quorate_core::contract::QuorumMessage;
use quorate_core::jute::{Decode as _, OpCode, QuorumPacket, Reader};
use quorate_core::vocabulary::{ConnId, LinkId};
use std::collections::VecDeque;

impl Oracle {
    /// A server is about to hear this.
    pub(super) fn hears(&mut self, server: usize, link: LinkId, message: &QuorumMessage) {
        let view = &mut self.views[server];
        match message {
            QuorumMessage::Packet(QuorumPacket::NewLeader { .. }) => {
                view.history_mark = self.quorum_links.get(&link).copied().unwrap_or_default();
            }
            QuorumMessage::Packet(QuorumPacket::Request(_)) => {
                view.hands_on = view.lead.is_none();
                self.history.hears_forwarded(link);
            }
            QuorumMessage::Packet(QuorumPacket::LeaderInfo { epoch }) => view.leader_epoch = *epoch,
            QuorumMessage::Packet(QuorumPacket::Ping { touched: Some(touched), .. }) => {
                match &mut view.lead {
                    Some(lead) => {
                        for (session, timeout) in touched {
                            lead.touch(*session, Some(*timeout as u64), view.now.mono);
                        }
                    }
                    None => view.owed_touches.extend(touched.iter().map(|(session, _)| *session)),
                }
            }
            QuorumMessage::Packet(QuorumPacket::Commit { zxid }) => {
                view.told_committed = view.told_committed.max(*zxid);
            }
            QuorumMessage::Packet(QuorumPacket::Revalidate { session, timeout }) => {
                let asker = self.questions.get_mut(&link).and_then(VecDeque::pop_front);
                let asker = asker.or_else(|| self.learners.get(&link).copied());
                if view.lead.is_none() {
                    view.asks_for = asker;
                    self.probes.push("session_revalidated_through_master");
                    return;
                }
                if let Some(lead) = view.lead.as_mut().filter(|lead| lead.is_alive(*session)) {
                    lead.touch(*session, Some(*timeout as u64), view.now.mono);
                    if let Some(asker) = asker {
                        lead.owners.insert(*session, asker);
                    }
                    // However late it comes, it is the newest claim that the leader knows of.
                    self.history.claimed.insert(*session, ConnId(u64::MAX - link.0));
                }
            }
            _ => {}
        }
    }

    /// A server says this to another, over the quorum port or the election port.
    pub(super) fn says(&mut self, server: usize, link: LinkId, bytes: &Bytes) -> Verdict {
        if !self.quorum_links.contains_key(&link) {
            return Ok(());
        }
        let mut reader = Reader::new(bytes.clone());
        while reader.remaining() > 0 {
            match QuorumPacket::decode(&mut reader) {
                Ok(packet) => self.says_packet(server, link, &packet)?,
                Err(error) => return servers_understand::not_decoded(server, &error.to_string()),
            }
        }
        Ok(())
    }

    fn says_packet(&mut self, server: usize, link: LinkId, packet: &QuorumPacket) -> Verdict {
        let view = &mut self.views[server];
        let ledger = &mut view.ledger;
        match packet {
            QuorumPacket::LeaderInfo { epoch } => epochs::proposed(server, *epoch, ledger.durable_epochs),
            QuorumPacket::AckEpoch { last_zxid, .. } => {
                epochs::acknowledged(server, view.leader_epoch, ledger.durable_epochs)?;
                ack_durable::vote(server, *last_zxid, ledger)?;
                // Who comes back to its leader says by this how much of what that has proposed it has.
                if last_zxid.epoch() == view.leader_epoch {
                    ledger.acknowledge(view.leader_epoch, *last_zxid);
                }
                Ok(())
            }
            QuorumPacket::Ack { zxid } if view.is_serving && zxid.counter() == 0 => Ok(()),
            QuorumPacket::Ack { zxid } => {
                epochs::no_ack_after_promise(server, *zxid, ledger.epochs)?;
                if zxid.counter() == 0 {
                    ack_durable::new_leader(server, zxid.epoch(), ledger, view.history_mark)?;
                    ledger.acknowledge(zxid.epoch(), view.history_mark);
                    return Ok(());
                }
                ack_durable::proposal(server, *zxid, ledger.durable)?;
                ledger.acknowledge(zxid.epoch(), *zxid);
                Ok(())
            }
            QuorumPacket::NewLeader { .. } => {
                // What it stands for: all that its leader begins with, or has applied by now.
                let mark = if view.is_serving { view.model.zxid } else { ledger.end };
                self.quorum_links.insert(link, mark);
                Ok(())
            }
            QuorumPacket::Ping { touched: Some(touched), .. } => {
                let told = touched.iter().map(|(session, _)| *session);
                let owed = std::mem::take(&mut view.owed_touches);
                if !owed.is_empty() {
                    self.probes.push("touched_through_master");
                }
                observer_masters::told(server, owed, told)?;
                let mut told = touched.iter().map(|(session, _)| *session);
                told.try_for_each(|session| local_sessions::told(session, view.local.holds(session)))
            }
            QuorumPacket::Trunc { .. } => self.probe("trunc_sent"),
            QuorumPacket::Diff { .. } => self.probe("diff_sent"),
            QuorumPacket::Snap { .. } => self.probe("snap_sent"),
            QuorumPacket::Request(_) if std::mem::take(&mut view.hands_on) => {
                self.history.hands_on(link);
                self.probe("request_through_master")
            }
            QuorumPacket::Request(request) => {
                read_only::asks_nobody(server, view.is_read_only)?;
                let is_session = request.opcode == OpCode::CreateSession.code();
                let may_become = !is_session && request.opcode != OpCode::Sync.code();
                let asked = (request.session, request.cxid, server);
                self.history.forwards(link, asked, may_become);
                self.probe("request_forwarded")
            }
            QuorumPacket::Revalidate { .. } => {
                let asker = view.asks_for.take().unwrap_or(server);
                self.questions.entry(link).or_default().push_back(asker);
                self.probe("session_revalidated")
            }
            QuorumPacket::Sync { .. } if view.lead.is_none() => self.probe("sync_through_master"),
            QuorumPacket::Sync { .. } => self.probe("sync_answered"),
            QuorumPacket::Inform { zxid, .. } if view.lead.is_none() => {
                observer_masters::informed(server, *zxid, view.told_committed)?;
                self.probe("informed_by_master")
            }
            QuorumPacket::Inform { .. } => self.probe("informed"),
            _ => Ok(()),
        }
    }

    fn probe(&mut self, name: &'static str) -> Verdict {
        self.probes.push(name);
        Ok(())
    }
}
