//! Comings and goings: so many connections pass in one turn of the owner, each when it is accepted, when it first speaks and
//! when it is gone. A crowd that comes or goes at once stands in line here, and whoever is in is served between its members,
//! instead of behind all of them.
//!
//! There are two of them ([`super::ingress`]), and fewer pass who go than who come: the end of a connection costs as much as ten
//! wake-ups, and nobody waits for it. The poller brings what a crowd's sockets say at once in its own order; the less is done between its
//! rounds, the sooner it comes to those who stay. Those of them who asked last do not wait for it ([`super::regulars`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// See the module's words. Lives on the owner's thread.
#[derive(Debug)]
pub(super) struct Turnstile {
    /// How many pass in one turn.
    a_turn: usize,
    left: Cell<usize>,
    /// Whoever is polled for another reason while it waits stands here twice, and is woken once too often.
    line: RefCell<VecDeque<Waker>>,
    owner: RefCell<Option<Waker>>,
}

impl Turnstile {
    /// A turnstile that so many pass in one turn.
    pub(super) fn new(a_turn: usize) -> Self {
        Turnstile { a_turn, left: Cell::new(0), line: RefCell::default(), owner: RefCell::default() }
    }

    /// Ready when one may pass.
    pub(super) fn poll_pass(&self, context: &Context<'_>) -> Poll<()> {
        if self.left.get() == 0 {
            let mut line = self.line.borrow_mut();
            line.push_back(context.waker().clone());
            if line.len() == 1
                && let Some(owner) = &*self.owner.borrow()
            {
                // What passed may have been nothing to it.
                owner.wake_by_ref();
            }
            return Poll::Pending;
        }
        self.left.set(self.left.get() - 1);
        Poll::Ready(())
    }

    /// Waits until one may pass.
    pub(super) async fn pass(&self) {
        poll_fn(|context| self.poll_pass(context)).await;
    }

    /// Whether somebody stands in line.
    pub(super) fn has_line(&self) -> bool {
        !self.line.borrow().is_empty()
    }

    /// Makes `context` the owner, who is woken when a line forms.
    pub(super) fn register(&self, context: &Context<'_>) {
        *self.owner.borrow_mut() = Some(context.waker().clone());
    }

    /// The next turn begins. Returns in how many turns everybody who stands in line now will have passed.
    pub(super) fn turn(&self) -> usize {
        self.left.set(self.a_turn);
        let mut line = self.line.borrow_mut();
        let turns = line.len().div_ceil(self.a_turn);
        let next = line.len().min(self.a_turn);
        line.drain(..next).for_each(Waker::wake);
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    const A_TURN: usize = 8;

    #[test]
    fn so_many_pass_in_a_turn_and_the_rest_stands_in_line() {
        let turnstile = Turnstile::new(A_TURN);
        let context = Context::from_waker(Waker::noop());
        assert!(turnstile.poll_pass(&context).is_pending(), "nobody passes before the first turn");
        assert_eq!(turnstile.turn(), 1);
        assert_eq!((0..100).filter(|_| turnstile.poll_pass(&context).is_ready()).count(), A_TURN);
        assert_eq!(turnstile.turn(), (100 - A_TURN).div_ceil(A_TURN));
        assert_eq!(turnstile.line.borrow().len(), 100 - 2 * A_TURN, "as many were woken as may pass");
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_owner_is_woken_when_a_line_forms_whatever_came_of_those_who_passed() {
        let (turnstile, owner) = (Turnstile::new(A_TURN), Arc::<Woken>::default());
        turnstile.register(&Context::from_waker(&Waker::from(Arc::clone(&owner))));
        turnstile.turn();
        let context = Context::from_waker(Waker::noop());
        assert!((0..A_TURN).all(|_| turnstile.poll_pass(&context).is_ready()));
        assert!(!turnstile.has_line() && !owner.0.load(Ordering::SeqCst));
        assert!(turnstile.poll_pass(&context).is_pending());
        assert!(turnstile.has_line() && owner.0.load(Ordering::SeqCst));
    }
}
