//! What keeps a picture: follows the events of a watch, and where some may be missing walks over the nodes.
//!
//! Invariants: nothing is taken from answers of another session than the one that the walk began in, which began with a sync, so
//! the picture never goes back; a node's list of children counts as read only when all on it have been.

use super::Scope;
use super::picture::{Picture, is_same};
use crate::client::{
    Client, Error, EventType, LiveSender, Reply, Result, Resync, Runtime, Stat, Value, Watch, WatchEvent,
    WatchMode,
};
use crate::recipe::persist::{again, below, is_passing, persist};
use crate::vocabulary::{ErrorCode, SessionId, Zxid};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many requests are made at once.
const BATCH: usize = 64;

/// Why it can't go on as it was.
enum Trouble {
    /// It has to walk again.
    Passing,
    Final(Error),
}

impl Trouble {
    fn of<R: Runtime>(client: &Client<R>, error: Error) -> Self {
        if is_passing(client, &error) { Trouble::Passing } else { Trouble::Final(error) }
    }
}

/// A node of which something has to be read.
struct Stale {
    path: String,
    data: bool,
    list: bool,
}

/// See the module's words.
pub(super) struct Keeper<R: Runtime> {
    client: Client<R>,
    root: String,
    scope: Scope,
    picture: LiveSender<Picture>,
    /// Of nodes whose children are known as of their list's last change: the zxid of that.
    listed: BTreeMap<String, Zxid>,
    /// What answers are to be of.
    session: SessionId,
}

impl<R: Runtime> Keeper<R> {
    pub(super) fn new(client: &Client<R>, root: &str, scope: Scope, picture: LiveSender<Picture>) -> Self {
        let (client, root) = (client.clone(), root.to_owned());
        Keeper { client, root, scope, picture, listed: BTreeMap::new(), session: SessionId::NONE }
    }

    /// Follows until it can't, and says why.
    pub(super) async fn run(mut self) -> (LiveSender<Picture>, Error) {
        loop {
            if let Err(error) = self.keep().await {
                return (self.picture, error);
            }
        }
    }

    /// Follows until the watch is over.
    async fn keep(&mut self) -> Result<()> {
        let mode = match self.scope {
            Scope::Node => WatchMode::Persistent,
            Scope::Children | Scope::Tree => WatchMode::Recursive,
        };
        let mut watch = persist(&self.client, |client| client.watch(&self.root, mode)).await?;
        let mut is_gap = true;
        loop {
            let done = match is_gap {
                true => self.walk().await,
                false => match self.next(&mut watch).await {
                    Some(told) => self.follow(told).await,
                    None => return Ok(()),
                },
            };
            is_gap = match done {
                Ok(()) => false,
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing) => {
                    again(&self.client).await;
                    true
                }
            };
        }
    }

    /// The events that have come, at least one, or None behind the last; an empty list where some are missing.
    async fn next(&self, watch: &mut Watch) -> Option<Vec<(EventType, String, Option<Zxid>)>> {
        let mut told = Vec::new();
        let mut event = watch.next().await;
        loop {
            match event {
                None | Some(WatchEvent::Resync(Resync::Over)) => return None,
                Some(WatchEvent::Resync(_)) => return Some(Vec::new()),
                Some(WatchEvent::Node { kind, path, zxid }) => told.push((kind, path, zxid)),
            }
            match if told.len() < BATCH { watch.next().now_or_never() } else { None } {
                Some(next) => event = next,
                None => return Some(told),
            }
        }
    }

    /// Does what events tell to do.
    async fn follow(
        &mut self,
        told: Vec<(EventType, String, Option<Zxid>)>,
    ) -> std::result::Result<(), Trouble> {
        if told.is_empty() {
            return Err(Trouble::Passing);
        }
        let mut looked_at = BTreeSet::new();
        let mut due = Vec::new();
        for (kind, path, zxid) in told {
            let known = self.known(&path);
            // What is known may be newer than what is told.
            let is_news = zxid.is_none_or(|zxid| known.as_ref().is_none_or(|known| known.stat.mzxid < zxid));
            if !self.is_in_scope(&path) || !is_news || kind == EventType::NodeChildrenChanged {
                continue;
            }
            if kind == EventType::NodeDeleted
                && let Some(zxid) = zxid
            {
                self.picture.update(|picture| picture.remove(&path, zxid));
            } else if looked_at.insert(path.clone()) {
                due.push(path);
            }
        }
        let replies: Vec<_> = due.iter().map(|path| self.client.get(path)).collect();
        for (path, reply) in due.iter().zip(replies) {
            match self.read(reply).await? {
                Some(value) => self.put(path, value),
                None => self.remove(path),
            }
        }
        Ok(())
    }

    /// Compares all that is known with what there is.
    async fn walk(&mut self) -> std::result::Result<(), Trouble> {
        self.session = self.client.session().latest().id;
        self.read(self.client.sync(&self.root)).await?;
        let mut due = VecDeque::from([self.root.clone()]);
        let mut listed = Vec::new();
        while !due.is_empty() {
            let paths = due.drain(..due.len().min(BATCH)).collect();
            let stale = self.compare(paths, &mut due).await?;
            self.refresh(stale, &mut due, &mut listed).await?;
        }
        self.listed.extend(listed);
        self.picture.amend(|picture| self.listed.retain(|path, _| picture.nodes.contains_key(path)));
        self.picture.update(|picture| !std::mem::replace(&mut picture.is_whole, true));
        Ok(())
    }

    /// Answers what of these has to be read. The children of those whose list needs not are due next.
    async fn compare(
        &mut self,
        paths: Vec<String>,
        due: &mut VecDeque<String>,
    ) -> std::result::Result<Vec<Stale>, Trouble> {
        let asked: Vec<_> = paths
            .into_iter()
            .map(|path| {
                let known = self.known(&path).map(|known| (known, self.client.exists(&path)));
                (path, known)
            })
            .collect();
        let mut stale = Vec::new();
        for (path, known) in asked {
            let has_children = self.has_children(&path);
            let Some((known, reply)) = known else {
                stale.push(Stale { path, data: true, list: has_children });
                continue;
            };
            match self.read(reply).await?.flatten() {
                None => self.remove(&path),
                Some(stat) => {
                    let is_listed = !has_children || self.listed.get(&path) == Some(&stat.pzxid);
                    if is_listed {
                        due.extend(self.children(&path));
                    }
                    let is_read = is_same(&known, &Value { data: None, stat });
                    stale.push(Stale { path, data: !is_read, list: !is_listed });
                }
            }
        }
        Ok(stale)
    }

    /// Reads data and lists of children; the children are due next.
    async fn refresh(
        &mut self,
        stale: Vec<Stale>,
        due: &mut VecDeque<String>,
        listed: &mut Vec<(String, Zxid)>,
    ) -> std::result::Result<(), Trouble> {
        let asked: Vec<_> = stale
            .into_iter()
            .map(|Stale { path, data, list }| {
                let data = data.then(|| self.client.get(&path));
                let list = list.then(|| self.client.children(&path));
                (path, data, list)
            })
            .collect();
        for (path, data, list) in asked {
            if let Some(reply) = data {
                match self.read(reply).await? {
                    Some(value) => self.put(&path, value),
                    None => self.remove(&path),
                }
            }
            if let Some(reply) = list
                && let Some(list) = self.read(reply).await?
            {
                self.relist(&path, list, due, listed);
            }
        }
        Ok(())
    }

    fn relist(
        &self,
        path: &str,
        (names, stat): (Vec<String>, Stat),
        due: &mut VecDeque<String>,
        listed: &mut Vec<(String, Zxid)>,
    ) {
        let there: BTreeSet<String> = names.iter().map(|name| below(path, name)).collect();
        for gone in self.children(path).iter().filter(|child| !there.contains(*child)) {
            self.remove(gone);
        }
        due.extend(there);
        listed.push((path.to_owned(), stat.pzxid));
    }

    /// What a server has answered; None if there is no node, or none that may be read.
    async fn read<T>(&self, reply: Reply<T>) -> std::result::Result<Option<T>, Trouble> {
        let answer = match reply.await {
            Ok(answer) => Some(answer),
            Err(error) if matches!(error.code(), Some(ErrorCode::NoNode | ErrorCode::NoAuth)) => None,
            Err(error) => return Err(Trouble::of(&self.client, error)),
        };
        match self.client.session().latest().id == self.session {
            true => Ok(answer),
            // The server of another session may be behind.
            false => Err(Trouble::Passing),
        }
    }

    fn is_in_scope(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        let is_child = || parent == Some(self.root.trim_end_matches('/'));
        match self.scope {
            Scope::Tree => true,
            Scope::Children => path == self.root || is_child(),
            Scope::Node => path == self.root,
        }
    }

    /// Whether the children of the node are in the picture.
    fn has_children(&self, path: &str) -> bool {
        match self.scope {
            Scope::Tree => true,
            Scope::Children => path == self.root,
            Scope::Node => false,
        }
    }

    fn known(&self, path: &str) -> Option<Value> {
        self.picture.amend(|picture| picture.nodes.get(path).cloned())
    }

    fn children(&self, path: &str) -> Vec<String> {
        self.picture.amend(|picture| picture.children(path).map(|(name, _)| below(path, name)).collect())
    }

    fn put(&self, path: &str, value: Value) {
        self.picture.update(|picture| picture.put(path, value));
    }

    /// A read has shown that the node is gone.
    fn remove(&self, path: &str) {
        self.picture.update(|picture| picture.remove(path, Zxid(i64::MAX)));
    }
}
