//! One leader among many: for whoever asks whether it leads, and for work that only the leader does.
//!
//! Leading is holding: a leader has a [`Guard`] with its token, and what the guard promises, and does not, is promised of leading.
//! Invariants: at most one of those whose transactions succeed leads; who has lost the leadership stands for it at the end of the
//! line again, with another node. Absent: listeners (await [`Guard::lost`]), and Curator's policies of when to doubt: leading ends
//! when the session is not certain any more, neither with the connection nor with the servers' word.

use super::guard::Guard;
use super::line::ContenderOptions;
use super::mutex::{Mutex, marker};
use super::persist::{Layout, persist};
use crate::client::{Client, Result, Runtime};
use crate::vocabulary::ErrorCode;
use bytes::Bytes;
use std::future::Future;
use std::ops::ControlFlow;

/// Somebody who leads or stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// What it calls itself.
    pub id: Bytes,
    /// The path of its node.
    pub path: String,
    /// Whether it is the first, who leads or is about to.
    pub is_leader: bool,
}

/// Stands for leadership, and tells whether it has it; Curator's `LeaderLatch` (kazoo has none).
///
/// A handle stands while [`await_leadership`](Self::await_leadership) waits, and leads while its guard is kept. Clones stand against
/// each other. When the session is over, the guard is lost: whoever wants to lead again awaits it again.
#[derive(Clone, Debug)]
#[doc(alias = "leader election")]
pub struct LeaderLatch<R: Runtime> {
    lock: Mutex<R>,
}

impl<R: Runtime> LeaderLatch<R> {
    /// A participant of the election at the node `path`, which calls itself `id`.
    pub fn new(client: &Client<R>, path: &str, id: impl Into<Bytes>) -> Self {
        let options = ContenderOptions { data: id.into(), ..ContenderOptions::default() };
        LeaderLatch::with_options(client, path, options)
    }

    /// The same; the options' data is what it calls itself. There is one layout only, Curator's.
    pub fn with_options(client: &Client<R>, path: &str, options: ContenderOptions) -> Self {
        let options = ContenderOptions { layout: Layout::Curator, ..options };
        LeaderLatch { lock: Mutex::marked(client, path, options, "latch-") }
    }

    /// Waits until it leads. Dropping the future does not stand any more.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] (`NoAuth`, say).
    pub async fn await_leadership(&mut self) -> Result<Guard<R>> {
        self.lock.acquire().await
    }

    /// Whether this handle leads, as far as its client can know now.
    pub fn is_leader(&self) -> bool {
        self.lock.held_already().is_some()
    }

    /// Who leads, or is about to.
    ///
    /// # Errors
    /// Those of [`Client::children`] and [`Client::get`].
    pub async fn leader(&self) -> Result<Option<Participant>> {
        leader(&self.lock).await
    }

    /// Who leads, and who stands for it, in the order in which they will lead.
    ///
    /// # Errors
    /// Those of [`Client::children`] and [`Client::get`].
    pub async fn participants(&self) -> Result<Vec<Participant>> {
        participants(&self.lock, usize::MAX).await
    }
}

/// Does what only the leader does; Curator's `LeaderSelector`, kazoo's `Election`. The layout is that of [`Mutex`].
#[derive(Clone, Debug)]
#[doc(alias = "Election")]
pub struct LeaderSelector<R: Runtime> {
    lock: Mutex<R>,
}

impl<R: Runtime> LeaderSelector<R> {
    /// A participant of the election at the node `path`, which calls itself `id`.
    pub fn new(client: &Client<R>, path: &str, id: impl Into<Bytes>) -> Self {
        let options = ContenderOptions { data: id.into(), ..ContenderOptions::default() };
        LeaderSelector::with_options(client, path, options)
    }

    /// The same; the options' data is what it calls itself.
    pub fn with_options(client: &Client<R>, path: &str, options: ContenderOptions) -> Self {
        let marker = marker(options.layout);
        LeaderSelector { lock: Mutex::marked(client, path, options, marker) }
    }

    /// Stands for leadership and lets `lead` lead, again and again: its future is dropped when the leadership is lost, and when it
    /// says `Continue` the leadership is given up; either way this one stands again, at the end of the line. `Break` ends that.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] (`NoAuth`, say).
    pub async fn run<T, F>(&mut self, mut lead: impl FnMut(Guard<R>) -> F) -> Result<T>
    where
        F: Future<Output = ControlFlow<T>>,
    {
        loop {
            let guard = self.lock.acquire().await?;
            let led = guard.run(lead(guard.clone())).await;
            // What it fails of keeps this one from standing again, too.
            let _ = guard.release().await;
            if let Ok(ControlFlow::Break(done)) = led {
                return Ok(done);
            }
        }
    }

    /// Who leads, or is about to.
    ///
    /// # Errors
    /// Those of [`Client::children`] and [`Client::get`].
    pub async fn leader(&self) -> Result<Option<Participant>> {
        leader(&self.lock).await
    }

    /// Who leads, and who stands for it, in the order in which they will lead.
    ///
    /// # Errors
    /// Those of [`Client::children`] and [`Client::get`].
    pub async fn participants(&self) -> Result<Vec<Participant>> {
        participants(&self.lock, usize::MAX).await
    }
}

async fn leader<R: Runtime>(lock: &Mutex<R>) -> Result<Option<Participant>> {
    Ok(participants(lock, 1).await?.pop())
}

/// The first of those who lead or stand for it.
async fn participants<R: Runtime>(lock: &Mutex<R>, most: usize) -> Result<Vec<Participant>> {
    let mut participants = Vec::new();
    for contender in lock.contenders().await? {
        if participants.len() == most {
            break;
        }
        match persist(lock.client(), |client| client.get(&contender.path)).await {
            Ok(value) => participants.push(Participant {
                id: value.data.unwrap_or_default(),
                path: contender.path,
                is_leader: participants.is_empty(),
            }),
            // It has gone meanwhile.
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(participants)
}
