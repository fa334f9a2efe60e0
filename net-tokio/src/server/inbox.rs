//! What connections have for the peer, gathered until its owner takes the batch.

use quorate_core::contract::Input;
use std::cell::RefCell;
use std::task::{Context, Waker};

/// See the module's words. Lives on the owner's thread.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    inputs: RefCell<Vec<Input>>,
    owner: RefCell<Option<Waker>>,
}

impl Inbox {
    /// Adds an input, and wakes the owner for the first of a batch.
    pub(super) fn push(&self, input: Input) {
        let mut inputs = self.inputs.borrow_mut();
        inputs.push(input);
        if inputs.len() == 1
            && let Some(owner) = &*self.owner.borrow()
        {
            owner.wake_by_ref();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.borrow().is_empty()
    }

    /// Exchanges what waits for `batch`, which must be empty.
    pub(super) fn swap(&self, batch: &mut Vec<Input>) {
        assert!(batch.is_empty(), "a batch is handled before the next is taken");
        std::mem::swap(&mut *self.inputs.borrow_mut(), batch);
    }

    /// Makes `context` the owner, who is woken.
    pub(super) fn register(&self, context: &Context<'_>) {
        *self.owner.borrow_mut() = Some(context.waker().clone());
    }
}
