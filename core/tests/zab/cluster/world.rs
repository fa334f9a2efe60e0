//! The small cluster: servers, links, disks and what goes wrong with them, in one order of events that a seed decides.
//!
//! Elections are a dice game: mostly the best of a quorum is elected and mostly everybody hears of it, but anybody may be, and two may be
//! at the same time. What has to hold then is discovery's business.

use super::disk::Done;
use super::ghost::Ghost;
use super::network::Network;
use super::server::{Role, Server, TICK};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{LoadId, Output, QuorumMessage};
use quorate_core::jute::{Decode as _, QuorumPacket, Reader};
use quorate_core::quorum::{Membership, Memberships, ServerSet};
use quorate_core::vocabulary::{LinkId, Millis, Mono, ServerId, Zxid};
use quorate_core::zab::{LeaderPhase, LearnerKind};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// From then on nothing goes wrong any more.
pub(crate) const HEALED_AT: Mono = Mono(15_000_000_000);

enum Event {
    LogDone(ServerId, u64),
    EpochDone(ServerId, u64),
    Dialled(ServerId, u64, ServerId),
    Arrives(LinkId, usize, Bytes),
    Closes(LinkId, usize),
    Loads(ServerId, u64, LoadId, (Zxid, Zxid)),
    Elects(ServerId, u64, ServerId),
    Restarts(ServerId),
}

pub(crate) struct World {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: Mono,
    pub(crate) members: Memberships,
    pub(crate) servers: BTreeMap<ServerId, Server>,
    pub(crate) ghost: Ghost,
    network: Network,
    agenda: BTreeMap<(Mono, u64), Event>,
    planned: u64,
    /// How late things are in this world, ms.
    latency: u64,
}

impl World {
    pub(crate) fn new(seed: u64, voters: u8, observers: u8) -> Self {
        let line = |id: u8| {
            format!("server.{id}=h{id}:1:2:{}\n", if id < voters { "participant" } else { "observer" })
        };
        let config: String = (0..voters + observers).map(line).collect();
        let kind = |id| if id < voters { LearnerKind::Follower } else { LearnerKind::Observer };
        let ids = (0..voters + observers).map(|id| (ServerId(id), Server::new(ServerId(id), kind(id))));
        World {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: Mono(0),
            members: Memberships::new(Membership::parse(&config).unwrap()),
            servers: ids.collect(),
            ghost: Ghost::default(),
            network: Network::default(),
            agenda: BTreeMap::new(),
            planned: 0,
            latency: [2, 20, 150][seed as usize % 3],
        }
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.now >= HEALED_AT
    }

    fn plan(&mut self, at: Mono, event: Event) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), event);
    }

    fn soon(&mut self) -> Mono {
        let longest = if self.is_healed() { 20 } else { self.latency };
        let rare = !self.is_healed() && self.rng.random_range(0..40) == 0;
        self.now + Millis(self.rng.random_range(0..=if rare { 10 * longest } else { longest }))
    }

    /// Lets a server do something, and sees to what it wants then.
    fn act(&mut self, id: ServerId, act: impl FnOnce(&mut Server, Mono, &mut Ghost)) {
        let server = self.servers.get_mut(&id).unwrap();
        let (log_before, epochs_before) = (server.disk.log_queue.len(), server.disk.epoch_queue.len());
        act(server, self.now, &mut self.ghost);
        let (log, epochs) = (server.disk.log_queue.len(), server.disk.epoch_queue.len());
        let incarnation = server.incarnation;
        let outputs: Vec<Output> = server.outbox.drain().collect();
        if log > 0 && log_before == 0 {
            let at = self.soon();
            self.plan(at, Event::LogDone(id, incarnation));
        }
        if epochs > 0 && epochs_before == 0 {
            let at = self.soon();
            self.plan(at, Event::EpochDone(id, incarnation));
        }
        outputs.into_iter().for_each(|output| self.put(id, incarnation, output));
        self.check(id);
    }

    fn put(&mut self, from: ServerId, incarnation: u64, output: Output) {
        match output {
            Output::Dial { to, .. } => {
                let at = self.soon();
                self.plan(at, Event::Dialled(from, incarnation, to));
            }
            Output::SendLink { link, bytes } => {
                let side = self.network.side(link, from);
                let mut packets = Reader::new(bytes.clone());
                while packets.remaining() > 0 {
                    let packet = QuorumPacket::decode(&mut packets).unwrap();
                    self.servers[&from].check_sent(&packet, &self.ghost);
                }
                self.send(link, 1 - side, bytes);
            }
            Output::SendSnapshot { link, image } => {
                let side = self.network.side(link, from);
                let (mut stream, mut bytes) = (image.stream(), BytesMut::new());
                while stream.next_chunk(&mut bytes) {}
                self.send(link, 1 - side, bytes.freeze());
            }
            Output::CloseLink { link } => {
                let side = self.network.side(link, from);
                self.network.links.get_mut(&link).unwrap().ends[side].is_open = false;
                let at = self.soon().max(self.network.links[&link].ends[1 - side].last_arrival);
                self.plan(at, Event::Closes(link, 1 - side));
            }
            Output::Load { id, after, up_to, .. } => {
                let at = self.soon();
                self.plan(at, Event::Loads(from, incarnation, id, (after, up_to)));
            }
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, link: LinkId, to: usize, bytes: Bytes) {
        let cut = self.rng.random_range(0..=bytes.len());
        for piece in [bytes.slice(..cut), bytes.slice(cut..)] {
            let at = self.soon();
            let end = &mut self.network.links.get_mut(&link).unwrap().ends[to];
            end.last_arrival = end.last_arrival.max(at);
            let at = end.last_arrival;
            self.plan(at, Event::Arrives(link, to, piece));
        }
    }

    /// Runs until `end`.
    pub(crate) fn run(&mut self, end: Mono) {
        loop {
            let living = self.servers.iter().filter(|(_, server)| server.alive);
            let timer = living.filter_map(|(id, server)| Some((server.next_timeout()?, *id))).min();
            let planned = self.agenda.first_key_value().map(|(key, _)| key.0);
            let next = timer.map(|timer| timer.0).into_iter().chain(planned).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if planned == Some(next) {
                let (_, event) = self.agenda.pop_first().unwrap();
                self.happen(event);
            } else if let Some((_, id)) = timer {
                self.act(id, |server, now, ghost| server.timeout(now, ghost));
            }
        }
        self.now = end;
    }

    fn is_still(&self, id: ServerId, incarnation: u64) -> bool {
        let server = &self.servers[&id];
        server.alive && server.incarnation == incarnation
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::LogDone(id, incarnation) if self.is_still(id, incarnation) => {
                self.log_done(id);
            }
            Event::EpochDone(id, incarnation) if self.is_still(id, incarnation) => {
                let (kind, epoch) = self.servers.get_mut(&id).unwrap().disk.do_epoch_op();
                self.ghost.epoch_on_disk(id, kind, &self.servers[&id].disk);
                if !self.servers[&id].disk.epoch_queue.is_empty() {
                    let at = self.soon();
                    self.plan(at, Event::EpochDone(id, incarnation));
                }
                self.act(id, |server, now, ghost| server.epoch_done(now, kind, epoch, ghost));
            }
            Event::Dialled(id, incarnation, to) if self.is_still(id, incarnation) => self.dialled(id, to),
            Event::Arrives(link, side, bytes) => self.arrives(link, side, &bytes),
            Event::Closes(link, side) => self.closes(link, side),
            Event::Loads(id, incarnation, load, range) if self.is_still(id, incarnation) => {
                self.loads(id, load, range);
            }
            Event::Elects(id, incarnation, leader) if self.is_still(id, incarnation) => {
                if !matches!(self.servers[&id].role, Role::Looking) {
                    return;
                }
                let members = self.members.clone();
                self.act(id, |server, now, ghost| match id == leader {
                    true => server.begin_leading(now, &members, ghost),
                    false => server.begin_learning(now, leader, ghost),
                });
            }
            Event::Restarts(id) if !self.servers[&id].alive => self.servers.get_mut(&id).unwrap().start(),
            _ => {}
        }
    }

    fn log_done(&mut self, id: ServerId) {
        let server = self.servers.get_mut(&id).unwrap();
        let done = server.disk.do_log_op();
        let (more, incarnation) = (!server.disk.log_queue.is_empty(), server.incarnation);
        if let Done::Truncated(gone) = &done {
            self.ghost.truncated(id, gone);
        }
        if more {
            let at = self.soon();
            self.plan(at, Event::LogDone(id, incarnation));
        }
        self.act(id, |server, now, ghost| server.log_done(now, &done, ghost));
    }

    fn dialled(&mut self, id: ServerId, to: ServerId) {
        let listener = &self.servers[&to];
        // Whoever is looking keeps the connection until it knows its role; here it is simply not there yet.
        if !listener.alive || !matches!(listener.role, Role::Leading(_)) {
            return self.act(id, |server, now, ghost| {
                server.learn(now, ghost, |learner, turn| learner.dial_failed("refused", turn));
            });
        }
        let ends = [id, to].map(|id| (id, self.servers[&id].incarnation));
        let link = self.network.connect(ends[0], ends[1]);
        self.act(to, |server, now, ghost| {
            server.lead(now, ghost, |leader, turn| leader.accepted(link, turn));
        });
        let mut is_wanted = false;
        self.act(id, |server, now, ghost| {
            server.learn(now, ghost, |learner, turn| is_wanted = learner.dialled(link, turn));
        });
        if !is_wanted {
            self.put(id, 0, Output::CloseLink { link });
        }
    }

    fn arrives(&mut self, link: LinkId, side: usize, bytes: &[u8]) {
        let state = self.network.links.get_mut(&link).unwrap();
        if state.broken_at.is_some_and(|at| at <= self.now) {
            return;
        }
        state.ends[side].decoder.push(bytes);
        loop {
            let end = &mut self.network.links.get_mut(&link).unwrap().ends[side];
            let (id, incarnation) = (end.server, end.incarnation);
            if !end.is_open || !self.is_still(id, incarnation) {
                return;
            }
            let end = &mut self.network.links.get_mut(&link).unwrap().ends[side];
            let Some(message) = end.decoder.poll().unwrap() else { return };
            self.act(id, |server, now, ghost| match (side, message) {
                (0, QuorumMessage::Packet(packet)) => {
                    server.learn(now, ghost, |learner, turn| learner.packet(packet, turn));
                }
                (0, QuorumMessage::Snapshot(database)) => {
                    server.learn(now, ghost, |learner, turn| learner.snapshot(database, turn));
                }
                (_, QuorumMessage::Packet(packet)) => {
                    server.lead(now, ghost, |leader, turn| leader.packet(link, packet, turn));
                }
                (_, _) => {}
            });
        }
    }

    fn closes(&mut self, link: LinkId, side: usize) {
        let end = &mut self.network.links.get_mut(&link).unwrap().ends[side];
        let (id, incarnation) = (end.server, end.incarnation);
        if !std::mem::take(&mut end.is_open) || !self.is_still(id, incarnation) {
            return;
        }
        self.act(id, |server, now, ghost| {
            server.lead(now, ghost, |leader, turn| leader.closed(link, "reset", turn));
            server.learn(now, ghost, |learner, turn| learner.closed(link, "reset", turn));
        });
    }

    fn loads(&mut self, id: ServerId, load: LoadId, (after, up_to): (Zxid, Zxid)) {
        let disk = &self.servers[&id].disk;
        let reaches_back =
            disk.snapshot.last_zxid() == after || disk.log.iter().any(|(zxid, _)| *zxid == after);
        let wanted = disk.log.iter().filter(|(zxid, _)| *zxid > after && *zxid <= up_to);
        let txns: Vec<Bytes> = wanted.map(|(_, txn)| txn.clone()).collect();
        self.ghost.count(if reaches_back { "loads" } else { "loads in vain" });
        self.act(id, |server, now, ghost| {
            server.lead(now, ghost, |leader, turn| leader.loaded(load, reaches_back.then_some(txns), turn));
        });
    }

    /// The link breaks: what is on its way is lost from some point on, and the ends learn of it, each at its time.
    fn breaks(&mut self, link: LinkId) {
        let at = self.soon();
        self.network.links.get_mut(&link).unwrap().broken_at = Some(at);
        for side in [0, 1] {
            let late = if self.rng.random_range(0..4) == 0 { 2_000 } else { 10 };
            let at = at + Millis(self.rng.random_range(0..=late));
            self.plan(at, Event::Closes(link, side));
        }
    }

    pub(crate) fn break_some_link(&mut self) {
        let open = self.network.links.iter().filter(|(_, link)| {
            link.broken_at.is_none() && link.ends.iter().all(|end| self.is_still(end.server, end.incarnation))
        });
        let open: Vec<LinkId> = open.map(|(link, _)| *link).collect();
        if !open.is_empty() {
            let link = open[self.rng.random_range(0..open.len())];
            self.ghost.count("broken links");
            self.breaks(link);
        }
    }

    /// The server dies. Of what it had asked its disk for, some is done all the same.
    pub(crate) fn crash(&mut self, id: ServerId) {
        let server = self.servers.get_mut(&id).unwrap();
        if !server.alive {
            return;
        }
        self.ghost.count("crashes");
        server.alive = false;
        for _ in 0..self.rng.random_range(0..=server.disk.log_queue.len()) {
            if let Done::Truncated(gone) = server.disk.do_log_op() {
                self.ghost.truncated(id, &gone);
            }
        }
        for _ in 0..self.rng.random_range(0..=server.disk.epoch_queue.len()) {
            let (kind, _) = server.disk.do_epoch_op();
            self.ghost.epoch_on_disk(id, kind, &server.disk);
        }
        server.disk.log_queue.clear();
        server.disk.epoch_queue.clear();
        let links = self
            .network
            .links
            .iter()
            .filter(|(_, link)| link.broken_at.is_none() && link.ends.iter().any(|end| end.server == id));
        let links: Vec<LinkId> = links.map(|(link, _)| *link).collect();
        links.into_iter().for_each(|link| self.breaks(link));
        let at = self.now + Millis(self.rng.random_range(0..1_500));
        self.plan(at, Event::Restarts(id));
    }

    /// A snapshot of whatever is applied becomes durable, and what it covers may leave the log.
    pub(crate) fn take_snapshot(&mut self, id: ServerId) {
        let purges = self.rng.random_range(0..2) == 0;
        let server = self.servers.get_mut(&id).unwrap();
        let database = server.freeze();
        let zxid = database.last_zxid();
        // One that a truncation or a leader's database would overtake is not finished.
        let is_idle = !server.disk.log_queue.iter().any(|op| !matches!(op, super::disk::LogOp::Append(..)));
        if server.alive && is_idle && zxid > server.disk.snapshot.last_zxid() {
            self.ghost.count("snapshots");
            server.disk.snapshot = database;
            if purges {
                server.disk.log.retain(|(other, _)| *other > zxid);
            }
        }
    }

    /// Whoever looks for a leader hears of one.
    pub(crate) fn elect(&mut self) {
        let living = || self.servers.values().filter(|server| server.alive);
        let looking = || living().filter(|server| matches!(server.role, Role::Looking));
        let leading = living().filter(|server| matches!(server.role, Role::Leading(_)));
        let mut leaders: Vec<ServerId> = leading.map(|server| server.id).collect();
        let voters = || looking().filter(|server| self.members.voters().contains(server.id));
        let set: ServerSet = voters().map(|server| server.id).collect();
        let best = voters().max_by_key(|server| {
            let standing = server.standing();
            (standing.epochs.current, standing.last_zxid, server.id)
        });
        let (best, voters) =
            (best.map(|server| server.id), voters().map(|server| server.id).collect::<Vec<_>>());
        let looking: Vec<ServerId> = looking().map(|server| server.id).collect();
        let is_foolish = !self.is_healed() && self.rng.random_range(0..8) == 0;
        if let Some(best) = best
            && (is_foolish || (leaders.is_empty() && self.members.have_quorums(&set)))
        {
            let elected = if is_foolish { voters[self.rng.random_range(0..voters.len())] } else { best };
            leaders = vec![elected];
        }
        for id in looking {
            if leaders.is_empty() || (!self.is_healed() && self.rng.random_range(0..6) == 0) {
                continue;
            }
            let leader = leaders[self.rng.random_range(0..leaders.len())];
            let (at, incarnation) = (self.soon(), self.servers[&id].incarnation);
            self.plan(at, Event::Elects(id, incarnation, leader));
        }
    }

    fn check(&mut self, id: ServerId) {
        let server = &self.servers[&id];
        if let Role::Leading(leader) = &server.role
            && leader.phase() == LeaderPhase::Synchronisation
        {
            self.ghost.synchronises(id, leader.epoch());
        }
        if std::mem::take(&mut self.ghost.has_new_commits) {
            let committed = &self.ghost.committed;
            let holds = |server: &&Server| server.disk.history().starts_with(committed);
            let holders: ServerSet = self.servers.values().filter(holds).map(|server| server.id).collect();
            assert!(
                self.members.have_quorums(&holders),
                "S10, S20: {:?} is committed, and durable only on {holders:?}",
                committed.last()
            );
        }
    }

    /// Learners of a leader that has been established have a beginning of its history.
    pub(crate) fn check_followers(&self) {
        let established = || self.servers.values().filter(|server| server.alive && server.is_established);
        for leader in established().filter(|server| matches!(server.role, Role::Leading(_))) {
            let history = leader.history();
            for learner in established().filter(|server| matches!(server.role, Role::Learning(_))) {
                if learner.epoch() == leader.epoch() {
                    self.ghost.agrees((learner.id, &learner.history()), &history);
                }
            }
        }
    }

    /// Everybody is alive, serves, and has applied everything.
    pub(crate) fn has_converged(&self) -> bool {
        let applied = |server: &Server| server.applied() == self.ghost.committed;
        self.servers.values().all(|server| server.alive && server.is_established && applied(server))
    }

    pub(crate) fn is_quiet_for(&self) -> Millis {
        Millis(TICK.0 * 40)
    }
}

/// What clients do.
impl World {
    pub(crate) fn write(&mut self, id: ServerId) {
        if self.servers[&id].alive {
            for _ in 0..self.rng.random_range(1..6) {
                self.act(id, |server, now, ghost| server.write(now, ghost));
            }
        }
    }

    pub(crate) fn sync(&mut self, id: ServerId) {
        if self.servers[&id].alive {
            self.act(id, |server, now, ghost| server.sync(now, ghost));
        }
    }
}
