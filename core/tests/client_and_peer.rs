//! Client sessions on a standalone peer, both real, joined by nothing but their own bytes: what a user of both sees when
//! connections are cut, sessions end and watches fire.
//!
//! The world between them is perfect: bytes arrive at once and whole, storage confirms at once, time stands still unless it is
//! told to pass.

use bytes::Bytes;
use quorate_core::client::{
    Attempt, ClientError, ClientInput, ClientOptions, ClientOutbox, ClientOutput, ClientSession, KeeperState,
    Reason, RequestId,
};
use quorate_core::contract::{Identity, Input, Outbox, Output};
use quorate_core::jute::{
    Acl, AuthPacket, ClientDecoder, CreateKind, CreateRequest, EventType, FieldLimit, Id, Permissions,
    Request, Response,
};
use quorate_core::peer::Peer;
use quorate_core::tree::{Database, TreeOptions};
use quorate_core::vocabulary::{
    ConnId, Entropy, ErrorCode, Millis, Mono, Now, PeerConfig, ServerId, SessionId, Wall,
};
use std::collections::{BTreeMap, VecDeque};

/// What a client's application has heard, in order.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Completed(u64, Result<Response, ClientError>),
    Event(EventType, String),
    State(KeeperState),
}

struct Client {
    session: ClientSession,
    link: Option<(Attempt, ConnId)>,
    /// Nobody answers its connects.
    cut_off: bool,
    requests: u64,
    heard: Vec<Heard>,
}

struct World {
    now: Now,
    peer: Peer,
    clients: Vec<Client>,
    decoders: BTreeMap<ConnId, ClientDecoder>,
    connections: u64,
}

impl World {
    fn new() -> Self {
        let entropy = Entropy::new(1, ServerId(1), 1);
        let mut config = PeerConfig::standalone(Millis(1000));
        config.super_digest = None;
        let database = Database::new(entropy.lookup_seed(), TreeOptions::default());
        let now = Now { mono: Mono::from_millis(5), wall: Wall(1_700_000_000_000) };
        let peer = Peer::new(config, database, entropy, now);
        World { now, peer, clients: Vec::new(), decoders: BTreeMap::new(), connections: 0 }
    }

    /// A client with a timeout of 4 s, connected.
    fn client(&mut self, connect: &str) -> usize {
        let options = ClientOptions::new(connect.parse().expect("a connect string"), Millis(4000));
        let entropy = Entropy::new(self.clients.len() as u64 + 7, ServerId(0), 1);
        let session = ClientSession::new(options, entropy, self.now.mono);
        self.clients.push(Client { session, link: None, cut_off: false, requests: 0, heard: Vec::new() });
        let client = self.clients.len() - 1;
        self.tell_client(client, ClientInput::Timeout);
        assert_eq!(self.heard(client), [Heard::State(KeeperState::SyncConnected)]);
        client
    }

    fn tell_client(&mut self, client: usize, input: ClientInput) {
        let mut to_clients = VecDeque::from([(client, input)]);
        while let Some((client, input)) = to_clients.pop_front() {
            let mut outbox = ClientOutbox::new();
            self.clients[client].session.handle(self.now.mono, input, &mut outbox);
            let outputs: Vec<_> = outbox.drain().collect();
            for output in outputs {
                self.client_wants(client, output, &mut to_clients);
            }
        }
    }

    fn client_wants(
        &mut self,
        client: usize,
        output: ClientOutput,
        to_clients: &mut VecDeque<(usize, ClientInput)>,
    ) {
        match output {
            ClientOutput::Connect(attempt, _) if self.clients[client].cut_off => {
                to_clients.push_back((client, ClientInput::ConnectionLost(attempt)));
            }
            ClientOutput::Connect(attempt, _) => {
                self.connections += 1;
                let conn = ConnId(self.connections);
                self.clients[client].link = Some((attempt, conn));
                self.decoders.insert(conn, ClientDecoder::new(0xf_ffff, FieldLimit::default()));
                let address = "10.0.0.1:999".parse().expect("an address");
                let identity = Identity { address, certificate: None };
                self.tell_peer(Input::Accepted { conn, identity }, to_clients);
                to_clients.push_back((client, ClientInput::Connected(attempt)));
            }
            ClientOutput::Send(attempt, bytes) => {
                let Some((_, conn)) = self.clients[client].link.filter(|link| link.0 == attempt) else {
                    return;
                };
                let mut decoder = self.decoders.remove(&conn).expect("an open connection has a decoder");
                decoder.push(&bytes);
                while let Some(message) = decoder.poll().expect("clients speak the protocol") {
                    self.tell_peer(Input::Client { conn, message }, to_clients);
                }
                self.decoders.insert(conn, decoder);
            }
            ClientOutput::Disconnect(_) => {
                if let Some((_, conn)) = self.clients[client].link.take() {
                    self.tell_peer(Input::Closed { conn }, to_clients);
                }
            }
            ClientOutput::Completed { id, result, .. } => {
                self.clients[client].heard.push(Heard::Completed(id.0, result));
            }
            ClientOutput::Event(event, _) => {
                self.clients[client].heard.push(Heard::Event(event.kind, event.path));
            }
            ClientOutput::StateChanged(state) => self.clients[client].heard.push(Heard::State(state)),
        }
    }

    fn tell_peer(&mut self, input: Input, to_clients: &mut VecDeque<(usize, ClientInput)>) {
        let mut to_peer = VecDeque::from([input]);
        while let Some(input) = to_peer.pop_front() {
            let mut outbox = Outbox::new();
            self.peer.handle(self.now, input, &mut outbox);
            self.peer.check_full().expect("the peer's invariants hold");
            for output in outbox.drain() {
                let linked = |clients: &[Client], conn| {
                    let found =
                        clients.iter().position(|client| client.link.is_some_and(|link| link.1 == conn));
                    found.map(|client| (client, clients[client].link.expect("it has this link").0))
                };
                match output {
                    Output::Send { conn, bytes } => {
                        if let Some((client, attempt)) = linked(&self.clients, conn) {
                            to_clients.push_back((client, ClientInput::Bytes(attempt, bytes)));
                        }
                    }
                    Output::Close { conn } => {
                        if let Some((client, attempt)) = linked(&self.clients, conn) {
                            self.clients[client].link = None;
                            to_clients.push_back((client, ClientInput::ConnectionLost(attempt)));
                        }
                        to_peer.push_back(Input::Closed { conn });
                    }
                    Output::Store { lane, seq, .. } => to_peer.push_back(Input::Stored { lane, seq }),
                    Output::Exit { reason, .. } => panic!("the peer ends: {reason}"),
                    _ => {}
                }
            }
        }
    }

    /// The connection breaks; both ends notice at once. While `cut_off` no new one comes about.
    fn cut(&mut self, client: usize, cut_off: bool) {
        self.clients[client].cut_off = cut_off;
        let Some((attempt, conn)) = self.clients[client].link.take() else { return };
        let mut to_clients = VecDeque::new();
        self.tell_peer(Input::Closed { conn }, &mut to_clients);
        for (client, input) in to_clients {
            self.tell_client(client, input);
        }
        self.tell_client(client, ClientInput::ConnectionLost(attempt));
    }

    /// Lets time pass: whoever named an earlier time is told first.
    fn pass(&mut self, millis: u64) {
        let end = self.now.mono + Millis(millis);
        loop {
            let clients = self.clients.iter().enumerate();
            let first = clients.filter_map(|(n, client)| Some((client.session.next_timeout()?, Some(n))));
            let first = first.chain(self.peer.next_timeout().map(|due| (due, None))).min();
            let Some((due, who)) = first.filter(|(due, _)| *due <= end) else { break };
            let passed = due.max(self.now.mono).millis_since(self.now.mono);
            self.now = Now { mono: due.max(self.now.mono), wall: Wall(self.now.wall.0 + passed.0 as i64) };
            match who {
                Some(client) => self.tell_client(client, ClientInput::Timeout),
                None => {
                    let mut to_clients = VecDeque::new();
                    self.tell_peer(Input::Timeout, &mut to_clients);
                    to_clients.into_iter().for_each(|(client, input)| self.tell_client(client, input));
                }
            }
        }
        self.now.mono = end;
    }

    fn submit(&mut self, client: usize, request: Request) -> u64 {
        self.clients[client].requests += 1;
        let id = self.clients[client].requests;
        self.tell_client(client, ClientInput::Submit(RequestId(id), request));
        id
    }

    /// Submits a request whose answer comes at once, and takes that answer out of what was heard.
    fn ask(&mut self, client: usize, request: Request) -> Result<Response, ClientError> {
        let id = self.submit(client, request);
        let heard = &mut self.clients[client].heard;
        let place =
            heard.iter().position(|heard| matches!(heard, Heard::Completed(other, _) if *other == id));
        match heard.remove(place.expect("the answer came at once")) {
            Heard::Completed(_, result) => result,
            other => panic!("{other:?} is no answer"),
        }
    }

    fn heard(&mut self, client: usize) -> Vec<Heard> {
        std::mem::take(&mut self.clients[client].heard)
    }

    fn session(&self, client: usize) -> SessionId {
        self.clients[client].session.session()
    }
}

fn create(path: &str, flags: i32) -> Request {
    create_with(path, flags, Acl::open())
}

fn create_with(path: &str, flags: i32, acl: Vec<Acl>) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::from_static(b"one")),
        acl: Some(acl),
        flags,
        ttl: -1,
    })
}

fn set(path: &str) -> Request {
    Request::SetData { path: Some(path.to_owned()), data: Some(Bytes::from_static(b"two")), version: -1 }
}

fn get(path: &str, watch: bool) -> Request {
    Request::GetData { path: Some(path.to_owned()), watch }
}

fn exists(path: &str, watch: bool) -> Request {
    Request::Exists { path: Some(path.to_owned()), watch }
}

fn children(path: &str, watch: bool) -> Request {
    Request::GetChildren { path: Some(path.to_owned()), watch }
}

fn event(kind: EventType, path: &str) -> Heard {
    Heard::Event(kind, path.to_owned())
}

fn data_of(response: Result<Response, ClientError>) -> Bytes {
    match response {
        Ok(Response::GetData { data: Some(data), .. }) => data,
        other => panic!("{other:?} has no data"),
    }
}

#[test]
fn a_write_is_read_back_and_its_watchers_hear_of_it_before_its_answer() {
    let mut world = World::new();
    let (writer, watcher) = (world.client("h"), world.client("h"));
    let created = world.ask(writer, create("/a", 0));
    assert_eq!(created, Ok(Response::Create { path: "/a".to_owned() }));
    assert_eq!(data_of(world.ask(watcher, get("/a", true))), "one");
    assert_eq!(data_of(world.ask(writer, get("/a", true))), "one");
    let id = world.submit(writer, set("/a"));
    let heard = world.heard(writer);
    assert_eq!(heard[0], event(EventType::NodeDataChanged, "/a"), "the writer's own event comes first");
    assert!(matches!(&heard[1..], [Heard::Completed(done, Ok(Response::Stat(_)))] if *done == id));
    assert_eq!(world.heard(watcher), [event(EventType::NodeDataChanged, "/a")]);
    assert_eq!(data_of(world.ask(watcher, get("/a", false))), "two");
}

#[test]
fn a_client_that_comes_back_keeps_its_session_its_ephemerals_and_its_watches() {
    let mut world = World::new();
    let (away, other) = (world.client("h"), world.client("h"));
    world.ask(away, create("/lock", 1)).expect("an ephemeral");
    for path in ["/changed", "/same", "/deleted", "/parent"] {
        world.ask(other, create(path, 0)).expect("a node");
    }
    for path in ["/changed", "/same", "/deleted"] {
        world.ask(away, get(path, true)).expect("data");
    }
    assert_eq!(world.ask(away, exists("/new", true)), Err(ClientError::Refused(ErrorCode::NoNode)));
    world.ask(away, children("/parent", true)).expect("children");
    let session = world.session(away);

    world.cut(away, true);
    assert_eq!(world.heard(away), [Heard::State(KeeperState::Disconnected)]);
    world.ask(other, set("/changed")).expect("a change");
    world.ask(other, Request::Delete { path: Some("/deleted".to_owned()), version: -1 }).expect("a deletion");
    world.ask(other, create("/new", 0)).expect("a node");
    world.ask(other, create("/parent/child", 0)).expect("a node");
    world.clients[away].cut_off = false;
    world.pass(1500);

    assert_eq!(world.session(away), session);
    let replayed = [
        Heard::State(KeeperState::SyncConnected),
        event(EventType::NodeDataChanged, "/changed"),
        event(EventType::NodeDeleted, "/deleted"),
        event(EventType::NodeCreated, "/new"),
        event(EventType::NodeChildrenChanged, "/parent"),
    ];
    assert_eq!(world.heard(away), replayed);
    assert!(world.ask(other, exists("/lock", false)).is_ok(), "the ephemeral lives on");
    // What was not replayed was registered again.
    world.ask(other, set("/same")).expect("a change");
    world.ask(other, set("/changed")).expect("a change");
    assert_eq!(world.heard(away), [event(EventType::NodeDataChanged, "/same")]);
}

#[test]
fn pings_keep_a_session_alive_for_as_long_as_nobody_cuts_it() {
    let mut world = World::new();
    let client = world.client("h");
    world.ask(client, create("/lock", 1)).expect("an ephemeral");
    world.pass(120_000);
    assert_eq!(world.heard(client), []);
    assert!(world.ask(client, exists("/lock", false)).is_ok());
}

#[test]
fn a_session_that_nobody_hears_of_expires_with_its_ephemerals() {
    let mut world = World::new();
    let (away, other) = (world.client("h"), world.client("h"));
    world.ask(away, create("/lock", 1)).expect("an ephemeral");
    world.ask(other, exists("/lock", true)).expect("a stat");
    world.cut(away, true);
    world.heard(away);
    world.pass(3900);
    assert_eq!(world.heard(other), [], "not before its timeout");
    world.pass(1200);
    assert_eq!(world.heard(other), [event(EventType::NodeDeleted, "/lock")]);
    // Just before the client itself gives up (four thirds of 4 s), a server tells it.
    world.clients[away].cut_off = false;
    world.pass(1000);
    assert_eq!(world.heard(away), [Heard::State(KeeperState::Expired)]);
    assert_eq!(
        world.ask(away, get("/lock", false)),
        Err(ClientError::NotSent(Reason::SessionExpired)),
        "an expired session does nothing more"
    );
}

#[test]
fn closing_a_session_ends_its_ephemerals_at_once() {
    let mut world = World::new();
    let (leaving, other) = (world.client("h"), world.client("h"));
    world.ask(leaving, create("/lock", 1)).expect("an ephemeral");
    world.ask(leaving, exists("/lock", true)).expect("a stat");
    world.ask(other, exists("/lock", true)).expect("a stat");
    world.tell_client(leaving, ClientInput::Close);
    let own = [event(EventType::NodeDeleted, "/lock"), Heard::State(KeeperState::Closed)];
    assert_eq!(world.heard(leaving), own, "its own watch fires before the end");
    assert_eq!(world.heard(other), [event(EventType::NodeDeleted, "/lock")]);
}

#[test]
fn identities_are_proved_again_on_every_connection() {
    let mut world = World::new();
    let (owner, stranger) = (world.client("h"), world.client("h"));
    let packet =
        AuthPacket { kind: 0, scheme: Some("digest".to_owned()), auth: Some(Bytes::from_static(b"joe:pw")) };
    world.tell_client(owner, ClientInput::AddAuth(RequestId(99), packet));
    assert_eq!(world.heard(owner), [Heard::Completed(99, Ok(Response::Empty))]);
    let own = vec![Acl { perms: Permissions::ALL, id: Id::new("auth", "") }];
    world.ask(owner, create_with("/mine", 0, own)).expect("a node");
    assert_eq!(world.ask(stranger, get("/mine", false)), Err(ClientError::Refused(ErrorCode::NoAuth)));
    assert_eq!(data_of(world.ask(owner, get("/mine", false))), "one");
    // A watch does not tell a stranger what happens to a node that it may not read.
    world.ask(stranger, Request::AddWatch { path: Some("/mine".to_owned()), mode: 0 }).expect("a watch");
    world.ask(owner, set("/mine")).expect("a change");
    assert_eq!(world.heard(stranger), []);

    world.cut(owner, false);
    world.pass(1500);
    assert_eq!(data_of(world.ask(owner, get("/mine", false))), "two");
}

#[test]
fn clients_under_a_chroot_see_their_own_root() {
    let mut world = World::new();
    let (outside, inside) = (world.client("h"), world.client("h/app"));
    world.ask(outside, create("/app", 0)).expect("the chroot");
    let created = world.ask(inside, create("/n-", 2));
    assert_eq!(created, Ok(Response::Create { path: "/n-0000000000".to_owned() }));
    assert_eq!(
        world.ask(outside, children("/app", false)),
        Ok(Response::Paths(vec!["n-0000000000".to_owned()]))
    );
    world.ask(inside, children("/", true)).expect("children");
    world.ask(inside, Request::AddWatch { path: Some("/".to_owned()), mode: 1 }).expect("a watch");
    world.ask(outside, create("/app/x", 0)).expect("a node");
    world.ask(outside, create("/beside", 0)).expect("a node");
    let both = [event(EventType::NodeCreated, "/x"), event(EventType::NodeChildrenChanged, "/")];
    assert_eq!(world.heard(inside), both);
}

#[test]
fn a_removed_watch_is_silent_on_both_sides() {
    let mut world = World::new();
    let client = world.client("h");
    world.ask(client, create("/a", 0)).expect("a node");
    world.ask(client, Request::AddWatch { path: Some("/a".to_owned()), mode: 0 }).expect("a watch");
    world.ask(client, set("/a")).expect("a change");
    assert_eq!(world.heard(client), [event(EventType::NodeDataChanged, "/a")]);
    let remove = |kind| Request::RemoveWatches { path: Some("/a".to_owned()), kind };
    assert_eq!(world.ask(client, remove(2)), Err(ClientError::Refused(ErrorCode::NoWatcher)));
    assert_eq!(world.ask(client, remove(4)), Ok(Response::Empty));
    world.ask(client, set("/a")).expect("a change");
    assert_eq!(world.heard(client), []);
    assert!(world.clients[client].session.watches().is_empty());
}

#[test]
fn requests_that_only_the_session_may_send_never_leave() {
    let mut world = World::new();
    let client = world.client("h");
    let refused = world.ask(client, Request::SetWatches(Box::default()));
    assert_eq!(refused, Err(ClientError::NotSent(Reason::NotSubmittable)));
}
