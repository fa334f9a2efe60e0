//! What each server is, from each change to the next.

use quorate_core::vocabulary::Zxid;

/// A server, as it would be seen from outside, and what is known of its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerState {
    /// Its part, or why it has none.
    pub(crate) mode: &'static str,
    pub(crate) is_serving: bool,
    pub(crate) is_paused: bool,
    /// Both epoch files, as they were asked for last.
    pub(crate) epochs: Option<(u32, u32)>,
    /// Whom it learns from.
    pub(crate) leader: Option<u8>,
    pub(crate) logged: Zxid,
    pub(crate) durable: Zxid,
    pub(crate) committed: Zxid,
    pub(crate) applied: Zxid,
    pub(crate) connections: u32,
    pub(crate) nodes: u32,
    pub(crate) life: u64,
}

impl ServerState {
    /// Of a server that has no process.
    pub(crate) fn without_process(mode: &'static str, life: u64, durable: Zxid) -> Self {
        ServerState {
            mode,
            is_serving: false,
            is_paused: false,
            epochs: None,
            leader: None,
            logged: Zxid::ZERO,
            durable,
            committed: Zxid::ZERO,
            applied: Zxid::ZERO,
            connections: 0,
            nodes: 0,
            life,
        }
    }
}

/// A state, since when, and how many events had happened then.
#[derive(Clone, Debug)]
pub(super) struct Since {
    pub(super) at: u64,
    pub(super) events: u32,
    pub(super) state: ServerState,
}

/// Of every server, oldest first.
#[derive(Debug, Default)]
pub(super) struct States {
    pub(super) by_server: Vec<Vec<Since>>,
    /// What each has appended and not heard of, by number in its lane, and where its log ends that is durable.
    appended: Vec<(Vec<(u64, Zxid)>, Zxid)>,
}

impl States {
    pub(super) fn new(servers: usize) -> Self {
        States { by_server: vec![Vec::new(); servers], appended: vec![(Vec::new(), Zxid::ZERO); servers] }
    }

    pub(super) fn mode(&self, server: usize) -> Option<&'static str> {
        self.by_server[server].last().map(|since| since.state.mode)
    }

    /// Keeps a state, if it is another than before.
    pub(super) fn change(&mut self, (at, events): (u64, u32), server: usize, state: ServerState) -> bool {
        let list = &mut self.by_server[server];
        if list.last().is_some_and(|last| last.state == state) {
            return false;
        }
        list.push(Since { at, events, state });
        true
    }

    pub(super) fn appends(&mut self, server: usize, seq: u64, zxid: Zxid) {
        self.appended[server].0.push((seq, zxid));
    }

    /// Everything up to this number is durable: up to which zxid, if that is news.
    pub(super) fn stored(&mut self, server: usize, seq: u64) -> Option<Zxid> {
        let (waiting, durable) = &mut self.appended[server];
        let count = waiting.iter().take_while(|(number, _)| *number <= seq).count();
        let (_, zxid) = waiting.drain(..count).next_back()?;
        *durable = zxid;
        Some(zxid)
    }

    /// The log ends here, as its disk was found or cut.
    pub(super) fn log_is(&mut self, server: usize, zxid: Zxid) {
        self.appended[server] = (Vec::new(), zxid);
    }

    pub(super) fn durable(&self, server: usize) -> Zxid {
        self.appended[server].1
    }
}
