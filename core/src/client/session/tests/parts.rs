//! Tables for the parts that are functions: connect strings, chroots, times, batches, bytes in pieces.

use super::super::connect_string::{ConnectString, ConnectStringError};
use super::super::watches::{Registration, WatchTable};
use super::*;
use crate::client::{Chroot, KeeperState, Timing};
use std::collections::VecDeque;

#[test]
fn connect_strings_are_javas() {
    let table = [
        ("a", "a:2181 |"),
        ("a:1,b:2,c", "a:1 b:2 c:2181 |"),
        (" a:1 , b ", "a:1 b:2181 |"),
        ("a:1,,b", "a:1 b:2181 |"),
        ("a:", "a:2181 |"),
        ("a:1/", "a:1 |"),
        ("a:1,b:2/app/x", "a:1 b:2 |/app/x"),
        ("[::1]:5", "[::1]:5 |"),
        ("[2001:db8::7],10.0.0.1:3/c", "[2001:db8::7]:2181 10.0.0.1:3 |/c"),
        // Without brackets the last colon is the port's.
        ("::1:2181", "[::1]:2181 |"),
    ];
    for (text, expected) in table {
        let parsed: ConnectString = text.parse().expect(text);
        let hosts: Vec<String> = parsed.hosts.iter().map(ToString::to_string).collect();
        let chroot = parsed.chroot.to_server("/").trim_end_matches('/').to_owned();
        assert_eq!(format!("{} |{chroot}", hosts.join(" ")), expected, "{text}");
    }
}

#[test]
fn texts_that_are_no_connect_strings_say_why() {
    use ConnectStringError as E;
    let table = [
        ("", E::NoHost),
        (",", E::NoHost),
        ("/app", E::NoHost),
        (":2181", E::NoHost),
        ("[]:1", E::NoHost),
        ("a:x", E::Port("a:x".into())),
        ("a:65536", E::Port("a:65536".into())),
        ("a:-1", E::Port("a:-1".into())),
        ("[::1", E::Brackets("[::1".into())),
        ("[::1]5", E::Brackets("[::1]5".into())),
        ("a/app/", E::Chroot("/app/".into())),
        ("a//app", E::Chroot("//app".into())),
        ("a/./b", E::Chroot("/./b".into())),
        ("dns-srv://zk/app", E::DnsSrv),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse::<ConnectString>(), Err(expected), "{text}");
    }
}

#[test]
fn chroots_are_put_on_and_taken_off_at_a_slash_only() {
    let chroot = Chroot::new("/app").expect("a chroot");
    // client, server; both ways
    let table =
        [("/", "/app"), ("/a", "/app/a"), ("/app", "/app/app"), ("/zookeeper/config", "/zookeeper/config")];
    for (client, server) in table {
        assert_eq!(chroot.to_server(client), server);
        assert_eq!(chroot.to_client(server.to_owned()), client);
    }
    for elsewhere in ["/apple", "/ap", "/", "/other/app/a"] {
        assert_eq!(chroot.to_client(elsewhere.to_owned()), elsewhere, "what lies elsewhere stays as it is");
    }
    let none = Chroot::new("/").expect("the root is no chroot");
    assert_eq!((none.to_server("/a"), none.to_client("/a".to_owned())), ("/a".to_owned(), "/a".to_owned()));
    assert_eq!([Chroot::new("app"), Chroot::new("/app/"), Chroot::new("/a//b")], [None, None, None]);
}

#[test]
fn times_follow_from_the_timeout() {
    // timeout, hosts: connect, read, ping, expiry
    let table = [
        (30_000, 3, [10_000, 20_000, 9_000, 40_000]),
        (6_000, 1, [6_000, 4_000, 1_001, 8_000]),
        (4_000, 2, [2_000, 2_666, 1_001, 5_333]),
        (2_000, 2, [1_000, 1_333, 666, 2_666]),
        (120_000, 1, [120_000, 80_000, 10_000, 160_000]),
        (1, 3, [1, 1, 1, 1]),
    ];
    for (timeout, hosts, expected) in table {
        let timing = Timing::new(Millis(timeout), hosts);
        let times =
            [timing.connect_timeout(), timing.read_timeout(), timing.ping_interval(), timing.expiry()];
        assert_eq!(times.map(|time| time.0), expected, "{timeout} with {hosts}");
    }
}

#[test]
fn watches_are_sent_again_in_batches_of_128_kib() {
    let mut table = WatchTable::default();
    let path = |n: usize| format!("/{n:0>1022}");
    for n in 0..300 {
        table.register(Registration::Data, path(n));
    }
    table.register(Registration::Added(crate::jute::AddWatchMode::Persistent), "/p".to_owned());
    let chroot = Chroot::new("/").expect("the root is no chroot");
    let batches = table.batches(&chroot, Zxid(9));
    let counts: Vec<_> = batches
        .iter()
        .map(|batch| match batch {
            Request::SetWatches(w) => (101, w.data.len(), w.persistent.len(), w.relative_zxid.0),
            Request::SetWatches2(w) => (105, w.data.len(), w.persistent.len(), w.relative_zxid.0),
            other => panic!("{other:?} is no setWatches"),
        })
        .collect();
    // 128 KiB are 131,072 bytes: 128.1 paths of 1,023, so the 129th ends a batch.
    assert_eq!(counts, [(101, 129, 0, 9), (101, 129, 0, 9), (105, 42, 1, 9)]);
    assert!(WatchTable::default().batches(&chroot, Zxid(9)).is_empty());
}

/// Servers take the empty path for the root's.
#[test]
fn a_watch_at_the_empty_path_is_sent_again_too() {
    let mut table = WatchTable::default();
    table.register(Registration::Child, String::new());
    let batches = table.batches(&Chroot::default(), Zxid(9));
    let [Request::SetWatches(batch)] = batches.as_slice() else { panic!("{batches:?}") };
    assert_eq!(batch.child, [Some(String::new())]);
}

#[test]
fn every_registered_watch_is_in_exactly_one_batch_of_its_own_list() {
    let mut table = WatchTable::default();
    table.register(Registration::Data, "/d".to_owned());
    table.register(Registration::Exist, "/e".to_owned());
    table.register(Registration::Child, "/c".to_owned());
    table.register(Registration::Added(crate::jute::AddWatchMode::PersistentRecursive), "/".to_owned());
    let chroot = Chroot::new("/app").expect("a chroot");
    let batches = table.batches(&chroot, Zxid(1));
    let [Request::SetWatches2(batch)] = batches.as_slice() else { panic!("{batches:?}") };
    let lists = [&batch.data, &batch.exist, &batch.child, &batch.persistent, &batch.persistent_recursive];
    assert_eq!(
        lists.map(|list| list.iter().flatten().cloned().collect::<Vec<_>>().join(",")),
        ["/app/d", "/app/e", "/app/c", "", "/app"]
    );
}

/// The server's bytes may come in any pieces; what the session wants done is the same.
#[test]
fn pieces_of_a_stream_mean_what_the_stream_means() {
    let run = |piece: usize| {
        let mut script = Script::new("h1");
        for line in ["0 timeout", "0 connected"] {
            script.line(line);
        }
        let mut stream = BytesMut::new();
        for words in [
            vec!["session", "7", "6000"],
            vec!["reply", "-2", "3", "0"],
            vec!["reply", "1", "5", "0", "data=hello"],
            vec!["event", "changed", "/a", "6"],
        ] {
            let ClientInput::Bytes(_, bytes) = script.server_says(&words) else {
                panic!("the server says bytes")
            };
            stream.extend_from_slice(&bytes);
        }
        script.submitted.insert(RequestId(1));
        let request = Request::GetData { path: Some("/a".to_owned()), watch: true };
        script.session.handle(Mono(0), ClientInput::Submit(RequestId(1), request), &mut script.outbox);
        for piece in stream.chunks(piece) {
            let input = ClientInput::Bytes(script.current, Bytes::copy_from_slice(piece));
            script.session.handle(Mono(0), input, &mut script.outbox);
        }
        let outputs: Vec<_> = script.outbox.drain().collect();
        outputs.into_iter().for_each(|output| script.show(output));
        script.out
    };
    let whole = run(1000);
    assert!(whole.contains("event NodeDataChanged /a"), "{whole}");
    for piece in [1, 2, 3, 7, 20, 50] {
        assert_eq!(run(piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn clients_with_different_entropy_try_hosts_in_different_orders() {
    let first = |seed| {
        let connect = "a,b,c,d,e,f,g,h".parse().expect("a connect string");
        let options = ClientOptions::new(connect, Millis(6000));
        let mut session = ClientSession::new(options, Entropy::new(seed, ServerId(0), 1), Mono(0));
        let mut outbox = ClientOutbox::new();
        session.handle(Mono(0), ClientInput::Timeout, &mut outbox);
        let Some(ClientOutput::Connect(_, host)) = outbox.drain().next() else { panic!("no connect") };
        host.name
    };
    let firsts: BTreeSet<String> = (0..40).map(first).collect();
    assert_eq!(firsts.len(), 8, "forty clients spread over eight hosts: {firsts:?}");
    assert_eq!(first(3), first(3));
}

/// Whatever the server and the driver do, in whatever order: nothing panics, every request is completed exactly once by
/// the end, nothing is sent on a connection that was given up, and a state is never told twice.
#[test]
fn it_keeps_its_promises_to_whoever_drives_it() {
    let (mut answered, mut established, mut ended) = (0, 0, 0);
    for seed in 0..400 {
        let run = Chaos::new(seed).run(300);
        answered += run.answered;
        established += run.established;
        ended += usize::from(run.expired);
    }
    assert!(
        answered > 2_000 && established > 400 && ended > 20,
        "{answered} {established} {ended}: too tame"
    );
}

struct Chaos {
    session: ClientSession,
    entropy: Entropy,
    drawn: u64,
    now: Mono,
    current: Option<Attempt>,
    state: KeeperState,
    /// What the server has not answered yet.
    unanswered: VecDeque<i32>,
    answered: usize,
    submitted: u64,
    completed: BTreeSet<RequestId>,
    established: usize,
    expired: bool,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let entropy = Entropy::new(seed, ServerId(0), 1);
        let connect = "a,b/c".parse().expect("a connect string");
        let session = ClientSession::new(ClientOptions::new(connect, Millis(6000)), entropy, Mono(0));
        let state = KeeperState::Disconnected;
        let completed = BTreeSet::new();
        let now = Mono(0);
        Chaos {
            session,
            entropy,
            drawn: 0,
            now,
            current: None,
            state,
            unanswered: VecDeque::new(),
            answered: 0,
            submitted: 0,
            completed,
            established: 0,
            expired: false,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        self.entropy.below(crate::vocabulary::EntropyPurpose::SnapshotSpread, self.drawn, bound)
    }

    fn run(mut self, steps: usize) -> Self {
        for _ in 0..steps {
            self.now =
                self.now + Millis(if self.below(150) == 0 { self.below(9000) } else { self.below(60) });
            let input = self.input();
            self.handle(input);
        }
        self.handle(ClientInput::Close);
        if let Some(attempt) = self.current {
            self.handle(ClientInput::ConnectionLost(attempt));
        }
        assert_eq!(self.session.next_timeout(), None, "a closed session wants nothing more");
        assert_eq!(self.completed.len() as u64, self.submitted, "requests without an end");
        self
    }

    fn input(&mut self) -> ClientInput {
        let attempt = self.current.unwrap_or(Attempt(0));
        match self.below(24) {
            0..=5 => ClientInput::Timeout,
            6..=8 => ClientInput::Connected(attempt),
            9 if self.below(4) == 0 => ClientInput::ConnectionLost(attempt),
            10..=17 => ClientInput::Bytes(attempt, self.server_bytes()),
            18 if self.below(9) == 0 => {
                self.submitted += 1;
                let auth = AuthPacket { kind: 0, scheme: None, auth: None };
                ClientInput::AddAuth(RequestId(self.submitted), auth)
            }
            19 if self.below(90) == 0 => ClientInput::Close,
            _ => {
                self.submitted += 1;
                let line = ["getData /a watch", "setData /a", "addWatch /p 1", "removeWatches /p 5", "ping"];
                let words: Vec<&str> = line[self.below(5) as usize].split(' ').collect();
                ClientInput::Submit(RequestId(self.submitted), request(&words))
            }
        }
    }

    /// Mostly what a server would say, sometimes not.
    fn server_bytes(&mut self) -> Bytes {
        let mut bytes = BytesMut::new();
        if self.session.state() == KeeperState::Disconnected {
            let timeout = if self.below(60) == 0 { 0 } else { 6000 };
            let password = Bytes::from_static(&[1; 16]);
            let session_id = SessionId(7);
            let response =
                ConnectResponse { protocol_version: 0, timeout, session_id, password, read_only: None };
            write_frame(&mut bytes, |out| response.encode(out));
        } else {
            let xid = match self.below(12) {
                0 => Xid::AUTH,
                1 => Xid::PING,
                2 => Xid::SET_WATCHES,
                3 => Xid::NOTIFICATION,
                _ => Xid(self.unanswered.pop_front().unwrap_or(1)),
            };
            let err = if self.below(12) == 0 { -101 } else { 0 };
            let ending = self.below(60);
            write_frame(&mut bytes, |out| {
                ReplyHeader { xid, zxid: Zxid(9), err }.encode(out);
                Response::GetData {
                    data: Some(Bytes::from(vec![0; ending as usize])),
                    stat: Stat::default(),
                }
                .encode(out);
            });
        }
        if self.below(50) == 0 {
            let place = self.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << self.below(8);
        }
        bytes.freeze()
    }

    fn handle(&mut self, input: ClientInput) {
        let mut outbox = ClientOutbox::new();
        self.session.handle(self.now, input, &mut outbox);
        for output in outbox.drain() {
            match output {
                ClientOutput::Connect(attempt, _) => {
                    assert!(
                        self.current.is_none_or(|current| current < attempt),
                        "attempts are numbered upwards"
                    );
                    self.current = Some(attempt);
                }
                ClientOutput::Send(attempt, bytes) => {
                    assert_eq!(Some(attempt), self.current, "sent on a connection that was given up");
                    let mut rest = &bytes[..];
                    while let Some((length, frame)) = rest.split_first_chunk::<4>() {
                        let (frame, behind) = frame.split_at(u32::from_be_bytes(*length) as usize);
                        let xid = i32::from_be_bytes(*frame.first_chunk().expect("frames begin with an xid"));
                        // The handshake begins with its version, 0.
                        match xid {
                            0 => self.unanswered.clear(),
                            1.. | -8 => self.unanswered.push_back(xid),
                            _ => {}
                        }
                        rest = behind;
                    }
                }
                ClientOutput::Disconnect(attempt) => {
                    assert_eq!(self.current.take(), Some(attempt), "disconnected twice");
                }
                ClientOutput::Completed { id, result, .. } => {
                    self.answered += usize::from(result.is_ok());
                    assert!(id.0 <= self.submitted, "{id:?} was never submitted");
                    assert!(self.completed.insert(id), "{id:?} was completed twice");
                }
                ClientOutput::Event(..) => {}
                ClientOutput::StateChanged(state) => {
                    assert_ne!(state, self.state, "told twice");
                    self.established += usize::from(state == KeeperState::SyncConnected);
                    self.expired |= state == KeeperState::Expired;
                    self.state = state;
                }
            }
        }
    }
}
