//! The load: sessions that write, read, come and go, each on a thread of its own, and move to another server when theirs is lost.

use crate::process::poll_until;
use crate::recorder::{Attached, Connection, Recorder, SessionState};
use crate::support::Dice;
use bytes::Bytes;
use quorate_core::jute::Reader;
use quorate_core::jute::{Acl, CreateKind, CreateRequest, MultiOp, Request, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Clients that stay away for longer than a few rounds are none of the load's.
const SESSION_TIMEOUT: i32 = 30_000;
/// And of those that are left behind on purpose.
pub(crate) const SHORT_TIMEOUT: i32 = 2_000;
/// Nodes that everybody writes.
pub(crate) const SHARED: u64 = 6;
/// Sequential nodes, before they are tidied up.
const MANY: usize = 30;
/// Between two bursts of a client.
const PAUSE: Duration = Duration::from_millis(15);

/// What the clients share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) recorder: Recorder,
    /// Where the servers are, as clients reach them.
    pub(crate) servers: Vec<SocketAddr>,
    is_over: AtomicBool,
    is_paused: AtomicBool,
    /// Clients that wait for replies.
    waiting: AtomicU64,
    /// Writes that succeeded so far.
    acknowledged: AtomicU64,
}

/// The clients under way.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) common: Arc<Common>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many clients.
    pub(crate) fn start(clients: u64, recorder: Recorder, servers: Vec<SocketAddr>) -> Self {
        let common = Arc::new(Common {
            recorder,
            servers,
            is_over: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        });
        let start = |number| {
            let mut client = LoadClient::new(Arc::clone(&common), number);
            std::thread::spawn(move || client.run())
        };
        Load { threads: (0..clients).map(start).collect(), common }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.common.acknowledged.load(Ordering::SeqCst)
    }

    /// Nobody asks for anything from here on, and nothing is under way.
    pub(crate) fn pause(&self) {
        self.common.is_paused.store(true, Ordering::SeqCst);
        poll_until("nothing is under way", || self.common.waiting.load(Ordering::SeqCst) == 0);
    }

    pub(crate) fn resume(&self) {
        self.common.is_paused.store(false, Ordering::SeqCst);
    }

    pub(crate) fn stop(self) {
        self.common.is_over.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

struct LoadClient {
    common: Arc<Common>,
    number: u64,
    dice: Dice,
    session: SessionState,
    connection: Option<Connection>,
    /// The version of each shared node, as it was seen last.
    versions: [i32; SHARED as usize],
    /// Nodes that it knows to be there, and may remove.
    own: Vec<String>,
}

pub(crate) fn shared(node: u64) -> Option<String> {
    Some(format!("/shared{node}"))
}

pub(crate) fn create(path: String, flags: i32) -> CreateRequest {
    let data = Some(Bytes::from_static(b"created"));
    let kind = if path.len().is_multiple_of(2) { CreateKind::Create } else { CreateKind::Create2 };
    CreateRequest { kind, path: Some(path), data, acl: Some(Acl::open()), flags, ttl: -1 }
}

impl LoadClient {
    fn new(common: Arc<Common>, number: u64) -> Self {
        LoadClient {
            common,
            number,
            dice: Dice(number),
            session: SessionState::new(SESSION_TIMEOUT),
            connection: None,
            versions: [0; SHARED as usize],
            own: Vec::new(),
        }
    }

    fn run(&mut self) {
        while !self.common.is_over.load(Ordering::SeqCst) {
            self.common.waiting.fetch_add(1, Ordering::SeqCst);
            if !self.common.is_paused.load(Ordering::SeqCst) {
                self.ask();
            }
            self.common.waiting.fetch_sub(1, Ordering::SeqCst);
            std::thread::sleep(PAUSE);
        }
        self.connection = None;
    }

    fn ask(&mut self) {
        if self.connection.is_none() {
            self.look_for_a_server();
        }
        if self.burst().is_none() {
            self.connection = None;
        }
    }

    fn look_for_a_server(&mut self) {
        let server = self.dice.below(self.common.servers.len() as u64) as usize;
        let to = (server, self.common.servers[server]);
        match Connection::attach(&self.common.recorder, to, &mut self.session) {
            Attached::Yes(connection) => self.connection = Some(*connection),
            Attached::Expired => self.renew(),
            Attached::No => {}
        }
    }

    /// The session is over, or left behind; one in two clients holds the next one shortly.
    fn renew(&mut self) {
        let is_short = self.dice.once_in(2);
        self.session = SessionState::new(if is_short { SHORT_TIMEOUT } else { SESSION_TIMEOUT });
        self.connection = None;
    }

    /// Asks for a few things at once and hears the replies; `None` when the connection is lost.
    fn burst(&mut self) -> Option<()> {
        let mut requests = Vec::new();
        for _ in 0..=self.dice.below(4) {
            self.add(&mut requests);
        }
        let leaves = self.dice.once_in(60);
        let closes = leaves && self.dice.once_in(2);
        if closes {
            requests.push(Request::CloseSession);
        }
        let connection = self.connection.as_mut()?;
        if !connection.say(&mut self.session, &requests) {
            return None;
        }
        if leaves && !closes {
            // Nobody hears of it again, and its ephemerals go with it.
            self.renew();
            return None;
        }
        for request in &requests {
            let connection = self.connection.as_mut()?;
            let (header, body) = connection.hear(&mut self.session)?;
            if header.err == 0 && *request != Request::CloseSession {
                self.learn(request, body);
            }
        }
        if closes {
            self.renew();
        }
        Some(())
    }

    fn add(&mut self, to: &mut Vec<Request>) {
        let node = self.dice.below(SHARED);
        let path = shared(node);
        let data = Some(Bytes::from(format!("{} of {}", self.dice.below(1 << 30), self.number)));
        let version = if self.dice.once_in(3) { -1 } else { self.versions[node as usize] };
        match self.dice.below(20) {
            0..=5 => to.push(Request::SetData { path, data, version }),
            6..=8 => to.push(Request::GetData { path, watch: false }),
            9 => {
                to.push(Request::Sync { path: path.clone() });
                to.push(Request::GetData { path, watch: false });
            }
            10 => to.push(Request::Create(create("/sequence/n-".to_owned(), 2))),
            11 => to.push(Request::Create(create("/sequence/e-".to_owned(), 3))),
            12 | 13 => {
                let path = format!("/ephemerals/{}-{}", self.number, self.dice.below(4));
                to.push(Request::Create(create(path, 1)));
            }
            14 | 15 => to.push(self.removal()),
            16 => to.push(Request::GetChildren2 { path: Some("/sequence".to_owned()), watch: false }),
            17 => to.push(Request::Exists { path, watch: false }),
            _ => to.push(self.multi(path, data, version)),
        }
    }

    fn removal(&mut self) -> Request {
        let path = if self.own.is_empty() || self.dice.once_in(4) {
            format!("/ephemerals/{}-{}", self.number, self.dice.below(4))
        } else {
            self.own.swap_remove(self.dice.below(self.own.len() as u64) as usize)
        };
        Request::Delete { path: Some(path), version: -1 }
    }

    /// All or nothing: which of the two depends on a version, or on whether the node is there.
    fn multi(&mut self, path: Option<String>, data: Option<Bytes>, version: i32) -> Request {
        let own = format!("/own/{}", self.number);
        let last = match self.dice.below(3) {
            0 => MultiOp::Create(create(own, 0)),
            1 => MultiOp::Delete { path: Some(own), version: -1 },
            _ => MultiOp::Create(create("/sequence/m-".to_owned(), 3)),
        };
        Request::Multi(vec![
            MultiOp::Check { path: path.clone(), version },
            MultiOp::SetData { path, data, version },
            last,
        ])
    }

    fn learn(&mut self, request: &Request, body: Bytes) {
        let response = Response::decode(request.opcode(), &mut Reader::new(body)).unwrap();
        let mut saw = |path: &Option<String>, version| {
            if let Some(node) = (0..SHARED).find(|node| shared(*node) == *path) {
                self.versions[node as usize] = version;
            }
        };
        match (request, response) {
            (Request::SetData { path, .. } | Request::Exists { path, .. }, Response::Stat(stat)) => {
                saw(path, stat.version);
            }
            (Request::GetData { path, .. }, Response::GetData { stat, .. }) => saw(path, stat.version),
            (Request::Create(_), Response::Create { path } | Response::Create2 { path, .. })
                if path.starts_with("/sequence/n") =>
            {
                self.own.push(path);
            }
            (_, Response::GetChildren2 { children, .. }) if children.len() > MANY => {
                let persistent = children.into_iter().filter(|name| !name.starts_with('e')).take(MANY / 3);
                self.own.extend(persistent.map(|name| format!("/sequence/{name}")));
            }
            _ => {}
        }
        if is_write(request) {
            self.common.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn is_write(request: &Request) -> bool {
    matches!(
        request,
        Request::SetData { .. } | Request::Create(_) | Request::Delete { .. } | Request::Multi(_)
    )
}
