//! A barrier: while a node is there nobody passes.
//!
//! Invariants: whoever has passed has done so at a moment, between the call and the answer, when the barrier was down; a wake-up
//! proves nothing, it is looked again. The node's data is nobody's business. Absent: counting who waits
//! ([`DoubleBarrier`](super::DoubleBarrier)).

use super::mutex::within;
use super::persist::{delete, persist};
use crate::client::{Client, CreateOptions, Result, Runtime};
use crate::vocabulary::{ErrorCode, Millis};

/// A barrier that one raises, and many wait at; Curator's `DistributedBarrier`, kazoo's `Barrier`.
///
/// It is a persistent node: it stays up when the session of who raised it is over. Raising and lowering are asked for until they
/// are known to be done; of two that are under way at once, by whomever, either may be the last.
#[derive(Clone, Debug)]
#[doc(alias = "DistributedBarrier")]
pub struct Barrier<R: Runtime> {
    client: Client<R>,
    path: String,
}

impl<R: Runtime> Barrier<R> {
    /// The barrier that is the node `path`.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        Barrier { client: client.clone(), path: path.to_owned() }
    }

    /// Sees to it that the barrier is up.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`].
    #[doc(alias = "setBarrier")]
    pub async fn raise(&self) -> Result<()> {
        let options = CreateOptions::persistent().container_parents();
        match persist(&self.client, |client| client.create(&self.path, "", &options)).await {
            Err(error) if error.code() == Some(ErrorCode::NodeExists) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Sees to it that the barrier is down: all who wait pass.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::delete`].
    #[doc(alias = "removeBarrier")]
    pub async fn lower(&self) -> Result<()> {
        delete(&self.client, &self.path).await
    }

    /// Waits until the barrier is down.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::get`].
    #[doc(alias = "waitOnBarrier")]
    pub async fn wait(&self) -> Result<()> {
        loop {
            let session = self.client.session().latest().id;
            // What was raised before the call is seen, and by the servers of another session too.
            persist(&self.client, |client| client.sync(&self.path)).await?;
            // Not exists: that would leave a watch where there is no node.
            match persist(&self.client, |client| client.get_watched(&self.path)).await {
                Ok((_, mut watch)) => {
                    watch.next().await;
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    if self.client.session().latest().id == session {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the barrier is down, but not longer than this; says whether it was.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub async fn wait_within(&self, longest: Millis) -> Result<bool> {
        within(self.client.runtime(), longest, self.wait()).await.map(|passed| passed.is_some())
    }
}
