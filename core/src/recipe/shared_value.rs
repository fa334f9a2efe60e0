//! A node's data, seen live by all who share it, and changed by who has seen the latest.
//!
//! Invariants: what is shown never goes back; a value is replaced once or not at all, and if nobody can tell which, that is the
//! answer. Whoever counts builds on [`replace`]. Absent: what was between two values that a reader saw.

use super::persist::{again, is_passing, persist};
use crate::client::{Cause, Client, CreateOptions, Error, Live, LiveSender, Outcome, Result, Runtime};
use crate::client::{Stat, Value, Watch, live};
use crate::vocabulary::{ErrorCode, Version};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::select;
use std::pin::pin;
use std::sync::Arc;

/// A value that all see; Curator's `SharedValue`.
///
/// It is kept up over lost connections, and over sessions if the client replaces them; of a session that is over for good the
/// last value stays. Clones share what they see.
#[derive(Clone, Debug)]
#[doc(alias = "SharedCount")]
pub struct SharedValue<R: Runtime> {
    client: Client<R>,
    path: String,
    view: Live<Option<Value>>,
    /// Its keeper stops when this is dropped.
    _kept: Arc<oneshot::Sender<()>>,
}

impl<R: Runtime> SharedValue<R> {
    /// The value of the node `path`; where there is none, one is made that holds `seed`.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] and [`Client::get`].
    pub async fn open(client: &Client<R>, path: &str, seed: impl Into<Bytes>) -> Result<Self> {
        let first = get_or_create(client, path, &seed.into()).await?;
        let (sender, view) = live(Some(first));
        let (kept, is_over) = oneshot::channel();
        let keeper = keep(client.clone(), path.to_owned(), sender, view.clone());
        client.runtime().spawn(async move {
            select(pin!(keeper), is_over).await;
        });
        Ok(SharedValue { client: client.clone(), path: path.to_owned(), view, _kept: Arc::new(kept) })
    }

    /// The value, as far as it is known here; None when somebody has deleted the node.
    pub fn latest(&self) -> Option<Value> {
        self.view.latest()
    }

    /// The next value that this handle has not seen; None when the session is over for good.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<Option<Value>> {
        self.view.changed().await
    }

    /// The value, as one that changes.
    pub fn live(&self) -> Live<Option<Value>> {
        self.view.clone()
    }

    /// Replaces the value if it still is the one that was `seen`; false if it is not.
    ///
    /// # Errors
    /// Those of [`Client::set`]; with an unknown outcome, if the answer was lost, somebody has replaced the value, and nobody
    /// can tell whether it was this call.
    #[doc(alias = "trySetValue")]
    pub async fn replace(&self, seen: &Value, data: impl Into<Bytes>) -> Result<bool> {
        replace(&self.client, &self.path, seen, &data.into()).await
    }

    /// Sets the value, whatever it is. It is asked for once.
    ///
    /// # Errors
    /// Those of [`Client::set`].
    #[doc(alias = "setValue")]
    pub async fn set(&self, data: impl Into<Bytes>) -> Result<Stat> {
        self.client.set(&self.path, data, Version::ANY).await
    }
}

/// A node's data; where there is no node, one is made that holds `seed`.
pub(super) async fn get_or_create<R: Runtime>(client: &Client<R>, path: &str, seed: &Bytes) -> Result<Value> {
    let options = CreateOptions::persistent().container_parents();
    loop {
        match persist(client, |client| client.get(path)).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
            answer => return answer,
        }
        match persist(client, |client| client.create(path, seed.clone(), &options)).await {
            Err(error) if error.code() != Some(ErrorCode::NodeExists) => return Err(error),
            _ => {}
        }
    }
}

/// Sets a node's data if it still has the version that was seen: true. False: it has not, and what was asked for here is never done.
///
/// A lost answer is no trouble as long as the version stands: the same conditional write is asked for again, and one of the two
/// at most is applied. When the version has moved, it moved by one write; if the data are not what was to be written it
/// was somebody else's, and ours is too late for good.
///
/// # Errors
/// Those of [`Client::set`]; with an unknown outcome if the write may have been what moved the version.
pub(super) async fn replace<R: Runtime>(
    client: &Client<R>,
    path: &str,
    seen: &Value,
    data: &Bytes,
) -> Result<bool> {
    if seen.version() == Version::ANY {
        const ANY: &str =
            "not replaced: its version is -1, which servers take for any; set it once to get by";
        return Err(Error::new("replace", path, Cause::Data(ANY)));
    }
    let mut doubt = None;
    loop {
        let error = match client.set(path, data.clone(), seen.version()).await {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        let is_unknown = error.outcome() == Outcome::Unknown;
        if is_passing(client, &error) {
            doubt = doubt.or(Some(error).filter(|_| is_unknown));
            again(client).await;
            continue;
        }
        let has_moved = matches!(error.code(), Some(ErrorCode::BadVersion | ErrorCode::NoNode));
        return match doubt {
            None if has_moved => Ok(false),
            None => Err(error),
            Some(_) if has_moved && is_replaced_by_another(client, path, seen, data).await => Ok(false),
            Some(doubt) => Err(doubt),
        };
    }
}

/// Whether the one write behind what was seen is certainly not the one of `data`.
async fn is_replaced_by_another<R: Runtime>(
    client: &Client<R>,
    path: &str,
    seen: &Value,
    data: &Bytes,
) -> bool {
    persist(client, |client| client.get(path)).await.is_ok_and(|now| {
        let is_next =
            now.stat.czxid == seen.stat.czxid && Some(now.stat.version) == seen.stat.version.checked_add(1);
        is_next && now.bytes() != data
    })
}

/// Shows what becomes of a node, until the session is over for good.
async fn keep<R: Runtime>(
    client: Client<R>,
    path: String,
    sender: LiveSender<Option<Value>>,
    view: Live<Option<Value>>,
) {
    let mut newest = view.latest().map(|value| value.stat.mzxid);
    loop {
        let mut watch = match persist(&client, |client| client.get_watched(&path)).await {
            Ok((value, watch)) => {
                // A server that another session begins at may show again what has been replaced, or deleted.
                if Some(value.stat.mzxid) > newest {
                    newest = Some(value.stat.mzxid);
                    sender.set(Some(value));
                }
                watch
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => match absent(&client, &path).await {
                Ok(None) => continue,
                Ok(Some(watch)) => {
                    if view.latest().is_some() {
                        sender.set(None);
                    }
                    watch
                }
                Err(_) => return,
            },
            // Of the session's end others tell; whoever may not read the node sees no more of it.
            Err(_) => return,
        };
        watch.next().await;
    }
}

/// A watch for the creation of a node, if there is none for certain: a server that another session begins at may be behind.
async fn absent<R: Runtime>(client: &Client<R>, path: &str) -> Result<Option<Watch>> {
    let session = client.session().latest().id;
    persist(client, |client| client.sync(path)).await?;
    let (stat, watch) = persist(client, |client| client.exists_watched(path)).await?;
    Ok(Some(watch).filter(|_| stat.is_none() && client.session().latest().id == session))
}
