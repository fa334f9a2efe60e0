//! Reads old txns back, one request after the other; beside the lanes, because no op waits for it.
//!
//! Invariant: a request is answered exactly once; with nothing when the log does not have all of it, or was rewritten meanwhile.

use crate::disk::Disk;
use crate::load_job::{LoadJob, LoadStep, Wanted};
use crate::log_lane::Rewrites;
use crate::step::Step;
use quorate_core::contract::LoadId;
use std::collections::VecDeque;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct Loader<F> {
    chunk_bytes: usize,
    queue: VecDeque<(LoadId, Wanted)>,
    job: Option<(LoadId, Rewrites, LoadJob<F>)>,
}

impl<F: Clone + std::fmt::Debug> Loader<F> {
    /// An idle one, which reads so much at once.
    pub fn new(chunk_bytes: usize) -> Self {
        Loader { chunk_bytes, queue: VecDeque::new(), job: None }
    }

    /// Adds a request.
    pub fn queue(&mut self, id: LoadId, wanted: Wanted) {
        self.queue.push_back((id, wanted));
    }

    /// Whether a step would do nothing.
    pub fn is_idle(&self) -> bool {
        self.job.is_none() && self.queue.is_empty()
    }

    /// Goes on by at most one call; `rewrites` are the log's now.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D, rewrites: Rewrites) -> Step {
        if self.job.is_none() {
            let next = self.queue.pop_front();
            self.job = next.map(|(id, wanted)| (id, rewrites, LoadJob::new(wanted, self.chunk_bytes)));
        }
        let Some((id, began, mut job)) = self.job.take() else { return Step::Idle };
        if began != rewrites || rewrites.is_under_way() {
            return Step::Loaded(id, None);
        }
        match job.step(disk) {
            LoadStep::Progress => {
                self.job = Some((id, began, job));
                Step::Progress
            }
            LoadStep::Done(txns) => Step::Loaded(id, txns),
        }
    }
}
