//! Choices in words.

use super::super::choice::Choice;
use super::super::links::{Number, Waiting};
use super::super::server::Message;
use super::Space;
use quorate_core::jute::{Decode as _, FieldLimit, QuorumPacket, Reader};

impl Space {
    /// What a choice means, before it happens.
    pub(in crate::explore) fn words(&self, state: &[u32], choice: Choice) -> String {
        let ends = |to: u8, link: Number| {
            let [low, high] = self.ends_of(link.pair());
            let from = if usize::from(to) == low + 1 { high + 1 } else { low + 1 };
            (from, usize::from(to))
        };
        match choice {
            Choice::Deliver { to, link } => {
                let (from, to) = ends(to, link);
                let pair = self.pairs.at(state[self.count() + link.pair()]);
                match pair.waiting(link, self.end_of(to - 1, link)) {
                    Some(Waiting::Message(message)) => {
                        format!("server {to} gets {} from server {from}", packet(self.messages.at(message)))
                    }
                    _ => format!("server {to} hears that its connection with server {from} has ended"),
                }
            }
            Choice::Break { to, link } => {
                let (from, to) = ends(to, link);
                format!(
                    "the connection of server {to} with server {from} breaks, and what was on its way is lost"
                )
            }
            Choice::Log { server } => format!("server {server}: the next op of its log is durable"),
            Choice::Epoch { server } => format!("server {server}: the next epoch file is durable"),
            Choice::Timer { server } => format!("server {server}: its next timer is due"),
            Choice::Crash { server } => format!("server {server} crashes"),
            Choice::Restart { server } => format!("server {server} starts again"),
            Choice::Cut { server } => format!("server {server} is cut off from the others"),
            Choice::Heal => "the network is healed".to_owned(),
            Choice::Write { server } => format!("a client asks server {server} for a session"),
        }
    }
}

/// A message between a leader and a learner, by its name.
fn packet(message: &Message) -> String {
    let mut reader = Reader::with_limit(message.bytes.clone(), FieldLimit::default());
    match QuorumPacket::decode(&mut reader) {
        Ok(QuorumPacket::Proposal { zxid, .. }) => format!("PROPOSAL {zxid}"),
        Ok(QuorumPacket::Ack { zxid }) => format!("ACK {zxid}"),
        Ok(QuorumPacket::Commit { zxid }) => format!("COMMIT {zxid}"),
        Ok(QuorumPacket::NewLeader { zxid, .. }) => format!("NEWLEADER {zxid}"),
        Ok(QuorumPacket::FollowerInfo { accepted_epoch, .. }) => {
            format!("FOLLOWERINFO (accepted epoch {})", accepted_epoch.0)
        }
        Ok(QuorumPacket::LeaderInfo { epoch }) => format!("LEADERINFO (epoch {})", epoch.0),
        Ok(QuorumPacket::AckEpoch { last_zxid, .. }) => {
            format!("ACKEPOCH (its history ends with {last_zxid})")
        }
        Ok(QuorumPacket::Diff { .. }) => "DIFF".to_owned(),
        Ok(QuorumPacket::Trunc { zxid }) => format!("TRUNC to {zxid}"),
        Ok(QuorumPacket::Snap { zxid }) => format!("SNAP {zxid}"),
        Ok(QuorumPacket::UpToDate) => "UPTODATE".to_owned(),
        Ok(QuorumPacket::Ping { .. }) => "PING".to_owned(),
        Ok(_) => "a packet".to_owned(),
        Err(_) => "a vote".to_owned(),
    }
}
