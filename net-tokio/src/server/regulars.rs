//! Regulars: the connections that asked last. While a crowd comes or goes, the owner has their sockets looked at in every
//! turn, instead of waiting until the poller has brought all of the crowd that was there before them.
//!
//! Invariant: a seat keeps no connection open.

use super::connection::Connection;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// So many are looked at. One look is a system call that mostly finds nothing.
const SEATS: usize = 16;

/// See the module's words. Lives on the owner's thread.
#[derive(Debug, Default)]
pub(super) struct Regulars {
    /// Who asked last is at the back.
    seats: RefCell<VecDeque<Weak<Connection>>>,
}

impl Regulars {
    /// A client has asked something, and not for the first time.
    pub(super) fn heard(&self, connection: &Rc<Connection>) {
        let mut seats = self.seats.borrow_mut();
        let is_its = |seat: &Weak<Connection>| std::ptr::eq(seat.as_ptr(), Rc::as_ptr(connection));
        if seats.back().is_some_and(is_its) {
            return;
        }
        let before = seats.iter().position(is_its).or_else(|| (seats.len() == SEATS).then_some(0));
        let seat = before.and_then(|at| seats.remove(at)).filter(is_its);
        seats.push_back(seat.unwrap_or_else(|| Rc::downgrade(connection)));
    }

    /// Has the task of each look at its socket. False when there is nobody.
    pub(super) fn look(&self) -> bool {
        let mut seats = self.seats.borrow_mut();
        seats.retain(|seat| seat.upgrade().is_some_and(|connection| connection.look()));
        !seats.is_empty()
    }
}
