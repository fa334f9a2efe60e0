//! A line of contenders: ephemeral sequential nodes below one, of which the first is served, or the first few.
//!
//! Each waits for the one node that it has to, not for the list: the end of a hold wakes one contender. Invariants: whoever has
//! been at the front of those that exclude it stays there until its node is gone, since whoever comes later stands behind; a
//! wake-up proves nothing, the line is read again. Sequence numbers are compared as numbers on a circle, so that the order
//! survives their overflow (Curator and kazoo sort by text: theirs does not).

use super::guard::{FencingToken, Hold};
use super::persist::{self, Layout, below, delete, persist};
use crate::client::{Acl, Client, CreateOptions, Created, Result, Runtime};
use crate::vocabulary::{ErrorCode, SessionId};
use bytes::Bytes;

/// How a contender gets on with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// With nobody.
    Exclusive,
    /// With others of its kind.
    Shared,
}

/// What stands in names before the sequence number: Curator's words and kazoo's.
const MARKERS: [(&str, Standing); 6] = [
    ("lock-", Standing::Exclusive),
    ("latch-", Standing::Exclusive),
    ("__WRIT__", Standing::Exclusive),
    ("__lock__", Standing::Exclusive),
    ("__READ__", Standing::Shared),
    ("__rlock__", Standing::Shared),
];

/// How a contender presents itself.
#[derive(Clone, Debug, Default)]
pub struct ContenderOptions {
    /// How its node is called; contenders of both kinds are seen.
    pub layout: Layout,
    /// Its node's data: for people, who it is.
    pub data: Bytes,
    /// Its node's ACL; open to all if not said.
    pub acl: Option<Vec<Acl>>,
}

/// Somebody in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The path of its node.
    pub path: String,
    standing: Standing,
    sequence: i32,
}

impl Contender {
    fn read(dir: &str, name: &str) -> Option<Self> {
        [11, 10].into_iter().find_map(|digits| {
            let (front, number) = name.split_at_checked(name.len().checked_sub(digits)?)?;
            let (_, standing) = MARKERS.iter().find(|(marker, _)| front.ends_with(marker))?;
            Some(Contender { path: below(dir, name), standing: *standing, sequence: number.parse().ok()? })
        })
    }

    /// How far it stands behind another; less than zero before it.
    fn behind(&self, other: &Contender) -> i32 {
        self.sequence.wrapping_sub(other.sequence)
    }

    fn excludes(&self, other: Standing) -> bool {
        self.standing == Standing::Exclusive || other == Standing::Exclusive
    }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Line<R: Runtime> {
    pub(super) client: Client<R>,
    dir: String,
    options: ContenderOptions,
}

impl<R: Runtime> Line<R> {
    pub(super) fn new(client: Client<R>, dir: &str, options: ContenderOptions) -> Self {
        Line { client, dir: dir.to_owned(), options }
    }

    pub(super) fn layout(&self) -> Layout {
        self.options.layout
    }

    /// The node below which the line stands.
    pub(super) fn dir(&self) -> &str {
        &self.dir
    }

    /// Stands at the end.
    pub(super) async fn enter(&self, marker: &str) -> Result<Place<R>> {
        self.make(marker, &self.node().sequential()).await
    }

    /// Is one of many of whom none is before another: its node has no number.
    pub(super) async fn join(&self) -> Result<Place<R>> {
        self.make("", &self.node()).await
    }

    async fn make(&self, marker: &str, options: &CreateOptions) -> Result<Place<R>> {
        let how = (self.options.layout, marker);
        let data = self.options.data.clone();
        let created = persist::create(&self.client, &self.dir, how, data, options).await?;
        Ok(Place::new(self, created))
    }

    /// Stands where `place` stands too, as somebody else, whose node is called by `marker`; as long as `place` stands there.
    pub(super) async fn enter_beside(&self, place: &Place<R>, marker: &str) -> Result<Place<R>> {
        let name = place.path.rsplit('/').next().unwrap_or_default();
        let stands = Contender::read(&self.dir, name).filter(|contender| contender.path == place.path);
        let number = stands.expect("the guard is one of this lock's").sequence;
        // As the servers write it.
        let marker = format!("{marker}{number:010}");
        let (how, data) = ((self.options.layout, marker.as_str()), self.options.data.clone());
        let beside = (place.path.as_str(), self.dir.as_str());
        let path = persist::create_beside(&place.client, beside, how, data, &self.node()).await?;
        // If another session has made it than that of `place`, it is as good as lost.
        let Place { client, token, session, .. } = place;
        Ok(Place { client: client.clone(), path, token: *token, session: *session, is_left: false })
    }

    fn node(&self) -> CreateOptions {
        let node = CreateOptions::ephemeral().container_parents();
        match &self.options.acl {
            Some(acl) => node.acl(acl.clone()),
            None => node,
        }
    }

    /// Everybody, from the front.
    pub(super) async fn contenders(&self) -> Result<Vec<Contender>> {
        let names = persist::children(&self.client, &self.dir).await?;
        let mut line: Vec<_> = names.iter().filter_map(|name| Contender::read(&self.dir, name)).collect();
        if let Some(first) = line.first().cloned() {
            line.sort_by_key(|contender| contender.behind(&first));
        }
        Ok(line)
    }

    /// Whether the place is at the front of those that exclude it; or who stands before it, at the back of those.
    async fn look(&self, place: &Place<R>) -> Result<Turn> {
        let line = self.contenders().await?;
        // A node of a session that is over may stand for a while yet, and holds nothing.
        if self.client.session().latest().id != place.session {
            return Ok(Turn::Gone);
        }
        let Some(at) = line.iter().position(|contender| contender.path == place.path) else {
            return Ok(Turn::Gone);
        };
        let standing = line[at].standing;
        let before = line[..at].iter().rev().find(|contender| contender.excludes(standing));
        Ok(before.map_or(Turn::Come, |before| Turn::Behind(before.path.clone())))
    }

    /// Stands in the line until it is this one's turn.
    pub(super) async fn hold(&self, marker: &str) -> Result<Hold<R>> {
        let mut place = self.enter(marker).await?;
        loop {
            match self.look(&place).await? {
                Turn::Come => return Ok(Hold::new(place)),
                Turn::Gone => place = self.enter(marker).await?,
                Turn::Behind(path) => gone_or_changed(&self.client, &path).await?,
            }
        }
    }

    /// Stands in the line if it is this one's turn at once.
    pub(super) async fn try_hold(&self, marker: &str) -> Result<Option<Hold<R>>> {
        let place = self.enter(marker).await?;
        match self.look(&place).await? {
            Turn::Come => Ok(Some(Hold::new(place))),
            Turn::Gone | Turn::Behind(_) => place.leave().await.map(|()| None),
        }
    }
}

/// What a look at the line shows.
enum Turn {
    Come,
    Behind(String),
    /// The node of the place is gone, or will be.
    Gone,
}

/// Ready when something has happened to the node, or may have.
pub(super) async fn gone_or_changed<R: Runtime>(client: &Client<R>, path: &str) -> Result<()> {
    // Not exists: that would leave a watch where there is no node.
    match persist(client, |client| client.get_watched(path)).await {
        Ok((_, mut watch)) => {
            watch.next().await;
            Ok(())
        }
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A node of this client's in a line. Dropping it takes the node away.
#[derive(Debug)]
pub(super) struct Place<R: Runtime> {
    pub(super) client: Client<R>,
    pub(super) path: String,
    pub(super) token: FencingToken,
    pub(super) session: SessionId,
    is_left: bool,
}

impl<R: Runtime> Place<R> {
    fn new(line: &Line<R>, created: Created) -> Self {
        Place::of(&line.client, created)
    }

    /// The place of a node that this client has just created.
    pub(super) fn of(client: &Client<R>, created: Created) -> Self {
        let (token, session) = (FencingToken(created.zxid), SessionId(created.stat.ephemeral_owner));
        Place { client: client.clone(), path: created.path, token, session, is_left: false }
    }

    /// The node is gone already.
    pub(super) fn forget(mut self) {
        self.is_left = true;
    }

    /// Takes the node away; ready when it is gone.
    pub(super) async fn leave(mut self) -> Result<()> {
        let answer = delete(&self.client, &self.path).await;
        // What fails here fails because the session is over, and the node with it.
        self.is_left = true;
        answer
    }
}

impl<R: Runtime> Drop for Place<R> {
    fn drop(&mut self) {
        if !self.is_left {
            let (client, path) = (self.client.clone(), std::mem::take(&mut self.path));
            self.client.runtime().spawn(async move {
                let _ = delete(&client, &path).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(name: &str) -> Option<(Standing, i32)> {
        Contender::read("/", name).map(|contender| (contender.standing, contender.sequence))
    }

    #[test]
    fn names_of_curator_and_kazoo_are_known_and_others_are_not() {
        assert_eq!(sequence("_c_4ba0-lock-0000000012"), Some((Standing::Exclusive, 12)));
        assert_eq!(sequence("lock--2147483648"), Some((Standing::Exclusive, i32::MIN)));
        assert_eq!(sequence("4ba0__lock__-2147483647"), Some((Standing::Exclusive, -2_147_483_647)));
        assert_eq!(sequence("4ba0__rlock__0000000003"), Some((Standing::Shared, 3)));
        assert_eq!(sequence("_c_4ba0-__READ__0000000004"), Some((Standing::Shared, 4)));
        for name in
            ["leases", "lock-", "lock-1", "0000000001", "qn-0000000001", "lock-000000000x", "löck-000000001"]
        {
            assert_eq!(sequence(name), None, "{name}");
        }
    }

    #[test]
    fn who_comes_behind_the_overflow_stands_behind() {
        let read = |name| Contender::read("/", name).expect("it is a contender");
        let (last, first) = (read("lock-2147483647"), read("lock--2147483648"));
        assert_eq!(first.behind(&last), 1);
        assert!(last.behind(&first) < 0);
    }
}
