//! Which sessions are alive (`client-protocol.md` §4.3).

use super::ended::Ended;
use super::expiry::ExpiryQueue;
use super::id::SessionIds;
use crate::vocabulary::{
    Entropy, ErrorCode, LinkId, LookupMap, LookupSeed, Millis, Mono, ServerId, SessionId,
};

/// Who knows of a session, and so who says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    /// The server that its client has connected to, and nobody else: no txn begins or ends it, and no node can be its own.
    Local,
    /// The ensemble, or a server alone; also one that is on its way to be the ensemble's, from its upgrade on.
    Global,
}

#[derive(Clone, Copy, Debug)]
struct Tracked {
    timeout: Millis,
    scope: SessionScope,
    /// The end of the bucket it stands in; none while it is closing.
    bucket: Option<u64>,
    /// Whose requests for it are taken; whoever asks first, as long as nobody is.
    owner: Option<SessionOwner>,
    /// Whether it stands among those that the leader is told of next.
    is_told: bool,
}

/// Which connection of the ensemble a session is attached to, as its leader sees it: requests that come another way are late ones
/// of a connection that the client has left (C14 of `zab-invariants.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOwner {
    /// One of this server's own.
    Here,
    /// One of a learner's.
    Learner(LinkId),
}

/// What is noted of the ensemble's sessions besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nothing.
    Nothing,
    /// By a learner: of which it has heard, for its leader.
    Touched,
    /// By a leader whose learners have local sessions: which have ended.
    Ended,
}

#[derive(Clone, Debug)]
enum Notes {
    Nothing,
    /// Since the leader was told, in the order in which they were heard of.
    Touched(Vec<SessionId>),
    Ended(Box<Ended>),
}

/// Sessions that are not closing, by scope.
#[derive(Clone, Debug)]
struct Queues {
    local: ExpiryQueue,
    global: ExpiryQueue,
}

impl Queues {
    fn of(&self, scope: SessionScope) -> &ExpiryQueue {
        match scope {
            SessionScope::Local => &self.local,
            SessionScope::Global => &self.global,
        }
    }

    fn of_mut(&mut self, scope: SessionScope) -> &mut ExpiryQueue {
        match scope {
            SessionScope::Local => &mut self.local,
            SessionScope::Global => &mut self.global,
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct SessionTracker {
    ids: SessionIds,
    sessions: LookupMap<SessionId, Tracked>,
    local_count: usize,
    queues: Queues,
    notes: Notes,
    seed: LookupSeed,
}

impl SessionTracker {
    /// A tracker without sessions; `tick` is the width of the expiry buckets.
    pub fn new(server: ServerId, tick: Millis, entropy: Entropy) -> Self {
        SessionTracker {
            ids: SessionIds::new(server, entropy),
            sessions: LookupMap::new(entropy.lookup_seed()),
            local_count: 0,
            queues: Queues { local: ExpiryQueue::new(tick), global: ExpiryQueue::new(tick) },
            notes: Notes::Nothing,
            seed: entropy.lookup_seed(),
        }
    }

    /// Forgets every session, local ones too, and tracks these, heard of now.
    pub fn reset(&mut self, sessions: impl Iterator<Item = (SessionId, Millis)>, now: Mono, noted: Noted) {
        self.sessions.clear();
        self.local_count = 0;
        self.queues.local.clear();
        self.queues.global.clear();
        self.notes = match noted {
            Noted::Nothing => Notes::Nothing,
            Noted::Touched => Notes::Touched(Vec::new()),
            Noted::Ended => Notes::Ended(Box::new(Ended::new(self.seed))),
        };
        sessions.for_each(|(session, timeout)| self.create(session, timeout, now));
    }

    /// The sessions heard of since this was asked last, with their timeouts.
    pub fn take_touched(&mut self) -> Vec<(SessionId, Millis)> {
        let touched = match &mut self.notes {
            Notes::Touched(touched) => std::mem::take(touched),
            Notes::Nothing | Notes::Ended(_) => Vec::new(),
        };
        let told = touched.into_iter().filter_map(|session| {
            let tracked = self.sessions.get_mut(&session)?;
            tracked.is_told = false;
            Some((session, tracked.timeout))
        });
        told.collect()
    }

    fn note_touched(&mut self, session: SessionId) {
        let Notes::Touched(touched) = &mut self.notes else { return };
        let tracked = self.sessions.get_mut(&session).expect("who is touched is tracked");
        if tracked.scope == SessionScope::Global && !std::mem::replace(&mut tracked.is_told, true) {
            touched.push(session);
        }
    }

    /// An id for a new session: one that is neither tracked nor `in_use` otherwise (as the owner of a node, say).
    pub fn next_id(&mut self, in_use: impl Fn(SessionId) -> bool) -> SessionId {
        let sessions = &self.sessions;
        let session = self.ids.next(|id| sessions.contains_key(&id) || in_use(id));
        assert!(session != SessionId::NONE, "0 is no session");
        session
    }

    /// Tracks `session` for the ensemble, heard of now. One that is tracked already is only touched, with the new timeout, unless
    /// it is closing; a local one is the ensemble's from now on.
    pub fn create(&mut self, session: SessionId, timeout: Millis, now: Mono) {
        if self.sessions.contains_key(&session) {
            self.upgrade(session);
            self.reattach(session, timeout, now);
            return;
        }
        self.track(session, SessionScope::Global, timeout, now);
    }

    /// Tracks a new session that nobody else knows of, heard of now.
    pub fn create_local(&mut self, session: SessionId, timeout: Millis, now: Mono) {
        assert!(!self.sessions.contains_key(&session), "{session} is new");
        self.local_count += 1;
        self.track(session, SessionScope::Local, timeout, now);
    }

    fn track(&mut self, session: SessionId, scope: SessionScope, timeout: Millis, now: Mono) {
        let queue = self.queues.of_mut(scope);
        let bucket = queue.bucket(now, timeout);
        queue.insert(bucket, session);
        let tracked = Tracked { timeout, scope, bucket: Some(bucket), owner: None, is_told: false };
        self.sessions.insert(session, tracked);
        self.note_touched(session);
    }

    /// A local session is the ensemble's from now on, with what is left of its time. Its timeout; none when it is no local one.
    pub fn upgrade(&mut self, session: SessionId) -> Option<Millis> {
        let tracked = self.sessions.get_mut(&session)?;
        if tracked.scope == SessionScope::Global {
            return None;
        }
        tracked.scope = SessionScope::Global;
        let timeout = tracked.timeout;
        if let Some(bucket) = tracked.bucket {
            self.queues.local.remove(bucket, session);
            self.queues.global.insert(bucket, session);
        }
        self.local_count -= 1;
        self.note_touched(session);
        Some(timeout)
    }

    /// Who knows of the session; none when it is not known here.
    pub fn scope(&self, session: SessionId) -> Option<SessionScope> {
        self.sessions.get(&session).map(|tracked| tracked.scope)
    }

    /// Whether only this server knows of the session.
    pub fn is_local(&self, session: SessionId) -> bool {
        self.scope(session) == Some(SessionScope::Local)
    }

    /// The session was heard of. False when it is unknown or closing: its requests are dropped.
    pub fn touch(&mut self, session: SessionId, now: Mono) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        let Some(old) = tracked.bucket else { return false };
        let queue = self.queues.of_mut(tracked.scope);
        let bucket = queue.bucket(now, tracked.timeout);
        if bucket > old {
            tracked.bucket = Some(bucket);
            queue.remove(old, session);
            queue.insert(bucket, session);
        }
        self.note_touched(session);
        true
    }

    /// The session came back on another connection and negotiated `timeout`, which may be shorter than what it had. False
    /// when it is unknown or closing.
    pub fn reattach(&mut self, session: SessionId, timeout: Millis, now: Mono) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        let Some(old) = tracked.bucket else { return false };
        let queue = self.queues.of_mut(tracked.scope);
        let bucket = queue.bucket(now, timeout);
        *tracked = Tracked { timeout, bucket: Some(bucket), ..*tracked };
        queue.remove(old, session);
        queue.insert(bucket, session);
        self.note_touched(session);
        true
    }

    /// The session is attached to a connection of `owner` from now on.
    pub fn take_over(&mut self, session: SessionId, owner: SessionOwner) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.owner = Some(owner);
        }
    }

    /// Whether `owner` may ask for anything in the session's name.
    ///
    /// # Errors
    /// SessionExpired when the session is unknown or closing, SessionMoved when it is attached elsewhere.
    pub fn check_owner(&mut self, session: SessionId, owner: SessionOwner) -> Result<(), ErrorCode> {
        self.check_session(session).map_err(|_| ErrorCode::SessionExpired)?;
        let tracked = self.sessions.get_mut(&session).expect("a session that is checked is tracked");
        if *tracked.owner.get_or_insert(owner) == owner { Ok(()) } else { Err(ErrorCode::SessionMoved) }
    }

    /// Whether the session is known and not closing.
    pub fn is_alive(&self, session: SessionId) -> bool {
        self.check_session(session).is_ok()
    }

    /// Whether the session may ask for anything.
    ///
    /// # Errors
    /// UnknownSession, or SessionExpired when it is closing.
    pub fn check_session(&self, session: SessionId) -> Result<(), ErrorCode> {
        match self.sessions.get(&session) {
            None => Err(ErrorCode::UnknownSession),
            Some(Tracked { bucket: None, .. }) => Err(ErrorCode::SessionExpired),
            Some(_) => Ok(()),
        }
    }

    /// The session's timeout, closing or not.
    pub fn timeout(&self, session: SessionId) -> Option<Millis> {
        self.sessions.get(&session).map(|tracked| tracked.timeout)
    }

    /// Marks the session as closing: it can't be touched, used or expired any more. False when it was closing already, or
    /// is unknown.
    pub fn set_closing(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        let Some(bucket) = tracked.bucket.take() else { return false };
        self.queues.of_mut(tracked.scope).remove(bucket, session);
        true
    }

    /// Forgets the session: its closeSession txn has been applied, or it is a local one and needs none. False when it was not known.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.remove(&session) else { return false };
        match (&mut self.notes, tracked.scope) {
            (_, SessionScope::Local) => self.local_count -= 1,
            (Notes::Ended(ended), SessionScope::Global) => ended.insert(session),
            (Notes::Nothing | Notes::Touched(_), SessionScope::Global) => {}
        }
        if let Some(bucket) = tracked.bucket {
            self.queues.of_mut(tracked.scope).remove(bucket, session);
        }
        true
    }

    /// A session of this scope that nobody was heard of for its timeout, marked as closing.
    pub fn expire_one(&mut self, scope: SessionScope, now: Mono) -> Option<SessionId> {
        let session = self.queues.of_mut(scope).pop(now)?;
        self.sessions.get_mut(&session).expect("a session in a bucket is tracked").bucket = None;
        Some(session)
    }

    /// When [`Self::expire_one`] next has something to say.
    pub fn next_expiry(&self, scope: SessionScope) -> Option<Mono> {
        self.queues.of(scope).next_expiry()
    }

    /// The sessions of this scope that are not closing, by bucket: for `dump`.
    pub fn queue(&self, scope: SessionScope) -> &ExpiryQueue {
        self.queues.of(scope)
    }

    /// Whether the session may be one that another server alone knows of: it is unknown here, and none that has ended lately.
    pub fn may_be_local_elsewhere(&self, session: SessionId) -> bool {
        let Notes::Ended(ended) = &self.notes else { return false };
        !self.sessions.contains_key(&session) && !ended.contains(session)
    }

    /// How many of [`Self::len`] only this server knows of.
    pub fn local_len(&self) -> usize {
        self.local_count
    }

    /// How many of [`Self::len`] the whole ensemble knows of.
    pub fn global_len(&self) -> usize {
        self.sessions.len() - self.local_count
    }

    /// How many sessions are known, closing ones included.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is known.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Every invariant that a walk over the buckets can see.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        let mut alive = 0;
        for scope in [SessionScope::Local, SessionScope::Global] {
            alive += self.check_queue(scope)?;
        }
        if alive > self.sessions.len() || self.local_count > self.sessions.len() {
            return Err("more sessions in buckets, or more local ones, than known".to_owned());
        }
        Ok(())
    }

    fn check_queue(&self, scope: SessionScope) -> Result<usize, String> {
        let mut alive = 0;
        for (end, sessions) in self.queues.of(scope).buckets() {
            if sessions.is_empty() {
                return Err(format!("the bucket of {} ms is empty", end.as_millis()));
            }
            for session in sessions {
                let found = self.sessions.get(session).map(|tracked| (tracked.scope, tracked.bucket));
                if found != Some((scope, Some(end.as_millis()))) {
                    return Err(format!(
                        "{session} stands among the {scope:?} ones of {} ms, and is {found:?}",
                        end.as_millis()
                    ));
                }
                alive += 1;
            }
        }
        Ok(alive)
    }
}
