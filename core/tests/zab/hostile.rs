//! Whatever packets come, in whatever order: nobody panics, what is appended has no gap, and what is committed was agreed on.

use crate::rig::{LeaderRig, LearnerRig, TICK, commit, database, proposal, standing, txn, zxid};
use bytes::Bytes;
use quorate_core::contract::{EpochKind, LoadId};
use quorate_core::jute::{ForwardedRequest, LearnerInfo, QuorumPacket};
use quorate_core::vocabulary::{Epoch, LinkId, Millis, SessionId, Xid, Zxid};
use quorate_core::zab::{LeaderPhase, LearnerKind, SyncToken};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn any_epoch(rng: &mut ChaCha8Rng) -> Epoch {
    Epoch([0, 1, 2, 2, 3, i32::MAX as u32, u32::MAX][rng.random_range(0..7)])
}

fn any_zxid(rng: &mut ChaCha8Rng) -> Zxid {
    match rng.random_range(0..12) {
        0 => Zxid(-1),
        1 => Zxid(i64::MIN),
        2 => Zxid(i64::MAX),
        3 => Zxid(0),
        _ => zxid(rng.random_range(1..4), rng.random_range(0..5)),
    }
}

fn any_packet(rng: &mut ChaCha8Rng) -> QuorumPacket {
    let (zxid, epoch) = (any_zxid(rng), any_epoch(rng));
    let sid = [i64::MIN, -1, 0, 1, 2, 3, 9, 300][rng.random_range(0..8)];
    let info = LearnerInfo { sid, config_version: 0, is_quorate: rng.random_range(0..2) == 0 };
    let session = SessionId(1);
    match rng.random_range(0..22) {
        0 => QuorumPacket::FollowerInfo { accepted_epoch: epoch, info },
        1 => QuorumPacket::ObserverInfo { accepted_epoch: epoch, info },
        2 | 3 => {
            let current_epoch = (rng.random_range(0..3) > 0).then_some(epoch);
            QuorumPacket::AckEpoch { last_zxid: zxid, current_epoch }
        }
        4..7 => QuorumPacket::Ack { zxid },
        7 => QuorumPacket::Ping { zxid, touched: Some(vec![(session, -1)]) },
        8 => QuorumPacket::Ping { zxid, touched: None },
        9 => QuorumPacket::Revalidate { session, timeout: i32::MIN },
        10 => QuorumPacket::Revalidated { session, valid: true },
        11 => QuorumPacket::Sync { zxid },
        12 => QuorumPacket::Request(ForwardedRequest {
            session,
            cxid: Xid(-1),
            opcode: [9, 1, -1][rng.random_range(0..3)],
            body: Bytes::new(),
            identities: Vec::new(),
        }),
        13 => QuorumPacket::Proposal { zxid, txn: txn(zxid) },
        14 => QuorumPacket::Proposal { zxid, txn: Bytes::from_static(b"short") },
        15 => QuorumPacket::Commit { zxid },
        16 => QuorumPacket::Inform { zxid, txn: txn(zxid) },
        17 => QuorumPacket::NewLeader { zxid: Zxid::new(epoch, 0), config: None },
        18 => QuorumPacket::UpToDate,
        19 => QuorumPacket::LeaderInfo { epoch },
        20 => QuorumPacket::Trunc { zxid },
        _ => QuorumPacket::Diff { zxid },
    }
}

#[test]
fn no_packets_end_a_leader() {
    let (mut reached, mut committed) = (0, 0);
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let voters = rng.random_range(1..4);
        let (mut rig, _) = LeaderRig::new(voters, standing(1, 1, zxid(1, 3)), &[zxid(1, 2), zxid(1, 3)]);
        for _ in 0..120 {
            let link = rng.random_range(2..5);
            match rng.random_range(0..40) {
                0..4 => drop(rig.act(|leader, turn| leader.accepted(LinkId(link), turn))),
                4 => drop(rig.act(|leader, turn| leader.closed(LinkId(link), "reset", turn))),
                5..8 => {
                    let epoch = rig.leader.epoch();
                    for kind in [EpochKind::Accepted, EpochKind::Current] {
                        rig.act(|leader, turn| leader.epoch_stored(kind, epoch, turn));
                    }
                }
                8 => drop(rig.waits(1)),
                9 => drop(rig.act(|leader, turn| leader.loaded(LoadId(2 << 32 | 1), None, turn))),
                10..14 if rig.leader.phase() == LeaderPhase::Broadcast => {
                    let last = rig.leader.last_proposed();
                    let epoch = rig.leader.epoch();
                    rig.proposes(if last.epoch() == epoch { last.next() } else { Zxid::new(epoch, 1) });
                    rig.act(|leader, turn| leader.sync(SyncToken(1), turn));
                }
                14 => {
                    let last = rig.leader.last_proposed();
                    rig.logs(last);
                }
                // Now and then what is right, so that the depths are reached.
                15..24 => {
                    let new_leader = Zxid::new(rig.leader.epoch(), 0);
                    rig.joins(link, link as i64, 1, true);
                    rig.acks_epoch(link, zxid(1, 3), Some(1));
                    rig.acks(link, new_leader);
                }
                24 => {
                    let last = rig.leader.last_proposed();
                    rig.acks(link, last);
                }
                _ => drop(rig.say(link, any_packet(&mut rng))),
            }
        }
        reached += u32::from(rig.leader.epoch() > Epoch(1));
        committed += u32::from(rig.leader.last_committed() > zxid(1, 3));
    }
    assert!(reached > 1_000 && committed > 200, "{reached} {committed}");
}

/// What a learner would hear and be told next, if all went well.
fn right_step(rig: &mut LearnerRig, step: usize) -> Vec<String> {
    match step {
        0 => rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]),
        1 => rig.stored(EpochKind::Accepted, 2),
        2 => rig.hears([QuorumPacket::Diff { zxid: zxid(1, 3) }]),
        3 => rig.hears([QuorumPacket::NewLeader { zxid: zxid(2, 0), config: None }]),
        4 => rig.history_stored(),
        5 => rig.stored(EpochKind::Current, 2),
        6 => rig.hears([QuorumPacket::UpToDate]),
        _ => {
            let last = rig.learner.last_appended();
            let next = if last.epoch() == Epoch(2) { last.next() } else { zxid(2, 1) };
            rig.hears([proposal(next), commit(next)])
        }
    }
}

#[test]
fn no_packets_end_a_learner_but_by_its_own_word() {
    let mut established = 0;
    for seed in 0..6_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let kind = [LearnerKind::Follower, LearnerKind::Observer][rng.random_range(0..2)];
        let mut rig = LearnerRig::new(kind, standing(1, 1, zxid(1, 3)));
        rig.dialled();
        let (mut lines, mut step) = (Vec::new(), 0);
        for _ in 0..40 {
            lines.extend(match rng.random_range(0..40) {
                0 => rig.history_stored(),
                1 => rig.stored(EpochKind::Current, 2),
                2 => rig.act(|learner, turn| learner.snapshot(Box::new(database(zxid(1, 2))), turn)),
                3 => rig.act(|learner, turn| learner.truncated(zxid(1, 2), turn)),
                4 => rig.logged(any_zxid(&mut rng)),
                5 => rig.waits(Millis(TICK.0 / 2)),
                6..12 => rig.hears([any_packet(&mut rng)]),
                _ => {
                    step += 1;
                    right_step(&mut rig, step - 1)
                }
            });
        }
        // Nothing is asked for once the end is told.
        let end = lines.iter().position(|line| line.starts_with("fails") || line.starts_with("exits"));
        let behind = end.map_or(&[][..], |end| &lines[end + 1..]);
        assert!(behind.is_empty(), "seed {seed}: {lines:?}");
        established += u32::from(lines.iter().any(|line| line.starts_with("established")));
    }
    assert!(established > 1_000, "{established}");
}
