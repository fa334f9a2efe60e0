//! A double barrier: all enter together, and leave together.
//!
//! Below one node each member has a node of its own, and `ready` says that there are enough. The layout is Curator's; what is
//! added is that whoever finds enough waiting writes `ready` in one txn with all their nodes, so that each has it in its own:
//! - a member is *in* when its node was written to, or is older than `ready` (as Curator's are, which nobody writes to);
//! - enough were waiting when `ready` came, all at once: of a txn that names one who has gone nothing is applied;
//! - who gives up deletes its node only if it was not written to, so that a member is in or gone, for itself as for the others;
//! - every write is conditional, and what came of it is seen in the nodes: a lost answer is no trouble;
//! - a wake-up proves nothing, the nodes are read again (GH-1290 of Curator is what comes of trusting it).
//!
//! Whoever comes when others are in, and `ready` is there, enters at once, as in Curator. `ready` goes in one txn with the last
//! node; what a crash of all has left of it lets nobody through, and is swept away. Absent: letting kazoo's `DoubleBarrier`s
//! leave beside these; theirs take `ready` for a member.

use super::guard::FencingToken;
use super::line::{ContenderOptions, Place, gone_or_changed};
use super::mutex::within;
use super::persist::{self, below, delete, persist};
use crate::client::{Client, CreateOptions, OpResult, Reply, Result, Runtime, Value, Watch};
use crate::vocabulary::{ErrorCode, Millis, Mono, Version, Zxid};
use futures_util::future::{Either, select};
use std::future::pending;
use std::pin::pin;

const READY: &str = "ready";
/// That of a node that nobody has written to.
const UNTOUCHED: Version = Version(0);
/// That of a node of one who has entered with the others. Late-comers write twice.
const TOUCHED: Version = Version(1);

/// A barrier that opens for so many at once; Curator's `DistributedDoubleBarrier`, kazoo's `DoubleBarrier`.
///
/// Whoever loses its session while it waits is gone for the others, and waits anew in the next session, if there is one.
#[derive(Clone, Debug)]
#[doc(alias = "DistributedDoubleBarrier")]
pub struct DoubleBarrier<R: Runtime> {
    client: Client<R>,
    path: String,
    members: usize,
    options: ContenderOptions,
}

/// A member's node, as it was seen.
#[derive(Debug)]
struct Member {
    path: String,
    value: Value,
    is_in: bool,
}

/// What the nodes show.
#[derive(Debug)]
struct View {
    /// In the order of their names.
    members: Vec<Member>,
    ready: Option<Zxid>,
}

/// What a look is good for.
enum Turn {
    /// By this txn, into the round that began with that txn, and whether it is late.
    Enter(FencingToken, Zxid, bool),
    Wait,
    /// The nodes have changed, or may have.
    Again,
    /// The own node is gone.
    Gone,
}

impl<R: Runtime> DoubleBarrier<R> {
    /// The barrier of the node `path`, which opens for `members` at once.
    pub fn new(client: &Client<R>, path: &str, members: usize) -> Self {
        DoubleBarrier::with_options(client, path, members, ContenderOptions::default())
    }

    /// The same, for a member that presents itself otherwise.
    pub fn with_options(client: &Client<R>, path: &str, members: usize, options: ContenderOptions) -> Self {
        DoubleBarrier { client: client.clone(), path: path.to_owned(), members, options }
    }

    /// Waits until there are enough. Dropping the future deletes the own node, be it that the others have just entered with it.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`].
    pub async fn enter(&self) -> Result<Entered<R>> {
        loop {
            if let Some(entered) = self.enter_until(None).await? {
                return Ok(entered);
            }
        }
    }

    /// Waits until there are enough, but not longer than this, and then as long as it takes to know whether it is in.
    ///
    /// Among these members None is certain: nobody has entered with this one's node. A member of Curator's counts the nodes,
    /// and creates `ready` afterwards, each in a request of its own: if this one gives up in between, those of Curator's that
    /// wait enter one fewer than they believe. No transaction rules that out, for none can be made to depend on `ready` not being
    /// there without creating it, and Curator's would take that for the beginning.
    ///
    /// # Errors
    /// Those of [`enter`](Self::enter).
    pub async fn enter_within(&self, longest: Millis) -> Result<Option<Entered<R>>> {
        self.enter_until(Some(self.client.now() + longest)).await
    }

    async fn enter_until(&self, due: Option<Mono>) -> Result<Option<Entered<R>>> {
        let mut place = self.join().await?;
        loop {
            // Both before the look, which they watch the result of.
            let own = match persist(&self.client, |client| client.get_watched(&place.path)).await {
                Ok((_, own)) => own,
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    place = self.join().await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (_, ready) = persist(&self.client, |client| client.exists_watched(&self.ready())).await?;
            match self.look(&place).await? {
                Turn::Enter(token, round, is_late) => {
                    let barrier = self.clone();
                    return Ok(Some(Entered { barrier, place, token, round, is_late }));
                }
                Turn::Wait => {
                    if self.is_due(due, own, ready).await && self.give_up(&place).await? {
                        place.forget();
                        return Ok(None);
                    }
                }
                Turn::Again => {}
                Turn::Gone => place = self.join().await?,
            }
        }
    }

    /// Stands among those who wait.
    async fn join(&self) -> Result<Place<R>> {
        let mut node = CreateOptions::ephemeral().container_parents();
        if let Some(acl) = &self.options.acl {
            node = node.acl(acl.clone());
        }
        let (how, data) = ((self.options.layout, ""), self.options.data.clone());
        let created = persist::create(&self.client, &self.path, how, data, &node).await?;
        Ok(Place::of(&self.client, created))
    }

    /// Waits for a wake-up; true when it is `due` that has come.
    async fn is_due(&self, due: Option<Mono>, mut own: Watch, mut ready: Watch) -> bool {
        let alarm = pin!(async {
            match due {
                Some(due) => self.client.runtime().sleep_until(due).await,
                None => pending().await,
            }
        });
        let (own, ready) = (pin!(own.next()), pin!(ready.next()));
        matches!(select(select(own, ready), alarm).await, Either::Right(_))
    }

    async fn look(&self, place: &Place<R>) -> Result<Turn> {
        let view = self.view().await?;
        // A node of a session that is over may stand for a while yet, and counts for others only.
        let is_own = self.client.session().latest().id == place.session;
        let Some(me) = view.members.iter().find(|member| member.path == place.path).filter(|_| is_own) else {
            return Ok(Turn::Gone);
        };
        let others = || view.members.iter().filter(|member| member.path != place.path);
        if me.is_in {
            let written = Some(me.value.stat.mzxid).filter(|_| me.value.version() != UNTOUCHED);
            let token = written.or(view.ready).expect("it is in because it was written to, or by ready");
            let (round, is_late) = (view.ready.unwrap_or(token), me.value.version() > TOUCHED);
            return Ok(Turn::Enter(FencingToken(token), round, is_late));
        }
        let write = self.client.transaction();
        let write = match view.ready {
            Some(_) if others().any(|member| member.is_in) => {
                let write = write.check(&self.ready(), Version::ANY);
                let (path, data) = (&me.path, data(&me.value));
                write.set(path, data.clone(), UNTOUCHED).set(path, data, TOUCHED)
            }
            // Nobody is in for whom it could be.
            Some(_) => write.check(&me.path, UNTOUCHED).delete(&self.ready(), Version::ANY),
            None => {
                let waiting = view.members.iter().filter(|member| !member.is_in);
                if waiting.clone().count() < self.members {
                    return Ok(Turn::Wait);
                }
                let touch = waiting.fold(write, |write, member| {
                    write.set(&member.path, data(&member.value), member.value.version())
                });
                touch.create(&self.ready(), "", &CreateOptions::persistent())
            }
        };
        self.try_once(write.commit()).await.map(|()| Turn::Again)
    }

    /// Ready when a write is done, or can't be any more, or may have been: the nodes show which.
    async fn try_once(&self, written: Reply<Vec<OpResult>>) -> Result<()> {
        use ErrorCode::{BadVersion, NoNode, NodeExists};
        match written.await {
            Err(error) if persist::is_passing(&self.client, &error) => {
                persist::again(&self.client).await;
                Ok(())
            }
            Err(error) if matches!(error.code(), Some(BadVersion | NoNode | NodeExists)) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Takes the own node away, unless it is in: then false.
    async fn give_up(&self, place: &Place<R>) -> Result<bool> {
        // One of Curator's may have seen enough, who writes to no member.
        let ready = persist(&self.client, |client| client.exists(&self.ready())).await?;
        if ready.is_some_and(|ready| place.token.0 < ready.czxid) {
            return Ok(false);
        }
        match persist(&self.client, |client| client.delete(&place.path, UNTOUCHED)).await {
            Err(error) if error.code() == Some(ErrorCode::BadVersion) => Ok(false),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(true),
            answer => answer.map(|()| true),
        }
    }

    fn ready(&self) -> String {
        below(&self.path, READY)
    }

    async fn view(&self) -> Result<View> {
        loop {
            match self.view_once().await {
                Err(error) if persist::is_passing(&self.client, &error) => persist::again(&self.client).await,
                answer => return answer,
            }
        }
    }

    async fn view_once(&self) -> Result<View> {
        let ready = self.client.exists(&self.ready());
        let mut names = match self.client.children(&self.path).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Vec::new(),
            answer => answer?.0,
        };
        let ready = ready.await?.map(|stat| stat.czxid);
        names.retain(|name| name != READY);
        names.sort();
        let asked: Vec<_> = names
            .iter()
            .map(|name| below(&self.path, name))
            .map(|path| (self.client.get(&path), path))
            .collect();
        let mut members = Vec::new();
        for (value, path) in asked {
            match value.await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                answer => {
                    let value = answer?;
                    let is_older = ready.is_some_and(|ready| value.stat.czxid < ready);
                    let is_in = is_older || value.version() != UNTOUCHED;
                    members.push(Member { path, value, is_in });
                }
            }
        }
        Ok(View { members, ready })
    }
}

fn data(value: &Value) -> bytes::Bytes {
    value.data.clone().unwrap_or_default()
}

/// A member that is in. Dropping it takes its node away, without waiting for the others.
#[derive(Debug)]
#[must_use = "what is not kept has left"]
pub struct Entered<R: Runtime> {
    barrier: DoubleBarrier<R>,
    place: Place<R>,
    token: FencingToken,
    /// The txn that created `ready`.
    round: Zxid,
    is_late: bool,
}

impl<R: Runtime> Entered<R> {
    /// The txn by which it has entered: the same for all who have entered at once, and higher than that of those before.
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// Whether the others were in already.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Waits until all who are in want to leave, or are gone. Dropping the future takes its node away.
    ///
    /// # Errors
    /// The session's end; then the node goes with it.
    pub async fn leave(self) -> Result<()> {
        let Entered { barrier, place, round, .. } = self;
        loop {
            let view = barrier.view().await?;
            // `ready` goes with the last of those who came by it; what is there now is another round.
            if view.ready != Some(round) {
                return place.leave().await;
            }
            let inside: Vec<_> = view.members.iter().filter(|member| member.is_in).collect();
            let (Some(lowest), Some(highest)) = (inside.first(), inside.last()) else { break };
            match inside.iter().position(|member| member.path == place.path) {
                Some(_) if inside.len() == 1 => {
                    let last = barrier.client.transaction().delete(&place.path, Version::ANY);
                    barrier.try_once(last.delete(&barrier.ready(), Version::ANY).commit()).await?;
                }
                // The first stays to the end: that it has gone is what the others wait for.
                Some(0) => gone_or_changed(&barrier.client, &highest.path).await?,
                Some(_) => delete(&barrier.client, &place.path).await?,
                None => gone_or_changed(&barrier.client, &lowest.path).await?,
            }
        }
        place.forget();
        Ok(())
    }

    /// Waits until all who are in want to leave, but not longer than this; says whether they all do. It has left in any case.
    ///
    /// # Errors
    /// Those of [`leave`](Self::leave).
    pub async fn leave_within(self, longest: Millis) -> Result<bool> {
        let runtime = self.barrier.client.runtime().clone();
        within(&runtime, longest, self.leave()).await.map(|left| left.is_some())
    }
}
