//! What must hold (`zab-invariants.md` §2), as small as it can be said of a few servers and a few txns.
//!
//! Of one server, judged when it says something: `ack_durable` (S17), `no_ack_after_promise` (S16), `epochs` (S14, S15: durable before it
//! is told), `epoch_implies_history` (S18: when currentEpoch is durable, and when that is acknowledged), `told_history` (S13: what it says of its history is what is on its disk). Of all of them, in every
//! state: `leadership` (S1), `leader_completeness` (S11), `prefix_consistency` (S2, S4 to S9, S27), `committed_never_lost` (S10), and that who
//! was answered is in what is committed (`committed_before_visible`).

use super::disk::{Disk, Entry, end_of};
use crate::checkers::{Verdict, require, violated};
use quorate_core::jute::{Notification, PeerState, QuorumPacket};
use quorate_core::vocabulary::{Epoch, ServerId, Zxid};

/// What a learner owes before it acknowledges NEWLEADER: the history that its leader has described to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// The end of its own history, as it has told the leader.
    told: Zxid,
    history: Option<Vec<Entry>>,
    /// NEWLEADER has come.
    is_whole: bool,
}

impl Owed {
    /// The leader said something to a learner whose disk has this history.
    pub(super) fn hears(&mut self, packet: &QuorumPacket, own: &[Entry]) {
        match (packet, &mut self.history) {
            (QuorumPacket::Diff { .. }, _) => self.begins(&up_to(own, self.told)),
            (QuorumPacket::Trunc { zxid }, _) => self.begins(&up_to(own, *zxid)),
            (QuorumPacket::Proposal { zxid, txn }, Some(history))
                if !self.is_whole && *zxid > end_of(history) =>
            {
                history.push(Entry { zxid: *zxid, txn: txn.clone() });
            }
            (QuorumPacket::NewLeader { .. }, Some(_)) => self.is_whole = true,
            _ => {}
        }
    }

    /// Its history is to begin with this.
    pub(super) fn begins(&mut self, history: &[Entry]) {
        self.history = Some(history.to_vec());
        self.is_whole = false;
    }
}

fn up_to(history: &[Entry], zxid: Zxid) -> Vec<Entry> {
    history.iter().filter(|entry| entry.zxid <= zxid).cloned().collect()
}

/// A server tells of its own candidacy: of what its disk has.
pub(super) fn vote(me: ServerId, vote: &Notification, disk: &Disk) -> Verdict {
    let is_own = vote.state == PeerState::Looking && vote.leader == i64::from(me.0);
    let end = end_of(&disk.history);
    require("told_history", !is_own || vote.zxid == end, || {
        format!("it votes for itself with {}, its log ends with {end}", vote.zxid)
    })
}

/// A server says something to its leader, or to its learner.
pub(super) fn said(packet: &QuorumPacket, disk: &Disk, owed: &mut Owed) -> Verdict {
    let end = end_of(&disk.history);
    let (accepted, current) = (Epoch(disk.accepted), Epoch(disk.current));
    match packet {
        QuorumPacket::FollowerInfo { accepted_epoch, .. } => {
            require("epochs", *accepted_epoch == accepted, || {
                format!(
                    "it says that it has accepted epoch {}, its disk says {}",
                    accepted_epoch.0, accepted.0
                )
            })
        }
        QuorumPacket::LeaderInfo { epoch } => require("epochs", *epoch == accepted, || {
            format!("it tells of epoch {}, and has durably accepted {}", epoch.0, accepted.0)
        }),
        QuorumPacket::AckEpoch { last_zxid, current_epoch } => {
            *owed = Owed { told: *last_zxid, ..Owed::default() };
            require("told_history", *last_zxid == Zxid(-1) || *last_zxid == end, || {
                format!("it tells its leader that its history ends with {last_zxid}, its log ends with {end}")
            })?;
            require("epochs", current_epoch.is_none_or(|epoch| epoch == current), || {
                format!("it says that it was in epoch {current_epoch:?}, its disk says {}", current.0)
            })
        }
        QuorumPacket::Ack { zxid } => acknowledged(*zxid, disk, owed),
        _ => Ok(()),
    }
}

/// `currentEpoch` is durable: a learner's history has to be what its leader has described.
pub(super) fn joined(disk: &Disk, owed: &Owed) -> Verdict {
    let history = owed.history.as_deref().filter(|_| owed.is_whole).unwrap_or_default();
    require("epoch_implies_history", is_prefix(history, &disk.history), || {
        let (wanted, end) = (end_of(history), end_of(&disk.history));
        format!(
            "its disk says epoch {}, whose history ends with {wanted}; its log is durable up to {end}",
            disk.current
        )
    })
}

fn acknowledged(zxid: Zxid, disk: &Disk, owed: &mut Owed) -> Verdict {
    let end = end_of(&disk.history);
    require("no_ack_after_promise", zxid.epoch().0 >= disk.accepted, || {
        format!("it acknowledges {zxid}, and has promised itself to epoch {}", disk.accepted)
    })?;
    if zxid.counter() > 0 {
        return require("ack_durable", zxid <= end, || {
            format!("it acknowledges {zxid}, and its log is durable up to {end}")
        });
    }
    require("epochs", disk.current == zxid.epoch().0, || {
        format!("it acknowledges NEWLEADER of epoch {}, its disk says {}", zxid.epoch().0, disk.current)
    })?;
    let Some(history) = owed.history.take().filter(|_| owed.is_whole) else { return Ok(()) };
    require("epoch_implies_history", is_prefix(&history, &disk.history), || {
        let wanted = end_of(&history);
        format!(
            "it acknowledges NEWLEADER of epoch {}, whose history ends with {wanted}; its log is durable up to {end}",
            zxid.epoch().0
        )
    })
}

/// Whether `history` begins with `beginning`.
pub(super) fn is_prefix(beginning: &[Entry], history: &[Entry]) -> bool {
    history.starts_with(beginning)
}

/// Whether two histories that have a txn in common have everything before it in common, and nothing else under its number.
pub(super) fn match_up(one: &[Entry], other: &[Entry]) -> bool {
    let shared = |entry: &&Entry| other.iter().any(|their| their.zxid == entry.zxid);
    match one.iter().rfind(shared) {
        None => true,
        Some(last) => up_to(one, last.zxid) == up_to(other, last.zxid),
    }
}

/// Of how many servers' disks hold all that is committed, those of a quorum have to.
pub(super) fn committed_never_lost(holders: usize, servers: usize, committed: &[Entry]) -> Verdict {
    require("committed_never_lost", committed.is_empty() || holders > servers / 2, || {
        let end = end_of(committed);
        format!(
            "{end} is committed, and everything up to it is on the disks of {holders} of {servers} servers"
        )
    })
}

/// A leader is established, whose history is `history`.
pub(super) fn established(
    (leader, epoch): (ServerId, Epoch),
    earlier: Option<ServerId>,
    (committed, history): (&[Entry], &[Entry]),
) -> Verdict {
    if let Some(earlier) = earlier.filter(|earlier| *earlier != leader) {
        let detail = format!("servers {} and {} both lead in epoch {}", earlier.0, leader.0, epoch.0);
        return violated("leadership", detail);
    }
    require("leader_completeness", is_prefix(committed, history), || {
        let (end, own) = (end_of(committed), end_of(history));
        format!(
            "{end} is committed; server {} leads in epoch {}, with a history that ends with {own}",
            leader.0, epoch.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn history(zxids: &[i64]) -> Vec<Entry> {
        zxids.iter().map(|zxid| Entry { zxid: Zxid(*zxid), txn: Bytes::from_static(b"txn") }).collect()
    }

    fn disk(zxids: &[i64], accepted: u32, current: u32) -> Disk {
        Disk { history: history(zxids), accepted, current, ..Disk::default() }
    }

    fn broken(verdict: Verdict) -> &'static str {
        verdict.expect_err("a rule is broken").checker
    }

    fn zxid(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    #[test]
    fn what_is_acknowledged_is_durable_and_of_the_promised_epoch() {
        let one = zxid(1, 1);
        let ack = |disk: &Disk, zxid| said(&QuorumPacket::Ack { zxid }, disk, &mut Owed::default());
        assert_eq!(ack(&disk(&[one.0], 1, 1), one), Ok(()));
        assert_eq!(broken(ack(&disk(&[], 1, 1), one)), "ack_durable");
        assert_eq!(broken(ack(&disk(&[one.0], 2, 1), one)), "no_ack_after_promise");
        assert_eq!(broken(ack(&disk(&[one.0], 1, 0), zxid(1, 0))), "epochs");
    }

    #[test]
    fn epochs_and_histories_are_told_as_the_disk_has_them() {
        let epoch = Epoch(2);
        let say = |packet, disk: &Disk| said(&packet, disk, &mut Owed::default());
        assert_eq!(broken(say(QuorumPacket::LeaderInfo { epoch }, &disk(&[], 1, 1))), "epochs");
        let ack = |last_zxid| QuorumPacket::AckEpoch { last_zxid, current_epoch: Some(Epoch(1)) };
        let on_disk = disk(&[zxid(1, 1).0], 2, 1);
        assert_eq!(say(ack(zxid(1, 1)), &on_disk), Ok(()));
        assert_eq!(broken(say(ack(Zxid(0)), &on_disk)), "told_history");
        assert_eq!(broken(say(ack(zxid(1, 1)), &disk(&[zxid(1, 1).0], 2, 0))), "epochs");
    }

    #[test]
    fn a_learner_has_what_its_leader_sent_before_it_acknowledges_that() {
        let (one, two) = (zxid(1, 1), zxid(1, 2));
        let synchronised = |disk: &Disk| {
            let mut owed = Owed { told: one, ..Owed::default() };
            owed.hears(&QuorumPacket::Diff { zxid: two }, &history(&[one.0]));
            let txn = Bytes::from_static(b"txn");
            owed.hears(&QuorumPacket::Proposal { zxid: two, txn }, &[]);
            owed.hears(&QuorumPacket::NewLeader { zxid: zxid(2, 0), config: None }, &[]);
            (joined(disk, &owed), said(&QuorumPacket::Ack { zxid: zxid(2, 0) }, disk, &mut owed))
        };
        assert_eq!(synchronised(&disk(&[one.0, two.0], 2, 2)), (Ok(()), Ok(())));
        let (early, acknowledged) = synchronised(&disk(&[one.0], 2, 2));
        assert_eq!((broken(early), broken(acknowledged)), ("epoch_implies_history", "epoch_implies_history"));
    }

    #[test]
    fn one_leads_with_everything_that_is_committed_and_a_quorum_keeps_that() {
        let all = history(&[1, 2]);
        let lead = |earlier, own: &[Entry]| established((ServerId(1), Epoch(2)), earlier, (&all, own));
        assert_eq!(lead(None, &history(&[1, 2, 3])), Ok(()));
        assert_eq!(broken(lead(Some(ServerId(2)), &all)), "leadership");
        assert_eq!(broken(lead(None, &history(&[1]))), "leader_completeness");
        assert_eq!(committed_never_lost(2, 3, &all), Ok(()));
        assert_eq!(broken(committed_never_lost(1, 3, &all)), "committed_never_lost");
    }

    #[test]
    fn histories_match_up_to_the_last_txn_that_they_share() {
        assert!(match_up(&history(&[1, 2, 5]), &history(&[1, 2, 3])));
        assert!(!match_up(&history(&[1, 2, 5]), &history(&[1, 5])));
        let mut other = history(&[1, 2]);
        other[1].txn = Bytes::from_static(b"another");
        assert!(!match_up(&history(&[1, 2]), &other));
    }
}
