//! One leader or one learner alone, whose packets and wishes are read as lines.

use bytes::Bytes;
use quorate_core::contract::{Epochs, Outbox, Output, Port};
use quorate_core::jute::{Decode as _, LearnerInfo, QuorumPacket, Reader};
use quorate_core::quorum::{Membership, Memberships};
use quorate_core::tree::{Database, TreeOptions};
use quorate_core::vocabulary::{Epoch, LinkId, LookupSeed, Millis, Mono, ServerId, Zxid};
use quorate_core::zab::{
    CommittedLog, Ground, Leader, LeaderEvent, LeaderTurn, Learner, LearnerConfig, LearnerEvent, LearnerKind,
    LearnerTurn, Standing, ZabConfig,
};
use std::fmt::Write as _;

pub(crate) const TICK: Millis = Millis(1_000);

pub(crate) fn zxid(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// A txn's header, which is all that anybody here looks at.
pub(crate) fn txn(zxid: Zxid) -> Bytes {
    typed_txn(zxid, 1)
}

pub(crate) fn typed_txn(zxid: Zxid, opcode: i32) -> Bytes {
    let mut bytes = vec![0; 12];
    bytes.extend_from_slice(&zxid.0.to_be_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&opcode.to_be_bytes());
    bytes.into()
}

pub(crate) fn standing(accepted: u32, current: u32, last_zxid: Zxid) -> Standing {
    Standing { epochs: Epochs { accepted: Epoch(accepted), current: Epoch(current) }, last_zxid }
}

pub(crate) fn config() -> ZabConfig {
    ZabConfig { init_limit: 5, sync_limit: 2, ..ZabConfig::new(ServerId(1), TICK) }
}

fn short(zxid: Zxid) -> String {
    if zxid == Zxid(-1) {
        return "nothing".to_owned();
    }
    format!("{}.{}", zxid.epoch().0, zxid.counter())
}

fn packet_line(packet: &QuorumPacket) -> String {
    match packet {
        QuorumPacket::Proposal { zxid, .. } => format!("PROPOSAL {}", short(*zxid)),
        QuorumPacket::Ack { zxid } => format!("ACK {}", short(*zxid)),
        QuorumPacket::Commit { zxid } => format!("COMMIT {}", short(*zxid)),
        QuorumPacket::Inform { zxid, .. } => format!("INFORM {}", short(*zxid)),
        QuorumPacket::Diff { zxid } => format!("DIFF {}", short(*zxid)),
        QuorumPacket::Trunc { zxid } => format!("TRUNC {}", short(*zxid)),
        QuorumPacket::Snap { zxid } => format!("SNAP {}", short(*zxid)),
        QuorumPacket::NewLeader { zxid, .. } => format!("NEWLEADER {}", short(*zxid)),
        QuorumPacket::LeaderInfo { epoch } => format!("LEADERINFO {}", epoch.0),
        QuorumPacket::AckEpoch { last_zxid, current_epoch } => {
            let epoch = current_epoch.map_or(-1, |epoch| i64::from(epoch.0));
            format!("ACKEPOCH {} {epoch}", short(*last_zxid))
        }
        QuorumPacket::FollowerInfo { accepted_epoch, info } => {
            format!("FOLLOWERINFO {}{}", accepted_epoch.0, if info.is_quorate { " Quorate" } else { "" })
        }
        QuorumPacket::ObserverInfo { accepted_epoch, .. } => format!("OBSERVERINFO {}", accepted_epoch.0),
        QuorumPacket::UpToDate => "UPTODATE".to_owned(),
        QuorumPacket::Ping { zxid, touched } => {
            format!("PING {}{}", short(*zxid), if touched.is_some() { " touched" } else { "" })
        }
        QuorumPacket::Sync { .. } => "SYNC".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What left, one line a packet; what is sent to several learners is one line for each.
fn output_lines(outbox: &mut Outbox, lines: &mut Vec<String>) {
    for output in outbox.drain() {
        match output {
            Output::SendLink { link, bytes } => {
                let mut packets = Reader::new(bytes);
                while packets.remaining() > 0 {
                    let packet = QuorumPacket::decode(&mut packets).unwrap();
                    lines.push(format!("{} <- {}", link.0, packet_line(&packet)));
                }
            }
            Output::SendSnapshot { link, image } => {
                lines.push(format!("{} <- database {}", link.0, short(image.zxid())));
            }
            Output::CloseLink { link } => lines.push(format!("{} closed", link.0)),
            Output::Dial { to, .. } => lines.push(format!("dial {}", to.0)),
            Output::Load { after, up_to, .. } => {
                lines.push(format!("load behind {} up to {}", short(after), short(up_to)));
            }
            other => lines.push(format!("{other:?}")),
        }
    }
}

/// Joins lines for comparison, one below the other.
fn text(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

#[track_caller]
pub(crate) fn expect(lines: &[String], expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(text(lines), text(&expected));
}

/// A leader, sid 1, of voters 1 to `voters`.
pub(crate) struct LeaderRig {
    pub(crate) leader: Leader,
    pub(crate) log: CommittedLog,
    pub(crate) now: Mono,
    pub(crate) last: Zxid,
}

impl LeaderRig {
    pub(crate) fn new(voters: u8, standing: Standing, history: &[Zxid]) -> (Self, Vec<String>) {
        Self::with_config(config(), voters, standing, history)
    }

    pub(crate) fn with_config(
        config: ZabConfig,
        voters: u8,
        standing: Standing,
        history: &[Zxid],
    ) -> (Self, Vec<String>) {
        let lines: String =
            (1..=voters).map(|id| format!("server.{id}=h{id}:1:2:participant\n")).collect::<String>();
        let members =
            Memberships::new(Membership::parse(&format!("{lines}server.9=h9:1:2:observer")).unwrap());
        let mut log = CommittedLog::new(standing.last_zxid, 4, 1 << 20);
        log.refill(standing.last_zxid, history.iter().map(|zxid| (*zxid, txn(*zxid))));
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        let database = || database(standing.last_zxid);
        let ground = Ground { committed_log: &log, image: &|| database().image() };
        let mut turn = LeaderTurn { now: Mono(0), ground, outbox: &mut outbox, events: &mut events };
        let leader = Leader::new(config, members, standing, &mut turn);
        let mut rig = LeaderRig { leader, log, now: Mono(0), last: standing.last_zxid };
        let lines = rig.lines(outbox, events);
        (rig, lines)
    }

    fn lines(&mut self, mut outbox: Outbox, events: Vec<LeaderEvent>) -> Vec<String> {
        let mut lines = Vec::new();
        output_lines(&mut outbox, &mut lines);
        for event in events {
            lines.push(match event {
                LeaderEvent::StoreEpoch { kind, epoch } => format!("store {kind:?} {}", epoch.0),
                LeaderEvent::Established { epoch } => format!("established {}", epoch.0),
                LeaderEvent::Commit { zxid, txn } => {
                    self.log.push(zxid, txn);
                    self.last = zxid;
                    format!("commit {}", short(zxid))
                }
                LeaderEvent::Synced(token) => format!("synced {}", token.0),
                // The packets show it.
                LeaderEvent::Synchronises { .. } => continue,
                LeaderEvent::LearnerGone { link, reason, .. } => format!("{} gone: {reason}", link.0),
                LeaderEvent::Gone { reason } => format!("ends: {reason}"),
                other => format!("{other:?}"),
            });
        }
        lines
    }

    pub(crate) fn act(&mut self, act: impl FnOnce(&mut Leader, &mut LeaderTurn<'_>)) -> Vec<String> {
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        let last = self.last;
        let ground = Ground { committed_log: &self.log, image: &|| database(last).image() };
        let mut turn = LeaderTurn { now: self.now, ground, outbox: &mut outbox, events: &mut events };
        act(&mut self.leader, &mut turn);
        self.lines(outbox, events)
    }

    pub(crate) fn say(&mut self, link: u64, packet: QuorumPacket) -> Vec<String> {
        self.act(|leader, turn| leader.packet(LinkId(link), packet, turn))
    }

    /// A learner connects and introduces itself.
    pub(crate) fn joins(&mut self, link: u64, sid: i64, accepted: u32, is_quorate: bool) -> Vec<String> {
        self.act(|leader, turn| leader.accepted(LinkId(link), turn));
        let info = LearnerInfo { sid, config_version: 0, is_quorate };
        let accepted_epoch = Epoch(accepted);
        self.say(
            link,
            match sid {
                9 => QuorumPacket::ObserverInfo { accepted_epoch, info },
                _ => QuorumPacket::FollowerInfo { accepted_epoch, info },
            },
        )
    }

    pub(crate) fn acks_epoch(&mut self, link: u64, last_zxid: Zxid, current: Option<u32>) -> Vec<String> {
        self.say(link, QuorumPacket::AckEpoch { last_zxid, current_epoch: current.map(Epoch) })
    }

    pub(crate) fn acks(&mut self, link: u64, zxid: Zxid) -> Vec<String> {
        self.say(link, QuorumPacket::Ack { zxid })
    }

    pub(crate) fn pongs(&mut self, link: u64) -> Vec<String> {
        self.say(link, QuorumPacket::Ping { zxid: Zxid(0), touched: Some(Vec::new()) })
    }

    pub(crate) fn proposes(&mut self, zxid: Zxid) -> Vec<String> {
        self.act(|leader, turn| leader.propose(zxid, txn(zxid), turn))
    }

    pub(crate) fn logs(&mut self, zxid: Zxid) -> Vec<String> {
        self.act(|leader, turn| leader.logged(zxid, turn))
    }

    /// Time passes, by half ticks.
    pub(crate) fn waits(&mut self, half_ticks: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..half_ticks {
            self.now = self.now + Millis(TICK.0 / 2);
            lines.extend(self.act(|leader, turn| leader.timeout(turn)));
        }
        lines
    }
}

pub(crate) fn database(last: Zxid) -> Database {
    use quorate_core::jute::{OpCode, Txn, TxnHeader, TxnRecord};
    use quorate_core::vocabulary::{SessionId, Wall, Xid};
    let mut database = Database::new(LookupSeed(3), TreeOptions::default());
    let opcode = OpCode::Error;
    let header = TxnHeader { session: SessionId(0), cxid: Xid(0), zxid: last, time: Wall(0), opcode };
    let txn = Txn { header, record: TxnRecord::Error { err: -1 }, digest: None };
    let _ = database.apply(&txn, &mut quorate_core::tree::Unobserved);
    database
}

/// A learner, sid 1, of leader 2.
pub(crate) struct LearnerRig {
    pub(crate) learner: Learner,
    pub(crate) now: Mono,
}

impl LearnerRig {
    pub(crate) fn new(kind: LearnerKind, standing: Standing) -> Self {
        let config = LearnerConfig {
            zab: config(),
            kind,
            leader: ServerId(2),
            port: Port::Quorum,
            config_version: Default::default(),
        };
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        let mut turn = LearnerTurn { now: Mono(0), outbox: &mut outbox, events: &mut events };
        let learner = Learner::new(config, standing, &mut turn);
        let mut lines = Vec::new();
        output_lines(&mut outbox, &mut lines);
        expect(&lines, &["dial 2"]);
        LearnerRig { learner, now: Mono(0) }
    }

    pub(crate) fn act(&mut self, act: impl FnOnce(&mut Learner, &mut LearnerTurn<'_>)) -> Vec<String> {
        let (mut outbox, mut events) = (Outbox::new(), Vec::new());
        act(&mut self.learner, &mut LearnerTurn { now: self.now, outbox: &mut outbox, events: &mut events });
        let mut lines = Vec::new();
        output_lines(&mut outbox, &mut lines);
        lines.extend(events.into_iter().map(|event| match event {
            LearnerEvent::StoreEpoch { kind, epoch } => format!("store {kind:?} {}", epoch.0),
            LearnerEvent::Truncate { to } => format!("truncate to {}", short(to)),
            LearnerEvent::Replace(database) => format!("replace by {}", short(database.last_zxid())),
            LearnerEvent::Append { zxid, .. } => format!("append {}", short(zxid)),
            LearnerEvent::Commit { zxid, .. } => format!("commit {}", short(zxid)),
            LearnerEvent::LeaderConfig(_) => "config".to_owned(),
            LearnerEvent::HistoryComplete => "history complete".to_owned(),
            LearnerEvent::Established { epoch } => format!("established {}", epoch.0),
            LearnerEvent::Ping { .. } => "ping".to_owned(),
            LearnerEvent::Synced => "synced".to_owned(),
            LearnerEvent::Unreachable { reason } => format!("unreachable: {reason}"),
            LearnerEvent::Failed { reason } => format!("fails: {reason}"),
            LearnerEvent::Fatal { code, reason } => format!("exits with {}: {reason}", code as i32),
            other => format!("{other:?}"),
        }));
        lines
    }

    /// The leader says all of this at once.
    pub(crate) fn hears(&mut self, packets: impl IntoIterator<Item = QuorumPacket>) -> Vec<String> {
        let mut lines = Vec::new();
        for packet in packets {
            lines.extend(self.act(|learner, turn| learner.packet(packet, turn)));
        }
        lines
    }

    pub(crate) fn dialled(&mut self) -> Vec<String> {
        self.act(|learner, turn| assert!(learner.dialled(LinkId(7), turn)))
    }

    pub(crate) fn stored(&mut self, kind: quorate_core::contract::EpochKind, epoch: u32) -> Vec<String> {
        self.act(|learner, turn| learner.epoch_stored(kind, Epoch(epoch), turn))
    }

    pub(crate) fn history_stored(&mut self) -> Vec<String> {
        self.act(Learner::history_stored)
    }

    pub(crate) fn logged(&mut self, zxid: Zxid) -> Vec<String> {
        self.act(|learner, turn| learner.logged(zxid, turn.outbox))
    }

    pub(crate) fn waits(&mut self, span: Millis) -> Vec<String> {
        self.now = self.now + span;
        self.act(Learner::timeout)
    }
}

pub(crate) fn proposal(zxid: Zxid) -> QuorumPacket {
    QuorumPacket::Proposal { zxid, txn: txn(zxid) }
}

pub(crate) fn commit(zxid: Zxid) -> QuorumPacket {
    QuorumPacket::Commit { zxid }
}

pub(crate) fn new_leader(epoch: u32) -> QuorumPacket {
    QuorumPacket::NewLeader { zxid: zxid(epoch, 0), config: Some(Bytes::from_static(b"server.1=a:1:2")) }
}
