//! What clients do in the world: connect, ping, operate, give up, and hear.

use super::client::Client;
use super::encode::name;
use super::machine::{Around, Doing};
use super::net::Piece;
use super::scripted::Phase;
use super::{Event, Overheard, World};
use crate::app;
use crate::checkers::Verdict;
use crate::chooser::{Choice, Key};
use bytes::Bytes;
use quorate_core::client::ClientInput;
use quorate_core::vocabulary::ConnId;
use std::collections::VecDeque;

impl World<'_> {
    /// Plans the client's next timer, unless an earlier one is planned.
    pub(super) fn arm_client(&mut self, client: usize) {
        let at = self.clients[client].next_timer().max(self.now);
        if at < self.client_timers[client] {
            self.client_timers[client] = at;
            self.schedule(at, Event::ClientTimer(client));
        }
    }

    pub(super) fn client_timer(&mut self, client: usize) -> Verdict {
        if self.client_timers[client] != self.now {
            return Ok(());
        }
        self.client_timers[client] = u64::MAX;
        if self.clients[client].next_timer() > self.now {
            self.arm_client(client);
            return Ok(());
        }
        match &self.clients[client] {
            Client::Scripted(script) => {
                let (phase, is_deaf) = (script.phase, script.is_deaf(self.now));
                self.script_timer(client, phase, is_deaf)
            }
            Client::Machine(_) => self.drive(client, ClientInput::Timeout),
            Client::App(_) => self.run_app(client),
        }
    }

    fn script_timer(&mut self, client: usize, phase: Phase, is_deaf: bool) -> Verdict {
        let now = self.now;
        match phase {
            Phase::Away { until } if until <= now => {
                let server = self.next_server(client);
                let conn = self.connect(client, server);
                if let Client::Scripted(script) = &mut self.clients[client] {
                    if script.uses_xids_again() {
                        self.counters.probe("xids_restarted");
                    }
                    let handshake = script.connect(now, conn, &mut *self.chooser);
                    self.send(conn, true, handshake);
                }
            }
            _ if is_deaf => {
                self.note("client gives up", [client as u64, 0, 0]);
                self.counters.probe("client_gives_up");
                self.leave(client)?;
            }
            _ if self.clients[client].is_read_only() && self.has_read_enough(client) => {
                self.note("client looks elsewhere", [client as u64, 0, 0]);
                self.counters.probe("read_only_left");
                self.leave(client)?;
            }
            _ => {
                if let Client::Scripted(script) = &mut self.clients[client]
                    && let Some(ping) = script.ping(now, &self.real_time)
                {
                    self.note("ping", [client as u64, 0, 0]);
                    self.say(client, ping);
                }
            }
        }
        self.arm_client(client);
        Ok(())
    }

    fn has_read_enough(&self, client: usize) -> bool {
        matches!(&self.clients[client], Client::Scripted(script) if script.looks_elsewhere_at() <= self.now)
    }

    /// Hands an input to a session machine, and does what it wants done.
    fn drive(&mut self, client: usize, input: ClientInput) -> Verdict {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Client::Machine(machine) = &mut self.clients[client] else { return Ok(()) };
            let (real_time, counters) = (&mut self.real_time, &mut self.counters);
            let doings = machine.handle(input, &mut Around { now: self.now, real_time, counters })?;
            for doing in doings {
                match doing {
                    Doing::Connect(attempt, name) => {
                        let conn = self.connect(client, name % self.servers.len());
                        if let Client::Machine(machine) = &mut self.clients[client] {
                            machine.has_conn(conn);
                        }
                        inputs.push_back(ClientInput::Connected(attempt));
                    }
                    Doing::Send(bytes) => {
                        self.note("machine says", [client as u64, bytes.len() as u64, 0]);
                        self.say(client, bytes);
                    }
                    Doing::Leave => {
                        self.note("machine leaves", [client as u64, 0, 0]);
                        self.hang_up(client);
                    }
                }
            }
        }
        if let Client::Machine(machine) = &mut self.clients[client] {
            machine.renew_when_over(self.now, &mut *self.chooser);
        }
        self.arm_client(client);
        Ok(())
    }

    /// A script tries the servers one after the other, from one of its own choice on.
    fn next_server(&mut self, client: usize) -> usize {
        let count = self.servers.len() as u64;
        let first = self.chooser.pick(Choice::Servers, Key(client as u64, 0, 1), count);
        let Client::Scripted(script) = &self.clients[client] else { return 0 };
        ((first + script.attempts) % count) as usize
    }

    fn connect(&mut self, client: usize, server: usize) -> ConnId {
        let conn = self.net.open(client, server);
        self.note("connect", [client as u64, conn.0, server as u64]);
        if let Some(timeline) = &mut self.timeline {
            timeline.connects(self.now, conn, client, server);
        }
        if let Some(at) = self.net.signal(self.now, (conn, true), Piece::Start) {
            self.schedule(at, Event::Arrive { conn, to_server: true });
        }
        conn
    }

    /// The client closes its connection, and takes it as lost.
    fn leave(&mut self, client: usize) -> Verdict {
        let conn = self.net.of_client(client);
        self.hang_up(client);
        conn.map_or(Ok(()), |conn| self.client_lost(client, conn))
    }

    fn hang_up(&mut self, client: usize) {
        if let Some(conn) = self.net.of_client(client) {
            self.hang_up_one(conn);
        }
    }

    fn hang_up_one(&mut self, conn: ConnId) {
        self.overhear(|| Overheard::EndOf(conn));
        if let Some(at) = self.net.signal(self.now, (conn, true), Piece::End) {
            self.schedule(at, Event::Arrive { conn, to_server: true });
        }
        self.end_at_client(conn);
    }

    /// Lets the applications of a machine go on, and does what they want done.
    fn run_app(&mut self, client: usize) -> Verdict {
        let Client::App(app) = &mut self.clients[client] else { return Ok(()) };
        let doings = app.run(self.now, &mut self.counters)?;
        for doing in doings {
            match doing {
                app::Doing::Connect(stream, name) => {
                    let conn = self.connect(client, name % self.servers.len());
                    if let Client::App(app) = &mut self.clients[client] {
                        app.has_conn(stream, conn);
                        self.net.hold(conn, true, app.lonely_until());
                        self.net.hold(conn, false, app.lonely_until());
                    }
                }
                app::Doing::Say(stream, bytes) => {
                    let Client::App(app) = &mut self.clients[client] else { continue };
                    if let Some(conn) = app.conn(stream) {
                        app.says(self.now, conn, &bytes)?;
                        self.note("application says", [client as u64, conn.0, bytes.len() as u64]);
                        self.send(conn, true, bytes);
                    }
                }
                app::Doing::HangUp(stream) => {
                    let Client::App(app) = &mut self.clients[client] else { continue };
                    if let Some(conn) = app.hangs_up(self.now, stream) {
                        self.note("application hangs up", [client as u64, conn.0, 0]);
                        self.hang_up_one(conn);
                    }
                }
            }
        }
        self.arm_client(client);
        Ok(())
    }

    pub(super) fn client_lost(&mut self, client: usize, conn: ConnId) -> Verdict {
        let machine = match &mut self.clients[client] {
            Client::App(app) => {
                app.lose(self.now, conn);
                return self.run_app(client);
            }
            Client::Machine(machine) => machine,
            Client::Scripted(script) => {
                script.lost(self.now, &mut *self.chooser);
                self.arm_client(client);
                return Ok(());
            }
        };
        let loss = machine.loses();
        let gives_up = machine.gives_up(&mut *self.chooser);
        if let Some(loss) = loss {
            self.drive(client, loss)?;
        }
        if gives_up { self.drive(client, ClientInput::Close) } else { Ok(()) }
    }

    /// What the client knows of its session is of no more use.
    pub(super) fn forget_session(&mut self, client: usize) -> Verdict {
        match &mut self.clients[client] {
            Client::Scripted(script) => {
                script.forget_session();
                Ok(())
            }
            Client::Machine(machine) => {
                machine.forget_view();
                self.drive(client, ClientInput::Close)
            }
            // Servers refuse the session, and it asks for another.
            Client::App(_) => Ok(()),
        }
    }

    pub(super) fn end_at_client(&mut self, conn: ConnId) {
        if let Some(link) = self.net.links.get_mut(conn) {
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
        if to_server {
            self.overhear(|| Overheard::ToServer(conn, bytes.clone()));
        }
        if let Some(timeline) = &mut self.timeline {
            timeline.says(self.now, (conn, to_server), &bytes);
        }
        for at in self.net.send(&mut *self.chooser, (self.now, conn, to_server), bytes).into_iter().flatten()
        {
            self.schedule(at, Event::Arrive { conn, to_server });
        }
    }

    pub(super) fn operate(&mut self, index: usize) -> Verdict {
        if let Some(next) = self.plan.operations.get(index + 1) {
            self.schedule(next.at_us * 1000, Event::Operation(index + 1));
        }
        let planned = &self.plan.operations[index];
        self.real_time.committed = self.oracle.history.tail();
        let client = planned.client as usize;
        let script = match &mut self.clients[client] {
            Client::Scripted(script) => script,
            Client::App(_) => return Ok(()),
            Client::Machine(machine) => {
                let Some(input) = machine.input_of(&planned.operation) else { return Ok(()) };
                self.counters.operation(name(&planned.operation));
                self.note("operation", [client as u64, index as u64, 0]);
                self.explain(|| format!("{:?}", planned.operation));
                return self.drive(client, input);
            }
        };
        let bytes = script.operate(self.now, &planned.operation, &self.real_time, &mut self.counters);
        if let Some(bytes) = bytes {
            self.note("operation", [client as u64, index as u64, 0]);
            self.explain(|| format!("{:?}", planned.operation));
            self.say(client, bytes);
            self.arm_client(client);
        }
        Ok(())
    }

    pub(super) fn arrive_at_client(&mut self, conn: ConnId) -> Verdict {
        let held = self.net.held_until(conn, false);
        if held > self.now {
            self.schedule(held, Event::Arrive { conn, to_server: false });
            return Ok(());
        }
        let Some(piece) = self.net.arrive(conn, false) else { return Ok(()) };
        let Some(link) = self.net.links.get(conn) else { return Ok(()) };
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
                self.overhear(|| Overheard::EndOf(conn));
                self.end_at_client(conn);
                if self.clients[client].holds(conn) {
                    self.client_lost(client, conn)?;
                }
            }
            Piece::Data(bytes) => {
                self.note("to client", [client as u64, conn.0, bytes.len() as u64]);
                self.overhear(|| Overheard::ToClient(conn, bytes.clone()));
                if let Some(timeline) = &mut self.timeline {
                    timeline.reached_client(self.now, conn, bytes.len() as u64);
                }
                if self.clients[client].holds(conn) {
                    self.hear(client, conn, bytes)?;
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, client: usize, conn: ConnId, bytes: Bytes) -> Verdict {
        let script = match &mut self.clients[client] {
            Client::App(app) => {
                app.hear(self.now, conn, bytes);
                return self.run_app(client);
            }
            Client::Scripted(script) => script,
            Client::Machine(machine) => {
                return machine.heard(bytes).map_or(Ok(()), |input| self.drive(client, input));
            }
        };
        let (answers, is_alive) = script.receive(self.now, &bytes, &mut self.real_time)?;
        let is_back = script.is_back_from_reading();
        for answer in answers {
            self.say(client, answer);
        }
        if is_back {
            self.counters.probe("read_only_over");
        }
        if !is_alive {
            self.counters.probe("session_is_no_more");
            self.leave(client)?;
        }
        self.arm_client(client);
        Ok(())
    }
}
