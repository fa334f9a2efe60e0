//! What two servers have between them: connections, each with a queue of messages either way, delivered whole and in order.
//!
//! A connection whose other end has closed is heard of behind what still came over it; one whose other end has crashed may also break at once,
//! and what was on its way is lost; one that is cut has lost it already. Numbers of connections are used again as soon as nobody knows the old
//! one: states that differ in nothing but such numbers are one.

use quorate_core::contract::Port;
use quorate_core::vocabulary::LinkId;

/// So many connections of a port there may be between two servers at once.
const SLOTS: u16 = 32;

/// The number of a message, equal for equal ones.
pub(super) type MessageNumber = u32;

/// A connection, as both its ends call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct Number(pub(super) u16);

impl Number {
    fn new(pair: usize, port: Port, slot: u16) -> Self {
        Number((pair as u16 * 2 + u16::from(port == Port::Quorum)) * SLOTS + slot)
    }

    /// Between which two servers it is, as a place among the pairs.
    pub(super) fn pair(self) -> usize {
        usize::from(self.0 / SLOTS / 2)
    }

    pub(super) fn port(self) -> Port {
        if self.0 / SLOTS % 2 == 1 { Port::Quorum } else { Port::Election }
    }

    pub(super) fn id(self) -> LinkId {
        LinkId(u64::from(self.0) + 1)
    }

    pub(super) fn of(link: LinkId) -> Self {
        Number(u16::try_from(link.0 - 1).expect("it was made from one"))
    }
}

/// One end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct End {
    is_open: bool,
    /// The other end is gone, which is to be heard of.
    is_ending: bool,
    /// It is gone without a word.
    may_break: bool,
    incoming: Vec<MessageNumber>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Link {
    number: Number,
    /// Of the server with the lower number, and of the other.
    ends: [End; 2],
}

/// See the module's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    links: Vec<Link>,
}

/// What can be done to them. An end is 0 at the server with the lower number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Open(Number),
    Send {
        link: Number,
        from: u8,
        message: MessageNumber,
    },
    /// The oldest message is taken.
    Take {
        link: Number,
        end: u8,
    },
    /// What is on its way to this end is lost.
    Lose {
        link: Number,
        end: u8,
    },
    /// This end is gone: its process closed it, or has heard that the other one is.
    Close {
        link: Number,
        end: u8,
    },
    /// The server at this end has crashed.
    Crash {
        end: u8,
    },
    /// Nothing passes any more, and both will hear of it.
    Cut,
}

/// What waits at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Message(MessageNumber),
    /// The other end is gone.
    Closed,
}

/// An end at which something waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) link: Number,
    pub(super) end: u8,
    /// Whether what is on its way may get lost, and the end is heard of at once.
    pub(super) may_break: bool,
}

impl Pair {
    /// The number that a new connection gets.
    pub(super) fn free(&self, pair: usize, port: Port) -> Number {
        let is_free = |number: &Number| self.links.iter().all(|link| link.number != *number);
        let numbers = (0..SLOTS).map(|slot| Number::new(pair, port, slot));
        numbers.into_iter().find(is_free).expect("connections end before so many are made")
    }

    /// The same with something done to it.
    pub(super) fn changed(&self, change: Change) -> Self {
        let mut pair = self.clone();
        match change {
            Change::Open(number) => {
                let end = End { is_open: true, ..End::default() };
                pair.links.push(Link { number, ends: [end.clone(), end] });
                pair.links.sort_by_key(|link| link.number);
            }
            Change::Send { link, from, message } => {
                pair.with(link, |ends| {
                    let to = &mut ends[1 - usize::from(from)];
                    if to.is_open && !to.is_ending {
                        to.incoming.push(message);
                    }
                });
            }
            Change::Take { link, end } => pair.with(link, |ends| {
                ends[usize::from(end)].incoming.remove(0);
            }),
            Change::Lose { link, end } => pair.with(link, |ends| ends[usize::from(end)].incoming.clear()),
            Change::Close { link, end } => pair.with(link, |ends| close(ends, usize::from(end))),
            Change::Crash { end } => pair.links.iter_mut().for_each(|link| {
                close(&mut link.ends, usize::from(end));
                link.ends[1 - usize::from(end)].may_break = true;
            }),
            Change::Cut => {
                for end in pair.links.iter_mut().flat_map(|link| &mut link.ends) {
                    end.incoming.clear();
                    end.is_ending = end.is_open;
                }
            }
        }
        pair.links.retain(|link| link.ends.iter().any(|end| end.is_open));
        pair
    }

    fn with(&mut self, number: Number, act: impl FnOnce(&mut [End; 2])) {
        if let Some(link) = self.links.iter_mut().find(|link| link.number == number) {
            act(&mut link.ends);
        }
    }

    /// Where something waits, in a fixed order.
    pub(super) fn ready(&self) -> impl Iterator<Item = Ready> + '_ {
        self.links.iter().flat_map(|link| {
            let ends = link.ends.iter().zip(0..);
            let ready = ends.filter(|(end, _)| end.is_open && (end.is_ending || !end.incoming.is_empty()));
            ready.map(|(end, place)| Ready {
                link: link.number,
                end: place,
                may_break: end.is_ending && end.may_break && !end.incoming.is_empty(),
            })
        })
    }

    /// What waits at an end.
    pub(super) fn waiting(&self, number: Number, end: u8) -> Option<Waiting> {
        let end = &self.links.iter().find(|link| link.number == number)?.ends[usize::from(end)];
        match end.incoming.first() {
            _ if !end.is_open => None,
            Some(message) => Some(Waiting::Message(*message)),
            None => end.is_ending.then_some(Waiting::Closed),
        }
    }
}

fn close(ends: &mut [End; 2], end: usize) {
    ends[end] = End::default();
    if ends[1 - end].is_open {
        ends[1 - end].is_ending = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(changes: &[Change]) -> Pair {
        changes.iter().fold(Pair::default(), |pair, change| pair.changed(*change))
    }

    #[test]
    fn what_was_sent_comes_in_order_and_the_end_behind_it() {
        let link = Pair::default().free(2, Port::Quorum);
        assert_eq!((link.pair(), link.port(), Number::of(link.id())), (2, Port::Quorum, link));
        let sent =
            [Change::Open(link), Change::Send { link, from: 0, message: 7 }, Change::Close { link, end: 0 }];
        let pair = after(&sent);
        assert_eq!(pair.waiting(link, 1), Some(Waiting::Message(7)));
        assert!(pair.ready().all(|ready| ready.end == 1 && !ready.may_break));
        let pair = pair.changed(Change::Take { link, end: 1 });
        assert_eq!(pair.waiting(link, 1), Some(Waiting::Closed));
        assert_eq!(pair.changed(Change::Close { link, end: 1 }), Pair::default(), "the number is free again");
    }

    #[test]
    fn a_crash_may_take_what_was_on_its_way_and_a_cut_does() {
        let link = Pair::default().free(0, Port::Quorum);
        let sent = [Change::Open(link), Change::Send { link, from: 1, message: 7 }];
        let crashed = after(&sent).changed(Change::Crash { end: 1 });
        assert!(crashed.ready().all(|ready| ready.may_break));
        assert_eq!(crashed.waiting(link, 0), Some(Waiting::Message(7)));
        let cut = after(&sent).changed(Change::Cut);
        assert_eq!(
            (cut.waiting(link, 0), cut.waiting(link, 1)),
            (Some(Waiting::Closed), Some(Waiting::Closed))
        );
    }
}
