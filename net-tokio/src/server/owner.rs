//! The owner of the peer: the one task that calls [`Peer::handle`].
//!
//! It works in batches. A batch is what storage and other threads have for the peer, then what connections gathered, then, if
//! one is due, the time-out; then everything the peer wants done is done: replies queued, each connection flushed once, storage
//! woken once.
//!
//! A batch that asks for a lot is done in parts, so that what is read from one client is never answered beyond what it takes:
//! once the peer pauses a connection, what was already read of it is held back ([`super::held`]). Whatever is left behind waits for the
//! next batch: what one client asked beyond its turn, who stands in line ([`super::turnstile`]), what the peer leaves for
//! later. Between two batches the poller brings what others want.
//!
//! Invariant: when time passes over a deadline, everything that had reached the process by then is handled before it. A process
//! that stood still, or whose disk did, thus never ends a session whose pings were waiting in the socket.

mod words;

use super::accept::Acceptor;
use super::clock::Clock;
use super::connection::Connection;
use super::events;
use super::held::Held;
use super::ingress::Ingress;
use super::lanes::Lanes;
use super::links::Links;
use super::mailbox::Mailbox;
use super::regulars;
use super::table::Table;
use crate::config::ServerConfig;
use crate::four_letter::{self, DirectorySizes};
use crate::metrics::{self, HostMetrics};
use quorate_core::contract::{ExitCode, Input, Lane, Outbox, Output};
use quorate_core::jute::{ClientMessage, FourLetterCommand};
use quorate_core::peer::Peer;
use quorate_core::vocabulary::{ConnId, Now};
use quorate_storage_file::Wanted;
use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How often the poller may bring more of what waited in sockets, a few at a time, before a deadline is believed.
const CATCH_UP_ROUNDS: usize = 512;
/// Inputs after which what the peer wants done is done, though more wait.
const INPUTS_A_PART: usize = 256;
/// And bytes of replies.
const BYTES_A_PART: usize = 1 << 20;
/// Bytes of replies after which nobody else is heard in this batch whose turn was over in one before.
const HELD_BYTES_A_PART: usize = 128 << 10;
/// How long the owner goes on with what the peer left behind, before it takes up anything else.
const A_PART: Duration = Duration::from_micros(100);
/// What is due and does not fit into a part rests so many times as long as the part took, so that the end of thousands of sessions,
/// which is logged and done besides, leaves half of the time to those who stay;
const RESTS: u32 = 3;
/// but no longer than this, for something else may become due.
const LONGEST_REST: Duration = Duration::from_millis(5);
/// How long replies may take to leave when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What other threads have for the owner.
#[derive(Debug)]
pub(crate) enum Message {
    /// Storage did something.
    Storage {
        /// For the peer.
        input: Input,
        /// How long the sync took, or the snapshot that was written.
        took: Option<Duration>,
    },
    /// Bytes that are free on the log's disk.
    FreeSpace(u64),
    /// The operator wants the process to end.
    Shutdown,
    /// Somebody scrapes the metrics page.
    MetricsPage(oneshot::Sender<String>),
    /// What a four-letter word waited for.
    Sizes {
        /// Who asked.
        conn: ConnId,
        /// For which word.
        command: FourLetterCommand,
        /// The answer.
        sizes: DirectorySizes,
    },
}

/// How the owner ended.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    /// With which code.
    pub(super) code: ExitCode,
    /// For what reason.
    pub(super) reason: String,
}

/// What an owner is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// What was configured.
    pub(super) config: Arc<ServerConfig>,
    /// The state machine.
    pub(super) peer: Peer,
    /// The clock it was made by.
    pub(super) clock: Clock,
    /// The threads that own the files.
    pub(super) lanes: Lanes,
    /// Where they, and others, leave word.
    pub(super) mailbox: Arc<Mailbox<Message>>,
    /// What was measured while starting.
    pub(super) metrics: HostMetrics,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Owner {
    parts: Parts,
    outbox: Outbox,
    table: Rc<RefCell<Table>>,
    ingress: Rc<Ingress>,
    /// Of a member of an ensemble.
    links: Option<Links>,
    accepting: Option<JoinHandle<()>>,
    timer: Pin<Box<Sleep>>,
    /// Nothing times out before.
    rests_until: Instant,
    /// Reused between batches.
    inputs: Vec<Input>,
    messages: Vec<Message>,
    dirty: Vec<Rc<Connection>>,
    backlogs: Vec<Input>,
    held: Held,
    exit: Option<Exit>,
}

impl Owner {
    /// An owner that accepts from `listener`. Needs a local runtime.
    pub(super) fn start(parts: Parts, listener: Option<TcpListener>, links: Option<Links>) -> Self {
        let (table, ingress) = (Rc::<RefCell<Table>>::default(), Rc::<Ingress>::default());
        let config = &parts.config;
        let acceptor = Acceptor::new(Rc::clone(&table), Rc::clone(&ingress), config);
        Owner {
            accepting: listener.map(|listener| spawn_local(acceptor.run(listener))),
            parts,
            outbox: Outbox::new(),
            table,
            ingress,
            links,
            timer: Box::pin(sleep(Duration::ZERO)),
            rests_until: Instant::now(),
            inputs: Vec::new(),
            messages: Vec::new(),
            dirty: Vec::new(),
            backlogs: Vec::new(),
            held: Held::default(),
            exit: None,
        }
    }

    /// Serves until the peer wants the process to end.
    pub(super) async fn run(mut self) -> Exit {
        poll_fn(|context| {
            self.parts.mailbox.register(context);
            self.ingress.register(context);
            self.links.iter().for_each(|links| links.register(context));
            Poll::Ready(())
        })
        .await;
        // What the peer wants done before anything happened.
        self.act(self.parts.clock.now());
        loop {
            if self.begin_turn().await {
                yield_now().await;
            }
            poll_fn(|context| self.poll_work(context)).await;
            let now = self.parts.clock.now();
            self.handle_waiting(now);
            if self.is_due(now) && self.rests_until <= Instant::now() {
                self.catch_up(now).await;
                self.time_out(now);
            }
            self.act(now);
            if let Some(exit) = self.exit.take() {
                self.say_last_words().await;
                return exit;
            }
        }
    }

    /// Whether something is left of the last turn: then the poller comes between, for others may want something that is less. Those who
    /// asked last are heard first, since the poller may bring a whole crowd before it comes to them.
    async fn begin_turn(&mut self) -> bool {
        let in_line = self.ingress.turn();
        if in_line > 0 && self.ingress.regulars.look() {
            regulars::come_behind().await;
            let now = self.parts.clock.now();
            self.handle_waiting(now);
            self.act(now);
        }
        in_line > 0 || self.held.has_resumed() || self.parts.peer.has_more()
    }

    /// Ready when there is anything to do.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ingress = &self.ingress;
        let is_wanted = !ingress.is_empty() || ingress.has_line() || self.held.has_resumed();
        if is_wanted || self.others_wait() || self.exit.is_some() {
            return Poll::Ready(());
        }
        let Some(due) = self.parts.peer.next_timeout() else { return Poll::Pending };
        let due = Instant::from_std(self.parts.clock.instant(due));
        let due = if self.parts.peer.has_more() { due } else { due.max(self.rests_until) };
        // The timer is set anew only when it would come too late; when it comes too early, that is found out here.
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.set(sleep_until(due));
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.set(sleep_until(due));
        }
        Poll::Pending
    }

    /// Whether storage, other threads or other servers have anything for the peer.
    fn others_wait(&self) -> bool {
        self.parts.mailbox.is_full() || self.links.as_ref().is_some_and(|links| !links.is_empty())
    }

    fn is_due(&self, now: Now) -> bool {
        self.parts.peer.next_deadline().is_some_and(|due| due <= now.mono)
    }

    /// Handles what was in sockets at `now`: lets the poller bring it until nothing comes, as of `now`.
    async fn catch_up(&mut self, now: Now) {
        // Who comes by now is let in before; who goes asks nothing more, and waits.
        let mut in_line = self.ingress.entrance.turn();
        for _ in 0..CATCH_UP_ROUNDS + in_line {
            if in_line > 0 {
                self.ingress.regulars.look();
            }
            // Comes back behind everything that the poller found.
            yield_now().await;
            in_line = self.ingress.entrance.turn();
            if in_line == 0 && self.ingress.is_empty() && !self.held.has_resumed() && !self.others_wait() {
                return;
            }
            self.handle_waiting(now);
            self.act(now);
        }
    }

    /// Handles what is due, as much as fits into a part; then rests from that, when something is left.
    fn time_out(&mut self, now: Now) {
        let begin = Instant::now();
        while self.is_due(now) && begin.elapsed() < A_PART {
            self.handle(now, Input::Timeout);
        }
        if self.is_due(now) {
            self.rests_until = Instant::now() + (RESTS * begin.elapsed()).min(LONGEST_REST);
        }
    }

    fn handle(&mut self, now: Now, input: Input) {
        self.parts.peer.handle(now, input, &mut self.outbox);
    }

    /// Handles everything that waits: of storage first, then of other servers, then some of what the peer left behind, then of
    /// clients.
    fn handle_waiting(&mut self, now: Now) {
        let mut messages = std::mem::take(&mut self.messages);
        self.parts.mailbox.take(&mut messages);
        messages.drain(..).for_each(|message| self.handle_message(now, message));
        self.messages = messages;
        let mut inputs = std::mem::take(&mut self.inputs);
        if let Some(links) = &self.links {
            links.swap(&mut inputs);
            self.handle_in_parts(now, inputs.drain(..));
        }
        let begin = Instant::now();
        while self.parts.peer.has_more() && begin.elapsed() < A_PART && self.outbox.bytes() < BYTES_A_PART {
            self.handle(now, Input::GoOn);
        }
        self.handle_held(now);
        self.ingress.swap(&mut inputs);
        self.handle_in_parts(now, inputs.drain(..));
        if inputs.capacity() > 1 << 14 {
            inputs = Vec::new();
        }
        self.inputs = inputs;
    }

    /// Handles some of what was held back of those who may be heard again.
    fn handle_held(&mut self, now: Now) {
        self.held.begin_batch();
        for _ in 0..INPUTS_A_PART {
            let Some(input) = self.held.next() else { return };
            self.hear(now, input);
            if self.outbox.bytes() >= HELD_BYTES_A_PART {
                return;
            }
        }
    }

    /// Does what the peer wants done whenever that has become a lot.
    fn handle_in_parts(&mut self, now: Now, inputs: impl Iterator<Item = Input>) {
        let mut handled = 0;
        for input in inputs {
            self.handle_input(now, input);
            handled += 1;
            if handled >= INPUTS_A_PART || self.outbox.bytes() >= BYTES_A_PART {
                self.act(now);
                handled = 0;
            }
        }
    }

    fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Client { conn, message } if self.held.is_paused(conn) => self.held.add(conn, message),
            input => self.hear(now, input),
        }
    }

    fn hear(&mut self, now: Now, input: Input) {
        match input {
            Input::Client { conn, message } => {
                if let ClientMessage::FourLetter { command, argument } = message {
                    self.handle(now, Input::Client { conn, message });
                    return self.answer(now, conn, command, argument);
                }
                let before = self.outbox.bytes();
                self.handle(now, Input::Client { conn, message });
                self.held.count(conn, self.outbox.bytes() - before);
            }
            Input::Closed { conn } => {
                if self.held.end(conn) {
                    return;
                }
                self.handle(now, Input::Closed { conn });
                // Replies to its last requests are still in the outbox.
                self.act(now);
                if let Some(connection) = self.table.borrow_mut().remove(conn) {
                    connection.close();
                }
            }
            input => self.handle(now, input),
        }
    }

    fn handle_message(&mut self, now: Now, message: Message) {
        match message {
            Message::Storage { input, took } => {
                if let Some(took) = took {
                    let lane = match input {
                        Input::Stored { lane, .. } | Input::StoreFailed { lane, .. } => lane,
                        _ => unreachable!("storage says nothing else"),
                    };
                    match lane {
                        Lane::Log => self.parts.metrics.add_fsync(took),
                        _ => self.parts.metrics.add_snapshot(took),
                    }
                }
                self.handle(now, input);
            }
            Message::FreeSpace(bytes) => self.handle(now, Input::FreeSpace { bytes }),
            Message::Shutdown => {
                // The port is free from here on.
                if let Some(accepting) = self.accepting.take() {
                    accepting.abort();
                }
                self.handle(now, Input::Shutdown);
            }
            Message::MetricsPage(reply) => {
                let page = metrics::prometheus_page(&self.facts(now, None));
                // Whoever does not wait any more has no use for it.
                let _ = reply.send(page);
            }
            Message::Sizes { conn, command, sizes } => {
                let answer = four_letter::answer(command, None, &self.facts(now, Some((conn, sizes))));
                self.send_answer(now, conn, answer);
            }
        }
    }

    /// Does what the peer wants done, and what it wants done about what that came to.
    fn act(&mut self, now: Now) {
        let is_dirty = |links: &Option<Links>| links.as_ref().is_some_and(Links::is_dirty);
        while !self.outbox.is_empty() || !self.dirty.is_empty() || is_dirty(&self.links) {
            self.act_once();
            self.parts.lanes.send();
            if let Some(links) = &mut self.links {
                links.flush(&mut self.backlogs);
            }
            for connection in self.dirty.drain(..) {
                if let Some(bytes) = connection.flush() {
                    self.backlogs.push(Input::Backlog { conn: connection.id, bytes });
                }
            }
            let mut backlogs = std::mem::take(&mut self.backlogs);
            backlogs.drain(..).for_each(|backlog| self.handle(now, backlog));
            self.backlogs = backlogs;
        }
    }

    fn act_once(&mut self) {
        let table = self.table.borrow();
        for output in self.outbox.drain() {
            match output {
                Output::Send { conn, bytes } => {
                    if let Some(connection) = table.find(conn)
                        && connection.queue(bytes)
                    {
                        self.dirty.push(Rc::clone(connection));
                    }
                }
                Output::Close { conn } => {
                    self.held.forget(conn);
                    if let Some(connection) = table.find(conn) {
                        close(connection, self.parts.config.peer.limits.backlog_close);
                    }
                }
                Output::PauseRead { conn } => {
                    if let Some(connection) = table.find(conn) {
                        self.held.pause(conn);
                        connection.pause_read(true);
                    }
                }
                Output::ResumeRead { conn } => {
                    self.held.resume(conn);
                    if let Some(connection) = table.find(conn) {
                        connection.pause_read(false);
                    }
                }
                Output::Store { lane, seq, op } => self.parts.lanes.queue(lane, seq, op),
                Output::Load { id, after, up_to, max_bytes } => {
                    self.parts.lanes.load(id, Wanted { after, up_to, max_bytes });
                }
                Output::Event(event) => events::log(event, &table),
                Output::Exit { code, reason } => self.exit = Some(Exit { code, reason }),
                output => match &mut self.links {
                    Some(links) => act_between_servers(links, output),
                    None => unreachable!("a server alone asks for nothing like {output:?}"),
                },
            }
        }
    }

    /// Lets what was sent reach the clients, but not for long.
    async fn say_last_words(&mut self) {
        self.links.iter_mut().for_each(Links::stop_accepting);
        let waiting = {
            let table = self.table.borrow();
            table.iter().for_each(|connection| connection.close());
            table.iter().filter(|connection| !connection.is_finished()).cloned().collect::<Vec<_>>()
        };
        let deadline = Instant::now() + LAST_WORDS;
        while waiting.iter().any(|connection| !connection.is_finished()) && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        self.table.borrow().iter().for_each(|connection| connection.shut_down());
    }
}

/// Does what the peer wants done about other servers.
fn act_between_servers(links: &mut Links, output: Output) {
    match output {
        Output::Dial { port, to } => links.dial(port, to),
        Output::SendLink { link, bytes } => links.send(link, bytes),
        Output::SendSnapshot { link, image } => links.send_snapshot(link, image),
        Output::CloseLink { link } => links.close(link),
        other => unreachable!("no adapter was written for {other:?}"),
    }
}

/// Closes a connection; one whose backlog passed its limit gets nothing more of it.
fn close(connection: &Connection, backlog_limit: usize) {
    if connection.backlog() > backlog_limit {
        connection.abort();
    } else {
        connection.close();
    }
}
