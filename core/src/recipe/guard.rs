//! What somebody has who holds something: its token, whether it is held still, and writes that only happen while it is.
//!
//! A hold is a node of this session's, at the front of its line. It is lost with the node, with the session, and with the
//! certainty of the session: when no server has confirmed it for its timeout, by this client's clock, others may hold by now.
//! Invariants: what is lost stays lost; its node goes then, or when the last guard goes, so that it is in nobody's way, least of all in
//! that of who has lost it and contends again.
//!
//! **What no client can know.** A machine that stood still, or whose clock is slow, believes in its hold for a while after others
//! have theirs; so does one behind a server that has not noticed that it is cut off. Whoever protects something outside of the
//! ensemble gives it the [token](Guard::token), and has it refuse smaller ones than it has seen; inside of it
//! [transactions](Guard::transaction) do the same.

use super::line::Place;
use super::persist::{delete, persist};
use crate::client::{Client, Error, Live, LiveSender, Result, Runtime, SessionView, Transaction, live};
use crate::vocabulary::{ErrorCode, Mono, SessionId, Version, Zxid};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use std::fmt;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;

/// What a contender's data is set to when it is asked to go: Curator's word.
pub(super) const REVOKE: &[u8] = b"__REVOKE__";

/// A number of a hold's own, higher than that of every hold before it: the zxid of the txn that created its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub Zxid);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

/// Why something is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The session is over.
    #[error("lost: the session is over")]
    SessionOver,
    /// No server has confirmed the session for its timeout: the servers may have given it up.
    #[error("lost: no server has confirmed the session in time")]
    Unconfirmed,
    /// Somebody has deleted the node.
    #[error("lost: the node was deleted")]
    Deleted,
    /// It was released.
    #[error("it was released")]
    Released,
}

#[derive(Clone, Copy, Debug, Default)]
struct View {
    lost: Option<Lost>,
    is_revoked: bool,
}

/// Something that is held.
#[derive(Debug)]
pub(super) struct Hold<R: Runtime> {
    place: Place<R>,
    view: Live<View>,
    teller: Arc<LiveSender<View>>,
    /// Its keeper stops when this is dropped.
    keeper: oneshot::Sender<()>,
}

impl<R: Runtime> Hold<R> {
    pub(super) fn new(place: Place<R>) -> Self {
        let (sender, view) = live(View::default());
        let teller = Arc::new(sender);
        let (keeper, released) = oneshot::channel();
        let (client, node) = (place.client.clone(), (place.path.clone(), place.session));
        client.runtime().spawn(keep(client.clone(), node, (Arc::clone(&teller), view.clone()), released));
        Hold { place, view, teller, keeper }
    }

    pub(super) fn is_held(&self) -> bool {
        self.loss().is_none()
    }

    fn loss(&self) -> Option<Lost> {
        let Place { client, session, .. } = &self.place;
        let doubt = || doubt(&client.session().latest(), *session, client.now());
        self.view.latest().lost.or_else(|| doubt().inspect(|lost| lose(&self.teller, *lost)))
    }
}

/// Holds something until it is released or dropped. A clone holds it too: it goes with the last of them.
#[derive(Debug)]
#[must_use = "what is not kept is released"]
pub struct Guard<R: Runtime>(pub(super) Arc<Hold<R>>);

impl<R: Runtime> Clone for Guard<R> {
    fn clone(&self) -> Self {
        Guard(Arc::clone(&self.0))
    }
}

impl<R: Runtime> Guard<R> {
    pub(super) fn new(hold: Hold<R>) -> Self {
        Guard(Arc::new(hold))
    }

    /// Of a place that holds by itself.
    pub(super) fn of(place: Place<R>) -> Self {
        Guard::new(Hold::new(place))
    }

    pub(super) fn place(&self) -> &Place<R> {
        &self.0.place
    }

    /// Why it is held no more, as far as this client can know now.
    pub(super) fn loss(&self) -> Option<Lost> {
        self.0.loss()
    }

    /// A number that is higher than that of whoever held before.
    pub fn token(&self) -> FencingToken {
        self.0.place.token
    }

    /// The path of the node that stands for the hold.
    pub fn path(&self) -> &str {
        &self.0.place.path
    }

    /// Whether it is held, as far as this client can know now; see [the module](self).
    pub fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Ready when it is held no more.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + use<R> {
        let mut view = self.0.view.clone();
        async move {
            let lost = view.wait_for(|view| view.lost.is_some()).await;
            lost.and_then(|view| view.lost).unwrap_or(Lost::Released)
        }
    }

    /// Ready when somebody has asked this one to go, by [`Mutex::revoke`](super::Mutex::revoke) or Curator's `Revoker`.
    pub fn revoked(&self) -> impl Future<Output = ()> + Send + use<R> {
        let mut view = self.0.view.clone();
        async move {
            if view.wait_for(|view| view.is_revoked).await.is_none() {
                pending().await
            }
        }
    }

    /// Runs `work` while it is held: what is not done when it is lost is dropped.
    ///
    /// # Errors
    /// Why it is held no more.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> std::result::Result<T, Lost> {
        if let Some(lost) = self.loss() {
            return Err(lost);
        }
        match select(pin!(self.lost()), pin!(work)).await {
            Either::Left((lost, _)) => Err(lost),
            Either::Right((done, _)) => Ok(done),
        }
    }

    /// Writes that only happen if it is held at that moment. The first result is the check of that; [`is_fenced_off`] tells
    /// whether it was what failed.
    ///
    /// [`is_fenced_off`]: Guard::is_fenced_off
    pub fn transaction(&self) -> Transaction<R> {
        self.0.place.client.transaction().check(self.path(), Version::ANY)
    }

    /// Whether a transaction failed because it was held no more.
    pub fn is_fenced_off(error: &Error) -> bool {
        matches!(error.cause(), crate::client::Cause::Operation { place: 0, code: ErrorCode::NoNode })
    }

    /// Asks the ensemble whether it is held: true at some moment between the call and the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn confirm(&self) -> Result<bool> {
        match persist(&self.0.place.client, |_| self.transaction().commit()).await {
            Ok(_) => Ok(true),
            Err(error) if Self::is_fenced_off(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases it, if no clone is left; ready when others can have it. Dropping does the same without a word.
    ///
    /// # Errors
    /// When the session is over: the servers release it then.
    pub async fn release(self) -> Result<()> {
        match Arc::into_inner(self.0) {
            Some(Hold { place, keeper, .. }) => {
                // Whoever waits for its loss hears of this, not of the node.
                drop(keeper);
                place.leave().await
            }
            None => Ok(()),
        }
    }
}

/// Why a hold of `session` is not certain at `now`.
fn doubt(view: &SessionView, session: SessionId, now: Mono) -> Option<Lost> {
    if view.id != session || view.state.is_over() {
        return Some(Lost::SessionOver);
    }
    view.assured_until.is_none_or(|until| until <= now).then_some(Lost::Unconfirmed)
}

fn lose(teller: &LiveSender<View>, lost: Lost) {
    teller.update(|view| {
        let is_new = view.lost.is_none();
        view.lost.get_or_insert(lost);
        is_new
    });
}

/// Tells what becomes of a hold, until it is released; or until it is lost, then takes its node away.
async fn keep<R: Runtime>(
    client: Client<R>,
    (path, session): (String, SessionId),
    (teller, mut view): (Arc<LiveSender<View>>, Live<View>),
    released: oneshot::Receiver<()>,
) {
    let doubted = pin!(doubted(&client, session));
    let node = pin!(follow_node(&client, &path, &teller));
    let found = select(doubted, node);
    let lost = pin!(async { lose(&teller, found.await.factor_first().0) });
    // Whoever asks may be the first to know.
    let known = pin!(view.wait_for(|view| view.lost.is_some()));
    if let Either::Left(_) = select(select(lost, known), released).await {
        // What fails here fails because the session is over, and the node with it.
        let _ = delete(&client, &path).await;
    }
}

/// Ready when the session is not certain any more.
async fn doubted<R: Runtime>(client: &Client<R>, session: SessionId) -> Lost {
    let mut live = client.session();
    loop {
        let view = live.latest();
        if let Some(lost) = doubt(&view, session, client.now()) {
            return lost;
        }
        let due = view.assured_until.unwrap_or(Mono(0));
        let alarm = pin!(client.runtime().sleep_until(due));
        let changed = pin!(live.changed());
        select(changed, alarm).await;
    }
}

/// Ready when the node is gone; says when somebody wants it to be.
async fn follow_node<R: Runtime>(client: &Client<R>, path: &str, view: &LiveSender<View>) -> Lost {
    loop {
        match persist(client, |client| client.get_watched(path)).await {
            Ok((value, mut watch)) => {
                if value.bytes() == REVOKE {
                    view.update(|view| !std::mem::replace(&mut view.is_revoked, true));
                }
                watch.next().await;
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => return Lost::Deleted,
            // Of the session's end others tell; whoever may not read its own node does without.
            Err(_) => pending().await,
        }
    }
}
