//! A peer, its clients, its storage and its clocks, all driven by the lines of a script.

use crate::arguments::{Arguments, number};
use crate::client::Client;
use crate::{render, requests};
use bytes::Bytes;
use quorate_core::contract::*;
use quorate_core::jute::*;
use quorate_core::peer::Peer;
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::*;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;

pub(crate) struct World {
    config: PeerConfig,
    peer: Option<Peer>,
    clients: BTreeMap<String, Client>,
    now: Now,
    next_conn: u64,
    /// Storage ops not confirmed.
    stored: BTreeMap<Lane, Vec<StoreSeq>>,
    /// Txns that are there before the peer is.
    seeds: Vec<Txn>,
    /// What was appended and is not durable yet.
    log: VecDeque<(StoreSeq, Txn)>,
    /// A database that has replayed what is durable.
    replayed: Option<Database>,
    incarnation: u64,
    hold: bool,
    show_log: bool,
    output: String,
}

impl Default for World {
    fn default() -> Self {
        let config = PeerConfig::standalone(Millis(1000));
        World {
            config,
            peer: None,
            clients: BTreeMap::new(),
            now: Now { mono: Mono::from_millis(1_000_000), wall: Wall(5000) },
            next_conn: 1,
            stored: BTreeMap::new(),
            seeds: Vec::new(),
            log: VecDeque::new(),
            replayed: None,
            incarnation: 1,
            hold: false,
            show_log: false,
            output: String::new(),
        }
    }
}

impl World {
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            self.say(line);
            return;
        }
        self.say(&format!("> {line}"));
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let arguments = Arguments::new(rest);
        if verb == "config" {
            return arguments.keyed().for_each(|(key, value)| self.configure(key, value));
        }
        if verb == "seed" {
            return self.seed(&arguments);
        }
        self.command(verb, &arguments, rest);
        let peer = self.peer();
        if let Err(broken) = peer.check_full() {
            panic!("behind {line:?}: {broken}\n{}", self.output);
        }
        self.compare_with_replay(line);
    }

    /// What is applied is what a replay of the durable log comes to, and every txn's digest is that of the tree after it.
    fn compare_with_replay(&mut self, line: &str) {
        let is_due = self.peer().next_timeout().is_some_and(|due| due <= self.now.mono);
        let live = self.peer.as_ref().expect("it is there").status().database();
        let replayed = self.replayed.as_ref().expect("it was made with the peer");
        if is_due && live.last_zxid() < replayed.last_zxid() {
            // The rest is applied when the peer is given time.
            return;
        }
        assert_eq!(live.last_zxid(), replayed.last_zxid(), "behind {line:?}");
        assert_eq!(live.sessions(), replayed.sessions(), "behind {line:?}");
        assert_eq!(live.tree.digest(), replayed.tree.digest(), "behind {line:?}");
        assert_eq!(live.tree.node_count(), replayed.tree.node_count(), "behind {line:?}");
        assert_eq!(replayed.digest_mismatches(), 0, "behind {line:?}");
    }

    /// What the first life finds: a fresh database that has seen the seeds.
    fn seeded(&self) -> Database {
        let options = TreeOptions {
            extended_types: self.config.switches.extended_types,
            digest: self.config.switches.digest,
            serialize_last_zxid: true,
        };
        let mut database = Database::new(LookupSeed(7), options);
        for txn in &self.seeds {
            database.apply(txn, &mut Unobserved).expect("a seed can be applied");
        }
        database
    }

    /// The log up to `seq` is durable.
    fn replay_up_to(&mut self, seq: StoreSeq) {
        let replayed = self.replayed.as_mut().expect("it was made with the peer");
        while let Some((_, txn)) = self.log.pop_front_if(|(own, _)| *own <= seq) {
            replayed.apply(&txn, &mut Unobserved).expect("a logged txn can be applied");
        }
    }

    /// A txn of an earlier life: `create PATH parent_cversion=…` or `set PATH version=…`.
    fn seed(&mut self, arguments: &Arguments<'_>) {
        let path = arguments.path(1).expect("a path");
        let (opcode, record) = match arguments.bare(0) {
            "set" => {
                let version = arguments.number("version").expect("a version") as i32;
                (OpCode::SetData, TxnRecord::SetData { path, data: None, version })
            }
            _ => {
                let create = CreateTxn {
                    path,
                    data: None,
                    acl: Acl::open(),
                    ephemeral: arguments.value("session").is_some(),
                    parent_cversion: arguments.number("parent_cversion").unwrap_or(-1) as i32,
                    ttl: 0,
                };
                (OpCode::Create, TxnRecord::Create(create))
            }
        };
        let header = TxnHeader {
            session: SessionId(arguments.number("session").unwrap_or(0)),
            cxid: Xid(0),
            zxid: Zxid(self.seeds.len() as i64 + 1),
            time: self.now.wall,
            opcode,
        };
        self.seeds.push(Txn { header, record, digest: None });
    }

    /// The process dies and comes back with what was durable. Connections are gone.
    fn crash(&mut self) {
        self.log.clear();
        self.stored.clear();
        self.hold = false;
        self.incarnation += 1;
        self.peer = None;
        let names: Vec<String> = self.clients.keys().cloned().collect();
        self.say(&format!("gone: {}", names.join(" ")));
        self.peer();
    }

    pub(crate) fn into_output(self) -> String {
        self.output
    }

    pub(crate) fn digest(&self) -> Option<u64> {
        self.peer.as_ref().map(Peer::digest)
    }

    pub(crate) fn replace_peer_by_its_clone(&mut self) {
        self.peer = self.peer.clone();
    }

    fn say(&mut self, line: &str) {
        writeln!(self.output, "{line}").expect("a string takes all");
    }

    fn peer(&mut self) -> &mut Peer {
        if self.peer.is_none() {
            let entropy = Entropy::new(1, ServerId(1), self.incarnation);
            let mut found = self.replayed.take().unwrap_or_else(|| self.seeded());
            self.peer = Some(Peer::new(self.config.clone(), found.clone(), entropy, self.now));
            found.drop_orphans();
            self.replayed = Some(found);
        }
        self.peer.as_mut().expect("it has just been made")
    }

    fn configure(&mut self, key: &str, value: &str) {
        assert!(self.peer.is_none(), "the configuration stands at the head of a script");
        let on = value == "on";
        let PeerConfig { switches, limits, sequences, .. } = &mut self.config;
        match key {
            "extended_types" => switches.extended_types = on,
            "enforce_quota" => switches.enforce_quota = on,
            "reconfig" => switches.reconfig = on,
            "close_session_txn" => switches.close_session_txn = on,
            "digest" => switches.digest = on,
            "skip_acl" => switches.skip_acl = on,
            "super_digest" => self.config.super_digest = Some(value.to_owned()),
            "outstanding" => limits.outstanding_requests = number(value) as u32,
            "max_cnxns" => limits.connections = number(value) as u32,
            "max_client_cnxns" => limits.connections_per_address = number(value) as u32,
            "max_frame" => limits.max_frame = number(value) as u32,
            "extra_size" => limits.extra_size = number(value) as u32,
            "backlog_pause" => limits.backlog_pause = number(value) as usize,
            "backlog_close" => limits.backlog_close = number(value) as usize,
            "snap_count" => sequences.snap_count = number(value) as u32,
            "expiries" => sequences.expiries_under_way = number(value) as usize,
            "container_interval" => sequences.container_check_interval = Millis(number(value) as u64),
            "container_per_minute" => sequences.container_max_per_minute = number(value) as u32,
            "container_never_used" => sequences.container_max_never_used = Millis(number(value) as u64),
            _ => panic!("no such setting: {key}"),
        }
    }

    fn command(&mut self, verb: &str, arguments: &Arguments<'_>, rest: &str) {
        match verb {
            "accept" => self.accept(arguments),
            "connect" => {
                self.accept(arguments);
                self.connect(arguments);
            }
            "handshake" => self.connect(arguments),
            "hold" => self.hold = true,
            "store" => self.store(arguments),
            "fail" => self.fail(arguments),
            "advance" => self.advance(number(arguments.bare(0)) as u64),
            "sleep" => self.sleep(number(arguments.bare(0)) as u64),
            "go_on" => self.input(Input::GoOn),
            "timeout" => self.input(Input::Timeout),
            "wall" => self.now.wall = Wall(number(arguments.bare(0))),
            "space" => self.input(Input::FreeSpace { bytes: number(arguments.bare(0)) as u64 }),
            "crash" => self.crash(),
            "shutdown" => self.input(Input::Shutdown),
            "srst" => self.input(Input::ResetServerStats),
            "crst" => self.input(Input::ResetConnectionStats),
            "log" => self.show_log = arguments.has("on"),
            "stat" => self.stat(),
            "watches" => self.watches(),
            client => self.client_command(client, rest),
        }
    }

    fn accept(&mut self, arguments: &Arguments<'_>) {
        let name = arguments.bare(0).to_owned();
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let from = arguments.value("from").unwrap_or("10.0.0.1");
        let address = SocketAddr::new(from.parse().expect("an address"), 40_000 + conn.0 as u16);
        self.clients.insert(name, Client::new(conn));
        self.input(Input::Accepted { conn, identity: Identity { address, certificate: None } });
    }

    fn connect(&mut self, arguments: &Arguments<'_>) {
        let name = arguments.bare(0);
        let (mut session_id, mut password) = (SessionId::NONE, vec![0; 16]);
        if let Some(other) = arguments.value("session") {
            match self.clients.get(other) {
                Some(other) => (session_id, password) = (other.session, other.password.clone()),
                None => session_id = SessionId(number(other)),
            }
        }
        match arguments.value("password") {
            Some("bad") => password = vec![1; 16],
            Some("guessed") => password = quorate_core::session::password(session_id).to_vec(),
            _ => {}
        }
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(arguments.number("zxid").unwrap_or(0)),
            timeout: arguments.number("timeout").unwrap_or(10_000) as i32,
            session_id,
            password: Some(Bytes::from(password)),
            read_only: match arguments.value("ro") {
                Some("none") => None,
                other => Some(other == Some("1")),
            },
        };
        let client = self.clients.get_mut(name).expect("the client has been accepted");
        let message = client.speak(|out| request.encode(out));
        let message = message.expect("a handshake can be decoded").expect("it is complete");
        let conn = client.conn;
        self.input(Input::Client { conn, message });
    }

    fn client_command(&mut self, name: &str, rest: &str) {
        let client = self.clients.get_mut(name).unwrap_or_else(|| panic!("no such client: {name}"));
        let conn = client.conn;
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let arguments = Arguments::new(rest);
        match verb {
            "hangup" => return self.input(Input::Closed { conn }),
            "backlog" => {
                return self.input(Input::Backlog { conn, bytes: number(arguments.bare(0)) as usize });
            }
            "4lw" => {
                let command = FourLetterCommand::from_bytes(*b"srvr").expect("a word");
                let message = ClientMessage::FourLetter { command, argument: None };
                return self.input(Input::Client { conn, message });
            }
            _ => {}
        }
        let xid = arguments.number("xid").map_or(client.next_xid, |xid| xid as i32);
        let xid = if verb == "ping" && arguments.number("xid").is_none() { -2 } else { xid };
        client.next_xid += i32::from(xid == client.next_xid);
        let (opcode, body) = if verb == "raw" {
            let digits: String = arguments.rest(1).collect();
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
            let body: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
            (number(arguments.bare(0)) as i32, Bytes::from(body))
        } else {
            let request = requests::request(verb, &arguments, rest);
            (request.opcode(), request.to_bytes())
        };
        client.waiting.push_back((Xid(xid), opcode));
        let message = client.speak(|out| {
            RequestHeader { xid: Xid(xid), opcode }.encode(out);
            out.raw(&body);
        });
        match message {
            Ok(message) => {
                let message = message.expect("a whole frame was sent");
                self.input(Input::Client { conn, message });
            }
            Err(violation) => self.say(&format!("{name}: violation: {violation}")),
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.now;
        let mut outbox = Outbox::new();
        self.peer().handle(now, input, &mut outbox);
        let outputs: Vec<Output> = outbox.drain().collect();
        for output in outputs {
            self.output(output);
        }
        if !self.hold {
            self.confirm(Lane::Log, usize::MAX);
            self.confirm(Lane::Snapshot, usize::MAX);
        }
    }

    fn confirm(&mut self, lane: Lane, count: usize) {
        let ops = self.stored.entry(lane).or_default();
        let confirmed: Vec<StoreSeq> = ops.drain(..count.min(ops.len())).collect();
        if let Some(seq) = confirmed.last() {
            if lane == Lane::Log {
                self.replay_up_to(*seq);
            }
            self.input(Input::Stored { lane, seq: *seq });
        }
    }

    fn store(&mut self, arguments: &Arguments<'_>) {
        match arguments.rest(0).next() {
            Some("snapshot") => self.confirm(Lane::Snapshot, usize::MAX),
            Some(count) => self.confirm(Lane::Log, number(count) as usize),
            None => {
                self.hold = false;
                self.confirm(Lane::Log, usize::MAX);
            }
        }
    }

    fn fail(&mut self, arguments: &Arguments<'_>) {
        let lane = if arguments.bare(0) == "log" { Lane::Log } else { Lane::Snapshot };
        let seq = self.stored.entry(lane).or_default().remove(0);
        self.input(Input::StoreFailed { lane, seq, reason: "the disk said no".to_owned() });
    }

    fn sleep(&mut self, ms: u64) {
        self.now.mono = self.now.mono + Millis(ms);
        self.now.wall.0 += ms as i64;
    }

    /// Lets time pass, and every timer run when it is due.
    fn advance(&mut self, ms: u64) {
        let end = self.now.mono + Millis(ms);
        for _ in 0..10_000 {
            match self.peer().next_timeout() {
                Some(due) if due <= end => {
                    let step = due.millis_since(self.now.mono);
                    self.sleep(step.0);
                    self.input(Input::Timeout);
                }
                _ => {
                    let rest = end.millis_since(self.now.mono);
                    return self.sleep(rest.0);
                }
            }
        }
        panic!("timers that never end");
    }

    fn name_of(&self, conn: ConnId) -> String {
        let found = self.clients.iter().find(|(_, client)| client.conn == conn);
        found.map_or_else(|| format!("{conn:?}"), |(name, _)| name.clone())
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { conn, bytes } => self.received(conn, &bytes),
            Output::Close { conn } => self.say(&format!("{}: closed", self.name_of(conn))),
            Output::PauseRead { conn } => self.say(&format!("{}: paused", self.name_of(conn))),
            Output::ResumeRead { conn } => self.say(&format!("{}: resumed", self.name_of(conn))),
            Output::Store { lane, seq, op } => {
                self.stored.entry(lane).or_default().push(seq);
                self.show_store(seq, op);
            }
            Output::Event(event) => self.say(&format!("! {event:?}")),
            Output::Exit { code, reason } => self.say(&format!("exit {code:?}: {reason}")),
            other => panic!("no such output: {other:?}"),
        }
    }

    fn show_store(&mut self, seq: StoreSeq, op: StoreOp) {
        match op {
            StoreOp::Append { zxid, txn } => {
                let txn = Txn::decode_all(&mut Reader::new(txn)).expect("what is logged can be read");
                assert_eq!(txn.header.zxid, zxid);
                if self.show_log {
                    let record = render::record(txn.header.opcode, &txn.record);
                    self.say(&format!("log: {} cxid={} {record}", zxid.0, txn.header.cxid.0));
                }
                self.log.push_back((seq, txn));
            }
            StoreOp::Snapshot(image) => self.say(&format!("store: snapshot {}", image.zxid())),
            other => self.say(&format!("store: {other:?}")),
        }
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let name = self.name_of(conn);
        let client = self.clients.get_mut(&name).expect("bytes go to a client");
        client.from_server.push(bytes);
        let mut lines = Vec::new();
        while let Some(message) = client.from_server.poll().expect("the server speaks ZooKeeper") {
            lines.push(match message {
                ServerMessage::Connected(response) => {
                    client.session = response.session_id;
                    client.password = response.password.to_vec();
                    let read_only = response.read_only;
                    format!("session {} timeout={} ro={read_only:?}", response.session_id, response.timeout)
                }
                ServerMessage::Event { zxid, event } => {
                    format!("event z{} {:?} {}", zxid.0, event.kind, event.path)
                }
                ServerMessage::Reply { header, mut body } => {
                    let opcode = client.answered(header.xid);
                    let answer = if header.err != 0 {
                        let behind = body.remaining();
                        let error = render::error(header.err);
                        if behind == 0 { error } else { format!("{error} and {behind} bytes") }
                    } else {
                        let response = Response::decode(opcode, &mut body).expect("a body can be decoded");
                        assert_eq!(body.remaining(), 0, "nothing stands behind a body");
                        render::response(&response)
                    };
                    format!("#{} z{} {answer}", header.xid.0, header.zxid.0)
                }
            });
        }
        for line in lines {
            self.say(&format!("{name}: {line}"));
        }
    }

    fn stat(&mut self) {
        let status = self.peer().status();
        let server = status.metrics().server;
        let mut lines = vec![format!(
            "{} received={} sent={} connections={} outstanding={} zxid={} nodes={}",
            status.mode().as_str(),
            server.packets_received,
            server.packets_sent,
            status.connection_count(),
            status.outstanding(),
            status.last_zxid(),
            status.node_count()
        )];
        for connection in status.connections() {
            let stats = connection.stats();
            lines.push(format!(
                "  {}(queued={},recved={},sent={},lop={},to={},lcxid={:?},lzxid={},llat={},maxlat={})",
                connection.identity().address,
                connection.outstanding(),
                stats.received,
                stats.sent,
                stats.last_operation,
                connection.timeout().0,
                stats.last_cxid.map(|xid| xid.0),
                stats.last_zxid,
                stats.last_latency.0,
                stats.latency.max()
            ));
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn watches(&mut self) {
        let status = self.peer().status();
        let summary = status.watches().summary();
        let by_path = status.watches().by_path().into_iter();
        let by_path: Vec<String> = by_path.map(|(path, conns)| format!("{path}: {}", conns.len())).collect();
        let line = format!("watch_count={} {summary:?} {by_path:?}", status.watches().watch_count());
        self.say(&line);
    }
}
