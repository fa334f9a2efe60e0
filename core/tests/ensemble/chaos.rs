//! Random falls, cuts and hangs under a random load: what was acknowledged is there in the end, everywhere, and no two servers ever
//! show different trees at one zxid.

use crate::support::{create_as, get, set};
use crate::world::{World, voters};
use quorate_core::jute::CreateFlag;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::{SessionId, Zxid};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

const SEEDS: Range<u64> = 0..150;
const STEPS: u32 = 120;

struct Chaos {
    world: World,
    rng: ChaCha8Rng,
    voters: usize,
    /// What the trees looked like, by zxid.
    digests: BTreeMap<Zxid, u64>,
    acknowledged: Vec<String>,
    /// Clients, with how much of what they heard was looked at.
    clients: Vec<(usize, usize)>,
    falls: u32,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = if rng.random_bool(0.5) { 3 } else { 5 };
        let mut roles = voters(count);
        if rng.random_bool(0.3) {
            roles.push(Role::Observer);
        }
        let mut world = World::new(&roles);
        world.piece = if rng.random_bool(0.2) { rng.random_range(1..40) } else { 0 };
        (0..roles.len()).for_each(|at| world.start(at));
        Chaos {
            world,
            rng,
            voters: count,
            digests: BTreeMap::new(),
            acknowledged: Vec::new(),
            clients: Vec::new(),
            falls: 0,
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.world.now + ms * 1_000_000;
        while self.world.now < end {
            self.world.run(5);
            self.compare();
        }
        for (client, seen) in &mut self.clients {
            let heard = &self.world.clients[*client].heard;
            let created = heard[*seen..].iter().filter(|word| word.starts_with("/s"));
            self.acknowledged.extend(created.cloned());
            *seen = heard.len();
        }
    }

    fn compare(&mut self) {
        for server in &self.world.servers {
            let Some(status) = server.status().filter(|status| status.is_serving()) else { continue };
            let digest = status.database().tree.digest();
            let known = self.digests.entry(status.last_zxid()).or_insert(digest);
            assert_eq!(*known, digest, "two trees at {}\n{}", status.last_zxid(), self.world.story());
        }
    }

    fn step(&mut self) {
        let servers = self.world.servers.len();
        let at = self.rng.random_range(0..servers);
        let runs = self.world.servers[at].peer.is_some();
        match self.rng.random_range(0..100) {
            0..6 if runs => {
                self.world.crash(at);
                self.falls += 1;
            }
            0..20 if !runs => self.world.start(at),
            20..24 => self.world.isolate(at),
            24..28 => self.world.cut(at, self.rng.random_range(0..servers)),
            28..36 => self.world.heal(),
            36..38 => self.world.servers[at].disk_hangs = true,
            38..44 => (0..servers).for_each(|at| self.world.mend_disk(at)),
            44..46 => self.world.mute = Some(at),
            46..49 => self.world.heal(),
            49..50 => {
                (0..servers).for_each(|at| self.world.crash(at));
                self.falls += 1;
            }
            50..62 if runs => {
                let old = self.clients.last().map(|(client, _)| self.world.clients[*client].session);
                let session = old.filter(|_| self.rng.random_bool(0.5)).unwrap_or(SessionId::NONE);
                let client = self.world.connect(at, session);
                self.clients.push((client, 0));
            }
            _ => self.ask(),
        }
        let ms = if self.rng.random_bool(0.1) { 1500 } else { self.rng.random_range(0..40) };
        self.pass(ms);
    }

    fn ask(&mut self) {
        let ready = |client: &&(usize, usize)| {
            let client = &self.world.clients[client.0];
            !client.is_closed && !client.heard.is_empty()
        };
        let open: Vec<usize> = self.clients.iter().filter(ready).map(|(client, _)| *client).collect();
        if open.is_empty() {
            return;
        }
        for _ in 0..self.rng.random_range(1..6) {
            let client = open[self.rng.random_range(0..open.len())];
            if self.world.clients[client].is_closed {
                continue;
            }
            let request = match self.rng.random_range(0..10) {
                0..6 => create_as("/s-", CreateFlag::PersistentSequential),
                6 => create_as("/e-", CreateFlag::EphemeralSequential),
                7 => set("/", "x"),
                _ => get("/"),
            };
            self.world.ask(client, request);
        }
    }

    fn finish(&mut self) {
        self.world.heal();
        for at in 0..self.world.servers.len() {
            self.world.mend_disk(at);
            if self.world.servers[at].peer.is_none() {
                self.world.start(at);
            }
        }
        self.world.until("everybody serves", |world| world.servers.iter().all(|server| server.is_serving()));
        self.pass(200);
        self.world.agree();
        let tree = &self.world.servers[0].status().expect("it runs").database().tree;
        for path in &self.acknowledged {
            assert!(tree.node(path).is_some(), "{path} was acknowledged and is gone\n{}", self.world.story());
        }
    }
}

#[test]
fn what_was_acknowledged_is_there_whatever_happens() {
    let (mut acknowledged, mut falls) = (0, 0);
    for seed in SEEDS {
        eprintln!("seed {seed}");
        let mut chaos = Chaos::new(seed);
        (0..STEPS).for_each(|_| chaos.step());
        chaos.finish();
        assert!(chaos.world.servers.len() >= chaos.voters);
        acknowledged += chaos.acknowledged.len();
        falls += chaos.falls;
    }
    assert!(acknowledged > 3_000, "only {acknowledged} writes were acknowledged");
    assert!(falls > 300, "only {falls} servers fell");
}
