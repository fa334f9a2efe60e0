//! What clients do in the world: connect, ping, operate, give up, and hear.

use super::client::Phase;
use super::net::Piece;
use super::{Event, World};
use crate::checkers::Verdict;
use bytes::Bytes;
use quorate_core::vocabulary::ConnId;

impl World<'_> {
    /// Plans the client's next timer, unless an earlier one is planned.
    pub(super) fn arm_client(&mut self, client: usize) {
        let at = self.clients[client].next_timer().max(self.now);
        if at < self.client_timers[client] {
            self.client_timers[client] = at;
            self.schedule(at, Event::ClientTimer(client));
        }
    }

    pub(super) fn client_timer(&mut self, client: usize) {
        if self.client_timers[client] != self.now {
            return;
        }
        self.client_timers[client] = u64::MAX;
        let floor = self.real_time.floor();
        match self.clients[client].phase {
            Phase::Away { until } if until <= self.now => self.connect(client),
            _ if self.clients[client].is_deaf(self.now) => {
                self.note("client gives up", [client as u64, 0, 0]);
                self.counters.probe("client_gives_up");
                self.leave(client);
            }
            _ => {
                if let Some(ping) = self.clients[client].ping(self.now, floor) {
                    self.note("ping", [client as u64, 0, 0]);
                    self.say(client, ping);
                }
            }
        }
        self.arm_client(client);
    }

    fn connect(&mut self, client: usize) {
        let conn = self.net.open(client);
        self.note("connect", [client as u64, conn.0, 0]);
        if let Some(at) = self.net.signal(self.now, (conn, true), Piece::Start) {
            self.schedule(at, Event::Arrive { conn, to_server: true });
        }
        let handshake = self.clients[client].connect(self.now, conn, &mut *self.chooser);
        self.send(conn, true, handshake);
    }

    /// The client closes its connection.
    pub(super) fn leave(&mut self, client: usize) {
        if let Some(conn) = self.net.of_client(client) {
            if let Some(at) = self.net.signal(self.now, (conn, true), Piece::End) {
                self.schedule(at, Event::Arrive { conn, to_server: true });
            }
            self.end_at_client(conn);
        }
        self.client_lost(client);
    }

    pub(super) fn client_lost(&mut self, client: usize) {
        self.clients[client].lost(self.now, &mut *self.chooser);
        self.arm_client(client);
    }

    pub(super) fn end_at_client(&mut self, conn: ConnId) {
        if let Some(link) = self.net.links.get_mut(&conn) {
            link.open_at_client = false;
        }
        self.net.tidy(conn);
    }

    fn say(&mut self, client: usize, bytes: Bytes) {
        if let Some(conn) = self.clients[client].conn() {
            self.send(conn, true, bytes);
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, to_server: bool, bytes: Bytes) {
        for at in self.net.send(&mut *self.chooser, (self.now, conn, to_server), bytes).into_iter().flatten()
        {
            self.schedule(at, Event::Arrive { conn, to_server });
        }
    }

    pub(super) fn operate(&mut self, index: usize) {
        if let Some(next) = self.plan.operations.get(index + 1) {
            self.schedule(next.at_us * 1000, Event::Operation(index + 1));
        }
        let planned = &self.plan.operations[index];
        let client = planned.client as usize;
        let bytes =
            self.clients[client].operate(self.now, &planned.operation, &self.real_time, &mut self.counters);
        if let Some(bytes) = bytes {
            self.note("operation", [client as u64, index as u64, 0]);
            self.trace.words(|| format!("{:?}", planned.operation));
            self.say(client, bytes);
            self.arm_client(client);
        }
    }

    pub(super) fn arrive_at_client(&mut self, conn: ConnId) -> Verdict {
        let held = self.net.held_until(conn, false);
        if held > self.now {
            self.schedule(held, Event::Arrive { conn, to_server: false });
            return Ok(());
        }
        let Some(piece) = self.net.arrive(conn, false) else { return Ok(()) };
        let Some(link) = self.net.links.get(&conn) else { return Ok(()) };
        let (client, is_open) = (link.client, link.open_at_client);
        if let Piece::Data(_) = &piece {
            self.note_delivered(conn)?;
        }
        if !is_open {
            return Ok(());
        }
        match piece {
            Piece::Start => {}
            Piece::End => {
                self.note("end at client", [client as u64, conn.0, 0]);
                self.end_at_client(conn);
                if self.clients[client].conn() == Some(conn) {
                    self.client_lost(client);
                }
            }
            Piece::Data(bytes) => {
                self.note("to client", [client as u64, conn.0, bytes.len() as u64]);
                if self.clients[client].conn() == Some(conn) {
                    let (answers, is_alive) =
                        self.clients[client].receive(self.now, &bytes, &mut self.real_time)?;
                    for answer in answers {
                        self.say(client, answer);
                    }
                    if !is_alive {
                        self.counters.probe("session_is_no_more");
                        self.leave(client);
                    }
                    self.arm_client(client);
                }
            }
        }
        Ok(())
    }
}
