//! The rounds: what goes wrong in each, and what must go on meanwhile.
//!
//! A round begins and ends with every server serving. While a quorum has each other, writes must succeed; a deposed leader must answer
//! no sync.

use crate::ensemble::{Ensemble, Wire};
use crate::load::{Load, shared};
use crate::process::poll_until;
use crate::recorder::{Attached, Connection, Recorder, SessionState};
use crate::support::Dice;
use quorate_core::jute::Request;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longer than syncLimit allows.
const TOO_LONG: Duration = Duration::from_millis(1_300);
/// Until a leader that the others can't follow is left out by a quorum of them: it is given up, elected once more, and tried for initLimit;
/// and as much again for those who tried it later than others.
const LEFT_OUT: Duration = Duration::from_millis(2 * (1_000 + 2_400 + 1_000));
/// What servers logged in a round that takes longer than this is worth a look.
const SLOW: Duration = Duration::from_secs(4);
/// Writes that are enough to say that it goes on.
const GOES_ON: u64 = 20;

/// What goes wrong in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// kill -9.
    KillFollower,
    KillLeader,
    KillAll,
    /// SIGSTOP, for longer than the others wait; then SIGCONT.
    StopFollower,
    StopLeader,
    /// The leader is stopped behind a cut, with nothing under way: when it wakes up it can't know yet that others have deposed it.
    StopIsolatedLeader,
    /// The leader hears nobody, and nobody hears it.
    IsolateLeader,
    /// The leader hears all, and nobody hears it.
    MuteLeader,
    /// It is heard, and hears nobody.
    DeafenLeader,
    /// The leader is cut off at the quorum port alone.
    CutQuorumPort,
    /// Nobody reaches anybody at the election port when the leader is killed, for a while.
    CutElectionPort,
    /// The leader is among the few.
    Split,
    /// Less than anybody waits for.
    Hiccup,
    /// Clients and a server don't reach each other.
    CutClients,
    /// SIGTERM for all, at once.
    RestartAll,
    /// What had been synced is what is left.
    PowerFollower,
    PowerLeader,
    PowerAll,
}

impl Fault {
    /// Every kind, some of them more than once: the rounds of a run, over and over.
    pub(crate) const SCHEDULE: [Fault; 20] = [
        Fault::KillLeader,
        Fault::PowerAll,
        Fault::StopLeader,
        Fault::MuteLeader,
        Fault::StopIsolatedLeader,
        Fault::PowerLeader,
        Fault::RestartAll,
        Fault::IsolateLeader,
        Fault::KillFollower,
        Fault::KillAll,
        Fault::PowerAll,
        Fault::Split,
        Fault::StopFollower,
        Fault::PowerFollower,
        Fault::CutQuorumPort,
        Fault::CutElectionPort,
        Fault::DeafenLeader,
        Fault::CutClients,
        Fault::PowerAll,
        Fault::Hiccup,
    ];
}

impl Fault {
    /// The one that is cut off may have the best vote, is heard in elections, and accepts who wants to follow it: others lead when a quorum
    /// has tried that and leaves it out.
    pub(crate) fn may_keep_all_waiting(self) -> bool {
        matches!(self, Fault::CutQuorumPort | Fault::DeafenLeader)
    }
}

/// What is counted beside what the recording counts.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) by_fault: BTreeMap<Fault, u64>,
    /// Rounds behind which another server led.
    pub(crate) new_leaders: u64,
    /// Rounds in which nobody else led by when the one that was cut off should be left out.
    pub(crate) without_another_leader: u64,
    /// Connections on which a cut held something.
    pub(crate) held: u64,
    /// Syncs that were asked of a leader that others had deposed, or might have.
    pub(crate) syncs_of_deposed: u64,
}

/// The rounds of one ensemble.
pub(crate) struct Rig {
    pub(crate) ensemble: Ensemble,
    load: Load,
    recorder: Recorder,
    dice: Dice,
    pub(crate) rounds: Rounds,
    /// A session that has seen nothing lately.
    prober: SessionState,
}

impl Rig {
    pub(crate) fn start(servers: usize, clients: u64, seed: u64) -> Self {
        let ensemble = Ensemble::start(servers);
        let recorder = Recorder::new();
        prepare(&recorder, ensemble.address(0));
        let load = Load::start(clients, recorder.clone(), ensemble.addresses());
        let prober = SessionState::new(30_000);
        let (dice, rounds) = (Dice(seed), Rounds::default());
        Rig { ensemble, load, recorder, dice, rounds, prober }
    }

    pub(crate) fn round(&mut self, fault: Fault) {
        let leader = self.ensemble.wait_for_all();
        self.goes_on("writes succeed before the round");
        self.probe_early(leader);
        let begin = Instant::now();
        self.inflict(fault, leader);
        let now = self.ensemble.wait_for_all();
        self.goes_on("writes succeed behind the round");
        self.ensemble.take_in_logs();
        *self.rounds.by_fault.entry(fault).or_default() += 1;
        self.rounds.new_leaders += u64::from(now != leader);
        println!(
            "{fault:?}: server {} led, server {} leads, {} ms, {} writes so far",
            leader + 1,
            now + 1,
            begin.elapsed().as_millis(),
            self.load.acknowledged()
        );
        if begin.elapsed() > SLOW {
            self.ensemble.print_logs();
        }
    }

    /// Ends the load; what was recorded is the recorder's.
    pub(crate) fn end(self) -> (Ensemble, Recorder, Rounds) {
        self.load.stop();
        self.ensemble.wait_for_all();
        (self.ensemble, self.recorder, self.rounds)
    }

    fn goes_on(&self, what: &str) {
        let before = self.load.acknowledged();
        poll_until(what, || self.load.acknowledged() >= before + GOES_ON);
    }

    /// Any but this one.
    fn other(&mut self, than: usize) -> usize {
        let others = self.ensemble.count() as u64 - 1;
        (than + 1 + self.dice.below(others) as usize) % self.ensemble.count()
    }

    /// All together, or one after the other.
    fn a_moment(&mut self) {
        let ms = if self.dice.once_in(2) { 0 } else { self.dice.below(250) };
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn inflict(&mut self, fault: Fault, leader: usize) {
        let all = 0..self.ensemble.count();
        match fault {
            Fault::KillFollower => self.lose(leader, false, Ensemble::kill),
            Fault::KillLeader => self.lose(leader, true, Ensemble::kill),
            Fault::PowerFollower | Fault::PowerLeader => {
                let is_torn = self.dice.once_in(2);
                let cut = |ensemble: &mut Ensemble, server| ensemble.cut_power(&[server], is_torn);
                self.lose(leader, fault == Fault::PowerLeader, cut);
            }
            Fault::KillAll => self.lose_all(Ensemble::kill),
            Fault::RestartAll => self.lose_all(Ensemble::stop),
            Fault::PowerAll => {
                let everyone: Vec<usize> = all.collect();
                self.ensemble.cut_power(&everyone, self.dice.once_in(2));
                self.launch_all(&everyone);
            }
            Fault::StopFollower => {
                let stopped = self.other(leader);
                self.ensemble.server(stopped).signal(Signal::STOP);
                std::thread::sleep(TOO_LONG);
                self.goes_on("writes succeed without a follower that is stopped");
                self.ensemble.server(stopped).signal(Signal::CONT);
            }
            Fault::StopLeader => self.stop_leader(leader),
            Fault::StopIsolatedLeader => {
                self.load.pause();
                self.ensemble.cut(|from, to, _| from == leader || to == leader);
                // What others ask of it would be proposed before the sync, which then waits for that.
                self.ensemble.client_wire(leader).cut(true, true);
                self.stop_leader(leader);
                self.heal();
            }
            Fault::IsolateLeader => {
                self.cut_leader(fault, leader, |from, to, _| from == leader || to == leader)
            }
            Fault::MuteLeader => self.cut_leader(fault, leader, |from, _, _| from == leader),
            Fault::DeafenLeader => self.cut_leader(fault, leader, |_, to, _| to == leader),
            Fault::CutQuorumPort => self.cut_leader(fault, leader, |from, to, wire| {
                wire == Wire::Quorum && (from == leader || to == leader)
            }),
            Fault::CutElectionPort => {
                self.ensemble.cut(|_, _, wire| wire == Wire::Election);
                self.ensemble.kill(leader);
                std::thread::sleep(TOO_LONG);
                self.heal();
                self.goes_on("writes succeed when servers can vote again");
                self.ensemble.launch(leader);
            }
            Fault::Split => {
                let count = self.ensemble.count();
                let friend = if count > 3 { self.other(leader) } else { leader };
                let is_few = |server| server == leader || server == friend;
                self.cut_leader(fault, leader, |from, to, _| is_few(from) != is_few(to));
            }
            Fault::Hiccup => {
                let one = self.dice.below(all.len() as u64) as usize;
                self.ensemble.cut(|from, to, _| from == one || to == one);
                std::thread::sleep(TOO_LONG / 4);
                self.heal();
            }
            Fault::CutClients => {
                let one = self.dice.below(all.len() as u64) as usize;
                self.ensemble.client_wire(one).cut(true, self.dice.once_in(2));
                std::thread::sleep(TOO_LONG);
                self.goes_on("writes succeed at the other servers");
                self.heal();
            }
        }
    }

    fn heal(&mut self) {
        let ends = self.dice.once_in(2);
        self.rounds.held += self.ensemble.heal(ends);
    }

    /// One server, of which the others are rid before it comes back, or are not.
    fn lose(&mut self, leader: usize, is_leader: bool, how: impl Fn(&mut Ensemble, usize)) {
        let lost = if is_leader { leader } else { self.other(leader) };
        how(&mut self.ensemble, lost);
        if self.dice.once_in(2) {
            self.goes_on("writes succeed without the one that is lost");
        }
        self.ensemble.launch(lost);
    }

    fn lose_all(&mut self, how: impl Fn(&mut Ensemble, usize)) {
        let first = self.dice.below(self.ensemble.count() as u64) as usize;
        let order: Vec<usize> =
            (0..self.ensemble.count()).map(|at| (first + at) % self.ensemble.count()).collect();
        for server in &order {
            how(&mut self.ensemble, *server);
            self.a_moment();
        }
        self.launch_all(&order);
    }

    fn launch_all(&mut self, order: &[usize]) {
        for server in order {
            self.ensemble.launch(*server);
            self.a_moment();
        }
    }

    /// The prober's session is used, at another server than the leader, and then let be.
    fn probe_early(&mut self, leader: usize) {
        let server = self.other(leader);
        if let Some(mut connection) = self.attach_prober(server) {
            self.ask_for_what_is_newest(&mut connection);
        }
    }

    /// sync, and what stands then; false when there is no answer.
    fn ask_for_what_is_newest(&mut self, connection: &mut Connection) -> bool {
        self.say_for_what_is_newest(connection) && self.hear_what_is_newest(connection)
    }

    fn say_for_what_is_newest(&mut self, connection: &mut Connection) -> bool {
        let sync = Request::Sync { path: Some("/".to_owned()) };
        connection.say(&mut self.prober, &[sync, Request::GetData { path: shared(0), watch: false }])
    }

    fn hear_what_is_newest(&mut self, connection: &mut Connection) -> bool {
        (0..2).all(|_| connection.hear(&mut self.prober).is_some())
    }

    /// The leader sleeps until it is deposed; what it is asked meanwhile it finds when it wakes up.
    fn stop_leader(&mut self, leader: usize) {
        let mut probed = self.attach_prober(leader);
        self.ensemble.server(leader).signal(Signal::STOP);
        self.load.resume();
        poll_until("another leads", || self.ensemble_leader_but(leader).is_some());
        self.goes_on("writes succeed under another leader");
        let is_asked = probed.as_mut().is_some_and(|connection| self.say_for_what_is_newest(connection));
        self.rounds.syncs_of_deposed += u64::from(is_asked);
        self.ensemble.server(leader).signal(Signal::CONT);
        if let Some(connection) = &mut probed {
            self.hear_what_is_newest(connection);
        }
    }

    fn ensemble_leader_but(&self, stopped: usize) -> Option<usize> {
        self.ensemble.leader(|server| server != stopped)
    }

    /// Others lead on; the one that is cut off is asked for what is newest as long as it listens.
    fn cut_leader(&mut self, fault: Fault, leader: usize, is_cut: impl Fn(usize, usize, Wire) -> bool) {
        let mut probed = self.attach_prober(leader);
        self.ensemble.cut(is_cut);
        let begin = Instant::now();
        let mut another_leads = false;
        while !another_leads || begin.elapsed() < TOO_LONG {
            if fault.may_keep_all_waiting() && begin.elapsed() > LEFT_OUT {
                self.rounds.without_another_leader += 1;
                break;
            }
            assert!(begin.elapsed() < crate::process::DEADLINE, "no other leader is found");
            self.rounds.syncs_of_deposed += u64::from(probed.is_some());
            let mut answers = |connection: &mut Connection| self.ask_for_what_is_newest(connection);
            if !probed.as_mut().is_some_and(&mut answers) {
                probed = self.attach_prober(leader);
            }
            if !another_leads && self.ensemble_leader_but(leader).is_some() {
                self.goes_on("writes succeed under another leader");
                another_leads = true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.heal();
    }

    fn attach_prober(&mut self, server: usize) -> Option<Connection> {
        let to = (server, self.ensemble.address(server));
        match Connection::attach(&self.recorder, to, &mut self.prober) {
            Attached::Yes(connection) => Some(*connection),
            Attached::Expired | Attached::No => None,
        }
    }
}

/// The nodes of the load.
fn prepare(recorder: &Recorder, address: SocketAddr) {
    let mut session = SessionState::new(5_000);
    let Attached::Yes(mut connection) = Connection::attach(recorder, (0, address), &mut session) else {
        panic!("a new ensemble takes no session")
    };
    let mut requests: Vec<Request> = (0..crate::load::SHARED).filter_map(shared).map(persistent).collect();
    requests.extend(["/sequence", "/ephemerals", "/own"].map(|path| persistent(path.to_owned())));
    requests.push(Request::CloseSession);
    assert!(connection.say(&mut session, &requests));
    for _ in &requests {
        let (header, _) = connection.hear(&mut session).expect("a reply");
        assert_eq!(header.err, 0);
    }
}

fn persistent(path: String) -> Request {
    Request::Create(crate::load::create(path, 0))
}
