//! A node that is there for as long as somebody keeps it: whenever it is lost it is made again.
//!
//! It is lost when somebody deletes it, and, if it is ephemeral, with its session. Invariants: an ephemeral node counts as this
//! keeper's only if its owner is the session that the client has now (one of an older session is about to vanish); a node of
//! somebody else's is neither taken over nor deleted, but waited for; what the node is made with is always the latest data.

use super::persist::{again, is_passing, persist};
use crate::client::{
    Acl, Cause, Client, CreateOptions, Error, Live, LiveSender, Outcome, Result, Runtime, Value, Watch, live,
};
use crate::vocabulary::{ErrorCode, Millis, Mono, SessionId, Zxid};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::pin::pin;

/// Between two attempts of what a server refuses.
const PAUSE: Millis = Millis(1000);

/// What kind of node it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// It goes with the session, and is made again by the next if the client [replaces](crate::client::OnExpiry::Replace) it.
    #[default]
    Ephemeral,
    /// It outlives its keeper if that ends without closing it. One that is there already is taken over, and gets the data.
    Persistent,
}

/// What has become of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It is not there, as far as is known.
    Absent,
    /// It is there.
    There {
        /// The txn that made it.
        czxid: Zxid,
        /// Whose it is; of a persistent node, who found it.
        session: SessionId,
    },
    /// Another's node is in its place, or one of an older session: it is made when that goes.
    Taken,
}

/// The node, as its keeper sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// What has become of it.
    pub state: NodeState,
    /// Why it could not be made, or set, the last time. It is tried again, unless the session is over or its path is none.
    pub trouble: Option<Error>,
}

/// Keeps a node; Curator's `PersistentNode`. Dropping it takes the node away. Data that others set stays, until the node is lost.
#[derive(Debug)]
#[must_use = "a node that nobody keeps is taken away"]
#[doc(alias = "PersistentEphemeralNode")]
pub struct PersistentNode {
    path: String,
    data: LiveSender<Bytes>,
    view: Live<NodeView>,
    /// Who stops it waits for the answer; whoever drops it does not.
    stop: Option<oneshot::Sender<oneshot::Sender<Result<()>>>>,
}

impl PersistentNode {
    /// Keeps the node `path` from now on; parents are made as containers.
    pub fn start<R: Runtime>(
        client: &Client<R>,
        path: &str,
        data: impl Into<Bytes>,
        lifetime: Lifetime,
        acl: Option<Vec<Acl>>,
    ) -> Self {
        let (data, wanted) = live(data.into());
        let (sender, view) = live(NodeView { state: NodeState::Absent, trouble: None });
        let (stop, is_stopped) = oneshot::channel();
        let options = match lifetime {
            Lifetime::Ephemeral => CreateOptions::ephemeral().container_parents(),
            Lifetime::Persistent => CreateOptions::persistent().container_parents(),
        };
        let options = match acl {
            Some(acl) => options.acl(acl),
            None => options,
        };
        let (client, path) = (client.clone(), path.to_owned());
        let keeper = Keeper {
            client: client.clone(),
            path: path.clone(),
            unanswered: None,
            options,
            wanted,
            written: None,
            view: sender,
        };
        client.runtime().spawn(keeper.run(is_stopped));
        PersistentNode { path, data, view, stop: Some(stop) }
    }

    /// The node's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What has become of it, as a value that changes.
    pub fn view(&self) -> Live<NodeView> {
        self.view.clone()
    }

    /// Ready when the node is there: true; or never will be, since the session is over, or its path is none: false.
    pub async fn ready(&self) -> bool {
        let mut view = self.view();
        view.wait_for(|view| matches!(view.state, NodeState::There { .. })).await.is_some()
    }

    /// The node is to have this data, now and whenever it is made again.
    pub fn set_data(&self, data: impl Into<Bytes>) {
        self.data.set(data.into());
    }

    /// Takes the node away; ready when it is gone. An ephemeral one of a session that was replaced goes by itself. For what such a
    /// session may yet make of a persistent one it is waited, one session timeout at most.
    ///
    /// # Errors
    /// Refusals, and the session's end: then an ephemeral node is gone as well.
    pub async fn close(mut self) -> Result<()> {
        let (sender, answer) = oneshot::channel();
        match self.stop.take().map(|stop| stop.send(sender)) {
            Some(Ok(())) => answer.await.unwrap_or(Ok(())),
            // The keeper has gone with the session.
            _ => self.view.latest().trouble.map_or(Ok(()), Err),
        }
    }
}

/// What keeps a node.
struct Keeper<R: Runtime> {
    client: Client<R>,
    path: String,
    /// The first session in which a create had no answer, and when the last such was given up; None while it is under way.
    unanswered: Option<(SessionId, Option<Mono>)>,
    options: CreateOptions,
    wanted: Live<Bytes>,
    /// What was written last, and into which node.
    written: Option<(Zxid, Bytes)>,
    view: LiveSender<NodeView>,
}

impl<R: Runtime> Keeper<R> {
    async fn run(mut self, stop: oneshot::Receiver<oneshot::Sender<Result<()>>>) {
        let asker = match select(stop, pin!(self.keep())).await {
            Either::Left((asker, _)) => asker,
            Either::Right(_) => return,
        };
        let removed = self.remove().await;
        if let Ok(asker) = asker {
            // Nobody may wait for it any more.
            let _ = asker.send(removed);
        }
    }

    /// Keeps the node to the session's end, unless there can be none of its path.
    async fn keep(&mut self) {
        loop {
            let Err(error) = self.turn().await else { continue };
            if is_passing(&self.client, &error) {
                again(&self.client).await;
                continue;
            }
            let is_over = error.is_session_over() || *error.cause() == Cause::Path;
            self.view.update(|view| {
                if is_over && self.options.is_ephemeral() {
                    view.state = NodeState::Absent;
                }
                view.trouble = Some(error);
                true
            });
            if is_over {
                return;
            }
            let runtime = self.client.runtime();
            runtime.sleep_until(runtime.now() + PAUSE).await;
        }
    }

    /// Looks at the node, does what has to be done, and waits for the next change if it is as it should be.
    async fn turn(&mut self) -> Result<()> {
        let (value, watch) = match persist(&self.client, |client| client.get_watched(&self.path)).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => return self.make().await,
            answer => answer?,
        };
        let session = self.client.session().latest().id;
        // What was seen is of a session that has just been replaced.
        if session == SessionId::NONE {
            return Ok(());
        }
        if !self.is_of(session, &value) {
            self.see(NodeState::Taken);
            return self.wait(watch).await;
        }
        let (wanted, czxid) = (self.wanted.latest(), value.stat.czxid);
        let is_due = match &self.written {
            Some((node, written)) if *node == czxid => *written != wanted,
            _ => value.bytes() != wanted,
        };
        if is_due {
            match self.client.set(&self.path, wanted.clone(), value.version()).await {
                // It is another by now, perhaps by an attempt of which no answer came.
                Err(error) if matches!(error.code(), Some(ErrorCode::BadVersion | ErrorCode::NoNode)) => {
                    return Ok(());
                }
                answer => drop(answer?),
            }
        }
        self.written = Some((czxid, wanted));
        self.see(NodeState::There { czxid, session });
        self.wait(watch).await
    }

    /// Creates it, and notes it if nobody knows what came of that.
    async fn make(&mut self) -> Result<()> {
        let before = self.unanswered;
        let session = before.map_or_else(|| self.client.session().latest().id, |(session, _)| session);
        self.unanswered = Some((session, None));
        let made = self.create().await;
        let is_unknown = made.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
        self.unanswered = if is_unknown { Some((session, Some(self.client.now()))) } else { before };
        made
    }

    async fn create(&mut self) -> Result<()> {
        self.see(NodeState::Absent);
        let data = self.wanted.latest();
        match self.client.create(&self.path, data.clone(), &self.options).await {
            Ok(created) => {
                self.written = Some((created.zxid, data));
                Ok(())
            }
            // The server that was asked before may have been behind.
            Err(error) if error.code() == Some(ErrorCode::NodeExists) => self.client.sync(&self.path).await,
            Err(error) => Err(error),
        }
    }

    fn is_of(&self, session: SessionId, value: &Value) -> bool {
        let owner = if self.options.is_ephemeral() { session.0 } else { 0 };
        value.stat.ephemeral_owner == owner
    }

    fn see(&self, state: NodeState) {
        let seen = NodeView { state, trouble: None };
        self.view.update(|view| std::mem::replace(view, seen.clone()) != seen);
    }

    /// Ready when the node, or what is wanted of it, may be another.
    async fn wait(&mut self, mut watch: Watch) -> Result<()> {
        let (node, wanted) = (pin!(watch.next()), pin!(self.wanted.moved()));
        select(node, wanted).await;
        Ok(())
    }

    /// Takes the node away, and what may still come of a create: an ephemeral node would go with its session, another would stay.
    async fn remove(&self) -> Result<()> {
        let given_up = self.unanswered.map(|(session, at)| (session, at.unwrap_or(self.client.now())));
        self.remove_once().await?;
        let view = self.client.session().latest();
        match given_up.filter(|(session, _)| !self.options.is_ephemeral() && *session != view.id) {
            Some((_, at)) => {
                // The servers refuse what an older session asked for once that is over for them, too.
                self.client.runtime().sleep_until(at + view.timeout).await;
                self.remove_once().await
            }
            None => Ok(()),
        }
    }

    /// Takes the node away if it is this one's. A create may be under way: what is asked behind a sync is asked behind what this
    /// session has asked for before.
    async fn remove_once(&self) -> Result<()> {
        loop {
            persist(&self.client, |client| client.sync(&self.path)).await?;
            let value = match persist(&self.client, |client| client.get(&self.path)).await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(()),
                answer => answer?,
            };
            let session = self.client.session().latest().id;
            if session == SessionId::NONE {
                continue;
            }
            if !self.is_of(session, &value) {
                return Ok(());
            }
            // Not persistently: the next attempt might meet another's node.
            match self.client.delete(&self.path, value.version()).await {
                Err(error) if is_passing(&self.client, &error) => again(&self.client).await,
                Err(error) if error.code() == Some(ErrorCode::BadVersion) => {}
                Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(()),
                answer => return answer,
            }
        }
    }
}
