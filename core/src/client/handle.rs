//! The client: handles that make requests.

use super::builder::{ClientBuilder, OnExpiry, StartError};
use super::create::{CreateOptions, Created, Parents};
use super::driver::{Answer, Asked, Command, Subscription, WatchKind};
use super::error::{Cause, Error, Result};
use super::live::Live;
use super::reply::{Read, Reply};
use super::runtime::Runtime;
use super::session::{Chroot, ClientError, Reason};
use super::state::SessionView;
use super::transaction::{Transaction, is_path};
use super::watch::{Watch, WatchId, WatchMode};
use crate::jute::{Acl, AuthPacket, ClientInfo, Request, Response, Stat, WirePath};
use crate::tree::path;
use crate::vocabulary::{ErrorCode, Mono, Version};
use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const CREATE: &str = "create";

/// A node's data and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The data; None where a client of another kind has set none at all.
    pub data: Option<Bytes>,
    /// The numbers.
    pub stat: Stat,
}

impl Value {
    /// The data, none at all being as good as empty.
    pub fn bytes(&self) -> &[u8] {
        self.data.as_deref().unwrap_or_default()
    }

    /// The version that a conditional write has to name.
    pub fn version(&self) -> Version {
        Version(self.stat.version)
    }
}

/// A client of an ensemble: one session, many handles. Clones share the session; it is closed when the last of them, and of the
/// watches, is dropped, or by [`close`](Client::close).
#[derive(Clone, Debug)]
pub struct Client<R: Runtime> {
    runtime: R,
    commands: mpsc::UnboundedSender<Command>,
    outstanding: Arc<AtomicUsize>,
    max_outstanding: usize,
    watches: Arc<AtomicU64>,
    chroot: Chroot,
    session: Live<SessionView>,
    on_expiry: OnExpiry,
}

/// Making clients.
impl<R: Runtime> Client<R> {
    /// A client of the servers of `connect`, `host:port,host:port/chroot`.
    ///
    /// # Errors
    /// When that is no connect string.
    pub fn builder(runtime: R, connect: &str) -> std::result::Result<ClientBuilder<R>, StartError> {
        ClientBuilder::new(runtime, connect)
    }

    pub(super) fn new(
        runtime: R,
        commands: mpsc::UnboundedSender<Command>,
        (outstanding, max_outstanding): (Arc<AtomicUsize>, usize),
        (session, on_expiry): (Live<SessionView>, OnExpiry),
    ) -> Self {
        let watches = Arc::new(AtomicU64::new(0));
        Client {
            runtime,
            commands,
            outstanding,
            max_outstanding,
            watches,
            chroot: Chroot::default(),
            session,
            on_expiry,
        }
    }

    /// A handle of the same session for which `path` is the root; the node need not exist.
    ///
    /// # Errors
    /// When it is no path.
    pub fn at(&self, path: &str) -> Result<Self> {
        let below = self.chroot.below(path).ok_or_else(|| Error::new("at", path, Cause::Path))?;
        Ok(Client { chroot: below, ..self.clone() })
    }

    /// The session, as a value that changes.
    pub fn session(&self) -> Live<SessionView> {
        self.session.clone()
    }

    /// The time by this client's clock, which [`SessionState`](super::SessionState) speaks of.
    pub fn now(&self) -> Mono {
        self.runtime.now()
    }

    /// What happens when the session expires.
    pub fn on_expiry(&self) -> OnExpiry {
        self.on_expiry
    }

    /// The world that the client lives in.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// Ends the session: its ephemeral nodes and watches go at once. Requests made before are answered; later ones, of any handle,
    /// are not sent. Ready when the session is over.
    pub async fn close(&self) {
        // Without a driver the session is over.
        let _ = self.commands.unbounded_send(Command::Close);
        self.session().wait_for(|view| view.state.is_over()).await;
    }
}

/// Requests. Each is made by the call, in the order of the calls; see [the module](super) about dropping the future.
impl<R: Runtime> Client<R> {
    /// Creates a node.
    ///
    /// # Errors
    /// `NodeExists`, `NoNode` (its parent's; with `parents` the chroot's), `NoChildrenForEphemerals`, `NoAuth`, `InvalidAcl`, `QuotaExceeded`.
    pub fn create(&self, path: &str, data: impl Into<Bytes>, options: &CreateOptions) -> Reply<Created> {
        let data = data.into();
        let once = self.create_once(path, data.clone(), options);
        if options.parents == Parents::None {
            return once;
        }
        let (client, options, at) = (self.clone(), options.clone(), path.to_owned());
        Reply::steps((CREATE, path), async move {
            match once.await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    client.create_with_parents(&at, data, &options).await
                }
                answer => answer,
            }
        })
    }

    fn create_once(&self, path: &str, data: Bytes, options: &CreateOptions) -> Reply<Created> {
        if options.is_impossible() {
            return Reply::refused((CREATE, path), Cause::Kind);
        }
        if !is_path(path, options.is_sequential()) {
            return Reply::refused((CREATE, path), Cause::Path);
        }
        let request = Request::Create(options.request(path.to_owned(), data));
        self.ask((CREATE, path), request, |answer| match answer? {
            (Response::Create2 { path, stat }, zxid) => Ok(Created { path, stat, zxid }),
            _ => Err(Cause::Reply),
        })
    }

    /// Makes the parents from the top, in one flight, and then the node; again when somebody removes them in between.
    async fn create_with_parents(&self, path: &str, data: Bytes, options: &CreateOptions) -> Result<Created> {
        let above: Vec<&str> = std::iter::successors(path::parent(path), |path| path::parent(path)).collect();
        loop {
            let parents = above.iter().rev().filter(|parent| !path::is_root(parent));
            let made: Vec<_> =
                parents.map(|parent| self.create_once(parent, Bytes::new(), &options.of_parents())).collect();
            let node = self.create_once(path, data.clone(), options);
            // Why a parent is not there, unless another may make it meanwhile.
            let mut hindrance = None;
            for (depth, made) in made.into_iter().enumerate() {
                let Err(error) = made.await else { continue };
                match error.code() {
                    Some(ErrorCode::NodeExists) => {}
                    // Somebody has removed the one above it. Above the first is the chroot, which is missing, and stays so.
                    Some(ErrorCode::NoNode) if depth > 0 => {}
                    // Who may not make it may find it there: what becomes of the node tells.
                    _ => drop(hindrance.get_or_insert(error)),
                }
            }
            match (node.await, hindrance) {
                (Err(error), Some(hindrance)) if error.code() == Some(ErrorCode::NoNode) => {
                    return Err(hindrance);
                }
                // Without parents to make it is the chroot that is missing, and stays so.
                (Err(error), None) if error.code() == Some(ErrorCode::NoNode) && above.len() > 1 => {}
                (answer, _) => return answer,
            }
        }
    }

    /// Deletes a node, if it has this version ([`Version::ANY`] for any).
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NotEmpty`, `NoAuth`.
    pub fn delete(&self, path: &str, version: Version) -> Reply<()> {
        self.ask(("delete", path), Request::Delete { path: at(path), version: version.0 }, read_done)
    }

    /// A node's data.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    #[doc(alias = "getData")]
    pub fn get(&self, path: &str) -> Reply<Value> {
        self.ask(("get", path), Request::GetData { path: at(path), watch: false }, read_value)
    }

    /// A node's data, and a watch for its next change.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`; then there is no watch.
    #[doc(alias = "getData")]
    pub fn get_watched(&self, path: &str) -> Reply<(Value, Watch)> {
        let request = Request::GetData { path: at(path), watch: true };
        self.watched(("get", path), request, WatchKind::Data, read_value)
    }

    /// Sets a node's data, if it has this version ([`Version::ANY`] for any).
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`, `QuotaExceeded`.
    #[doc(alias = "setData")]
    pub fn set(&self, path: &str, data: impl Into<Bytes>, version: Version) -> Reply<Stat> {
        let request = Request::SetData { path: at(path), data: Some(data.into()), version: version.0 };
        self.ask(("set", path), request, read_stat)
    }

    /// A node's numbers; None where there is no node.
    ///
    /// # Errors
    /// `NoAuth`, from servers that want READ for it.
    pub fn exists(&self, path: &str) -> Reply<Option<Stat>> {
        self.ask(("exists", path), Request::Exists { path: at(path), watch: false }, read_existence)
    }

    /// A node's numbers, None where there is no node, and a watch for its next change: its creation, if there is none.
    ///
    /// # Errors
    /// `NoAuth`, from servers that want READ for it.
    #[doc(alias = "exists")]
    pub fn exists_watched(&self, path: &str) -> Reply<(Option<Stat>, Watch)> {
        let request = Request::Exists { path: at(path), watch: true };
        self.watched(("exists", path), request, WatchKind::Existence, read_existence)
    }

    /// The names of a node's children, in no order, and its numbers.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    #[doc(alias = "getChildren")]
    pub fn children(&self, path: &str) -> Reply<(Vec<String>, Stat)> {
        self.ask(("children", path), Request::GetChildren2 { path: at(path), watch: false }, read_children)
    }

    /// The names of a node's children, its numbers, and a watch for the next change of the list.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`; then there is no watch.
    #[doc(alias = "getChildren")]
    pub fn children_watched(&self, path: &str) -> Reply<((Vec<String>, Stat), Watch)> {
        let request = Request::GetChildren2 { path: at(path), watch: true };
        self.watched(("children", path), request, WatchKind::Children, read_children)
    }

    /// Watches a node until the stream is dropped; the node need not exist.
    ///
    /// # Errors
    /// `NoAuth`, from servers that want READ for it.
    #[doc(alias = "addWatch")]
    pub fn watch(&self, path: &str, mode: WatchMode) -> Reply<Watch> {
        const NAME: &str = "watch";
        let request = mode.request(path.to_owned());
        let watched = self.watched((NAME, path), request, WatchKind::Added(mode), |answer| match answer? {
            (Response::AddWatch { err: 0 }, _) => Ok(()),
            _ => Err(Cause::Reply),
        });
        Reply::steps((NAME, path), async move { watched.await.map(|((), watch)| watch) })
    }

    /// A node's ACL.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    #[doc(alias = "getACL")]
    pub fn acl(&self, path: &str) -> Reply<(Vec<Acl>, Stat)> {
        self.ask(("acl", path), Request::GetAcl { path: at(path) }, |answer| match answer? {
            (Response::GetAcl { acl, stat }, _) => Ok((acl, stat)),
            _ => Err(Cause::Reply),
        })
    }

    /// Sets a node's ACL, if it has this version of it (`aversion`).
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`, `InvalidAcl`.
    #[doc(alias = "setACL")]
    pub fn set_acl(&self, path: &str, acl: Vec<Acl>, version: Version) -> Reply<Stat> {
        let request = Request::SetAcl { path: at(path), acl: Some(acl), version: version.0 };
        self.ask(("set_acl", path), request, read_stat)
    }

    /// Catches up: reads that follow see every write that was answered before this call, to whomever. (Of a Java leader, as
    /// far as its `sync` goes.)
    pub fn sync(&self, path: &str) -> Reply<()> {
        self.ask(("sync", path), Request::Sync { path: at(path) }, |answer| match answer? {
            (Response::Sync { .. }, _) => Ok(()),
            _ => Err(Cause::Reply),
        })
    }

    /// Writes that are applied together or not at all.
    #[doc(alias = "multi")]
    pub fn transaction(&self) -> Transaction<R> {
        Transaction::new(self.clone())
    }

    /// The paths of this session's ephemeral nodes below `prefix`, as the servers know them, without any chroot.
    #[doc(alias = "getEphemerals")]
    pub fn ephemerals(&self, prefix: &str) -> Reply<Vec<String>> {
        self.ask(
            ("ephemerals", prefix),
            Request::GetEphemerals { prefix: at(prefix) },
            |answer| match answer? {
                (Response::Paths(paths), _) => Ok(paths),
                _ => Err(Cause::Reply),
            },
        )
    }

    /// How many nodes are below a node, at any depth.
    #[doc(alias = "getAllChildrenNumber")]
    pub fn count_below(&self, path: &str) -> Reply<i32> {
        self.ask(("count_below", path), Request::GetAllChildrenNumber { path: at(path) }, |answer| {
            match answer? {
                (Response::Count(count), _) => Ok(count),
                _ => Err(Cause::Reply),
            }
        })
    }

    /// Whom the servers take this session for.
    #[doc(alias = "whoAmI")]
    pub fn who_am_i(&self) -> Reply<Vec<ClientInfo>> {
        self.ask(("who_am_i", "/"), Request::WhoAmI, |answer| match answer? {
            (Response::WhoAmI(infos), _) => Ok(infos),
            _ => Err(Cause::Reply),
        })
    }

    /// Proves another identity, now and on every later connection.
    ///
    /// # Errors
    /// When a server refuses it: then the session is over.
    #[doc(alias = "addAuth")]
    pub fn add_auth(&self, scheme: &str, credentials: impl Into<Bytes>) -> Reply<()> {
        let what = ("add_auth", scheme);
        let packet = AuthPacket { kind: 0, scheme: Some(scheme.to_owned()), auth: Some(credentials.into()) };
        let (sender, answer) = oneshot::channel();
        match self.commands.unbounded_send(Command::AddAuth(packet, sender)) {
            Ok(()) => Reply::made(what, answer, Chroot::default(), read_done),
            Err(_) => Reply::refused(what, ClientError::NotSent(Reason::Closed).into()),
        }
    }
}

/// How requests are made.
impl<R: Runtime> Client<R> {
    /// Makes a request about a path that the caller has named.
    pub(super) fn ask<T>(&self, what: (&'static str, &str), request: Request, read: Read<T>) -> Reply<T> {
        self.ask_with(what, request, None, read)
    }

    fn ask_with<T>(
        &self,
        what: (&'static str, &str),
        mut request: Request,
        watch: Option<Box<Subscription>>,
        read: Read<T>,
    ) -> Reply<T> {
        let is_looked_at = matches!(request, Request::Create(_) | Request::Multi(_));
        if !is_looked_at && !is_path(what.1, false) {
            return Reply::refused(what, Cause::Path);
        }
        self.chroot.enter_request(&mut request);
        match self.send(request, watch) {
            Ok(answer) => Reply::made(what, answer, self.chroot.clone(), read),
            Err(cause) => Reply::refused(what, cause),
        }
    }

    fn send(
        &self,
        request: Request,
        watch: Option<Box<Subscription>>,
    ) -> std::result::Result<oneshot::Receiver<Answer>, Cause> {
        let outstanding = self.outstanding.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let asked = Asked { request, watch, answer: Some(sender) };
        let cause = if outstanding >= self.max_outstanding {
            Cause::TooManyRequests(outstanding)
        } else if self.commands.unbounded_send(Command::Ask(asked)).is_ok() {
            return Ok(answer);
        } else {
            ClientError::NotSent(Reason::Closed).into()
        };
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        Err(cause)
    }

    /// A request that leaves a watch, which is dropped if it fails.
    fn watched<T: Send + 'static>(
        &self,
        what: (&'static str, &str),
        request: Request,
        kind: WatchKind,
        read: Read<T>,
    ) -> Reply<(T, Watch)> {
        let id = WatchId(self.watches.fetch_add(1, Ordering::Relaxed));
        let (watch, sender) = Watch::new(id, self.chroot.clone(), self.commands.clone());
        let subscription =
            Subscription { kind, path: self.chroot.to_server(what.1), sender, is_again: false };
        let reply = self.ask_with(what, request, Some(Box::new(subscription)), read);
        Reply::steps(what, async move { Ok((reply.await?, watch)) })
    }
}

/// The path of a request.
fn at(path: &str) -> WirePath {
    Some(path.to_owned())
}

fn read_done(answer: Answer) -> std::result::Result<(), Cause> {
    match answer? {
        (Response::Empty, _) => Ok(()),
        _ => Err(Cause::Reply),
    }
}

fn read_value(answer: Answer) -> std::result::Result<Value, Cause> {
    match answer? {
        (Response::GetData { data, stat }, _) => Ok(Value { data, stat }),
        _ => Err(Cause::Reply),
    }
}

fn read_stat(answer: Answer) -> std::result::Result<Stat, Cause> {
    match answer? {
        (Response::Stat(stat), _) => Ok(stat),
        _ => Err(Cause::Reply),
    }
}

/// A missing node is no error for who asks whether it exists.
fn read_existence(answer: Answer) -> std::result::Result<Option<Stat>, Cause> {
    match answer {
        Err(ClientError::Refused(ErrorCode::NoNode)) => Ok(None),
        answer => read_stat(answer).map(Some),
    }
}

fn read_children(answer: Answer) -> std::result::Result<(Vec<String>, Stat), Cause> {
    match answer? {
        (Response::GetChildren2 { children, stat }, _) => Ok((children, stat)),
        _ => Err(Cause::Reply),
    }
}
