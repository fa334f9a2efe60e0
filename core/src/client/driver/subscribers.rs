//! Who wants to hear of which node, on this side of the session machine's table of watches.
//!
//! Paths are those of the session, without its chroot. Invariants: a watch whose request is not answered counts as standing, so
//! that no other's removal takes it away; a one-shot subscription is gone with its event; whoever is too slow is told `Lagged`
//! instead of what did not fit, and nothing else before that.

use crate::client::watch::{Resync, WatchEvent, WatchId, WatchMode, WatchSender};
use crate::jute::{AddWatchMode, EventType, Request, WatcherEvent, WatcherType};
use crate::vocabulary::Zxid;
use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};

/// What a subscription is woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::client) enum WatchKind {
    /// One change of the node's data, or its deletion.
    Data,
    /// The same, or its creation.
    Existence,
    /// One change of its list of children.
    Children,
    /// Every change, as the mode says.
    Added(WatchMode),
}

/// What is asked for together with a request.
#[derive(Debug)]
pub(in crate::client) struct Subscription {
    pub(in crate::client) kind: WatchKind,
    pub(in crate::client) path: String,
    pub(in crate::client) sender: WatchSender,
    /// It stood in a session that is over, and its reader has to be told of this one.
    pub(in crate::client) is_again: bool,
}

#[derive(Debug)]
struct Subscriber {
    kind: WatchKind,
    sender: WatchSender,
    lagged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Subscribers {
    by_path: BTreeMap<String, Vec<Subscriber>>,
    paths: BTreeMap<WatchId, String>,
    /// How many watches of a path are asked for and not answered.
    asked: BTreeMap<String, usize>,
    lagged: BTreeSet<WatchId>,
    /// Where somebody was who has gone without a removal.
    left: Vec<String>,
}

impl WatchKind {
    fn is_one_shot(self) -> bool {
        !matches!(self, WatchKind::Added(_))
    }

    /// Whether an event at the watched path itself is for it.
    fn takes(self, kind: EventType) -> bool {
        match self {
            WatchKind::Data | WatchKind::Existence | WatchKind::Added(WatchMode::Recursive) => {
                kind != EventType::NodeChildrenChanged
            }
            WatchKind::Children => matches!(kind, EventType::NodeChildrenChanged | EventType::NodeDeleted),
            WatchKind::Added(WatchMode::Persistent) => true,
        }
    }
}

impl WatchMode {
    pub(in crate::client) fn request(self, path: String) -> Request {
        let mode = match self {
            WatchMode::Persistent => AddWatchMode::Persistent,
            WatchMode::Recursive => AddWatchMode::PersistentRecursive,
        };
        Request::AddWatch { path: Some(path), mode: mode as i32 }
    }
}

impl Subscribers {
    /// A watch of `path` is about to be asked for.
    pub(super) fn asks(&mut self, path: &str) {
        *self.asked.entry(path.to_owned()).or_default() += 1;
    }

    /// That request is answered or has failed.
    pub(super) fn answered(&mut self, path: &str) {
        let asked = self.asked.get_mut(path).expect("it was asked for");
        *asked -= 1;
        if *asked == 0 {
            self.left.extend(self.asked.remove_entry(path).map(|(path, _)| path));
        }
    }

    /// The watch stands, or does not; its reader is told this word of it.
    pub(super) fn add(&mut self, subscription: Subscription, word: Option<Resync>, stands: bool) {
        let Subscription { kind, path, sender, .. } = subscription;
        let mut subscriber = Subscriber { kind, sender, lagged: false };
        if let Some(word) = word {
            subscriber.tell(WatchEvent::Resync(word), &mut self.lagged);
        }
        if stands {
            self.paths.insert(subscriber.sender.id, path.clone());
            self.by_path.entry(path).or_default().push(subscriber);
        }
    }

    /// Paths where nobody listens any more, nor is about to, though a watch may stand there.
    pub(super) fn left(&mut self) -> Vec<String> {
        let mut left = std::mem::take(&mut self.left);
        left.retain(|path| !self.asked.contains_key(path) && !self.by_path.contains_key(path));
        left
    }

    /// Nobody listens any more. Answers the request that takes the watch off the server, if no other needs it.
    ///
    /// What stands beside others stays there when a 3.8 server would remove those too; it goes with the last of them.
    pub(super) fn remove(&mut self, id: WatchId) -> Option<Request> {
        let path = self.paths.remove(&id)?;
        self.lagged.remove(&id);
        let here = self.by_path.get_mut(&path).expect("a subscriber stands at its path");
        let place = here.iter().position(|subscriber| subscriber.sender.id == id).expect("it stands there");
        let gone = here.remove(place);
        if here.is_empty() {
            self.by_path.remove(&path);
        }
        if self.asked.contains_key(&path) {
            return None;
        }
        let left = self.by_path.get(&path).map(Vec::as_slice).unwrap_or_default();
        let kind = match gone.kind {
            _ if left.is_empty() => WatcherType::Any,
            kind if left.iter().any(|other| other.kind == kind) => return None,
            WatchKind::Added(WatchMode::Persistent) => WatcherType::Persistent,
            WatchKind::Added(WatchMode::Recursive) => WatcherType::PersistentRecursive,
            WatchKind::Data | WatchKind::Existence | WatchKind::Children => return None,
        };
        Some(Request::RemoveWatches { path: Some(path), kind: kind as i32 })
    }

    /// Tells an event to whom it concerns.
    pub(super) fn tell(&mut self, event: &WatcherEvent, zxid: Zxid) {
        let node = || WatchEvent::Node {
            kind: event.kind,
            path: event.path.clone(),
            zxid: (zxid > Zxid::ZERO).then_some(zxid),
        };
        let (lagged, paths) = (&mut self.lagged, &mut self.paths);
        if let Some(here) = self.by_path.get_mut(&event.path) {
            here.retain_mut(|subscriber| {
                if !subscriber.kind.takes(event.kind) {
                    return true;
                }
                subscriber.tell(node(), lagged);
                if subscriber.kind.is_one_shot() {
                    paths.remove(&subscriber.sender.id);
                }
                !subscriber.kind.is_one_shot()
            });
            if here.is_empty() {
                self.left.extend(self.by_path.remove_entry(&event.path).map(|(path, _)| path));
            }
        }
        if event.kind == EventType::NodeChildrenChanged {
            return;
        }
        let parents = event.path.match_indices('/').map(|(slash, _)| &event.path[..slash.max(1)]);
        for ancestor in parents.filter(|ancestor| *ancestor != event.path) {
            let above = self.by_path.get_mut(ancestor).map(Vec::as_mut_slice).unwrap_or_default();
            for subscriber in above.iter_mut() {
                if subscriber.kind == WatchKind::Added(WatchMode::Recursive) {
                    subscriber.tell(node(), &mut self.lagged);
                }
            }
        }
    }

    /// The connection was lost and is there again: what is persistent has missed something.
    pub(super) fn reconnected(&mut self) {
        for subscriber in self.by_path.values_mut().flatten() {
            if !subscriber.kind.is_one_shot() {
                subscriber.tell(WatchEvent::Resync(Resync::Reconnected), &mut self.lagged);
            }
        }
    }

    /// The session is over: everybody is told. Answers what was persistent, to be set again in another session.
    pub(super) fn session_over(&mut self, is_replaced: bool) -> Vec<Subscription> {
        let mut again = Vec::new();
        for (path, subscribers) in std::mem::take(&mut self.by_path) {
            for mut subscriber in subscribers {
                let Subscriber { kind, .. } = subscriber;
                if is_replaced && !kind.is_one_shot() {
                    again.push(Subscription {
                        kind,
                        path: path.clone(),
                        sender: subscriber.sender,
                        is_again: true,
                    });
                } else {
                    subscriber.tell(WatchEvent::Resync(Resync::Over), &mut self.lagged);
                }
            }
        }
        self.paths.clear();
        self.lagged.clear();
        again
    }

    /// Tells those who were too slow, once there is room.
    pub(super) fn poll_lagged(&mut self, context: &mut Context<'_>) {
        let (paths, by_path) = (&self.paths, &mut self.by_path);
        self.lagged.retain(|id| {
            let here = paths.get(id).and_then(|path| by_path.get_mut(path));
            let subscriber =
                here.and_then(|here| here.iter_mut().find(|subscriber| subscriber.sender.id == *id));
            subscriber.is_some_and(|subscriber| subscriber.poll_lagged(context).is_pending())
        });
    }
}

impl Subscriber {
    fn tell(&mut self, event: WatchEvent, lagged: &mut BTreeSet<WatchId>) {
        if self.lagged {
            return;
        }
        if let Err(error) = self.sender.events.try_send(event)
            && error.is_full()
        {
            self.lagged = true;
            lagged.insert(self.sender.id);
        }
    }

    fn poll_lagged(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ready = self.sender.events.poll_ready(context);
        ready.map(|_| {
            self.lagged = false;
            // Whoever has gone needs no word.
            let _ = self.sender.events.try_send(WatchEvent::Resync(Resync::Lagged));
        })
    }
}
