//! Whole elections over random networks: messages are lost, repeated and late until the network heals; then the living agree.

use quorate_core::election::{Candidacy, ElectionOutput, FastLeaderElection, Round};
use quorate_core::jute::{Notification, PeerState};
use quorate_core::quorum::{ElectionTimes, Membership, Memberships};
use quorate_core::vocabulary::{Millis, Mono, ServerId, Zxid};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const HEALED_AT: Mono = Mono(20_000_000_000);
const TIMES: ElectionTimes = ElectionTimes {
    min_interval: Millis(200),
    max_interval: Millis(2_000),
    finalize_wait: Millis(200),
    avoid: Millis(10_000),
};
/// Rounds catch up within one interval, the best proposal reaches everybody within the next, and one more of each for a
/// round that another server began meanwhile.
const BOUND: Millis = Millis(5 * 2_000);

struct Server {
    election: FastLeaderElection,
    candidacy: Candidacy,
    alive: bool,
}

/// Who is heard, and whom each names.
type Heard = Vec<(ServerId, Option<ServerId>)>;

struct World {
    rng: ChaCha8Rng,
    members: Memberships,
    servers: BTreeMap<ServerId, Server>,
    /// By time and a number: whom it reaches, who says it.
    mail: BTreeMap<(Mono, u64), (ServerId, ServerId, Notification)>,
    /// When the newest from one to another gets there: in a healed network they come in order.
    newest: BTreeMap<(ServerId, ServerId), Mono>,
    sent: u64,
    now: Mono,
    loss_percent: u32,
    lost: u64,
    elected: u64,
    /// Of elections that last: whom the others name, and who is silent.
    told: Vec<(Heard, Vec<ServerId>)>,
}

impl World {
    fn new(seed: u64, config: &str, loss_percent: u32) -> Self {
        let members = Memberships::new(Membership::parse(config).unwrap());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let servers = members.committed().servers().map(|(id, _)| {
            let epoch = rng.random_range(1..=3);
            let zxid = Zxid(epoch << 32 | rng.random_range(0..4));
            let candidacy = Candidacy { zxid, current_epoch: epoch };
            (id, Server { election: FastLeaderElection::new(id, TIMES), candidacy, alive: true })
        });
        let servers = servers.collect();
        let now = Mono(0);
        World {
            rng,
            members,
            servers,
            mail: BTreeMap::new(),
            newest: BTreeMap::new(),
            sent: 0,
            now,
            loss_percent,
            lost: 0,
            elected: 0,
            told: Vec::new(),
        }
    }

    fn post(&mut self, from: ServerId, outputs: Vec<ElectionOutput>) {
        for output in outputs {
            match output {
                ElectionOutput::Elected(_) => self.elected += 1,
                ElectionOutput::Lasts { heard, silent } => self.told.push((heard, silent)),
                ElectionOutput::Send { to, notification } => {
                    let is_lossy = self.now < HEALED_AT;
                    let copies = match self.rng.random_range(0..100) {
                        roll if is_lossy && roll < self.loss_percent => 0,
                        roll if is_lossy && roll > 90 => 2,
                        _ => 1,
                    };
                    self.lost += u64::from(copies == 0);
                    for _ in 0..copies {
                        let late = if is_lossy { 1_500 } else { 20 };
                        let mut at = self.now + Millis(self.rng.random_range(0..late));
                        if !is_lossy {
                            let newest = self.newest.entry((from, to)).or_insert(at);
                            at = at.max(*newest);
                            *newest = at;
                        }
                        self.sent += 1;
                        self.mail.insert((at, self.sent), (to, from, notification.clone()));
                    }
                }
            }
        }
    }

    fn act(
        &mut self,
        id: ServerId,
        act: impl FnOnce(&mut Server, Mono, &Memberships, &mut Vec<ElectionOutput>),
    ) {
        let mut outputs = Vec::new();
        let server = self.servers.get_mut(&id).unwrap();
        act(server, self.now, &self.members, &mut outputs);
        self.post(id, outputs);
    }

    fn start(&mut self, id: ServerId) {
        self.act(id, |server, now, members, out| server.election.start(now, server.candidacy, members, out));
    }

    fn restart(&mut self, id: ServerId) {
        self.servers.get_mut(&id).unwrap().election = FastLeaderElection::new(id, TIMES);
        self.start(id);
    }

    /// Runs until `end`.
    fn run(&mut self, end: Mono) {
        loop {
            let timer = self.servers.iter().filter(|(_, server)| server.alive);
            let timer = timer.filter_map(|(id, server)| Some((server.election.next_timeout()?, *id))).min();
            let letter = self.mail.first_key_value().map(|(key, _)| key.0);
            let next = timer.map(|timer| timer.0).into_iter().chain(letter).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if letter == Some(next) {
                let (_, (to, from, notification)) = self.mail.pop_first().unwrap();
                if self.servers[&to].alive {
                    self.act(to, |server, now, members, out| {
                        server.election.receive(now, from, &notification, members, out);
                    });
                }
            } else if let Some((_, id)) = timer {
                self.act(id, |server, now, members, out| server.election.timeout(now, members, out));
            }
        }
        self.now = end;
    }

    /// A leader that a quorum does not follow gives up, and so does who follows one that does not lead, as their roles would.
    fn give_up_lost_causes(&mut self) {
        let leader_of = |server: &Server| server.election.current_vote().leader;
        let settled = |server: &Server| server.alive && server.election.state() != PeerState::Looking;
        let ids: Vec<ServerId> =
            self.servers.iter().filter(|(_, server)| settled(server)).map(|(id, _)| *id).collect();
        for id in ids {
            let leader = leader_of(&self.servers[&id]).unwrap();
            let leads = settled(&self.servers[&leader]) && leader_of(&self.servers[&leader]) == Some(leader);
            let followers =
                self.servers.iter().filter(|(_, other)| settled(other) && leader_of(other) == Some(leader));
            let has_quorum = self.members.have_quorums(&followers.map(|(id, _)| *id).collect());
            if !leads || !has_quorum {
                self.start(id);
            }
        }
    }

    /// Everybody alive has settled on one leader that is alive.
    fn agreed_leader(&self) -> Option<ServerId> {
        let alive = || self.servers.values().filter(|server| server.alive);
        let leader = alive().next()?.election.current_vote().leader?;
        let agree = alive().all(|server| {
            server.election.state() != PeerState::Looking
                && server.election.current_vote().leader == Some(leader)
        });
        let leads =
            self.servers[&leader].alive && self.servers[&leader].election.state() == PeerState::Leading;
        (agree && leads).then_some(leader)
    }
}

fn majority_of(voters: usize, observers: usize) -> String {
    let line = |id: usize| {
        format!("server.{id}=h{id}:1:2:{}\n", if id < voters { "participant" } else { "observer" })
    };
    (0..voters + observers).map(line).collect()
}

#[test]
fn in_a_quiet_network_the_best_candidate_is_elected_at_once() {
    for seed in 0..300 {
        let mut world = World::new(seed, &majority_of(1 + seed as usize % 7, seed as usize % 3), 0);
        world.now = HEALED_AT;
        let ids: Vec<ServerId> = world.servers.keys().copied().collect();
        ids.iter().for_each(|id| world.start(*id));
        world.run(HEALED_AT + Millis(200 + 4 * 20) + BOUND);
        let voters = world.members.voters();
        let best = voters.iter().max_by_key(|id| {
            let candidacy = world.servers[id].candidacy;
            (candidacy.current_epoch, candidacy.zxid, *id)
        });
        assert_eq!(world.agreed_leader(), best, "seed {seed}");
    }
}

#[test]
fn once_the_network_heals_the_living_agree_whatever_happened_before() {
    let (mut lost, mut elected, mut restarted) = (0, 0, 0);
    for seed in 0..1_500_u64 {
        let loss_percent = [0, 20, 60, 95][seed as usize % 4];
        let voters = 1 + (seed as usize / 4) % 7;
        let config = match seed % 5 {
            0 if voters > 3 => format!("{}group.1=0:1\ngroup.2=2\ngroup.3={}\n", majority_of(voters, 0), {
                (3..voters).map(|id| id.to_string()).collect::<Vec<_>>().join(":")
            }),
            _ => majority_of(voters, seed as usize % 3),
        };
        let mut world = World::new(seed, &config, loss_percent);
        let ids: Vec<ServerId> = world.servers.keys().copied().collect();
        for id in &ids {
            world.start(*id);
            let pause = Millis(world.rng.random_range(0..500));
            world.run(world.now + pause);
        }
        while world.now < HEALED_AT {
            let pause = Millis(world.rng.random_range(0..3_000));
            world.run(world.now + pause);
            if world.rng.random_range(0..3) == 0 {
                let id = ids[world.rng.random_range(0..ids.len())];
                world.restart(id);
                restarted += 1;
            }
            world.give_up_lost_causes();
        }
        // Some die for good, but a quorum lives.
        for id in &ids {
            world.servers.get_mut(id).unwrap().alive = world.rng.random_range(0..4) > 0;
        }
        let alive = |world: &World| {
            world.servers.iter().filter(|(_, server)| server.alive).map(|(id, _)| *id).collect()
        };
        for id in &ids {
            if !world.members.have_quorums(&alive(&world)) {
                world.servers.get_mut(id).unwrap().alive = true;
            }
        }
        let deadline = world.now + Millis(2_000) + BOUND;
        while world.agreed_leader().is_none() {
            assert!(world.now < deadline, "seed {seed}: no leader");
            world.give_up_lost_causes();
            world.run(world.now + Millis(500));
        }
        lost += world.lost;
        elected += world.elected;
    }
    assert!(
        lost > 10_000 && restarted > 2_000 && elected > 10_000,
        "{lost} lost, {restarted} restarts, {elected} ends"
    );
}

#[test]
fn a_late_server_follows_the_settled_leader_though_its_own_vote_is_better() {
    let mut world = World::new(7, &majority_of(3, 1), 0);
    world.now = HEALED_AT;
    let late = ServerId(0);
    world.servers.get_mut(&late).unwrap().candidacy = Candidacy { zxid: Zxid(9 << 32), current_epoch: 9 };
    [1, 2, 3].into_iter().for_each(|id| world.start(ServerId(id)));
    world.servers.get_mut(&late).unwrap().alive = false;
    world.run(world.now + Millis(1_000));
    let leader = world.servers[&ServerId(1)].election.current_vote().leader;
    world.servers.get_mut(&late).unwrap().alive = true;
    world.start(late);
    world.run(world.now + Millis(1_000));
    assert_eq!(world.agreed_leader(), leader);
    assert_eq!(world.servers[&ServerId(3)].election.state(), PeerState::Observing);
}

#[test]
fn who_begins_to_look_last_is_not_waited_for_longer_than_its_messages_take() {
    let mut elected = 0;
    for seed in 0..300 {
        let voters = 3 + seed as usize % 4;
        let mut world = World::new(seed, &majority_of(voters, 0), 0);
        world.now = HEALED_AT;
        // All were settled, and a bare quorum is left.
        for server in world.servers.values_mut().take((voters - 1) / 2) {
            server.alive = false;
        }
        let mut living: Vec<ServerId> =
            world.servers.iter().filter(|(_, server)| server.alive).map(|(id, _)| *id).collect();
        living.shuffle(&mut world.rng);
        for id in living {
            let later = Millis(world.rng.random_range(0..150));
            world.run(world.now + later);
            world.start(id);
        }
        assert!(world.agreed_leader().is_none());
        // It is heard, hears the others, and says whom it supports.
        world.run(world.now + TIMES.finalize_wait + Millis(3 * 20));
        assert!(world.agreed_leader().is_some(), "seed {seed}");
        elected += world.elected;
    }
    assert!(elected > 800, "{elected} ends");
}

#[test]
fn a_leader_is_believed_in_only_by_its_own_word() {
    let mut world = World::new(7, &majority_of(5, 0), 0);
    world.now = HEALED_AT;
    let (late, leader) = (ServerId(0), ServerId(4));
    world.servers.values_mut().for_each(|server| server.alive = false);
    world.start(late);
    let word = |state| Notification {
        state,
        leader: i64::from(leader.0),
        zxid: Zxid(7),
        election_epoch: 9,
        peer_epoch: 1,
        version: 2,
        config: Default::default(),
    };
    let mut hear = |from, state| {
        world.act(late, |server, now, members, out| {
            server.election.receive(now, from, &word(state), members, out);
        });
        world.servers[&late].election.state()
    };
    for follower in [1, 2, 3] {
        assert_eq!(hear(ServerId(follower), PeerState::Following), PeerState::Looking, "it may be dead");
    }
    assert_eq!(hear(leader, PeerState::Leading), PeerState::Following);
}

#[test]
fn a_leader_nobody_could_reach_is_not_proposed_again_for_a_while() {
    let mut world = World::new(7, &majority_of(3, 0), 0);
    world.now = HEALED_AT;
    let best = ServerId(0);
    world.servers.get_mut(&best).unwrap().candidacy = Candidacy { zxid: Zxid(9 << 32), current_epoch: 9 };
    (0..3).for_each(|id| world.start(ServerId(id)));
    world.run(world.now + Millis(1_000));
    assert_eq!(world.agreed_leader(), Some(best));
    for id in [1, 2] {
        world.act(ServerId(id), |server, now, _, _| server.election.avoid(now, best, Millis(0)));
        world.start(ServerId(id));
    }
    world.start(best);
    world.run(world.now + Millis(2_000));
    let leader = world.agreed_leader().unwrap();
    assert_ne!(leader, best);
}

#[test]
fn a_server_whose_data_is_missing_neither_elects_nor_is_elected() {
    let mut world = World::new(7, &majority_of(3, 0), 0);
    world.now = HEALED_AT;
    world.servers.get_mut(&ServerId(2)).unwrap().candidacy = Candidacy { zxid: Zxid(-1), current_epoch: 9 };
    [0, 2].into_iter().for_each(|id| world.start(ServerId(id)));
    world.run(world.now + Millis(20_000));
    assert_eq!(world.elected, 0, "one of three with data is no quorum");
    world.start(ServerId(1));
    world.run(world.now + Millis(5_000));
    assert!(world.agreed_leader().is_some_and(|leader| leader != ServerId(2)), "it follows the others");
}

#[test]
fn an_election_that_lasts_is_told_of_with_whom_the_others_name() {
    let mut world = World::new(7, &majority_of(3, 0), 0);
    world.now = HEALED_AT;
    let (lonely, other, dead) = (ServerId(0), ServerId(1), ServerId(2));
    for id in [other, dead] {
        world.servers.get_mut(&id).unwrap().alive = false;
    }
    world.start(lonely);
    world.run(HEALED_AT + Millis(4_999));
    assert_eq!(world.told, []);
    // A leader that this server's configuration does not know is no use, and worth a word.
    let stranger = ServerId(77);
    let word = Notification {
        state: PeerState::Following,
        leader: 77,
        zxid: Zxid(7),
        election_epoch: 9,
        peer_epoch: 1,
        version: 2,
        config: Default::default(),
    };
    world.act(lonely, |server, now, members, out| server.election.receive(now, other, &word, members, out));
    world.run(HEALED_AT + Millis(60_000));
    assert!((10..40).contains(&world.told.len()), "{} times in a minute", world.told.len());
    for told in &world.told {
        assert_eq!(*told, (vec![(other, Some(stranger))], vec![dead]));
    }
    assert_eq!(world.elected, 0);
}

#[test]
fn rounds_begin_anew_behind_the_last_number() {
    let mut world = World::new(7, &majority_of(3, 0), 0);
    world.now = HEALED_AT;
    let ids: Vec<ServerId> = world.servers.keys().copied().collect();
    ids.iter().for_each(|id| world.start(*id));
    // Whoever says so: nobody is asked who he is.
    let forged = Notification {
        state: PeerState::Looking,
        leader: 0,
        zxid: Zxid(0),
        election_epoch: i64::MAX,
        peer_epoch: 0,
        version: 2,
        config: Default::default(),
    };
    world.act(ids[1], |server, now, members, out| {
        server.election.receive(now, ids[2], &forged, members, out);
    });
    world.run(world.now + BOUND);
    assert!(world.agreed_leader().is_some());
    assert!(world.servers.values().all(|server| server.election.round() == Round(i64::MAX)));
    // In whatever order they look again, and though one of them has forgotten the round.
    world.restart(ids[0]);
    world.start(ids[1]);
    world.run(world.now + Millis(300));
    world.start(ids[2]);
    world.run(world.now + BOUND);
    assert!(world.agreed_leader().is_some());
    ids.iter().for_each(|id| world.start(*id));
    world.run(world.now + BOUND);
    assert!(world.agreed_leader().is_some());
}
