//! Servers of an ensemble in one thread: real peers and real decoders, joined by a network that takes a millisecond and disks that take
//! one or two. Nothing fails but what a test breaks: servers crash, links are cut, disks hang.

use crate::disk::{Disk, Work};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{ExitCode, Identity, Input, Outbox, Output, PeerEvent, Port, QuorumDecoder};
use quorate_core::jute::{
    ClientMessage, ConnectRequest, ElectionDecoder, FieldLimit, MultiResult, ReplyDecoder, ReplyHeader,
    Request, Response, ServerMessage,
};
use quorate_core::peer::{Mode, Peer};
use quorate_core::quorum::{EnsembleConfig, Membership, Role};
use quorate_core::session::password;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{
    ConnId, Entropy, LAST_COUNTER, LinkId, LookupSeed, Millis, Mono, Now, PeerConfig, ServerId, SessionId,
    Switches, Wall, Xid, Zxid,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

const MS: u64 = 1_000_000;
const TICK: Millis = Millis(200);

enum Decoder {
    Election(ElectionDecoder),
    Quorum(Box<QuorumDecoder>),
}

/// One end of a connection between two servers.
struct End {
    decoder: Decoder,
    port: Port,
    other: (usize, LinkId),
    /// Something that was written here got lost: nothing more arrives, until the network resets it.
    is_broken: bool,
}

enum Event {
    /// The network or the disk has something for a server, in that life of it.
    Input(usize, u64, Box<Input>),
    Bytes(usize, u64, LinkId, Bytes),
    Dial(usize, u64, Port, usize),
    Closed(usize, u64, LinkId),
    Stored(usize, u64, Work),
}

pub(crate) struct Server {
    pub(crate) peer: Option<Peer>,
    pub(crate) disk: Disk,
    life: u64,
    ends: BTreeMap<LinkId, End>,
    pub(crate) events: Vec<PeerEvent>,
    pub(crate) exit: Option<(ExitCode, String)>,
    /// Its disk takes no more work until it is mended.
    pub(crate) disk_hangs: bool,
    hanging: Vec<(u64, Work)>,
    role: Role,
}

/// A client's connection, with everything that came over it.
pub(crate) struct Client {
    server: usize,
    conn: ConnId,
    decoder: ReplyDecoder,
    pub(crate) session: SessionId,
    pub(crate) last_zxid: Zxid,
    pub(crate) is_closed: bool,
    asked: BTreeMap<Xid, i32>,
    xid: i32,
    pub(crate) heard: Vec<String>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    pub(crate) servers: Vec<Server>,
    pub(crate) clients: Vec<Client>,
    links: u64,
    conns: u64,
    /// Pairs of servers that hear nothing of each other.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// The size of the pieces that packets are delivered in; 0 for whole.
    pub(crate) piece: usize,
    /// A server whose words to others get lost, though its links stand.
    pub(crate) mute: Option<usize>,
    /// A server whose quorum port accepts, while its words over quorum links get lost.
    pub(crate) mute_quorum_port: Option<usize>,
    /// What is on at servers that start.
    pub(crate) switches: Switches,
    /// Whether followers serve observers.
    pub(crate) observer_masters: bool,
    /// The last counter of an epoch.
    pub(crate) last_counter: u32,
    /// A server whose tree a test has made another than its leader's, which its checks would say.
    pub(crate) estranged: Option<usize>,
    /// What clients ask for at their handshake, ms.
    pub(crate) timeout: i32,
    /// Of servers that are started from now on.
    pub(crate) membership: Membership,
}

pub(crate) fn voters(count: usize) -> Vec<Role> {
    vec![Role::Participant; count]
}

impl World {
    pub(crate) fn new(roles: &[Role]) -> Self {
        World::with_rule(roles, &[])
    }

    /// Servers of these roles, and lines that say which of them decide.
    pub(crate) fn with_rule(roles: &[Role], rule: &[&str]) -> Self {
        let lines: Vec<String> = roles
            .iter()
            .enumerate()
            .map(|(at, role)| {
                let kind = if *role == Role::Observer { "observer" } else { "participant" };
                format!("server.{0}=10.0.0.{0}:2888:3888:{kind}", at + 1)
            })
            .chain(rule.iter().map(|line| (*line).to_owned()))
            .collect();
        let membership = Membership::parse(&lines.join("\n")).expect("lines that can be read");
        let server = |role: &Role| Server {
            peer: None,
            disk: Disk::default(),
            life: 0,
            ends: BTreeMap::new(),
            events: Vec::new(),
            exit: None,
            disk_hangs: false,
            hanging: Vec::new(),
            role: *role,
        };
        World {
            now: 5 * MS,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            servers: roles.iter().map(server).collect(),
            clients: Vec::new(),
            links: 0,
            conns: 0,
            cut: BTreeSet::new(),
            piece: 0,
            mute: None,
            mute_quorum_port: None,
            switches: Switches::default(),
            observer_masters: false,
            last_counter: LAST_COUNTER,
            estranged: None,
            timeout: 4000,
            membership,
        }
    }

    /// All servers, and the time until one leads and the others follow.
    pub(crate) fn started(roles: &[Role]) -> Self {
        let mut world = World::new(roles);
        (0..roles.len()).for_each(|at| world.start(at));
        world.until("everybody serves", |world| world.servers.iter().all(Server::is_serving));
        world
    }

    pub(crate) fn clocks(&self) -> Now {
        Now { mono: Mono(self.now), wall: Wall(1_700_000_000_000 + (self.now / MS) as i64) }
    }

    pub(crate) fn start(&mut self, at: usize) {
        let id = ServerId(at as u8 + 1);
        let mut config = PeerConfig::standalone(TICK);
        config.server_id = id;
        config.limits.connections_per_address = 0;
        config.switches = self.switches.clone();
        let mut ensemble = EnsembleConfig::new(self.membership.clone(), self.servers[at].role);
        (ensemble.init_limit, ensemble.sync_limit, ensemble.commit_log_count) = (10, 5, 5);
        (ensemble.observer_masters, ensemble.last_counter) = (self.observer_masters, self.last_counter);
        let now = self.clocks();
        let server = &mut self.servers[at];
        assert!(server.peer.is_none(), "it runs");
        server.life += 1;
        server.exit = None;
        let entropy = Entropy::new(7, id, server.life);
        let (history, epochs) = server.disk.recover();
        server.peer = Some(Peer::member(config, ensemble, history, epochs, entropy, now));
    }

    /// The power goes: what the disk has not confirmed is lost.
    pub(crate) fn crash(&mut self, at: usize) {
        self.servers[at].peer = None;
        self.servers[at].hanging.clear();
        let ends = std::mem::take(&mut self.servers[at].ends);
        for (_, end) in ends {
            self.end_closes(end.other);
        }
        for client in &mut self.clients {
            client.is_closed |= client.server == at;
        }
    }

    pub(crate) fn mend_disk(&mut self, at: usize) {
        self.servers[at].disk_hangs = false;
        for (life, work) in std::mem::take(&mut self.servers[at].hanging) {
            self.after(2 * MS, Event::Stored(at, life, work));
        }
    }

    /// Everything becomes durable with one sync, which confirms the last of it.
    pub(crate) fn mend_disk_at_once(&mut self, at: usize) {
        let server = &mut self.servers[at];
        server.disk_hangs = false;
        let hanging = std::mem::take(&mut server.hanging);
        let confirmed = hanging.into_iter().map(|(_, work)| server.disk.finish(work)).last();
        let (life, confirmed) = (server.life, confirmed.expect("something hangs"));
        self.after(MS, Event::Input(at, life, Box::new(confirmed)));
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now + delay, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    fn end_closes(&mut self, (at, link): (usize, LinkId)) {
        let life = self.servers[at].life;
        self.after(MS, Event::Closed(at, life, link));
    }

    /// The next thing that happens, network, disk or timer.
    pub(crate) fn step(&mut self) {
        let timers = self
            .servers
            .iter()
            .enumerate()
            .filter_map(|(at, server)| Some((server.peer.as_ref()?.next_timeout()?.0.max(self.now), at)));
        let timer = timers.min();
        let event = self.queue.peek().map(|Reverse((at, _))| *at);
        match (timer, event) {
            (Some((due, at)), event) if event.is_none_or(|event| due < event) => {
                self.now = due;
                self.handle(at, Input::Timeout);
            }
            (_, Some(at)) => {
                self.now = at;
                let Reverse((_, sequence)) = self.queue.pop().expect("it was peeked at");
                let event = self.events.remove(&sequence).expect("every event is kept");
                self.happen(event);
            }
            (_, None) => panic!("nothing will ever happen"),
        }
    }

    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&World) -> bool) {
        let patience = self.now + 60_000 * MS;
        while !holds(self) {
            assert!(self.now < patience, "in vain: {what}\n{}", self.story());
            self.step();
        }
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms * MS;
        self.after(ms * MS, Event::Closed(0, 0, LinkId(0)));
        while self.now < end {
            self.step();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(at, life, input) => {
                if self.servers[at].life == life {
                    self.handle(at, *input);
                }
            }
            Event::Bytes(at, life, link, bytes) => {
                if self.servers[at].life == life {
                    self.deliver(at, link, &bytes);
                }
            }
            Event::Dial(from, life, port, to) => self.dial(from, life, port, to),
            Event::Closed(at, life, link) => {
                if self.servers[at].life == life && self.servers[at].ends.remove(&link).is_some() {
                    self.handle(at, Input::LinkClosed { link, reason: "the other end is gone".to_owned() });
                }
            }
            Event::Stored(at, life, work) => {
                let server = &mut self.servers[at];
                if server.life != life || server.peer.is_none() {
                    return;
                }
                if server.disk_hangs {
                    return server.hanging.push((life, work));
                }
                let input = server.disk.finish(work);
                self.handle(at, input);
            }
        }
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    /// From now on these two hear nothing of each other, and their links break.
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
        for (at, other) in [(a, b), (b, a)] {
            let life = self.servers[at].life;
            let links: Vec<LinkId> = self.servers[at]
                .ends
                .iter()
                .filter(|(_, end)| end.other.0 == other)
                .map(|(link, _)| *link)
                .collect();
            links.into_iter().for_each(|link| self.after(MS, Event::Closed(at, life, link)));
        }
    }

    /// The network works again; what lost something is reset.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.mute = None;
        for at in 0..self.servers.len() {
            let ends = self.servers[at].ends.iter();
            let broken: Vec<(LinkId, (usize, LinkId))> =
                ends.filter(|(_, end)| end.is_broken).map(|(link, end)| (*link, end.other)).collect();
            for (link, other) in broken {
                self.end_closes((at, link));
                self.end_closes(other);
            }
        }
    }

    /// Cuts a server off from all others.
    pub(crate) fn isolate(&mut self, at: usize) {
        (0..self.servers.len()).filter(|other| *other != at).for_each(|other| self.cut(at, other));
    }

    fn dial(&mut self, from: usize, life: u64, port: Port, to: usize) {
        if self.servers[from].life != life || self.servers[from].peer.is_none() {
            return;
        }
        let target = ServerId(to as u8 + 1);
        if self.servers[to].peer.is_none() || self.is_cut(from, to) {
            let reason = "connection refused".to_owned();
            return self.handle(from, Input::DialFailed { port, to: target, reason });
        }
        self.links += 2;
        let (link, accepted) = (LinkId(self.links - 1), LinkId(self.links));
        let decoder = |dialled: bool| match port {
            Port::Election => Decoder::Election(ElectionDecoder::new(!dialled)),
            Port::Quorum | Port::ObserverMaster if dialled => Decoder::Quorum(Box::new(
                QuorumDecoder::dialled(LookupSeed(3), TreeOptions::default(), FieldLimit::default()),
            )),
            Port::Quorum | Port::ObserverMaster => {
                Decoder::Quorum(Box::new(QuorumDecoder::accepted(FieldLimit::default())))
            }
        };
        let end = |dialled, other| End { decoder: decoder(dialled), port, other, is_broken: false };
        self.servers[from].ends.insert(link, end(true, (to, accepted)));
        self.servers[to].ends.insert(accepted, end(false, (from, link)));
        let address = format!("10.0.0.{}:999", from + 1).parse().expect("an address");
        let life = self.servers[to].life;
        self.after(
            0,
            Event::Input(to, life, Box::new(Input::LinkAccepted { port, link: accepted, address })),
        );
        self.handle(from, Input::Dialled { port, to: target, link });
    }

    fn deliver(&mut self, at: usize, link: LinkId, bytes: &[u8]) {
        let Some(end) = self.servers[at].ends.get_mut(&link) else { return };
        let mut inputs = Vec::new();
        match &mut end.decoder {
            Decoder::Election(decoder) => {
                decoder.push(bytes);
                while let Some(message) = decoder.poll().expect("servers speak the protocol") {
                    inputs.push(Input::Election { link, message });
                }
            }
            Decoder::Quorum(decoder) => {
                decoder.push(bytes);
                while let Some(message) = decoder.poll().expect("servers speak the protocol") {
                    inputs.push(Input::Quorum { link, message });
                }
            }
        }
        for input in inputs {
            if self.servers[at].ends.contains_key(&link) {
                self.handle(at, input);
            }
        }
    }

    pub(crate) fn handle(&mut self, at: usize, input: Input) {
        let now = self.clocks();
        let Some(peer) = &mut self.servers[at].peer else { return };
        let mut outbox = Outbox::new();
        peer.handle(now, input, &mut outbox);
        if self.estranged != Some(at)
            && let Err(broken) = peer.check().and_then(|()| peer.check_full())
        {
            panic!("server {}: {broken}\n{}", at + 1, self.story());
        }
        let life = self.servers[at].life;
        for output in outbox.drain() {
            self.act(at, life, output);
        }
    }

    fn act(&mut self, at: usize, life: u64, output: Output) {
        match output {
            Output::Send { conn, bytes } => {
                if let Some(client) = self.clients.iter_mut().find(|client| client.conn == conn) {
                    client.hear(&bytes);
                }
            }
            Output::Close { conn } => {
                if let Some(client) = self.clients.iter_mut().find(|client| client.conn == conn) {
                    client.is_closed = true;
                }
            }
            Output::Store { lane, seq, op } => {
                let work = self.servers[at].disk.begin(lane, seq, op);
                self.after(2 * MS, Event::Stored(at, life, work));
            }
            Output::Dial { port, to } => {
                self.after(MS, Event::Dial(at, life, port, usize::from(to.0) - 1));
            }
            Output::SendLink { link, bytes } => {
                self.send(at, link, &bytes);
                if self.servers[at].ends.get(&link).is_some_and(|end| end.port == Port::Election) {
                    self.after(0, Event::Input(at, life, Box::new(Input::LinkWritten { link })));
                }
            }
            Output::SendSnapshot { link, image } => {
                let mut stream = image.stream();
                let mut bytes = BytesMut::new();
                while stream.next_chunk(&mut bytes) {}
                self.send(at, link, &bytes);
            }
            Output::CloseLink { link } => {
                if let Some(end) = self.servers[at].ends.remove(&link) {
                    self.end_closes(end.other);
                }
            }
            Output::Load { id, after, up_to, .. } => {
                let txns = self.servers[at].disk.load(after, up_to);
                self.after(2 * MS, Event::Input(at, life, Box::new(Input::Loaded { id, txns })));
            }
            Output::Event(event) => self.servers[at].events.push(event),
            Output::Exit { code, reason } => {
                self.servers[at].exit = Some((code, reason));
                self.crash(at);
            }
            _ => {}
        }
    }

    fn send(&mut self, at: usize, link: LinkId, bytes: &[u8]) {
        let is_mute = self.mute == Some(at);
        let Some(end) = self.servers[at].ends.get(&link) else { return };
        let is_mute = is_mute || (end.port == Port::Quorum && self.mute_quorum_port == Some(at));
        let is_broken = end.is_broken || is_mute || self.is_cut(at, end.other.0);
        let Some(end) = self.servers[at].ends.get_mut(&link) else { return };
        let (other, link) = end.other;
        end.is_broken = is_broken;
        if is_broken {
            return;
        }
        let life = self.servers[other].life;
        let piece = if self.piece == 0 { bytes.len().max(1) } else { self.piece };
        for bytes in bytes.chunks(piece) {
            self.after(MS, Event::Bytes(other, life, link, Bytes::copy_from_slice(bytes)));
        }
    }

    /// The quorum connection of `at` with another server.
    pub(crate) fn quorum_link(&self, at: usize, other: usize) -> LinkId {
        self.find_quorum_link(at, other).expect("they are connected")
    }

    pub(crate) fn find_quorum_link(&self, at: usize, other: usize) -> Option<LinkId> {
        let is_it = |end: &End| end.port == Port::Quorum && end.other.0 == other;
        self.servers[at].ends.iter().find(|(_, end)| is_it(end)).map(|(link, _)| *link)
    }

    /// Who leads, as an index; the one of the newest epoch when an old one does not know yet.
    pub(crate) fn leader(&self) -> usize {
        let leads =
            |at: &usize| self.servers[*at].mode() == Some(Mode::Leader) && self.servers[*at].is_serving();
        let epoch =
            |at: &usize| self.servers[*at].status().map(|status| status.epochs().map(|it| it.current));
        (0..self.servers.len()).filter(leads).max_by_key(epoch).expect("somebody leads")
    }

    /// Some server that serves and does not lead.
    pub(crate) fn follower(&self) -> usize {
        let follows = |at: &usize| self.servers[*at].mode() == Some(Mode::Follower);
        (0..self.servers.len())
            .find(|at| follows(at) && self.servers[*at].is_serving())
            .expect("somebody follows")
    }

    /// What every server says of itself.
    pub(crate) fn story(&self) -> String {
        let mut story = format!("at {} ms\n", self.now / MS);
        for (at, server) in self.servers.iter().enumerate() {
            let what = server.status().map(|status| (status.mode(), status.is_serving(), status.last_zxid()));
            story += &format!("server {}: {what:?} {:?}\n", at + 1, server.exit);
            for event in server.events.iter().rev().take(8).rev() {
                story += &format!("    {event:?}\n");
            }
        }
        story
    }

    /// A client's connection; its session is new, or the one that is named.
    pub(crate) fn connect(&mut self, server: usize, session: SessionId) -> usize {
        self.connect_as(server, session, false)
    }

    /// The same; the client may accept a read-only server.
    pub(crate) fn connect_as(&mut self, server: usize, session: SessionId, read_only: bool) -> usize {
        self.conns += 1;
        let conn = ConnId(self.conns);
        let address = "10.9.9.9:999".parse().expect("an address");
        self.clients.push(Client {
            server,
            conn,
            decoder: ReplyDecoder::new(0xf_ffff),
            session,
            last_zxid: Zxid::ZERO,
            is_closed: false,
            asked: BTreeMap::new(),
            xid: 0,
            heard: Vec::new(),
        });
        self.handle(server, Input::Accepted { conn, identity: Identity { address, certificate: None } });
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: self.timeout,
            session_id: session,
            password: Some(Bytes::copy_from_slice(&password(session))),
            read_only: Some(read_only),
        };
        self.handle(server, Input::Client { conn, message: ClientMessage::Connect(request) });
        self.clients.len() - 1
    }

    /// A client with a session, new or old.
    pub(crate) fn client(&mut self, server: usize, session: SessionId) -> usize {
        let client = self.connect(server, session);
        self.until("a session", |world| !world.clients[client].heard.is_empty());
        client
    }

    /// Asks for something without waiting for the answer.
    pub(crate) fn ask(&mut self, client: usize, request: Request) -> Xid {
        let one = &mut self.clients[client];
        one.xid += 1;
        let xid = if request == Request::Ping { Xid::PING } else { Xid(one.xid) };
        one.asked.insert(xid, request.opcode());
        let (server, conn) = (one.server, one.conn);
        self.handle(
            server,
            Input::Client { conn, message: ClientMessage::Request { xid, request, frame_length: 0 } },
        );
        xid
    }

    /// Asks, and waits for the answer or the end of the connection.
    pub(crate) fn call(&mut self, client: usize, request: Request) -> String {
        let before = self.clients[client].heard.len();
        self.ask(client, request);
        self.until("an answer", |world| {
            world.clients[client].is_closed || world.clients[client].heard.len() > before
        });
        self.clients[client].heard.last().cloned().unwrap_or_default()
    }

    /// The client's process goes on living; its connection does not.
    pub(crate) fn hang_up(&mut self, client: usize) {
        let Client { server, conn, .. } = self.clients[client];
        self.clients[client].is_closed = true;
        self.handle(server, Input::Closed { conn });
    }

    /// Every server that runs has the same tree, sessions and log end; how far that is.
    pub(crate) fn agree(&mut self) -> Zxid {
        let runs = |world: &World| -> Vec<(Zxid, u64, usize)> {
            let running = world.servers.iter().filter_map(Server::status);
            running
                .map(|status| {
                    let database = status.database();
                    (status.last_zxid(), database.tree.digest(), database.sessions().len())
                })
                .collect()
        };
        self.until("everybody has the same", |world| runs(world).windows(2).all(|pair| pair[0] == pair[1]));
        runs(self)[0].0
    }
}

impl Server {
    pub(crate) fn status(&self) -> Option<quorate_core::peer::Status<'_>> {
        Some(self.peer.as_ref()?.status())
    }

    pub(crate) fn mode(&self) -> Option<Mode> {
        Some(self.status()?.mode())
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.status().is_some_and(|status| status.is_serving())
    }
}

impl Client {
    fn hear(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
        while let Some(message) = self.decoder.poll().expect("servers speak the protocol") {
            let heard = match message {
                ServerMessage::Connected(response) => {
                    self.session = response.session_id;
                    let mode = if response.read_only == Some(true) { " read-only" } else { "" };
                    format!("connected for {} ms{mode}", response.timeout)
                }
                ServerMessage::Event { event, .. } => format!("{:?} {}", event.kind, event.path),
                ServerMessage::Reply { header, mut body } => {
                    self.last_zxid = self.last_zxid.max(header.zxid);
                    let opcode = self.asked.remove(&header.xid).expect("it was asked");
                    match header.err {
                        0 => render(header, opcode, Response::decode(opcode, &mut body)),
                        err => format!("error {err}"),
                    }
                }
            };
            self.heard.push(heard);
        }
    }
}

fn render<E: std::fmt::Debug>(header: ReplyHeader, opcode: i32, response: Result<Response, E>) -> String {
    match response.unwrap_or_else(|error| panic!("{header:?} to {opcode} has no such body: {error:?}")) {
        Response::GetData { data, .. } => String::from_utf8_lossy(&data.unwrap_or_default()).into_owned(),
        Response::Create { path } => path,
        Response::Paths(mut names) => {
            names.sort();
            names.join(" ")
        }
        Response::Multi(results) => results.iter().map(result).collect::<Vec<String>>().join(" "),
        other => name(&other),
    }
}

fn result(result: &MultiResult) -> String {
    match result {
        MultiResult::Error { code } => format!("error {code}"),
        other => name(other),
    }
}

fn name(of: &impl std::fmt::Debug) -> String {
    let text = format!("{of:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}
