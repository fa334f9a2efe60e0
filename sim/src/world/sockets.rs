//! The server's ends of connections: bytes through its decoders, how much waits for a client, how they close.

use super::net::Piece;
use super::server::State;
use super::{Event, World};
use crate::checkers::Verdict;
use quorate_core::contract::{Identity, Input};
use quorate_core::vocabulary::ConnId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

impl World<'_> {
    pub(super) fn arrive_at_server(&mut self, conn: ConnId) -> Verdict {
        let held = self.net.held_until(conn, true);
        if held > self.now {
            self.schedule(held, Event::Arrive { conn, to_server: true });
            return Ok(());
        }
        let Some(server) = self.net.links.get(conn).map(|link| link.server) else { return Ok(()) };
        if let Some(waiting) = &mut self.servers[server].waiting {
            waiting.push(Event::Arrive { conn, to_server: true });
            return Ok(());
        }
        let Some(piece) = self.net.arrive(conn, true) else { return Ok(()) };
        let is_refused = matches!(piece, Piece::Start) && self.refuses_client(server);
        let Some(link) = self.net.links.get_mut(conn) else { return Ok(()) };
        let client = link.client;
        match (&self.servers[server].state, &piece) {
            (State::Down { has_power: false }, _) => return Ok(()),
            (State::Running(_), Piece::Start) if !is_refused => link.open_at_server = true,
            (State::Running(_), _) if link.open_at_server => {}
            // Nobody listens, or nobody knows this connection: the client is told so.
            _ => {
                self.schedule(self.now + self.plan.network.latency_us * 1000, Event::Reset { conn });
                return Ok(());
            }
        }
        match piece {
            Piece::Start => {
                let fresh = self.servers[server].new_conn();
                if let Some(process) = self.servers[server].process() {
                    process.conns.insert(conn, fresh);
                }
                let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, client as u8 + 1)), 40_000);
                self.handle(
                    server,
                    Input::Accepted { conn, identity: Identity { address, certificate: None } },
                )
            }
            Piece::End => self.closed_at_server(server, conn),
            Piece::Data(bytes) => {
                if let Some(conn) =
                    self.servers[server].process().and_then(|process| process.conns.get_mut(&conn))
                {
                    conn.decoder.push(&bytes);
                }
                self.read_on(server, conn)
            }
        }
    }

    /// Whether the system refuses a client that its process would hear of.
    fn refuses_client(&mut self, server: usize) -> bool {
        let machine = &self.servers[server];
        let is_refused =
            matches!(machine.state, State::Running(_)) && !machine.troubles.refuse_clients.is_empty();
        if is_refused {
            self.counters.fault("refuse_clients");
        }
        is_refused
    }

    /// Hands over what the decoder makes of the bytes that are there.
    pub(super) fn read_on(&mut self, server: usize, conn: ConnId) -> Verdict {
        while let Some(server_conn) =
            self.servers[server].process().and_then(|process| process.conns.get_mut(&conn))
            && !server_conn.is_paused
        {
            match server_conn.decoder.poll() {
                Ok(Some(message)) => self.handle(server, Input::Client { conn, message })?,
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.counters.probe("protocol_violation");
                    self.end_at_server(server, conn);
                    return self.handle(server, Input::Closed { conn });
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_paused(&mut self, (server, conn): (usize, ConnId), is_paused: bool) {
        if let Some(conn) = self.servers[server].process().and_then(|process| process.conns.get_mut(&conn)) {
            conn.is_paused = is_paused;
        }
    }

    /// The server's end is closed, behind everything that was sent.
    pub(super) fn end_at_server(&mut self, server: usize, conn: ConnId) {
        if let Some(process) = self.servers[server].process() {
            process.conns.remove(&conn);
        }
        if let Some(link) = self.net.links.get_mut(conn) {
            link.open_at_server = false;
        }
        if let Some(at) = self.net.signal(self.now, (conn, false), Piece::End) {
            self.schedule(at, Event::Arrive { conn, to_server: false });
        }
        self.net.tidy(conn);
    }

    /// The client's end is closed, or the connection broken.
    pub(super) fn closed_at_server(&mut self, server: usize, conn: ConnId) -> Verdict {
        if let Some(link) = self.net.links.get_mut(conn) {
            link.open_at_server = false;
        }
        self.net.tidy(conn);
        let was_open =
            self.servers[server].process().is_some_and(|process| process.conns.remove(&conn).is_some());
        if !was_open {
            return Ok(());
        }
        self.handle(server, Input::Closed { conn })
    }

    pub(super) fn note_delivered(&mut self, conn: ConnId) -> Verdict {
        self.report_backlog(conn, true)
    }

    /// Tells the peer how much waits for a client, when it has doubled, and when it is gone.
    pub(super) fn report_backlog(&mut self, conn: ConnId, is_delivery: bool) -> Verdict {
        let Some(server) = self.net.links.get(conn).map(|link| link.server) else { return Ok(()) };
        if self.servers[server].is_paused() {
            return Ok(());
        }
        let bytes = self.net.in_flight(conn, false);
        let Some(server_conn) =
            self.servers[server].process().and_then(|process| process.conns.get_mut(&conn))
        else {
            return Ok(());
        };
        let reported = server_conn.reported_backlog;
        let is_news = if is_delivery { reported > 0 && bytes == 0 } else { bytes >= 4096.max(reported * 2) };
        if !is_news {
            return Ok(());
        }
        server_conn.reported_backlog = bytes;
        self.handle(server, Input::Backlog { conn, bytes: bytes as usize })
    }
}
