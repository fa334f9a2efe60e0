//! Connections come and go (`client-protocol.md` §21, §22).

use super::Peer;
use crate::contract::{Identity, Outbox, Output, PeerEvent};
use crate::metrics::Counter;
use crate::pipeline::{Connection, ConnectionState};
use crate::vocabulary::{ConnId, Now};

impl Peer {
    /// One over a limit is closed at once, and never counted.
    pub(super) fn accept(&mut self, now: Now, conn: ConnId, identity: Identity, outbox: &mut Outbox) {
        let limits = &self.state.config.limits;
        let from = self.state.connections.count_from(identity.address.ip());
        let is_over = |limit: u32, count: usize| limit != 0 && count >= limit as usize;
        let reason = if self.is_ending() {
            "the server is shutting down"
        } else if is_over(limits.connections, self.state.connections.len()) {
            "too many connections (maxCnxns)"
        } else if is_over(limits.connections_per_address, from as usize) {
            "too many connections from this address (maxClientCnxns)"
        } else {
            let deadline = now.mono + limits.handshake_timeout;
            self.handshakes.insert((deadline, conn));
            return self.state.connections.insert(Connection::new(conn, identity, deadline, now.wall));
        };
        self.state.metrics.count(Counter::ConnectionRejected);
        outbox.event(PeerEvent::ConnectionDropped { conn, reason });
        outbox.push(Output::Close { conn });
    }

    /// The adapter says that a connection is gone. Its session lives on; its requests under way are done, unanswered.
    ///
    /// As in ZooKeeper this is the end that `connection_drop_count` counts: the client's, when nobody had asked for one.
    pub(super) fn closed(&mut self, conn: ConnId) {
        self.end_patience(conn);
        let asked_a_word =
            self.state.connections.get(conn).is_some_and(|c| c.state() == ConnectionState::FourLetter);
        if self.state.forget(conn) && !asked_a_word {
            self.state.metrics.count(Counter::ConnectionDropCount);
        }
    }

    /// Ends a connection for a reason that operators want to know.
    pub(super) fn drop_connection(&mut self, conn: ConnId, reason: &'static str, outbox: &mut Outbox) {
        self.end_patience(conn);
        outbox.event(PeerEvent::ConnectionDropped { conn, reason });
        self.state.close(conn, outbox);
    }

    /// A reply that passes the limit is never sent: without it the connection is of no use.
    pub(super) fn drop_overlong(&mut self, outbox: &mut Outbox) {
        for conn in std::mem::take(&mut self.state.connections.overlong) {
            if self.state.connections.slot(conn).is_some() {
                self.drop_connection(conn, "a reply is too long (client.backlogCloseBytes)", outbox);
            }
        }
    }

    /// A connection has said its first word, or is gone: its deadline is void.
    pub(super) fn end_patience(&mut self, conn: ConnId) {
        let state = self.state.connections.get(conn).map(Connection::state);
        if let Some(ConnectionState::Accepted { deadline }) = state {
            self.handshakes.remove(&(deadline, conn));
        }
    }

    /// A four-letter word: counted here, answered by the adapter from [`Peer::status`], which then closes the connection.
    pub(super) fn four_letter(&mut self, conn: ConnId) {
        self.end_patience(conn);
        let Some(connection) = self.state.connections.get_mut(conn) else { return };
        connection.state = ConnectionState::FourLetter;
        connection.stats.received += 1;
        self.state.metrics.server.packets_received += 1;
        self.state.metrics.count_by(Counter::BytesReceivedCount, 4);
    }
}
