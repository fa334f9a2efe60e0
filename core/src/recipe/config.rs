//! A configuration that many read and few change: one document of a type, with its last versions.
//!
//! The document is JSON in the node's data, so that people and other programs can read it; its number is the node's data version.
//! Below it each of the last versions has a node `v0000000007`. Invariants: a version and its node come in one transaction, and
//! so do its end and the end of the oldest; whoever says which version it has seen changes nothing else than that one; what is
//! published is published once, although answers get lost (see [`Outcome::Unknown`](crate::client::Outcome::Unknown) for when the
//! session is lost as well). A document that can't be read, since somebody else wrote it, does not take the last good one away.

use super::cache::{Cache, Scope};
use super::once::{make_dir, once};
use super::persist::{below, children, persist};
use crate::client::{Cause, Client, CreateOptions, Error, Result, Runtime, Value};
use crate::tree::path::parent;
use crate::vocabulary::{ErrorCode, Version, Zxid};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

/// A document and its number.
#[derive(Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Counted from 0.
    pub version: Version,
    /// The document.
    pub value: Arc<T>,
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Versioned { version: self.version, value: Arc::clone(&self.value) }
    }
}

/// A configuration of the type `T`; see [the module](self).
#[derive(Debug)]
pub struct Config<R: Runtime, T> {
    client: Client<R>,
    path: String,
    kept: usize,
    of: PhantomData<fn() -> T>,
}

impl<R: Runtime, T> Clone for Config<R, T> {
    fn clone(&self) -> Self {
        Config { client: self.client.clone(), path: self.path.clone(), kept: self.kept, of: PhantomData }
    }
}

impl<R: Runtime, T: Serialize + DeserializeOwned> Config<R, T> {
    /// The configuration of the node `path`, of which the last `kept` versions are kept, at least the newest.
    pub fn new(client: &Client<R>, path: &str, kept: usize) -> Self {
        Config { client: client.clone(), path: path.to_owned(), kept: kept.max(1), of: PhantomData }
    }

    /// The document now; None before the first.
    ///
    /// # Errors
    /// [`Cause::Data`] if it can't be read; those of [`Client::get`].
    pub async fn get(&self) -> Result<Option<Versioned<T>>> {
        let value = self.read(&self.path).await?;
        value.map(|value| decode(&self.path, value.version(), value.bytes())).transpose()
    }

    /// Publishes a document, and answers its version. If `seen` is given, it succeeds that one only ([`Version::ANY`] for any).
    ///
    /// # Errors
    /// `BadVersion` if it was changed since `seen`, `NoNode` if it is gone; and those of [`Client::set`].
    pub async fn publish(&self, value: &T, seen: Version) -> Result<Version> {
        let document = serde_json::to_vec(value);
        let document =
            document.map_err(|_| self.error("publish", Cause::Data("it can't be written as JSON")))?;
        self.write(document.into(), seen).await
    }

    /// Publishes an old version once more, as a new one.
    ///
    /// # Errors
    /// `NoNode` if it is not kept any more; and those of [`publish`](Self::publish).
    pub async fn roll_back(&self, to: Version, seen: Version) -> Result<Version> {
        let old = persist(&self.client, |client| client.get(&self.of(to))).await?;
        self.write(old.data.unwrap_or_default(), seen).await
    }

    /// The versions that are kept, from the oldest.
    ///
    /// # Errors
    /// Those of [`Client::children`].
    pub async fn versions(&self) -> Result<Vec<Version>> {
        let names = children(&self.client, &self.path).await?;
        let numbers = names.iter().filter_map(|name| name.strip_prefix('v')?.parse().ok());
        let mut versions: Vec<Version> = numbers.map(Version).collect();
        versions.sort_by_key(|version| version.0);
        Ok(versions)
    }

    /// A version; None if it is not kept.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn version(&self, version: Version) -> Result<Option<Versioned<T>>> {
        let path = self.of(version);
        let value = self.read(&path).await?;
        value.map(|value| decode(&path, version, value.bytes())).transpose()
    }

    /// The document as a value that changes.
    ///
    /// # Errors
    /// Those of [`Cache::start`].
    pub async fn live(&self) -> Result<LiveConfig<T>> {
        let cache = Cache::start(&self.client, &self.path, Scope::Node).await?;
        let mut live =
            LiveConfig { path: self.path.clone(), cache, looked_at: None, latest: None, trouble: None };
        live.look();
        Ok(live)
    }

    fn of(&self, version: Version) -> String {
        below(&self.path, &format!("v{:010}", version.0))
    }

    fn error(&self, what: &'static str, cause: Cause) -> Error {
        Error::new(what, self.path.as_str(), cause)
    }

    async fn read(&self, path: &str) -> Result<Option<Value>> {
        match persist(&self.client, |client| client.get(path)).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
            value => value.map(Some),
        }
    }

    async fn write(&self, document: Bytes, seen: Version) -> Result<Version> {
        loop {
            let now = match seen {
                Version::ANY => self.read(&self.path).await?.map(|value| value.version()),
                seen => Some(seen),
            };
            let written = match now {
                None => self.create(&document).await,
                Some(now) => self.succeed(now, &document).await,
            };
            let error = match written {
                Ok(version) => return Ok(version),
                Err(error) => error,
            };
            // Operation 1 is the document's, from 3 on they are those of old versions.
            match error.cause() {
                Cause::Operation { place: 1, code: ErrorCode::NoNode } if now.is_none() => {
                    let above = parent(&self.path).unwrap_or("/");
                    make_dir(&self.client, above, &CreateOptions::persistent().parents()).await?;
                }
                // Somebody else was first.
                Cause::Operation { place: 1, code: ErrorCode::NodeExists } if now.is_none() => {}
                Cause::Operation { place: 1, code: ErrorCode::BadVersion | ErrorCode::NoNode }
                    if seen == Version::ANY => {}
                Cause::Operation { place: 3.., code: ErrorCode::NoNode } => {}
                _ => return Err(error),
            }
        }
    }

    async fn create(&self, document: &Bytes) -> Result<Version> {
        let (first, options) = (self.of(Version(0)), CreateOptions::persistent());
        let markers = self.markers();
        let create = once(&self.client, &markers, |add| {
            add.create(&self.path, document.clone(), &options).create(&first, document.clone(), &options)
        });
        create.await.map(|_| Version(0))
    }

    async fn succeed(&self, now: Version, document: &Bytes) -> Result<Version> {
        let next = Version(now.0.wrapping_add(1));
        let mut old = self.versions().await?;
        if !old.contains(&now) {
            // The server may be behind.
            persist(&self.client, |client| client.sync(&self.path)).await?;
            old = self.versions().await?;
        }
        let kept = i64::try_from(self.kept).unwrap_or(i64::MAX);
        old.retain(|old| i64::from(old.0).saturating_add(kept) <= i64::from(next.0));
        let (markers, path, options) = (self.markers(), self.of(next), CreateOptions::persistent());
        let succeed = once(&self.client, &markers, |add| {
            let add = add.set(&self.path, document.clone(), now).create(&path, document.clone(), &options);
            old.iter().fold(add, |add, old| add.delete(&self.of(*old), Version::ANY))
        });
        succeed.await.map(|_| next)
    }

    fn markers(&self) -> String {
        format!("{}-once", self.path.trim_end_matches('/'))
    }
}

fn decode<T: DeserializeOwned>(path: &str, version: Version, document: &[u8]) -> Result<Versioned<T>> {
    match serde_json::from_slice(document) {
        Ok(value) => Ok(Versioned { version, value: Arc::new(value) }),
        Err(_) => Err(Error::new(
            "config",
            path,
            Cause::Data("it is no JSON document of the type that is expected"),
        )),
    }
}

/// A configuration that changes; see [`Config::live`]. It ends with the session, or goes on in the next; see [`Cache`].
#[derive(Debug)]
pub struct LiveConfig<T> {
    path: String,
    cache: Cache,
    /// The node that was decoded last, and its state.
    looked_at: Option<(Zxid, Zxid)>,
    latest: Option<Versioned<T>>,
    trouble: Option<Error>,
}

impl<T: DeserializeOwned> LiveConfig<T> {
    /// The latest good document, also when the node has been deleted since; None before the first.
    pub fn latest(&mut self) -> Option<Versioned<T>> {
        self.look();
        self.latest.clone()
    }

    /// The next good document; None when there will be no other, since the session is over. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<Versioned<T>> {
        loop {
            if self.look() {
                return self.latest.clone();
            }
            if !self.cache.changed().await {
                return None;
            }
        }
    }

    /// Why what is in the node now can't be read, if it can't.
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// Whether there is a good document that has not been seen.
    fn look(&mut self) -> bool {
        let Some(value) = self.cache.root() else { return false };
        let state = Some((value.stat.czxid, value.stat.mzxid));
        if std::mem::replace(&mut self.looked_at, state) == state {
            return false;
        }
        match decode(&self.path, value.version(), value.bytes()) {
            Ok(document) => {
                (self.latest, self.trouble) = (Some(document), None);
                true
            }
            Err(error) => {
                self.trouble = Some(error);
                false
            }
        }
    }
}
