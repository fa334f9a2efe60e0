//! A client that is the core's session machine, under an application that hands over requests, and asks for a new session
//! where one is over.
//!
//! What it wants done comes out as [`Doing`]s; its entropy is the chooser's.

use super::encode::{Memory, is_write, path_of};
use super::scripted::HANDSHAKE_NS;
use crate::checkers::client_session::ClientSessionRules;
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::session_view::SessionView;
use crate::checkers::{Verdict, Violation};
use crate::chooser::{Choice, Chooser, Key};
use crate::counters::Counters;
use crate::plan::{ClientPlan, Operation};
use bytes::Bytes;
use quorate_core::client::{
    Attempt, Chroot, ClientError, ClientInput, ClientOptions, ClientOutbox, ClientOutput, ClientSession,
    ConnectString, Host, RequestId,
};
use quorate_core::jute::{AuthPacket, Request, Response};
use quorate_core::vocabulary::{ConnId, Entropy, ErrorCode, Millis, Mono, ServerId, Zxid};
use std::collections::BTreeMap;

/// Servers' names, before their numbers; from the last server on they begin anew.
const NAME: &str = "server";

/// What the machine wants of the world.
#[derive(Debug)]
pub(super) enum Doing {
    Connect(Attempt, usize),
    Send(Bytes),
    Leave,
}

/// What an answer means, and how old it may be.
#[derive(Debug)]
struct Asked {
    path: Option<String>,
    is_write: bool,
    is_sync: bool,
    floor: Zxid,
    /// How much was committed then.
    committed: Zxid,
    at: u64,
}

/// What the world shares with a machine for one input.
pub(super) struct Around<'a> {
    pub(super) now: u64,
    pub(super) real_time: &'a mut RealTime,
    pub(super) counters: &'a mut Counters,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) index: usize,
    servers: usize,
    plan: ClientPlan,
    session: ClientSession,
    outbox: ClientOutbox,
    rules: ClientSessionRules,
    view: SessionView,
    /// How many sessions there were, and how many connections were lost.
    sessions: u64,
    losses: u64,
    attempt: Option<Attempt>,
    conn: Option<ConnId>,
    requests: u64,
    asked: BTreeMap<RequestId, Asked>,
    memory: Memory,
    last_answer: u64,
}

impl Machine {
    pub(super) fn new((index, servers): (usize, usize), plan: ClientPlan, chooser: &mut dyn Chooser) -> Self {
        let mut machine = Machine {
            index,
            session: session((index, servers), 0, 0, &plan, chooser),
            servers,
            plan,
            outbox: ClientOutbox::new(),
            rules: ClientSessionRules::new(),
            view: SessionView::default(),
            sessions: 0,
            losses: 0,
            attempt: None,
            conn: None,
            requests: 0,
            asked: BTreeMap::new(),
            memory: Memory::default(),
            last_answer: 0,
        };
        machine.present_user(0);
        machine
    }

    pub(super) fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// The connection that it asked for is this one.
    pub(super) fn has_conn(&mut self, conn: ConnId) {
        self.conn = Some(conn);
    }

    pub(super) fn last_answered(&self) -> u64 {
        self.last_answer
    }

    pub(super) fn waits_since(&self) -> u64 {
        self.asked.first_key_value().map_or(u64::MAX / 2, |(_, asked)| asked.at)
    }

    pub(super) fn next_timer(&self) -> u64 {
        self.session.next_timeout().map_or(u64::MAX, |due| due.0)
    }

    pub(super) fn state(&self) -> String {
        format!("{:?} in session {:?}", self.session.state(), self.session.session())
    }

    /// What the loss of the connection is to it, if it has one.
    pub(super) fn loses(&mut self) -> Option<ClientInput> {
        self.conn = None;
        self.losses += 1;
        self.attempt.map(ClientInput::ConnectionLost)
    }

    /// What the session has seen has never been.
    pub(super) fn forget_view(&mut self) {
        self.view = SessionView::default();
    }

    /// Whether the application gives the session up, its connection just lost.
    pub(super) fn gives_up(&self, chooser: &mut dyn Chooser) -> bool {
        let key = Key(self.index as u64, self.losses, 1);
        !chooser.chance(Choice::Client, key, self.plan.keeps_session_permille)
    }

    /// The input of bytes.
    pub(super) fn heard(&self, bytes: Bytes) -> Option<ClientInput> {
        self.attempt.map(|attempt| ClientInput::Bytes(attempt, bytes))
    }

    /// The input of an operation; what is no request has none.
    pub(super) fn input_of(&mut self, operation: &Operation) -> Option<ClientInput> {
        self.requests += 1;
        let id = RequestId(self.requests);
        Some(match self.memory.request(operation)? {
            Request::CloseSession => ClientInput::Close,
            Request::Auth(packet) => ClientInput::AddAuth(id, packet),
            request => ClientInput::Submit(id, request),
        })
    }

    /// Hands one input to the machine; the checker sees what goes in and what comes out.
    pub(super) fn handle(
        &mut self,
        input: ClientInput,
        around: &mut Around<'_>,
    ) -> Result<Vec<Doing>, Violation> {
        let now = around.now;
        let mut lost = matches!(input, ClientInput::ConnectionLost(_));
        self.note_input(&input, around)?;
        let mut outbox = std::mem::take(&mut self.outbox);
        self.session.handle(Mono(now), input, &mut outbox);
        let mut doings = Vec::new();
        for output in outbox.drain() {
            match output {
                ClientOutput::Connect(attempt, host) => {
                    self.attempt = Some(attempt);
                    self.rules.connects();
                    let name = host.name.strip_prefix(NAME).and_then(|number| number.parse().ok());
                    doings.push(Doing::Connect(attempt, name.unwrap_or(0)));
                }
                ClientOutput::Send(_, bytes) => {
                    self.rules.says(&bytes)?;
                    doings.push(Doing::Send(bytes));
                }
                ClientOutput::Disconnect(_) => {
                    lost = true;
                    doings.push(Doing::Leave);
                }
                ClientOutput::Completed { id, zxid, result } => {
                    self.rules.completed(id, zxid, &result)?;
                    self.completed(id, zxid, &result, around)?;
                }
                ClientOutput::Event(event, zxid) => {
                    around.counters.probe("machine_watch_event");
                    self.rules.event(&event, zxid)?;
                }
                ClientOutput::StateChanged(state) => self.rules.told(now, state, around.counters)?,
            }
        }
        self.outbox = outbox;
        self.rules.handled(lost, around.counters)?;
        if lost {
            (self.attempt, self.conn) = (None, None);
        }
        Ok(doings)
    }

    fn note_input(&mut self, input: &ClientInput, around: &mut Around<'_>) -> Verdict {
        match input {
            ClientInput::Bytes(_, bytes) => {
                self.last_answer = around.now;
                self.rules.hears(around.now, bytes, around.counters)?;
            }
            ClientInput::Submit(id, request) => {
                self.rules.asked(*id);
                self.note_asked(*id, request, around);
            }
            ClientInput::AddAuth(id, packet) => {
                self.rules.presented(*id);
                self.note_asked(*id, &Request::Auth(packet.clone()), around);
            }
            _ => {}
        }
        Ok(())
    }

    fn note_asked(&mut self, id: RequestId, request: &Request, around: &Around<'_>) {
        let (path, is_write) = (path_of(request), is_write(request));
        let (floor, committed) = (around.real_time.floor(), around.real_time.committed);
        let (is_sync, at) = (matches!(request, Request::Sync { .. }), around.now);
        self.asked.insert(id, Asked { path, is_write, is_sync, floor, committed, at });
    }

    fn completed(
        &mut self,
        id: RequestId,
        zxid: Option<Zxid>,
        result: &Result<Response, ClientError>,
        around: &mut Around<'_>,
    ) -> Verdict {
        let Some(asked) = self.asked.remove(&id) else { return Ok(()) };
        if let Some(zxid) = zxid {
            let has_txn = !matches!(
                result,
                Err(ClientError::Refused(ErrorCode::MarshallingError | ErrorCode::QuotaExceeded))
            );
            around.real_time.answered(asked.is_write && has_txn, asked.floor, zxid)?;
            if asked.is_sync && result.is_ok() {
                self.view.synced(asked.committed);
            }
            self.view.answered(zxid)?;
        }
        if let (Some(path), Ok(response)) = (&asked.path, result) {
            self.memory.learn(path, response);
        }
        Ok(())
    }

    /// Asks for a new session, after a while, when the last one is over.
    pub(super) fn renew_when_over(&mut self, now: u64, chooser: &mut dyn Chooser) {
        if !self.rules.is_over() {
            return;
        }
        self.sessions += 1;
        let wait = chooser.pick(Choice::Client, Key(self.index as u64, self.sessions, 4), 1_000_000_000);
        self.session = session((self.index, self.servers), self.sessions, now + wait, &self.plan, chooser);
        self.rules = ClientSessionRules::new();
        self.view = SessionView::default();
        self.attempt = None;
        self.present_user(now);
    }

    /// The identity of the plan; it goes out with the first connection.
    fn present_user(&mut self, now: u64) {
        let Some(user) = self.plan.user.clone() else { return };
        self.requests += 1;
        let id = RequestId(self.requests);
        let packet =
            AuthPacket { kind: 0, scheme: Some("digest".to_string()), auth: Some(Bytes::from(user)) };
        self.rules.presented(id);
        self.session.handle(Mono(now), ClientInput::AddAuth(id, packet), &mut ClientOutbox::new());
    }
}

/// The session number `count` of a client, to be asked for at `at`.
fn session(
    (index, servers): (usize, usize),
    count: u64,
    at: u64,
    plan: &ClientPlan,
    chooser: &mut dyn Chooser,
) -> ClientSession {
    // The servers have so many names that an attempt to reach one under one of them takes no longer than a script's.
    let names = (plan.timeout_ms * 1_000_000 / HANDSHAKE_NS + 1).next_multiple_of(servers as u64);
    let hosts = (0..names).map(|name| Host { name: format!("{NAME}{name}"), port: 2181 });
    let connect = ConnectString { hosts: hosts.collect(), chroot: Chroot::default() };
    let mut options = ClientOptions::new(connect, Millis(plan.timeout_ms));
    options.max_frame = i32::MAX as u32;
    let seed = chooser.pick(Choice::Client, Key(index as u64, count, 3), u64::MAX);
    ClientSession::new(options, Entropy::new(seed, ServerId(0), count), Mono(at))
}
