//! Everything that clients should not do, all at once, while others go on: calm and tormented stretches by turns, two of
//! each with 1,000 connections, or nine with 10,000 when `QUORATE_FULL` is set.

use crate::bystander::{Bystander, Control, Memory, Span, is_full};
use crate::client::{Client, create, get, word};
use crate::process::{Server, poll_until, raise_descriptor_limit, stand_back};
use bytes::BytesMut;
use quorate_core::jute::{Request, Response, ServerMessage};
use quorate_core::vocabulary::SessionId;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// How long a calm stretch is, and how long a tormented one at least.
const STRETCH: Duration = Duration::from_millis(1_500);
/// Between two nuisances of one tormentor: it is the server that is tried, not the machine's two processors.
const PAUSE: Duration = Duration::from_millis(5);
const LARGE: usize = 200_000;
/// Connections that say nothing, or half a word.
const HALF_OPEN: usize = 200;
/// Pieces of nonsense in a tormented stretch, at least.
const NONSENSE: usize = 14;
/// Clients that ask for 100 MB each and take nothing.
const GREEDY: usize = 4;

#[test]
fn whatever_clients_do_others_are_served_as_in_calm() {
    let (rounds, crowd) = if is_full() { (9, 10_000) } else { (2, 1_000) };
    raise_descriptor_limit(crowd + HALF_OPEN + 200);
    let dir = tempdir().unwrap();
    let server = Server::start_with_large_log(
        dir.path(),
        &["maxClientCnxns=0", "tickTime=500", "nio.sessionlessCnxnTimeout=1000"],
    );
    let address = server.address;
    ask_as_a_guest(address, create("/large", &[7; LARGE]));
    let (bystander, control) = (Bystander::start(&server), Control::start());
    stand_back();
    let memory = Memory::watch(&server);
    let (mut calm, mut tormented) = (Vec::new(), Vec::new());
    let (nonsense, half_open) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..rounds {
        let from = Instant::now();
        std::thread::sleep(STRETCH);
        calm.push(Span { from, to: Instant::now() });

        let from = Instant::now();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Also when an assertion fails, or the others would go on for ever.
            let _end = End(&over);
            scope.spawn(|| until(&over, |_| send_nonsense(address, nonsense.fetch_add(1, Ordering::SeqCst))));
            scope.spawn(|| stay_half_open(address, &over, &half_open));
            scope.spawn(|| take_nothing(address, &over));
            come_and_go(address, crowd);
            std::thread::sleep(STRETCH.saturating_sub(from.elapsed()));
        });
        tormented.push(Span { from, to: Instant::now() });
        wait_for_quiet(address);
    }
    let (nonsense, half_open) = (nonsense.into_inner(), half_open.into_inner());
    println!("{nonsense} times nonsense, {half_open} half-open connections, {rounds} crowds of {crowd}");
    assert!(nonsense >= NONSENSE * rounds && half_open >= HALF_OPEN * rounds, "the tormentors were lazy");
    let grown = memory.grown();
    println!("{} KiB more memory at most", grown >> 10);
    assert!(grown < 128 << 20, "{grown} bytes under abuse");
    bystander.judge("abuse", &calm, &tormented, control);
    // And the service is what it was.
    let reply = ask_as_a_guest(address, get("/large"));
    assert!(matches!(reply, Response::GetData { data: Some(data), .. } if data.len() == LARGE));
    ask_as_a_guest(address, create("/after", b""));
    server.logged("event=suppressed kind=connection_dropped");
}

/// In a session of its own.
fn ask_as_a_guest(address: SocketAddr, request: Request) -> Response {
    let (mut guest, _) = Client::with_session(address);
    let reply = guest.ask(request).unwrap();
    guest.ask(Request::CloseSession).unwrap();
    reply
}

/// Ends the tormentors when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does it again and again.
fn until(over: &AtomicBool, mut nuisance: impl FnMut(usize)) {
    let mut round = 0;
    while !over.load(Ordering::SeqCst) {
        nuisance(round);
        round += 1;
        std::thread::sleep(PAUSE);
    }
}

/// Frames that are none, alone or behind a handshake; most are not waited for.
fn send_nonsense(address: SocketAddr, round: usize) {
    let garbage: Vec<u8> = (0..997).map(|place: usize| (place * place * 31 + round * 7) as u8).collect();
    let cases: [&[u8]; 7] = [
        &[0xff; 4],
        &0x7fff_ffff_i32.to_be_bytes(),
        &0x0010_0000_i32.to_be_bytes(),
        &i32::MIN.to_be_bytes(),
        &[0, 0, 0, 4, 0, 0, 0, 1],
        b"GET / HTTP/1.1\r\nHost: zookeeper\r\n\r\n",
        &garbage,
    ];
    let nonsense = cases[round % cases.len()];
    let mut client = Client::connect(address);
    if round % 2 == 1 {
        client.say_handshake(SessionId::NONE, &[0; 16], 1_000);
        assert!(matches!(client.hear(), Some(ServerMessage::Connected(_))));
        // Half a request is no nonsense to the server until the rest comes.
        client.say(if nonsense == garbage { &[0xff; 4] } else { nonsense });
        assert!(client.is_hung_up_on(), "{nonsense:?}");
    } else {
        // Whoever is hung up on may find that out while it still speaks.
        let _ = client.stream.write_all(nonsense);
    }
}

/// Connections that never finish their first word. The server ends them; as many come back.
fn stay_half_open(address: SocketAddr, over: &AtomicBool, count: &AtomicUsize) {
    let mut open: std::collections::VecDeque<TcpStream> = std::collections::VecDeque::new();
    until(over, |_| {
        for number in 0..10 {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 0 {
                stream.write_all(&[0, 0, 0, 45, 0, 0]).unwrap();
            }
            open.push_back(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
        while open.len() > HALF_OPEN {
            open.pop_front();
        }
    });
}

/// Clients that ask for much and never read.
fn take_nothing(address: SocketAddr, over: &AtomicBool) {
    let mut clients: Vec<Client> = (0..GREEDY).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        // They leave without a goodbye, which nobody would hear.
        client.handshake(SessionId::NONE, &[0; 16], 4_000).unwrap();
        let mut batch = BytesMut::new();
        for _ in 0..500 {
            client.add(&mut batch, &get("/large"));
        }
        client.say(&batch);
    }
    until(over, |_| {});
}

/// A crowd comes at once, gets its sessions, and is gone without a goodbye.
fn come_and_go(address: SocketAddr, count: usize) {
    let mut crowd = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(address);
        client.say_handshake(SessionId::NONE, &[0; 16], 3_000);
        crowd.push(client);
    }
    for client in &mut crowd {
        assert!(matches!(client.hear(), Some(ServerMessage::Connected(answer)) if answer.timeout > 0));
    }
}

/// Until only bystanders are left.
fn wait_for_quiet(address: SocketAddr) {
    let left = Bystander::SESSIONS;
    let (sessions, connections) =
        (format!("\nzk_global_sessions\t{left}\n"), format!("\nzk_num_alive_connections\t{}\n", left + 1));
    poll_until("the tormentors are gone", || {
        std::thread::sleep(Duration::from_millis(50));
        let mntr = word(address, b"mntr");
        mntr.contains(&sessions) && mntr.contains(&connections)
    });
}
