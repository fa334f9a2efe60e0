//! The library over a runtime that is played by the test: its clock stands until it is moved, and its server answers what the
//! test lets it answer.
//!
//! Tasks are polled whether they were woken or not; that nobody waits in vain is the simulator's to see.

use super::{ByteStream, Client, ClientBuilder, Host, Lost, Runtime};
use crate::jute::{
    ClientDecoder, ClientMessage, ConnectRequest, ConnectResponse, CreateFlag, Encode, EventType, FieldLimit,
    ReplyHeader, Request, Response, Stat, write_frame,
};
use crate::vocabulary::{ErrorCode, Millis, Mono, SessionId, Xid, Zxid};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

mod library;
mod recipes;

#[expect(clippy::disallowed_types, reason = "a runtime has to be Send, though only one thread has it")]
type Lock<T> = std::sync::Mutex<T>;

/// So often everything is polled: whatever follows from one thing has come to pass by then.
const ROUNDS: usize = 20;
const TIMEOUT: Millis = Millis(6000);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Conn {
    decoder: Option<ClientDecoder>,
    heard: VecDeque<Bytes>,
    is_lost: bool,
}

#[derive(Default)]
struct State {
    now: u64,
    draws: u64,
    tasks: Vec<Task>,
    conns: BTreeMap<u64, Conn>,
    dials: u64,
    /// What the server was asked, in its order.
    asked: Vec<Request>,
    handshakes: Vec<ConnectRequest>,
    /// It takes requests, and keeps its answers to itself.
    is_mute: bool,
    kept: Vec<(u64, Bytes)>,
    /// Nobody reaches it.
    is_down: bool,
    /// It hangs up on whoever has seen more than this.
    behind: Option<Zxid>,
    /// Sessions that it knew are over.
    forgets: bool,
    sessions: i64,
    zxid: i64,
    /// What it refuses, once each.
    refuses: Vec<(&'static str, ErrorCode)>,
    /// Its nodes. None if it plays that whatever it is asked about is there.
    nodes: Option<BTreeMap<String, Stat>>,
}

/// The world of one client.
#[derive(Clone)]
struct World(Arc<Lock<State>>);

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    fn new() -> Self {
        World(Arc::new(Lock::new(State { zxid: 100, ..State::default() })))
    }

    fn with<O>(&self, look: impl FnOnce(&mut State) -> O) -> O {
        look(&mut self.0.lock().expect("nothing panics while it is locked"))
    }

    fn builder(&self) -> ClientBuilder<World> {
        Client::builder(self.clone(), "server").expect("a connect string").session_timeout(TIMEOUT)
    }

    /// A client that has a session.
    fn connected(&self, builder: ClientBuilder<World>) -> Client<World> {
        let client = builder.start();
        self.run();
        assert!(client.session().latest().state.is_connected());
        client
    }

    /// Lets everything go on.
    fn run(&self) {
        for _ in 0..ROUNDS {
            let tasks = self.with(|state| std::mem::take(&mut state.tasks));
            for mut task in tasks {
                if poll(&mut task).is_pending() {
                    self.with(|state| state.tasks.push(task));
                }
            }
        }
    }

    /// The runtime ends, and takes all tasks with it.
    fn end(&self) {
        let tasks = self.with(|state| std::mem::take(&mut state.tasks));
        drop(tasks);
    }

    /// Lets time pass.
    fn pass(&self, millis: u64) {
        for _ in 0..millis.div_ceil(100) {
            self.with(|state| state.now += 100 * 1_000_000);
            self.run();
        }
    }

    /// All connections are lost, and new ones come about.
    fn cut(&self) {
        self.with(|state| state.conns.values_mut().for_each(|conn| conn.is_lost = true));
        self.run();
    }

    /// What the server was asked since this was asked last.
    fn asked(&self) -> Vec<Request> {
        self.with(|state| std::mem::take(&mut state.asked))
    }

    /// The next request about this path is refused.
    fn refuse(&self, path: &'static str, code: ErrorCode) {
        self.with(|state| state.refuses.push((path, code)));
    }

    /// From now on the server keeps its answers to itself, or not any more.
    fn mute(&self, is_mute: bool) {
        self.with(|state| {
            state.is_mute = is_mute;
            for (number, bytes) in std::mem::take(&mut state.kept) {
                if let Some(conn) = state.conns.get_mut(&number) {
                    conn.heard.push_back(bytes);
                }
            }
        });
        self.run();
    }

    /// The session is over when the client comes back.
    fn expire(&self) {
        self.with(|state| state.forgets = true);
        self.cut();
        self.pass(1000);
    }

    /// An event comes over the connection.
    fn event(&self, kind: EventType, path: &str) {
        self.with(|state| {
            state.zxid += 1;
            let mut bytes = BytesMut::new();
            crate::watch::write_notification(&mut bytes, Zxid(state.zxid), kind, path);
            let conn = state.conns.values_mut().next_back().expect("there is a connection");
            conn.heard.push_back(bytes.freeze());
        });
        self.run();
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future says by now.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it is not there yet"),
    }
}

impl State {
    fn hear(&mut self, number: u64, bytes: &[u8]) {
        let mut decoder = self.conn(number).decoder.take().expect("it is put back");
        decoder.push(bytes);
        while let Some(message) = decoder.poll().expect("clients speak the protocol") {
            match message {
                ClientMessage::Connect(request) => self.shake_hands(number, request),
                ClientMessage::Request { xid, request, .. } => self.answer(number, xid, request),
                ClientMessage::FourLetter { .. } => panic!("clients say no words"),
            }
        }
        self.conn(number).decoder = Some(decoder);
    }

    fn shake_hands(&mut self, number: u64, request: ConnectRequest) {
        self.handshakes.push(request.clone());
        if self.behind.is_some_and(|zxid| request.last_zxid_seen > zxid) {
            self.conn(number).is_lost = true;
            return;
        }
        let is_new = request.session_id == SessionId::NONE;
        self.sessions += i64::from(is_new);
        let is_over = !is_new && std::mem::take(&mut self.forgets);
        let response = ConnectResponse {
            protocol_version: 0,
            timeout: if is_over { 0 } else { request.timeout },
            session_id: if is_over { SessionId::NONE } else { SessionId(self.sessions) },
            password: Bytes::from_static(b"sixteen bytes ok"),
            read_only: Some(false),
        };
        let mut bytes = BytesMut::new();
        write_frame(&mut bytes, |out| response.encode(out));
        self.conn(number).heard.push_back(bytes.freeze());
    }

    fn answer(&mut self, number: u64, xid: Xid, request: Request) {
        let (path, response) = match &request {
            Request::GetData { path, .. } => (path, Response::GetData { data: None, stat: Stat::default() }),
            Request::AddWatch { path, .. } => (path, Response::AddWatch { err: 0 }),
            Request::Create(create) => {
                let path = create.path.clone().expect("it has a path");
                (&create.path, Response::Create2 { path, stat: Stat::default() })
            }
            Request::RemoveWatches { path, .. } | Request::Delete { path, .. } => (path, Response::Empty),
            Request::Sync { path } => (path, Response::Sync { path: path.clone() }),
            _ => (&None, Response::Empty),
        };
        let refused = self.refuses.iter().position(|(refused, _)| Some(*refused) == path.as_deref());
        let refusal = refused.map(|place| self.refuses.remove(place).1).or_else(|| self.apply(&request));
        let found = path.as_ref().and_then(|path| self.nodes.as_ref()?.get(path).copied());
        let response = match (response, found) {
            (Response::GetData { data, .. }, Some(stat)) => Response::GetData { data, stat },
            (response, _) => response,
        };
        if request != Request::Ping {
            self.asked.push(request.clone());
        }
        self.zxid += 1;
        let header = ReplyHeader { xid, zxid: Zxid(self.zxid), err: refusal.map_or(0, |code| code.code()) };
        let mut bytes = BytesMut::new();
        write_frame(&mut bytes, |out| {
            header.encode(out);
            if refusal.is_none() {
                response.encode(out);
            }
        });
        match self.is_mute {
            true => self.kept.push((number, bytes.freeze())),
            false => self.conn(number).heard.push_back(bytes.freeze()),
        }
    }

    /// Does to the nodes what is asked; why not, if not.
    fn apply(&mut self, request: &Request) -> Option<ErrorCode> {
        let nodes = self.nodes.as_mut()?;
        match request {
            Request::GetData { path, .. } => {
                (!nodes.contains_key(path.as_deref()?)).then_some(ErrorCode::NoNode)
            }
            Request::Create(create) if nodes.contains_key(create.path.as_deref()?) => {
                Some(ErrorCode::NodeExists)
            }
            Request::Create(create) => {
                let is_ephemeral = create.flags == CreateFlag::Ephemeral as i32;
                let ephemeral_owner = if is_ephemeral { self.sessions } else { 0 };
                // That of the answer.
                let czxid = Zxid(self.zxid + 1);
                nodes.insert(create.path.clone()?, Stat { czxid, ephemeral_owner, ..Stat::default() });
                None
            }
            Request::Delete { path, .. } => {
                nodes.remove(path.as_deref()?).is_none().then_some(ErrorCode::NoNode)
            }
            _ => None,
        }
    }

    fn conn(&mut self, number: u64) -> &mut Conn {
        self.conns.get_mut(&number).expect("it was dialled")
    }
}

impl Runtime for World {
    type Stream = Stream;
    type Sleep = Sleep;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.with(|state| state.tasks.push(Box::pin(task)));
    }

    fn now(&self) -> Mono {
        self.with(|state| Mono(state.now))
    }

    fn sleep_until(&self, due: Mono) -> Sleep {
        Sleep(self.clone(), due)
    }

    fn connect(&self, _: &Host) -> impl Future<Output = Result<Stream, Lost>> + Send + 'static {
        ready(self.with(|state| {
            if state.is_down {
                return Err(Lost("nobody is there".to_owned()));
            }
            state.dials += 1;
            let decoder = Some(ClientDecoder::new(1 << 20, FieldLimit::default()));
            state.conns.insert(state.dials, Conn { decoder, ..Conn::default() });
            Ok(Stream(self.clone(), state.dials))
        }))
    }

    fn entropy(&self) -> u64 {
        self.with(|state| {
            state.draws += 1;
            state.draws
        })
    }
}

struct Sleep(World, Mono);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.now() >= self.1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct Stream(World, u64);

impl ByteStream for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>) -> Poll<Result<Bytes, Lost>> {
        self.0.with(|state| {
            let conn = state.conn(self.1);
            match conn.heard.pop_front() {
                Some(bytes) => Poll::Ready(Ok(bytes)),
                None if conn.is_lost => Poll::Ready(Err(Lost("the server hung up".to_owned()))),
                None => Poll::Pending,
            }
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Lost>> {
        let bytes = std::mem::take(bytes);
        self.0.with(|state| state.hear(self.1, &bytes));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.with(|state| state.conns.remove(&self.1));
    }
}
