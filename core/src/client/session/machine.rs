//! The machine itself: phases, and what each input does in each of them.

use super::chroot::Chroot;
use super::connect_string::{ConnectString, Host};
use super::connection::{Connection, Effect, is_submittable};
use super::contract::{
    Attempt, ClientError, ClientInput, ClientOutbox, ClientOutput, KeeperState, Reason, RequestId,
};
use super::timing::Timing;
use super::watches::WatchTable;
use crate::jute::{
    AuthPacket, ConnectRequest, ConnectResponse, Encode, ReplyDecoder, Request, ServerMessage, write_frame,
};
use crate::vocabulary::{Entropy, EntropyPurpose, Millis, Mono, SessionId, Zxid};
use bytes::Bytes;
use std::collections::VecDeque;

/// A reconnect waits less than this, so that a server's return is not a stampede.
const MAX_RECONNECT_DELAY_MS: u64 = 1000;

/// What a client session is made of.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where the servers are.
    pub connect: ConnectString,
    /// The timeout to ask for.
    pub session_timeout: Millis,
    /// Whether a read-only server will do.
    pub read_only: bool,
    /// The longest frame to accept from a server, bytes. ZooKeeper's servers do not limit theirs.
    pub max_frame: u32,
}

impl ClientOptions {
    /// ZooKeeper's defaults.
    pub fn new(connect: ConnectString, session_timeout: Millis) -> Self {
        ClientOptions { connect, session_timeout, read_only: false, max_frame: 0xf_ffff }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Waiting { until: Mono },
    Connecting { attempt: Attempt, since: Mono },
    Handshaking { attempt: Attempt, since: Mono, decoder: ReplyDecoder },
    Established(Connection),
    Over(Reason),
}

/// An identity to prove on every connection.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) packet: AuthPacket,
    /// Who is to hear of its first acceptance.
    pub(super) waiting: Option<RequestId>,
    sent: bool,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct ClientSession {
    options: ClientOptions,
    hosts: Vec<Host>,
    entropy: Entropy,
    attempts: u64,
    pub(super) phase: Phase,
    reported: KeeperState,
    timing: Timing,
    session: SessionId,
    password: Bytes,
    /// A session that only read-only servers know is not renewed anywhere.
    seen_read_write: bool,
    pub(super) last_zxid: Zxid,
    /// Since when servers hang up on who has no session yet.
    refused_since: Option<Mono>,
    /// When any server was last heard of, in this session.
    last_heard: Mono,
    /// When the latest message was sent that a server has answered: it knew of the session then, or later.
    last_proven: Mono,
    next_xid: i32,
    pub(super) credentials: Vec<Credentials>,
    pub(super) watches: WatchTable,
    queued: VecDeque<(RequestId, Request)>,
}

impl ClientSession {
    /// A session that will be asked for as soon as `Timeout` comes; `next_timeout` names `now`.
    pub fn new(options: ClientOptions, entropy: Entropy, now: Mono) -> Self {
        let hosts = shuffled(&options.connect.hosts, entropy);
        let timing = Timing::new(options.session_timeout, hosts.len());
        ClientSession {
            options,
            hosts,
            entropy,
            attempts: 0,
            phase: Phase::Waiting { until: now },
            reported: KeeperState::Disconnected,
            timing,
            session: SessionId::NONE,
            password: Bytes::from_static(&[0; 16]),
            seen_read_write: false,
            last_zxid: Zxid::ZERO,
            refused_since: None,
            last_heard: now,
            last_proven: now,
            next_xid: 1,
            credentials: Vec::new(),
            watches: WatchTable::default(),
            queued: VecDeque::new(),
        }
    }

    /// The same for whoever has seen as much in another session: servers that are behind that refuse it. When all that answer
    /// have refused it for as long as a session lives without a server, there is no such state any more, and it takes what
    /// there is.
    #[must_use]
    pub fn not_behind(mut self, seen: Zxid) -> Self {
        assert!(self.session == SessionId::NONE, "a session knows what it has seen");
        self.last_zxid = seen;
        self
    }

    /// The only way in, but for [`submit`](Self::submit), which is one of its inputs by reference.
    pub fn handle(&mut self, now: Mono, input: ClientInput, outbox: &mut ClientOutbox) {
        match input {
            ClientInput::Connected(attempt) => self.on_connected(now, attempt, outbox),
            ClientInput::ConnectionLost(attempt) if self.attempt() == Some(attempt) => self.lose(now, outbox),
            ClientInput::ConnectionLost(_) => {}
            ClientInput::Bytes(attempt, bytes) if self.attempt() == Some(attempt) => {
                self.on_bytes(now, &bytes, outbox)
            }
            ClientInput::Bytes(..) => {}
            ClientInput::Submit(id, request) => self.submit(now, id, &request, outbox),
            ClientInput::AddAuth(id, packet) => self.on_add_auth(now, id, packet, outbox),
            ClientInput::Timeout => self.on_timeout(now, outbox),
            ClientInput::Close => self.on_close(now, outbox),
        }
    }

    /// When to say `Timeout`; None once the session is over.
    pub fn next_timeout(&self) -> Option<Mono> {
        let due = match &self.phase {
            Phase::Waiting { until } => *until,
            Phase::Connecting { since, .. } | Phase::Handshaking { since, .. } => {
                *since + self.timing.connect_timeout()
            }
            Phase::Established(connection) => {
                let silent = connection.last_heard + self.timing.read_timeout();
                silent.min(connection.last_sent + self.timing.ping_interval())
            }
            Phase::Over(_) => return None,
        };
        Some(self.expiry().map_or(due, |expiry| due.min(expiry)))
    }

    /// The session's id, `NONE` before the first handshake.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The state that was told last.
    pub fn state(&self) -> KeeperState {
        self.reported
    }

    /// The highest zxid that a reply has carried.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The session's timeout: negotiated once there is a session, asked for before.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Until when the servers keep the session, by this client's clock, whatever becomes of the connection; None while there is
    /// no session. Servers count from what they last heard, which was not before it was sent.
    pub fn assured_until(&self) -> Option<Mono> {
        (self.session != SessionId::NONE).then(|| self.last_proven + self.timing.session_timeout())
    }

    /// The watches that stand.
    pub fn watches(&self) -> &WatchTable {
        &self.watches
    }

    /// The attempt that is heard of, if one is under way.
    fn attempt(&self) -> Option<Attempt> {
        match &self.phase {
            Phase::Connecting { attempt, .. } | Phase::Handshaking { attempt, .. } => Some(*attempt),
            Phase::Established(connection) => Some(connection.attempt),
            Phase::Waiting { .. } | Phase::Over(_) => None,
        }
    }

    /// When the session must have expired, if there is one.
    fn expiry(&self) -> Option<Mono> {
        (self.session != SessionId::NONE).then(|| self.last_heard + self.timing.expiry())
    }

    /// What was sent then is answered.
    pub(super) fn proven(&mut self, sent_at: Mono) {
        self.last_proven = self.last_proven.max(sent_at);
    }

    fn tell(&mut self, state: KeeperState, outbox: &mut ClientOutbox) {
        if self.reported != state {
            self.reported = state;
            outbox.push(ClientOutput::StateChanged(state));
        }
    }
}

/// Connecting and losing connections.
impl ClientSession {
    fn on_timeout(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        if matches!(self.phase, Phase::Over(_)) {
            return;
        }
        if self.expiry().is_some_and(|expiry| expiry <= now) {
            return self.end(Reason::SessionExpired, outbox);
        }
        match &mut self.phase {
            Phase::Waiting { until } if *until <= now => self.connect(now, outbox),
            Phase::Connecting { since, .. } | Phase::Handshaking { since, .. } => {
                if *since + self.timing.connect_timeout() <= now {
                    self.give_up_connection(now, outbox);
                }
            }
            Phase::Established(connection) => {
                if connection.last_heard + self.timing.read_timeout() <= now {
                    self.give_up_connection(now, outbox);
                } else if connection.last_sent + self.timing.ping_interval() <= now {
                    connection.send_ping(now, outbox);
                }
            }
            Phase::Waiting { .. } | Phase::Over(_) => {}
        }
    }

    fn connect(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        let host = self.hosts[(self.attempts % self.hosts.len() as u64) as usize].clone();
        self.attempts += 1;
        let attempt = Attempt(self.attempts);
        self.phase = Phase::Connecting { attempt, since: now };
        outbox.push(ClientOutput::Connect(attempt, host));
    }

    fn on_connected(&mut self, now: Mono, connected: Attempt, outbox: &mut ClientOutbox) {
        match self.phase {
            Phase::Connecting { attempt, .. } if attempt == connected => {}
            _ => return,
        }
        let is_refused = self.refused_since.is_some_and(|since| since + self.timing.expiry() <= now);
        if self.session == SessionId::NONE && is_refused {
            self.last_zxid = Zxid::ZERO;
        }
        let decoder = ReplyDecoder::new(self.options.max_frame);
        self.phase = Phase::Handshaking { attempt: connected, since: now, decoder };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout: self.options.session_timeout.to_int(),
            session_id: if self.seen_read_write { self.session } else { SessionId::NONE },
            password: Some(self.password.clone()),
            read_only: Some(self.options.read_only),
        };
        outbox.send(connected, |out| write_frame(out, |out| request.encode(out)));
    }

    /// Closes the connection by itself, then goes on as if it had been lost.
    pub(super) fn give_up_connection(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        if let Some(attempt) = self.attempt() {
            outbox.push(ClientOutput::Disconnect(attempt));
        }
        self.lose(now, outbox);
    }

    /// The connection is gone: everything that waits fails, and another server is tried after a while.
    fn lose(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        let closing = matches!(&self.phase, Phase::Established(connection) if connection.is_closing());
        if matches!(self.phase, Phase::Handshaking { .. }) {
            self.refused_since.get_or_insert(now);
        }
        self.fail_requests(Reason::ConnectionLoss, outbox);
        let delay = self.entropy.below(EntropyPurpose::Backoff, self.attempts, MAX_RECONNECT_DELAY_MS);
        self.phase = Phase::Waiting { until: now + Millis(delay) };
        if closing {
            return self.end(Reason::Closed, outbox);
        }
        self.tell(KeeperState::Disconnected, outbox);
    }

    /// Completes every request in flight and in the queue.
    fn fail_requests(&mut self, reason: Reason, outbox: &mut ClientOutbox) {
        if let Phase::Established(connection) = &mut self.phase {
            self.next_xid = connection.next_xid;
            for id in connection.in_flight.drain(..).filter_map(|request| request.id) {
                outbox.fail(id, ClientError::OutcomeUnknown(reason));
            }
        }
        for (id, _) in self.queued.drain(..) {
            outbox.fail(id, ClientError::NotSent(reason));
        }
    }

    /// The end of the session.
    pub(super) fn end(&mut self, reason: Reason, outbox: &mut ClientOutbox) {
        if let Some(attempt) = self.attempt() {
            outbox.push(ClientOutput::Disconnect(attempt));
        }
        self.fail_requests(reason, outbox);
        for credentials in &mut self.credentials {
            let error = match credentials.sent {
                true => ClientError::OutcomeUnknown(reason),
                false => ClientError::NotSent(reason),
            };
            if let Some(id) = credentials.waiting.take() {
                outbox.fail(id, error);
            }
        }
        self.watches.clear();
        self.phase = Phase::Over(reason);
        let state = match reason {
            Reason::SessionExpired => KeeperState::Expired,
            Reason::AuthFailed => KeeperState::AuthFailed,
            _ => KeeperState::Closed,
        };
        self.tell(state, outbox);
    }
}

/// What the application wants.
impl ClientSession {
    /// [`ClientInput::Submit`], for whoever keeps the request.
    pub fn submit(&mut self, now: Mono, id: RequestId, request: &Request, outbox: &mut ClientOutbox) {
        if !is_submittable(request) {
            return outbox.fail(id, ClientError::NotSent(Reason::NotSubmittable));
        }
        match &mut self.phase {
            Phase::Over(reason) => outbox.fail(id, ClientError::NotSent(*reason)),
            Phase::Established(connection) if connection.is_closing() => {
                outbox.fail(id, ClientError::NotSent(Reason::Closed));
            }
            Phase::Established(connection) => {
                let sent = self.options.connect.chroot.of_request(request);
                connection.send(now, &sent, (Some(id), Effect::of(request)), outbox);
            }
            _ => self.queued.push_back((id, request.clone())),
        }
    }

    fn on_add_auth(&mut self, now: Mono, id: RequestId, packet: AuthPacket, outbox: &mut ClientOutbox) {
        match &mut self.phase {
            Phase::Over(reason) => return outbox.fail(id, ClientError::NotSent(*reason)),
            Phase::Established(connection) => {
                connection.send_auth(now, self.credentials.len(), &packet, outbox);
            }
            _ => {}
        }
        let sent = matches!(self.phase, Phase::Established(_));
        self.credentials.push(Credentials { packet, waiting: Some(id), sent });
    }

    fn on_close(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        match &mut self.phase {
            Phase::Over(_) => {}
            Phase::Established(connection) if connection.is_closing() => {}
            Phase::Established(connection) => {
                connection.send(now, &Request::CloseSession, (None, Effect::Close), outbox);
            }
            // Without a connection there is nobody to tell; the servers will let it expire.
            _ => self.end(Reason::Closed, outbox),
        }
    }
}

/// What the server says.
impl ClientSession {
    fn on_bytes(&mut self, now: Mono, bytes: &[u8], outbox: &mut ClientOutbox) {
        self.last_heard = now;
        match &mut self.phase {
            Phase::Handshaking { decoder, .. } => decoder.push(bytes),
            Phase::Established(connection) => {
                connection.last_heard = now;
                connection.decoder.push(bytes);
            }
            // A server that speaks before it was spoken to is none.
            Phase::Connecting { .. } => return self.give_up_connection(now, outbox),
            Phase::Waiting { .. } | Phase::Over(_) => return,
        }
        loop {
            let decoder = match &mut self.phase {
                Phase::Handshaking { decoder, .. } => decoder,
                Phase::Established(connection) => &mut connection.decoder,
                _ => return,
            };
            match decoder.poll() {
                Ok(None) => return,
                Ok(Some(message)) => self.on_message(now, message, outbox),
                Err(_) => return self.give_up_connection(now, outbox),
            }
        }
    }

    fn on_message(&mut self, now: Mono, message: ServerMessage, outbox: &mut ClientOutbox) {
        match message {
            ServerMessage::Connected(response) => self.on_handshake(now, response, outbox),
            ServerMessage::Event { zxid, mut event } => {
                event.path = self.chroot().to_client(event.path);
                if self.watches.fired(&event) {
                    outbox.push(ClientOutput::Event(event, zxid));
                }
            }
            ServerMessage::Reply { header, body } => self.on_reply(now, header, body, outbox),
        }
    }

    fn on_handshake(&mut self, now: Mono, response: ConnectResponse, outbox: &mut ClientOutbox) {
        let timeout = u64::try_from(response.timeout).unwrap_or(0);
        if timeout == 0 {
            return self.end(Reason::SessionExpired, outbox);
        }
        let Phase::Handshaking { attempt, decoder, since } = &self.phase else { return };
        self.last_proven = self.last_proven.max(*since);
        let mut connection = Connection::new(*attempt, decoder.clone(), self.next_xid, now);
        let read_only = response.read_only == Some(true);
        self.seen_read_write |= !read_only;
        self.session = response.session_id;
        self.password = response.password;
        self.timing = Timing::new(Millis(timeout), self.hosts.len());
        for (place, credentials) in self.credentials.iter_mut().enumerate() {
            credentials.sent = true;
            connection.send_auth(now, place, &credentials.packet, outbox);
        }
        for batch in self.watches.batches(self.chroot(), self.last_zxid) {
            connection.send(now, &batch, (None, Effect::None), outbox);
        }
        for (id, request) in std::mem::take(&mut self.queued) {
            let effect = Effect::of(&request);
            connection.send(now, &self.chroot().of_request(&request), (Some(id), effect), outbox);
        }
        self.phase = Phase::Established(connection);
        let state = if read_only { KeeperState::ConnectedReadOnly } else { KeeperState::SyncConnected };
        self.tell(state, outbox);
    }

    pub(super) fn chroot(&self) -> &Chroot {
        &self.options.connect.chroot
    }
}

/// The hosts in an order of this client's own, so that not all clients try the same one first.
fn shuffled(hosts: &[Host], entropy: Entropy) -> Vec<Host> {
    let mut hosts = hosts.to_vec();
    for last in (1..hosts.len()).rev() {
        let place = entropy.below(EntropyPurpose::HostOrder, last as u64, last as u64 + 1) as usize;
        hosts.swap(last, place);
    }
    hosts
}
