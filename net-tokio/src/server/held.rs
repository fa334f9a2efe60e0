//! What was already read of connections that are not to be heard for now: until the peer wants to hear of them again, or until
//! others had their turn.
//!
//! One read brings many requests, and a pause may come after the first of them. Without this a client could have
//! thousands of large replies made that it never takes. Nor does anybody have more than [`A_TURN`] of replies made in one
//! batch, or whoever asks for little would wait behind those who ask for much.
//!
//! Invariants: the order of one connection's messages is kept, its end is behind them. While the peer pauses it nothing more is read
//! of it; and a connection that is resumed stays held until the batch is over, because more of it may stand in the batch. A
//! message is moved once, however many turns go by before it is heard.

use quorate_core::contract::Input;
use quorate_core::jute::ClientMessage;
use quorate_core::vocabulary::ConnId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes of replies that one batch makes for one connection, but for the last reply.
const A_TURN: usize = 64 << 10;
/// Messages in a page.
const A_PAGE: usize = 32;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Held {
    paused: BTreeMap<ConnId, Words>,
    resumed: BTreeSet<ConnId>,
    /// Those of them whose turn it is, one after the other; who is resumed meanwhile comes behind all of them.
    heard: BTreeSet<ConnId>,
    /// Who was answered last, and by how many bytes in a row.
    answered: Option<(ConnId, usize)>,
}

/// What one connection said.
#[derive(Debug, Default)]
struct Words {
    messages: Messages,
    /// These were its last.
    gone: bool,
}

/// Messages in order, in pages, so that thousands of them are never moved all at once.
#[derive(Debug, Default)]
struct Messages(VecDeque<VecDeque<ClientMessage>>);

impl Messages {
    fn push(&mut self, message: ClientMessage) {
        match self.0.back_mut() {
            Some(page) if page.len() < page.capacity() => page.push_back(message),
            _ => {
                // Most who are held said little.
                let room = if self.0.is_empty() { A_PAGE / 8 } else { A_PAGE };
                let mut page = VecDeque::with_capacity(room);
                page.push_back(message);
                self.0.push_back(page);
            }
        }
    }

    fn pop(&mut self) -> Option<ClientMessage> {
        let page = self.0.front_mut()?;
        let message = page.pop_front();
        if page.is_empty() {
            self.0.pop_front();
        }
        message
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Held {
    /// From now on messages of this connection are held. What is left of one that is gone already is not heard.
    pub(super) fn pause(&mut self, conn: ConnId) {
        self.heard.remove(&conn);
        let words = self.paused.entry(conn).or_default();
        if words.gone {
            words.messages.clear();
        } else {
            self.resumed.remove(&conn);
        }
    }

    /// Whether they are.
    pub(super) fn is_paused(&self, conn: ConnId) -> bool {
        !self.paused.is_empty() && self.paused.contains_key(&conn)
    }

    /// Holds a message.
    pub(super) fn add(&mut self, conn: ConnId, message: ClientMessage) {
        self.paused.get_mut(&conn).expect("only paused connections are held").messages.push(message);
    }

    /// A message of the connection was answered by so many bytes: it may have had its turn.
    pub(super) fn count(&mut self, conn: ConnId, bytes: usize) {
        let before = self.answered.filter(|(last, _)| *last == conn).map_or(0, |(_, bytes)| bytes);
        self.answered = Some((conn, before + bytes));
        if before + bytes >= A_TURN {
            self.pause(conn);
            self.resume(conn);
        }
    }

    /// The connection is to be heard again.
    pub(super) fn resume(&mut self, conn: ConnId) {
        if self.paused.contains_key(&conn) {
            self.resumed.insert(conn);
        }
    }

    /// Whether the next batch has anything from here.
    pub(super) fn has_resumed(&self) -> bool {
        !self.resumed.is_empty() || !self.heard.is_empty()
    }

    /// The batch is over: who was resumed in it may be heard, when everybody was whose turn it is.
    pub(super) fn begin_batch(&mut self) {
        self.answered = None;
        if self.heard.is_empty() {
            std::mem::swap(&mut self.heard, &mut self.resumed);
        }
    }

    /// What is heard next. None when nobody may say more in this batch.
    pub(super) fn next(&mut self) -> Option<Input> {
        while let Some(conn) = self.heard.first().copied() {
            if let Some(message) = self.paused.get_mut(&conn).and_then(|words| words.messages.pop()) {
                return Some(Input::Client { conn, message });
            }
            self.heard.remove(&conn);
            if self.paused.remove(&conn).is_some_and(|words| words.gone) {
                return Some(Input::Closed { conn });
            }
        }
        None
    }

    /// The client is gone. True when its end is told behind what it said last; otherwise that is not heard.
    pub(super) fn end(&mut self, conn: ConnId) -> bool {
        if !self.resumed.contains(&conn) && !self.heard.contains(&conn) {
            self.paused.remove(&conn);
            return false;
        }
        self.paused.entry(conn).or_default().gone = true;
        true
    }

    /// The connection will be closed: what it said last is not heard.
    pub(super) fn forget(&mut self, conn: ConnId) {
        if let Some(words) = self.paused.get_mut(&conn)
            && words.gone
        {
            return words.messages.clear();
        }
        self.paused.remove(&conn);
        self.resumed.remove(&conn);
        self.heard.remove(&conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId(1);

    fn word() -> ClientMessage {
        ClientMessage::Request {
            xid: quorate_core::vocabulary::Xid(1),
            request: quorate_core::jute::Request::Ping,
            frame_length: 8,
        }
    }

    fn released(held: &mut Held) -> Vec<Input> {
        let any = held.has_resumed();
        held.begin_batch();
        let inputs: Vec<_> = std::iter::from_fn(|| held.next()).collect();
        assert_eq!(any, !inputs.is_empty());
        inputs
    }

    #[test]
    fn who_had_its_turn_is_heard_in_the_next_batch_and_its_end_is_behind_its_words() {
        let mut held = Held::default();
        held.count(CONN, A_TURN - 1);
        assert!(!held.is_paused(CONN));
        held.count(CONN, 1);
        assert!(held.is_paused(CONN));
        held.add(CONN, word());
        assert!(held.end(CONN));
        assert!(matches!(released(&mut held)[..], [Input::Client { .. }, Input::Closed { .. }]));
        assert!(!held.is_paused(CONN) && !held.end(CONN));
    }

    #[test]
    fn who_has_another_turn_is_heard_no_further_and_the_rest_keeps_its_place() {
        let mut held = Held::default();
        held.count(CONN, A_TURN);
        (0..3).for_each(|_| held.add(CONN, word()));
        held.begin_batch();
        assert!(held.next().is_some());
        held.count(CONN, A_TURN);
        assert!(held.next().is_none(), "it had its turn");
        assert!(held.is_paused(CONN));
        held.add(CONN, word());
        assert_eq!(released(&mut held).len(), 3);
    }

    #[test]
    fn what_fills_several_pages_keeps_its_order() {
        let mut messages = Messages::default();
        let count = 2 * A_PAGE + 1;
        let of = |number: usize| ClientMessage::Request {
            xid: quorate_core::vocabulary::Xid(number as i32),
            request: quorate_core::jute::Request::Ping,
            frame_length: 8,
        };
        (0..count).for_each(|number| messages.push(of(number)));
        let popped: Vec<_> = std::iter::from_fn(|| messages.pop()).collect();
        assert_eq!(popped, (0..count).map(of).collect::<Vec<_>>());
    }

    #[test]
    fn who_had_its_turn_comes_behind_everybody_else() {
        let (mut held, other) = (Held::default(), ConnId(2));
        for conn in [CONN, other] {
            held.count(conn, A_TURN);
            (0..2).for_each(|_| held.add(conn, word()));
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            // A batch in which there is room for one.
            held.begin_batch();
            let Some(Input::Client { conn, .. }) = held.next() else { panic!("somebody waits") };
            held.count(conn, A_TURN);
            order.push(conn);
        }
        assert_eq!(order, [CONN, other, CONN, other]);
    }

    #[test]
    fn what_others_were_answered_is_no_part_of_a_turn() {
        let mut held = Held::default();
        held.count(CONN, A_TURN - 1);
        held.count(ConnId(2), 1);
        assert!(!held.is_paused(CONN) && !held.is_paused(ConnId(2)));
    }

    #[test]
    fn the_end_of_who_is_gone_is_told_even_if_the_server_closes_or_pauses_it_then() {
        for forget in [Held::forget, Held::pause] {
            let mut held = Held::default();
            held.count(CONN, A_TURN);
            held.add(CONN, word());
            assert!(held.end(CONN));
            forget(&mut held, CONN);
            assert!(matches!(released(&mut held)[..], [Input::Closed { .. }]));
        }
    }

    #[test]
    fn whom_the_peer_pauses_is_not_heard_before_it_resumes() {
        let mut held = Held::default();
        held.count(CONN, A_TURN);
        held.add(CONN, word());
        held.pause(CONN);
        assert!(released(&mut held).is_empty());
        held.resume(CONN);
        assert!(matches!(released(&mut held)[..], [Input::Client { .. }]));
    }
}
