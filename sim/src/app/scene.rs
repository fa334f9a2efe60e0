//! What a program on a machine is given: a client, a clock, chance, and somebody to tell what must not have come to pass.

use super::{Client, SimRuntime};
use quorate_core::client::{CreateOptions, Error, Runtime};
use quorate_core::vocabulary::{ErrorCode, Mono};

/// What a session has left behind must have gone when the servers have answered so often that it is there.
const MOST_LOOKS: u64 = 200;
pub(super) const MOST_BETWEEN_LOOKS_MS: u64 = 200;

/// What a program is given: it runs on a machine of its own, with its own clock, which may stand still, be wrong, or be cut off.
///
/// The client is the one that also runs on tokio ([`quorate_core::client::Client`]), and a program over `Client<R>` for any
/// runtime runs here as it does there.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its client. A session that is over is replaced by another.
    pub client: Client,
    /// The machine, as its tasks see it.
    pub runtime: SimRuntime,
    /// The machine's number, from 0.
    pub machine: u64,
    /// How many there are.
    pub machines: u64,
    /// From then on nothing new should be begun, by the machine's clock.
    pub end: Mono,
    /// Whether it is never wrong about what it holds.
    pub(super) is_believed: bool,
}

impl Scene {
    /// Whether nothing new should be begun. What has begun must come to its end: a program that never ends breaks `liveness`.
    pub fn is_over(&self) -> bool {
        self.runtime.now() >= self.end
    }

    /// Waits up to so many ms.
    pub async fn pause(&self, most_ms: u64) {
        let wait = self.runtime.below(most_ms * 1_000_000);
        self.runtime.sleep_until(Mono(self.runtime.now().0 + wait)).await;
    }

    /// Whether something that happens once in so many times happens now.
    pub fn one_in(&self, times: u64) -> bool {
        self.runtime.below(times) == 0
    }

    /// Whether a recipe may fail so: the session is over, or the servers' disks are full.
    pub fn is_passing(&self, error: &Error) -> bool {
        error.is_retryable() || error.is_session_over() || error.code() == Some(ErrorCode::QuotaExceeded)
    }

    /// Says that a rule is broken, which ends the run.
    pub fn violate(&self, checker: &'static str, what: impl std::fmt::Display) {
        self.runtime.violate(checker, format!("machine {}: {what}", self.machine));
    }

    /// Creates a node that may exist, whatever it takes.
    pub async fn ensure(&self, path: &str) {
        loop {
            match self.client.create(path, "", &CreateOptions::persistent().parents()).await {
                Ok(_) => return,
                Err(error) if error.code() == Some(ErrorCode::NodeExists) => return,
                Err(_) => self.pause(MOST_BETWEEN_LOOKS_MS).await,
            }
        }
    }

    /// The end: nothing of this session's is left that should have gone with a guard or a future. Then the session goes.
    pub async fn leave_nothing(&self) {
        self.has_left_nothing().await;
        self.client.close().await;
    }

    pub(super) async fn has_left_nothing(&self) {
        let mut looks = 0;
        loop {
            match self.client.ephemerals("/").await {
                Ok(left) if left.is_empty() => break,
                Ok(left) if looks == MOST_LOOKS => {
                    self.violate("app_orphan", format!("{left:?} are left"));
                    break;
                }
                Ok(_) => looks += 1,
                Err(_) => {}
            }
            self.pause(MOST_BETWEEN_LOOKS_MS).await;
        }
    }
}
