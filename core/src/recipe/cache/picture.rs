//! The picture, and what its readers have not read of its changes.
//!
//! Invariants: what waits for a reader is bounded by the nodes that there are and that it knows of; what it has read and what
//! waits for it make the picture together.

use crate::client::{Error, Live, LiveSender, Value, live};
use crate::vocabulary::Zxid;
use std::collections::{BTreeMap, VecDeque};

/// What a cache knows.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) nodes: BTreeMap<String, Value>,
    /// Whether all has been read once.
    pub(super) is_whole: bool,
    /// Why it is not followed any more.
    pub(super) ended: Option<Error>,
    readers: Vec<LiveSender<Backlog>>,
}

/// A node has come to be, has changed, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEvent {
    /// Which.
    pub path: String,
    /// What the reader knew of it; None if it did not exist.
    pub old: Option<Value>,
    /// What it is now; None if it is gone. At least one of the two is there.
    pub new: Option<Value>,
}

/// The changes of a cache, for one reader.
#[derive(Debug)]
pub struct CacheEvents(Live<Backlog>);

impl CacheEvents {
    /// The next change; None when there will be none: the cache has ended or is dropped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<CacheEvent> {
        loop {
            if let Some(event) = self.0.look(Backlog::pop) {
                return Some(event);
            }
            if !self.0.moved().await {
                return self.0.look(Backlog::pop);
            }
        }
    }
}

/// What a reader has not read, in the order in which it came to be unread.
#[derive(Debug, Default)]
struct Backlog {
    order: VecDeque<String>,
    /// What it knows of the node, and what there is.
    unread: BTreeMap<String, (Option<Value>, Option<Value>)>,
}

impl Backlog {
    fn note(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        match self.unread.get_mut(path) {
            Some((_, latest)) => *latest = new.cloned(),
            None => {
                self.order.push_back(path.to_owned());
                self.unread.insert(path.to_owned(), (old.cloned(), new.cloned()));
            }
        }
    }

    fn pop(&mut self) -> Option<CacheEvent> {
        loop {
            let path = self.order.pop_front()?;
            let (old, new) = self.unread.remove(&path).expect("what is in order is unread");
            if old.is_some() || new.is_some() {
                return Some(CacheEvent { path, old, new });
            }
        }
    }
}

impl Picture {
    /// The node is like this now; answers whether it was otherwise.
    pub(super) fn put(&mut self, path: &str, value: Value) -> bool {
        let old = self.nodes.insert(path.to_owned(), value.clone());
        if old.as_ref().is_some_and(|old| is_same(old, &value)) {
            return false;
        }
        self.note(path, old.as_ref(), Some(&value));
        true
    }

    /// The node was gone at `when`, with all below it: what is known to be newer stays. Answers whether anything goes.
    pub(super) fn remove(&mut self, path: &str, when: Zxid) -> bool {
        let here = self.nodes.get_key_value(path).into_iter();
        let old = here.chain(self.below(path)).filter(|(_, value)| value.stat.mzxid < when);
        let gone: Vec<String> = old.map(|(path, _)| path.clone()).collect();
        for path in gone.iter().rev() {
            let old = self.nodes.remove(path);
            self.note(path, old.as_ref(), None);
        }
        !gone.is_empty()
    }

    fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Value)> {
        let front = front(path);
        let from = self.nodes.range(front.clone()..);
        // The root's own path is its front.
        from.take_while(move |(path, _)| path.starts_with(&front)).filter(|(path, _)| path.len() > 1)
    }

    /// The children of a node, by their names.
    pub(super) fn children<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let front = front(path).len();
        let below = self.below(path).map(move |(path, value)| (&path[front..], value));
        below.filter(|(name, _)| !name.contains('/'))
    }

    fn note(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        self.readers.retain(|reader| !reader.is_alone());
        for reader in &self.readers {
            reader.update(|backlog| {
                backlog.note(path, old, new);
                true
            });
        }
    }

    pub(super) fn events(&mut self) -> CacheEvents {
        let mut backlog = Backlog::default();
        for (path, value) in &self.nodes {
            backlog.note(path, None, Some(value));
        }
        let (sender, reader) = live(backlog);
        if self.ended.is_none() {
            self.readers.push(sender);
        }
        CacheEvents(reader)
    }

    pub(super) fn end(&mut self, error: Error) -> bool {
        self.ended = Some(error);
        self.readers.clear();
        true
    }
}

/// What the paths below a node begin with.
fn front(path: &str) -> String {
    match path {
        "/" => path.to_owned(),
        path => format!("{path}/"),
    }
}

/// Whether a node has neither changed nor been made again.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    (one.stat.czxid, one.stat.mzxid) == (other.stat.czxid, other.stat.mzxid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Stat;

    fn value(mzxid: i64) -> Value {
        Value { data: None, stat: Stat { czxid: Zxid(1), mzxid: Zxid(mzxid), ..Stat::default() } }
    }

    fn pop(events: &CacheEvents) -> Option<(String, Option<i64>, Option<i64>)> {
        let zxid = |value: Option<Value>| value.map(|value| value.stat.mzxid.0);
        events.0.look(Backlog::pop).map(|CacheEvent { path, old, new }| (path, zxid(old), zxid(new)))
    }

    #[test]
    fn whoever_is_slow_reads_of_a_node_once() {
        let mut picture = Picture::default();
        picture.put("/a", value(1));
        let events = picture.events();
        assert_eq!(pop(&events), Some(("/a".to_owned(), None, Some(1))));
        picture.put("/a/b", value(2));
        picture.put("/a", value(3));
        picture.remove("/a/b", Zxid(9));
        picture.put("/a", value(4));
        assert_eq!(pop(&events), Some(("/a".to_owned(), Some(1), Some(4))));
        assert_eq!(pop(&events), None);
    }

    #[test]
    fn a_tree_goes_from_its_leaves_and_its_neighbours_stay() {
        let mut picture = Picture::default();
        for path in ["/a", "/a-b", "/a/b", "/a/b/c", "/a0"] {
            picture.put(path, value(1));
        }
        assert_eq!(picture.children("/a").map(|(name, _)| name).collect::<Vec<_>>(), ["b"]);
        assert_eq!(picture.children("/").map(|(name, _)| name).collect::<Vec<_>>(), ["a", "a-b", "a0"]);
        let events = picture.events();
        while pop(&events).is_some() {}
        picture.remove("/a", Zxid(9));
        let gone: Vec<_> = std::iter::from_fn(|| pop(&events)).map(|(path, ..)| path).collect();
        assert_eq!(gone, ["/a/b/c", "/a/b", "/a"]);
        assert_eq!(picture.nodes.keys().collect::<Vec<_>>(), ["/a-b", "/a0"]);
    }
}
