//! Writes that are applied exactly once, although answers get lost.
//!
//! A marker is created in the same transaction: an ephemeral node with a random name, in a directory of its own. Whoever has lost
//! the answer looks for it, behind a sync: if it is there the writes were applied, if it is not they never will be. Invariants: a
//! marker is made by one attempt only; it goes when the answer is known, or with the session. When the session has gone as well
//! nothing can be proven: then the outcome is unknown, and said to be.

use super::persist::{Guid, Layout, again, below, delete, is_passing, persist};
use crate::client::{
    Cause, Client, CreateOptions, Error, OpResult, Outcome, Result, Runtime, SessionView, Transaction,
};
use crate::vocabulary::ErrorCode;

/// Applies what `build` adds to a transaction. Operation 0 is the marker: those of `build` count from 1. When the future is dropped
/// they may be applied or not.
///
/// # Errors
/// Refusals; and [`Outcome::Unknown`] if the session ended before it was known.
pub(super) async fn once<R: Runtime>(
    client: &Client<R>,
    markers: &str,
    build: impl Fn(Transaction<R>) -> Transaction<R>,
) -> Result<Vec<OpResult>> {
    loop {
        // What is asked for while there is no session is of one that is not known.
        let is_there = |view: &SessionView| view.state.is_connected() || view.state.is_over();
        let session = client.session().wait_for(is_there).await.map(|view| view.id);
        let path = below(markers, &Guid::new(client.runtime()).text(Layout::Curator));
        let mut marker = Marker { client: client.clone(), path, is_certain: false };
        let marked = client.transaction().create(&marker.path, "", &CreateOptions::ephemeral());
        let error = match build(marked).commit().await {
            Ok(results) => {
                marker.is_certain = true;
                return Ok(results);
            }
            Err(error) => error,
        };
        if error.outcome() != Outcome::Unknown {
            marker.forget();
            if has_no_parent(&error, 0) {
                make_dir(client, markers, &CreateOptions::container().container_parents()).await?;
            } else if is_passing(client, &error) {
                again(client).await;
            } else {
                return Err(error);
            }
            continue;
        }
        if !is_passing(client, &error) {
            return Err(error);
        }
        again(client).await;
        match marker.is_there().await {
            Ok(true) => {
                marker.is_certain = true;
                // What the operations brought is not known.
                return Ok(Vec::new());
            }
            Ok(false) if Some(client.session().latest().id) == session => marker.forget(),
            // The session's end may have taken the marker away.
            _ => return Err(error),
        }
    }
}

/// Whether a transaction was refused because the node above that of this operation is missing, or that node.
pub(super) fn has_no_parent(error: &Error, operation: usize) -> bool {
    matches!(error.cause(), Cause::Operation { place, code: ErrorCode::NoNode } if *place == operation)
}

/// Makes a node that others stand below; it may exist.
pub(super) async fn make_dir<R: Runtime>(
    client: &Client<R>,
    path: &str,
    options: &CreateOptions,
) -> Result<()> {
    match persist(client, |client| client.create(path, "", options)).await {
        Err(error) if error.code() != Some(ErrorCode::NodeExists) => Err(error),
        _ => Ok(()),
    }
}

/// A marker that is there, or may come. Dropping it takes it away.
struct Marker<R: Runtime> {
    client: Client<R>,
    path: String,
    /// Whether it is known to have been made.
    is_certain: bool,
}

impl<R: Runtime> Marker<R> {
    /// Whether it was made, and is still there.
    async fn is_there(&self) -> Result<bool> {
        persist(&self.client, |client| client.sync(&self.path)).await?;
        Ok(persist(&self.client, |client| client.exists(&self.path)).await?.is_some())
    }

    /// It has not been made, and won't be.
    fn forget(mut self) {
        self.path.clear();
    }
}

impl<R: Runtime> Drop for Marker<R> {
    fn drop(&mut self) {
        let (client, path, is_certain) =
            (self.client.clone(), std::mem::take(&mut self.path), self.is_certain);
        if path.is_empty() {
            return;
        }
        self.client.runtime().spawn(async move {
            // What fails here fails because the session is over, and the marker with it.
            if is_certain || persist(&client, |client| client.sync(&path)).await.is_ok() {
                let _ = delete(&client, &path).await;
            }
        });
    }
}
