//! What was already read of connections that the peer does not want to hear of for now.
//!
//! One read brings many requests, and a pause may come after the first of them. Without this a client could have
//! thousands of large replies made that it never takes.
//!
//! Invariant: the order of one connection's messages is kept. While it is paused nothing more is read of it; and a connection
//! that is resumed stays held until the batch is over, because more of it may stand in the batch.

use super::ingress::Ingress;
use quorate_core::contract::Input;
use quorate_core::jute::ClientMessage;
use quorate_core::vocabulary::ConnId;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Held {
    paused: BTreeMap<ConnId, Vec<ClientMessage>>,
    resumed: BTreeSet<ConnId>,
}

impl Held {
    /// From now on messages of this connection are held.
    pub(super) fn pause(&mut self, conn: ConnId) {
        self.resumed.remove(&conn);
        self.paused.entry(conn).or_default();
    }

    /// Whether they are.
    pub(super) fn is_paused(&self, conn: ConnId) -> bool {
        !self.paused.is_empty() && self.paused.contains_key(&conn)
    }

    /// Holds a message.
    pub(super) fn add(&mut self, conn: ConnId, message: ClientMessage) {
        self.paused.get_mut(&conn).expect("only paused connections are held").push(message);
    }

    /// The connection is to be heard again.
    pub(super) fn resume(&mut self, conn: ConnId) {
        if self.paused.contains_key(&conn) {
            self.resumed.insert(conn);
        }
    }

    /// The batch is over: queues what was held of resumed connections, in front of what is read from now on.
    pub(super) fn release(&mut self, ingress: &Ingress) {
        while let Some(conn) = self.resumed.pop_first() {
            for message in self.paused.remove(&conn).unwrap_or_default() {
                ingress.push(Input::Client { conn, message });
            }
        }
    }

    /// The connection is gone, or will be: what it said last is not heard.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.paused.remove(&conn);
        self.resumed.remove(&conn);
    }
}
