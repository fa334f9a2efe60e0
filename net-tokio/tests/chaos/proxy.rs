//! The network between servers: every connection goes through a proxy on loopback that can be cut, either way or both.
//!
//! A cut is silent: bytes stay where they are, and whoever dials waits. When it heals they go on their way, as with TCP after a
//! short outage; or both ends are told that the connection is gone, as when TCP has given up.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a thread that waits looks up.
const GLANCE: Duration = Duration::from_millis(25);

/// One way between two: a pair of ports.
#[derive(Debug, Default)]
struct State {
    /// From the one who dials to the one who listens.
    to: AtomicBool,
    /// And back.
    back: AtomicBool,
    /// Connections of an earlier generation are gone.
    generation: AtomicU64,
    is_over: AtomicBool,
    /// Connections that were held when it was cut or came meanwhile.
    held: AtomicU64,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// Before the port of `target`, which may listen later.
    pub(crate) fn before(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let theirs = Arc::clone(&state);
        std::thread::spawn(move || {
            for dialler in listener.incoming() {
                if theirs.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(dialler), state) = (dialler, Arc::clone(&theirs)) else { continue };
                std::thread::spawn(move || connect(&dialler, target, &state));
            }
        });
        Proxy { port, state }
    }

    /// Cuts the way from who dials, the way back, or both.
    pub(crate) fn cut(&self, to: bool, back: bool) {
        self.state.to.store(to, Ordering::SeqCst);
        self.state.back.store(back, Ordering::SeqCst);
    }

    /// Ends the connections that a cut holds, without ending it.
    pub(crate) fn sever(&self) {
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends a cut; connections that it was for end too, if so asked. Returns how many had something held.
    pub(crate) fn heal(&self, ends: bool) -> u64 {
        if ends && (self.state.to.load(Ordering::SeqCst) || self.state.back.load(Ordering::SeqCst)) {
            self.state.generation.fetch_add(1, Ordering::SeqCst);
        }
        self.cut(false, false);
        self.state.held.swap(0, Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.state.generation.fetch_add(1, Ordering::SeqCst);
        // Who waits for connections is told by one.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

/// Waits while the way is cut; false when the connection is gone.
fn passes(state: &State, generation: u64, way: &[&AtomicBool]) -> bool {
    let mut is_held = false;
    while way.iter().any(|way| way.load(Ordering::SeqCst)) {
        if state.generation.load(Ordering::SeqCst) != generation {
            return false;
        }
        if !is_held {
            state.held.fetch_add(1, Ordering::SeqCst);
            is_held = true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    state.generation.load(Ordering::SeqCst) == generation
}

fn connect(dialler: &TcpStream, target: u16, state: &Arc<State>) {
    let generation = state.generation.load(Ordering::SeqCst);
    // Neither a SYN nor its answer comes through.
    if !passes(state, generation, &[&state.to, &state.back]) {
        return;
    }
    let Ok(listener) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else { return };
    let (Ok(from_dialler), Ok(to_dialler)) = (dialler.try_clone(), dialler.try_clone()) else { return };
    let (Ok(from_listener), Ok(to_listener)) = (listener.try_clone(), listener.try_clone()) else { return };
    let theirs = Arc::clone(state);
    std::thread::spawn(move || pump(from_listener, to_dialler, &theirs, generation, &theirs.back));
    pump(from_dialler, to_listener, state, generation, &state.to);
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &State, generation: u64, way: &AtomicBool) {
    let _ = to.set_nodelay(true);
    let _ = from.set_read_timeout(Some(GLANCE));
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer);
        if !passes(state, generation, &[way]) {
            break;
        }
        match read {
            Ok(0) => {
                // The other way may have something to say yet.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            _ => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
