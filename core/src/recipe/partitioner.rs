//! A set that is shared out among the members of a party.
//!
//! Everybody works out the shares from the same sorted lists, and takes a lock on each item of its own before it touches it. The
//! layout is kazoo's: `party/<guid>-<identifier>` for each member, `locks/<item>` for each item, with kazoo's lock nodes.
//! Invariants: an item is one member's at a time, as its lock is; the party is watched from before the shares are worked out until
//! they are released; a wake-up proves nothing, the party is read again. Absent: shares of other sizes than as equal as can be.

use super::guard::{Guard, Lost};
use super::line::{ContenderOptions, Place};
use super::mutex::Mutex;
use super::persist::{self, Layout, below, persist};
use crate::client::{Client, CreateOptions, Result, Runtime, Watch};
use crate::vocabulary::{ErrorCode, Millis};
use futures_util::future::{Either, select, select_all};
use std::future::pending;
use std::pin::pin;

/// The party has to stay the same for so long before it is shared out, unless another time is named: kazoo's.
const TIME_BOUNDARY: Millis = Millis(30_000);

/// Shares a set out; kazoo's `SetPartitioner`. A handle is one member, as long as it lives.
///
/// Kazoo's states are here: *allocating* while [`acquire`](Self::acquire) is under way; *acquired* when it has answered;
/// *release* when [`Share::ended`] is ready: the party is another, or a lock was lost, with the session for one; *failure* when
/// it answers an error. If the client replaces its session the member comes back in the next one.
///
/// All members have to name the same items. Two of one identifier work out the same share; then the locks let one wait.
#[derive(Debug)]
#[doc(alias = "Partitioner")]
pub struct SetPartitioner<R: Runtime> {
    client: Client<R>,
    path: String,
    /// Sorted.
    items: Vec<String>,
    identifier: String,
    time_boundary: Millis,
    member: Option<Place<R>>,
}

impl<R: Runtime> SetPartitioner<R> {
    /// A member of this name in the party of the node `path`, which shares out `items`; their names are names of nodes.
    pub fn new(
        client: &Client<R>,
        path: &str,
        identifier: &str,
        items: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut items: Vec<String> = items.into_iter().collect();
        items.sort();
        items.dedup();
        let (client, path, identifier) = (client.clone(), path.to_owned(), identifier.to_owned());
        SetPartitioner { client, path, items, identifier, time_boundary: TIME_BOUNDARY, member: None }
    }

    /// How long the party has to stay the same before it is shared out; 30 s if not said.
    #[must_use]
    pub fn time_boundary(mut self, quiet: Millis) -> Self {
        self.time_boundary = quiet;
        self
    }

    /// Waits for a share. The one before has to be released first, or its locks are waited for. Dropping the future gives up the
    /// locks that it has, and stays in the party.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`].
    pub async fn acquire(&mut self) -> Result<Share<R>> {
        loop {
            self.join().await?;
            if let Some(share) = self.allocate().await? {
                return Ok(share);
            }
        }
    }

    /// Leaves the party; ready when the others can see it. Dropping does the same without a word.
    ///
    /// # Errors
    /// When the session is over: then the servers do it.
    pub async fn leave(self) -> Result<()> {
        match self.member {
            Some(member) => member.leave().await,
            None => Ok(()),
        }
    }

    async fn join(&mut self) -> Result<()> {
        let session = self.client.session().latest().id;
        if self.member.as_ref().is_some_and(|member| member.session == session) {
            return Ok(());
        }
        self.member = None;
        let (how, data) = ((Layout::Kazoo, format!("-{}", self.identifier)), self.identifier.clone().into());
        let node = CreateOptions::ephemeral().container_parents();
        let created =
            persist::create(&self.client, &below(&self.path, "party"), (how.0, &how.1), data, &node).await?;
        self.member = Some(Place::of(&self.client, created));
        Ok(())
    }

    /// A share; None if the party changes before it is taken.
    async fn allocate(&mut self) -> Result<Option<Share<R>>> {
        let mut party = match Party::read(&self.client, &below(&self.path, "party")).await {
            // Nobody is in it, not even this one: its session is over, or somebody has taken its node away.
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                self.member = None;
                return Ok(None);
            }
            answer => answer?,
        };
        let alarm = self.client.runtime().sleep_until(self.client.now() + self.time_boundary);
        if let Either::Left(_) = select(pin!(party.changed()), pin!(alarm)).await {
            return Ok(None);
        }
        let own = self.member.as_ref().and_then(|member| member.path.rsplit('/').next()).unwrap_or_default();
        if !party.names.iter().any(|name| name == own) {
            self.member = None;
            return Ok(None);
        }
        let mut held = Vec::new();
        for item in share(&self.items, &party.names, &self.identifier) {
            let data = self.identifier.clone().into();
            let options = ContenderOptions { layout: Layout::Kazoo, data, acl: None };
            let mut lock =
                Mutex::with_options(&self.client, &below(&self.path, &format!("locks/{item}")), options);
            match select(pin!(party.changed()), pin!(lock.acquire())).await {
                Either::Left(_) => return Ok(None),
                Either::Right((guard, _)) => held.push((item.to_owned(), guard?)),
            }
        }
        Ok(Some(Share { held, party }))
    }
}

/// The items that are whose of this identifier, of those who are in the party.
fn share<'a>(
    items: &'a [String],
    names: &[String],
    identifier: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let identifier_of =
        |name: &'_ String| name.split_once('-').map_or(name.clone(), |(_, rest)| rest.to_owned());
    let mut party: Vec<String> = names.iter().map(identifier_of).collect();
    party.sort();
    let place = party.iter().position(|other| other == identifier).unwrap_or(items.len());
    items.iter().skip(place).step_by(party.len().max(1)).map(String::as_str)
}

/// Who is in a party, and a watch for others.
#[derive(Debug)]
struct Party<R: Runtime> {
    client: Client<R>,
    dir: String,
    /// Sorted.
    names: Vec<String>,
    watch: Watch,
}

impl<R: Runtime> Party<R> {
    async fn read(client: &Client<R>, dir: &str) -> Result<Self> {
        let ((mut names, _), watch) = persist(client, |client| client.children_watched(dir)).await?;
        names.sort();
        Ok(Party { client: client.clone(), dir: dir.to_owned(), names, watch })
    }

    /// Ready when it is another party, or nobody can tell.
    async fn changed(&mut self) {
        loop {
            self.watch.next().await;
            match Party::read(&self.client, &self.dir).await {
                Ok(party) if party.names == self.names => self.watch = party.watch,
                _ => return,
            }
        }
    }
}

/// What is one member's of a set. Dropping it releases the items.
#[derive(Debug)]
#[must_use = "what is not kept is released"]
pub struct Share<R: Runtime> {
    held: Vec<(String, Guard<R>)>,
    party: Party<R>,
}

impl<R: Runtime> Share<R> {
    /// The items; none, if there are more members than items.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.held.iter().map(|(item, _)| item.as_str())
    }

    /// The hold on an item: its token, and writes that happen only while it is this member's.
    pub fn guard(&self, item: &str) -> Option<&Guard<R>> {
        self.held.iter().find(|(held, _)| held == item).map(|(_, guard)| guard)
    }

    /// The names of the nodes of those among whom the set is shared out, sorted.
    pub fn party(&self) -> &[String] {
        &self.party.names
    }

    /// Ready when the share is to be released, because the party is another one: None; or because an item is lost.
    pub async fn ended(&mut self) -> Option<Lost> {
        let lost: Vec<_> = self.held.iter().map(|(_, guard)| Box::pin(guard.lost())).collect();
        let lost = pin!(async {
            match lost.is_empty() {
                true => pending().await,
                false => select_all(lost).await.0,
            }
        });
        match select(lost, pin!(self.party.changed())).await {
            Either::Left((lost, _)) => Some(lost),
            Either::Right(_) => None,
        }
    }

    /// Releases all items; ready when others can have them.
    ///
    /// # Errors
    /// When the session is over: the servers release them then.
    pub async fn release(self) -> Result<()> {
        for (_, guard) in self.held {
            guard.release().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn shares_are_kazoos() {
        let (items, party) =
            (texts(&["a", "b", "c", "d", "e"]), texts(&["2f-alice", "0c-carol", "1d-bob-2"]));
        let share = |identifier| share(&items, &party, identifier).collect::<Vec<_>>();
        assert_eq!(share("alice"), ["a", "d"]);
        assert_eq!(share("bob-2"), ["b", "e"]);
        assert_eq!(share("carol"), ["c"]);
        assert!(share("dave").is_empty());
    }
}
