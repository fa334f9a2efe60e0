//! Small histories by dice: a few clients of servers that are each as far as they are, executed by the reference model; and in most
//! of them the servers do one thing wrong. The zxids are honest: they say when it was done.

use super::{connection, create, delete, exists, get, reply, set, sync};
use crate::model::{Model, ModelConfig, Place, Who};
use crate::recorded::{RecordedHistory, RecordedRequest};
use bytes::Bytes;
use quorate_core::jute::{MultiOp, Request, Response};
use quorate_core::vocabulary::{ConnId, SessionId, Xid, Zxid};
use std::net::{IpAddr, Ipv4Addr};

/// What the servers do wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    None,
    /// A read shows less than its session has seen.
    StaleRead,
    /// A sync waits for nothing.
    StaleSync,
    /// A write that was answered is forgotten.
    LostWrite,
    /// A read shows other data, or another version.
    WrongRead,
    /// A write is answered with another version, or another error.
    WrongWrite,
    /// A write is done twice.
    Twice,
    /// A write is answered before it is done.
    EarlyAnswer,
    /// A read shows what was asked for and is not done, but refused later.
    DirtyRead,
    /// Nothing is wrong but a zxid that is told.
    LyingWitness,
}

const FAULTS: [Fault; 10] = [
    Fault::None,
    Fault::StaleRead,
    Fault::StaleSync,
    Fault::LostWrite,
    Fault::WrongRead,
    Fault::WrongWrite,
    Fault::Twice,
    Fault::EarlyAnswer,
    Fault::DirtyRead,
    Fault::LyingWitness,
];

/// Where it happens.
const PATHS: [&[&str]; 3] = [&["/a"], &["/a", "/b"], &["/a", "/a/c"]];

/// A small generator of numbers.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    pub(super) fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A history, and what is wrong with it.
pub(super) struct Generated {
    pub(super) history: RecordedHistory,
    pub(super) fault: Fault,
    /// Whether the fault has happened.
    pub(super) has_happened: bool,
    pub(super) paths: usize,
}

/// Where a request stands: its connection, and its place there.
type At = (usize, usize);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Sent, and not executed.
    Waits(At),
    /// Executed; the answer is under way.
    Answered(At),
}

struct Client {
    connection: usize,
    doing: Doing,
    left: usize,
    /// How far its session has seen.
    seen: usize,
    /// It has just synced, and reads next; whether its server is behind all the same.
    has_synced: bool,
    is_behind: bool,
    is_closed: bool,
}

struct World {
    dice: Dice,
    clock: u64,
    /// The tree behind each write.
    models: Vec<Model>,
    clients: Vec<Client>,
    /// Requests that were lost on their way, and may arrive.
    late: Vec<At>,
    /// Answered already, and not done.
    early: Vec<At>,
    /// Shown already, and to be refused.
    refused: Option<At>,
    paths: &'static [&'static str],
    done: Generated,
}

fn who() -> Who {
    Who::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The history of this seed.
pub(super) fn generate(seed: u64) -> Generated {
    let mut dice = Dice(seed);
    let fault = FAULTS[if dice.once_in(4) { 0 } else { dice.below(FAULTS.len()) }];
    let paths = PATHS[dice.below(3)];
    let config = ModelConfig {
        extended_types: false,
        enforce_quota: false,
        super_digest: None,
        container_max_never_used_ms: 0,
    };
    let clients = 2 + dice.below(3);
    let history = RecordedHistory {
        connections: (0..clients).map(|client| connection(client, 0)).collect(),
        ..RecordedHistory::default()
    };
    let client = |connection: usize| Client {
        connection,
        doing: Doing::Nothing,
        left: 3 + dice.below(6),
        seen: 0,
        has_synced: false,
        is_behind: false,
        is_closed: false,
    };
    let clients = (0..clients).map(client).collect();
    let mut world = World {
        clock: 1,
        models: vec![Model::new(config)],
        clients,
        late: Vec::new(),
        early: Vec::new(),
        refused: None,
        paths,
        done: Generated { history, fault, has_happened: false, paths: paths.len() },
        dice,
    };
    while world.step() {}
    world.done
}

impl World {
    /// One thing happens; false when nothing is left to happen.
    fn step(&mut self) -> bool {
        self.clock += 1 + self.dice.below(2) as u64;
        if !self.early.is_empty() && self.dice.once_in(8) {
            let at = self.early.remove(0);
            let answered_at = self.request(at).reply.as_ref().expect("it was answered").at;
            self.execute(at);
            self.request(at).reply.as_mut().expect("it was just executed").at = answered_at;
            return true;
        }
        if !self.late.is_empty() && self.dice.once_in(8) {
            let index = self.dice.below(self.late.len());
            let at = self.late.swap_remove(index);
            self.execute(at);
            self.request(at).reply = None;
            return true;
        }
        let busy = |client: &Client| client.left > 0 || client.doing != Doing::Nothing;
        let busy: Vec<usize> = (0..self.clients.len()).filter(|at| busy(&self.clients[*at])).collect();
        if busy.is_empty() {
            return !self.early.is_empty();
        }
        let number = busy[self.dice.below(busy.len())];
        match self.clients[number].doing {
            Doing::Nothing => self.send(number),
            Doing::Waits(at) if self.dice.once_in(25) => {
                self.late.push(at);
                self.reconnect(number);
            }
            Doing::Waits(at) => self.serve(number, at),
            Doing::Answered(at) if self.dice.once_in(25) => {
                self.request(at).reply = None;
                self.reconnect(number);
            }
            Doing::Answered(at) => {
                let clock = self.clock;
                self.request(at).reply.as_mut().expect("it was executed").at = clock;
                self.clients[number].doing = Doing::Nothing;
            }
        }
        true
    }

    fn request(&mut self, at: At) -> &mut RecordedRequest {
        &mut self.done.history.connections[at.0].requests[at.1]
    }

    fn client_of(&self, at: At) -> usize {
        self.done.history.connections[at.0].handshake.session_id.0 as u8 as usize - 1
    }

    fn reconnect(&mut self, number: usize) {
        self.clients[number].connection = self.done.history.connections.len();
        self.clients[number].doing = Doing::Nothing;
        self.done.history.connections.push(connection(number, self.clock));
    }

    fn send(&mut self, number: usize) {
        let request = self.draw(number);
        let connection = self.clients[number].connection;
        let requests = &mut self.done.history.connections[connection].requests;
        let xid = Xid(requests.len() as i32 + 1);
        requests.push(RecordedRequest { xid, request, sent: self.clock, reply: None });
        let at = (connection, requests.len() - 1);
        let client = &mut self.clients[number];
        client.left -= 1;
        client.doing = Doing::Waits(at);
    }

    fn draw(&mut self, number: usize) -> Request {
        let path = self.paths[self.dice.below(self.paths.len())];
        let data = self.clock.to_string();
        let version = if self.dice.once_in(3) { self.dice.below(3) as i32 } else { -1 };
        if self.clients[number].left == 1 && self.dice.once_in(8) {
            self.clients[number].is_closed = true;
            return Request::CloseSession;
        }
        if std::mem::take(&mut self.clients[number].has_synced) {
            return get(path);
        }
        match self.dice.below(16) {
            0..=2 => create(path, &data, i32::from(self.dice.once_in(4))),
            3 => Request::Delete { path: Some(path.to_owned()), version },
            4 => delete(path),
            5..=8 => set(path, &data, version),
            9..=11 => get(path),
            12 => exists(path),
            13 | 14 => sync(),
            _ => {
                let data = Some(Bytes::copy_from_slice(data.as_bytes()));
                let other = self.paths[self.paths.len() - 1].to_owned();
                let other = match self.dice.below(3) {
                    0 => MultiOp::Delete { path: Some(other), version: -1 },
                    1 => MultiOp::Check { path: Some(other), version: 1 },
                    _ => MultiOp::SetData { path: Some(other), data: data.clone(), version: -1 },
                };
                Request::Multi(vec![MultiOp::SetData { path: Some(path.to_owned()), data, version }, other])
            }
        }
    }

    /// Whether the fault happens here.
    fn fails(&mut self, fault: Fault) -> bool {
        let fails = self.done.fault == fault && !self.done.has_happened && !self.dice.once_in(3);
        self.done.has_happened |= fails;
        fails
    }

    fn serve(&mut self, number: usize, at: At) {
        let is_write = crate::oracle::makes_txn(&self.request(at).request);
        let is_close = self.request(at).request == Request::CloseSession;
        if is_write && !is_close && self.fails(Fault::EarlyAnswer) {
            let (xid, clock) = (self.request(at).xid, self.clock);
            self.request(at).reply = Some(reply(xid, clock, 0, &Err(-101)));
            self.early.push(at);
            self.clients[number].doing = Doing::Nothing;
            return;
        }
        self.execute(at);
        self.clients[number].doing = Doing::Answered(at);
    }

    /// The request is executed, and its reply stands there but for its time.
    fn execute(&mut self, at: At) {
        let (request, xid) = (self.request(at).request.clone(), self.request(at).xid);
        let (zxid, answer) = match request {
            Request::CloseSession => self.close(at),
            ref request if crate::oracle::makes_txn(request) => self.write(at, request),
            Request::Sync { .. } => self.sync(at, &request),
            request => self.read(at, &request),
        };
        let told = 1 << 32 | zxid as i64;
        let lies = self.fails(Fault::LyingWitness);
        let told = if lies { told + self.dice.below(7) as i64 - 3 } else { told };
        let clock = self.clock;
        self.request(at).reply = Some(reply(xid, clock, told, &answer));
    }

    fn newest(&self) -> usize {
        self.models.len() - 1
    }

    fn place<'a>(session: SessionId, who: &'a Who, zxid: usize) -> Place<'a> {
        let zxid = Zxid(1 << 32 | zxid as i64);
        Place { session, who, zxid, time: 0, applied: zxid, no_ephemeral: None }
    }

    fn session(&self, at: At) -> SessionId {
        self.done.history.connections[at.0].handshake.session_id
    }

    fn close(&mut self, at: At) -> (usize, Result<Response, i32>) {
        let mut model = self.models[self.newest()].clone();
        let zxid = self.models.len();
        model.close_session(Zxid(1 << 32 | zxid as i64), self.session(at), None);
        self.models.push(model);
        (zxid, Ok(Response::Empty))
    }

    fn write(&mut self, at: At, request: &Request) -> (usize, Result<Response, i32>) {
        let before = self.models[self.newest()].clone();
        let (session, who) = (self.session(at), who());
        let number = self.client_of(at);
        let mut model = before.clone();
        let zxid = self.models.len();
        // Nothing of a session that is closed is done any more.
        let is_late = self.clients[number].is_closed;
        let outcome = match is_late {
            false => model.write(Self::place(session, &who, zxid), request),
            true => crate::model::Outcome { error: -112, ..crate::model::Outcome::default() },
        };
        if self.refused == Some(at) {
            // For reasons that no checker judges.
            self.models.push(before);
            self.clients[number].seen = zxid;
            return (zxid, Err(-125));
        }
        let is_lost = outcome.error == 0 && self.fails(Fault::LostWrite);
        self.models.push(if is_lost { before } else { model });
        self.clients[number].seen = zxid;
        if !is_lost && outcome.error == 0 && self.fails(Fault::Twice) {
            let mut again = self.models[zxid].clone();
            again.write(Self::place(session, &who, zxid + 1), request);
            self.models.push(again);
        }
        let mut answer = outcome.response.ok_or(outcome.error);
        if self.fails(Fault::WrongWrite) {
            answer = match answer {
                Ok(Response::Stat(stat)) => {
                    let version = stat.version + if self.dice.once_in(2) { 1 } else { -1 };
                    Ok(Response::Stat(quorate_core::jute::Stat { version, ..stat }))
                }
                Ok(_) => Err(-101),
                Err(-101) => Err(-110),
                Err(_) => Err(-101),
            };
        }
        (zxid, answer)
    }

    fn sync(&mut self, at: At, request: &Request) -> (usize, Result<Response, i32>) {
        let number = self.client_of(at);
        let newest = self.newest();
        self.clients[number].has_synced = true;
        if self.clients[number].seen < newest && self.fails(Fault::StaleSync) {
            self.clients[number].is_behind = true;
        } else {
            self.clients[number].seen = newest;
        }
        let Request::Sync { path } = request else { unreachable!("it was asked as a sync") };
        (self.clients[number].seen, Ok(Response::Sync { path: path.clone() }))
    }

    fn read(&mut self, at: At, request: &Request) -> (usize, Result<Response, i32>) {
        let number = self.client_of(at);
        let (seen, newest) = (self.clients[number].seen, self.newest());
        let mut zxid = if self.dice.once_in(3) { seen + self.dice.below(newest - seen + 1) } else { newest };
        if std::mem::take(&mut self.clients[number].is_behind) {
            zxid = seen;
        }
        if seen > 0 && self.fails(Fault::StaleRead) {
            zxid = self.dice.below(seen);
        }
        self.clients[number].seen = zxid.max(seen);
        let mut model = self.models[zxid].clone();
        let (session, who) = (self.session(at), who());
        if let Some(dirty) = self.under_way(path_of(request))
            && self.fails(Fault::DirtyRead)
        {
            self.refused = Some(dirty);
            let (writer, write) = (self.session(dirty), self.request(dirty).request.clone());
            model.write(Self::place(writer, &who, zxid), &write);
            let last = self.models[newest].clone();
            zxid = newest;
            self.clients[number].seen = zxid;
            // What was read there is gone by now.
            self.models.push(last);
        }
        let (mut answer, _) = model.read(ConnId(0), session, &who, request);
        if self.fails(Fault::WrongRead) {
            answer = match answer {
                Ok(Response::GetData { data: _, stat }) if self.dice.once_in(2) => {
                    let data = Some(Bytes::from(self.dice.below(self.clock as usize).to_string()));
                    Ok(Response::GetData { data, stat })
                }
                Ok(Response::GetData { data, mut stat }) => {
                    stat.version += 1;
                    Ok(Response::GetData { data, stat })
                }
                _ => Err(-101),
            };
        }
        (zxid, answer)
    }

    /// A write to this path that somebody waits for.
    fn under_way(&self, path: Option<&str>) -> Option<At> {
        let mut waits = self.clients.iter().filter_map(|client| match client.doing {
            Doing::Waits(at) => Some(at),
            _ => None,
        });
        waits.find(|(connection, place)| {
            let request = &self.done.history.connections[*connection].requests[*place].request;
            crate::oracle::makes_txn(request) && path.is_some() && path_of(request) == path
        })
    }
}

/// The path that a request is about, if it is one.
fn path_of(request: &Request) -> Option<&str> {
    match request {
        Request::Create(create) => create.path.as_deref(),
        Request::SetData { path, .. } | Request::GetData { path, .. } | Request::Exists { path, .. } => {
            path.as_deref()
        }
        _ => None,
    }
}
