//! Regulars: the connections that asked last. While a crowd comes or goes, the owner has their sockets looked at in every
//! turn, instead of waiting until the poller has brought all of the crowd that was there before them.
//!
//! Invariants: a seat keeps no connection open; whoever is not read from any more has none, so that a look finds nobody who stands in
//! line.

use super::connection::Connection;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

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
        let is_its = |seat: &Weak<Connection>| is_of(seat, connection);
        if seats.back().is_some_and(is_its) {
            return;
        }
        let before = seats.iter().position(is_its).or_else(|| (seats.len() == SEATS).then_some(0));
        let seat = before.and_then(|at| seats.remove(at)).filter(is_its);
        seats.push_back(seat.unwrap_or_else(|| Rc::downgrade(connection)));
    }

    /// Nothing more is read from the connection.
    pub(super) fn forget(&self, connection: &Rc<Connection>) {
        self.seats.borrow_mut().retain(|seat| !is_of(seat, connection));
    }

    /// Has the task of each look at its socket. False when there is nobody.
    pub(super) fn look(&self) -> bool {
        let mut seats = self.seats.borrow_mut();
        seats.retain(|seat| seat.upgrade().is_some_and(|connection| connection.look()));
        !seats.is_empty()
    }
}

/// For who had them looked at: comes back behind their tasks, and does not wait for the poller.
pub(super) async fn come_behind() {
    let mut is_behind = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_behind, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn is_of(seat: &Weak<Connection>, connection: &Rc<Connection>) -> bool {
    std::ptr::eq(seat.as_ptr(), Rc::as_ptr(connection))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_core::vocabulary::ConnId;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::runtime::Builder;

    #[test]
    fn the_last_who_asked_are_looked_at_until_they_are_gone() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut connections = Vec::new();
            for number in 0..=SEATS as u64 {
                let (_, write) = TcpStream::connect(address).await.unwrap().into_split();
                connections.push(Rc::new(Connection::new(ConnId(number), address, write)));
            }
            let regulars = Regulars::default();
            assert!(!regulars.look());
            connections[..SEATS].iter().for_each(|connection| regulars.heard(connection));
            // One asks again, and keeps the one seat that it has; the first has not asked for the longest.
            regulars.heard(&connections[5]);
            regulars.heard(&connections[SEATS]);
            assert!(regulars.look());
            let looked_at = |connection: &Rc<Connection>| connection.takes_look();
            assert_eq!(connections.iter().filter(|connection| !looked_at(connection)).count(), 1);
            assert!(regulars.look() && !looked_at(&connections[0]) && looked_at(&connections[5]));
            assert!(looked_at(&connections[2]));
            // One is closed, one hangs up, and of those who have seats only one is left.
            connections[3].abort();
            regulars.forget(&connections[2]);
            connections.drain(4..);
            assert!(regulars.look() && !looked_at(&connections[2]));
            assert_eq!(regulars.seats.borrow().len(), 1, "seats of those who are gone are free");
        });
    }
}
