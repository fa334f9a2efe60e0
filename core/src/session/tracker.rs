//! Which sessions are alive (`client-protocol.md` §4.3).

use super::expiry::ExpiryQueue;
use super::id::SessionIds;
use crate::vocabulary::{Entropy, ErrorCode, LinkId, LookupMap, Millis, Mono, ServerId, SessionId};

#[derive(Clone, Copy, Debug)]
struct Tracked {
    timeout: Millis,
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

/// See the module's words.
#[derive(Clone, Debug)]
pub struct SessionTracker {
    ids: SessionIds,
    sessions: LookupMap<SessionId, Tracked>,
    queue: ExpiryQueue,
    /// On a learner, the sessions heard of since the leader was told, in the order in which they were.
    touched: Option<Vec<SessionId>>,
}

impl SessionTracker {
    /// A tracker without sessions; `tick` is the width of the expiry buckets.
    pub fn new(server: ServerId, tick: Millis, entropy: Entropy) -> Self {
        SessionTracker {
            ids: SessionIds::new(server, entropy),
            sessions: LookupMap::new(entropy.lookup_seed()),
            queue: ExpiryQueue::new(tick),
            touched: None,
        }
    }

    /// Forgets every session and tracks these, heard of now. On a learner, what is heard of is gathered for the leader.
    pub fn reset(&mut self, sessions: impl Iterator<Item = (SessionId, Millis)>, now: Mono, learns: bool) {
        self.sessions.clear();
        self.queue.clear();
        self.touched = learns.then(Vec::new);
        sessions.for_each(|(session, timeout)| self.create(session, timeout, now));
    }

    /// The sessions heard of since this was asked last, with their timeouts.
    pub fn take_touched(&mut self) -> Vec<(SessionId, Millis)> {
        let touched = self.touched.as_mut().map(std::mem::take).unwrap_or_default();
        let told = touched.into_iter().filter_map(|session| {
            let tracked = self.sessions.get_mut(&session)?;
            tracked.is_told = false;
            Some((session, tracked.timeout))
        });
        told.collect()
    }

    fn note_touched(&mut self, session: SessionId) {
        let Some(touched) = &mut self.touched else { return };
        let tracked = self.sessions.get_mut(&session).expect("who is touched is tracked");
        if !std::mem::replace(&mut tracked.is_told, true) {
            touched.push(session);
        }
    }

    /// An id for a new session: one that is neither tracked nor `in_use` otherwise (as the owner of a node, say).
    pub fn next_id(&mut self, in_use: impl Fn(SessionId) -> bool) -> SessionId {
        let sessions = &self.sessions;
        self.ids.next(|id| sessions.contains_key(&id) || in_use(id))
    }

    /// Tracks `session`, heard of now. One that is tracked already is only touched, with the new timeout, unless it is
    /// closing.
    pub fn create(&mut self, session: SessionId, timeout: Millis, now: Mono) {
        assert!(session != SessionId::NONE, "0 is no session");
        if self.sessions.contains_key(&session) {
            self.reattach(session, timeout, now);
            return;
        }
        let bucket = self.queue.bucket(now, timeout);
        self.queue.insert(bucket, session);
        self.sessions.insert(session, Tracked { timeout, bucket: Some(bucket), owner: None, is_told: false });
        self.note_touched(session);
    }

    /// The session was heard of. False when it is unknown or closing: its requests are dropped.
    pub fn touch(&mut self, session: SessionId, now: Mono) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        let Some(old) = tracked.bucket else { return false };
        let bucket = self.queue.bucket(now, tracked.timeout);
        if bucket > old {
            tracked.bucket = Some(bucket);
            self.queue.remove(old, session);
            self.queue.insert(bucket, session);
        }
        self.note_touched(session);
        true
    }

    /// The session came back on another connection and negotiated `timeout`, which may be shorter than what it had. False
    /// when it is unknown or closing.
    pub fn reattach(&mut self, session: SessionId, timeout: Millis, now: Mono) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        let Some(old) = tracked.bucket else { return false };
        let bucket = self.queue.bucket(now, timeout);
        *tracked = Tracked { timeout, bucket: Some(bucket), ..*tracked };
        self.queue.remove(old, session);
        self.queue.insert(bucket, session);
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
        self.queue.remove(bucket, session);
        true
    }

    /// Forgets the session: its closeSession txn has been applied. False when it was not known.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.remove(&session) else { return false };
        if let Some(bucket) = tracked.bucket {
            self.queue.remove(bucket, session);
        }
        true
    }

    /// A session that nobody was heard of for its timeout, marked as closing.
    pub fn expire_one(&mut self, now: Mono) -> Option<SessionId> {
        let session = self.queue.pop(now)?;
        self.sessions.get_mut(&session).expect("a session in a bucket is tracked").bucket = None;
        Some(session)
    }

    /// When [`Self::expire_one`] next has something to say.
    pub fn next_expiry(&self) -> Option<Mono> {
        self.queue.next_expiry()
    }

    /// The sessions that are not closing, by bucket: for `dump`.
    pub fn queue(&self) -> &ExpiryQueue {
        &self.queue
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
        for (end, sessions) in self.queue.buckets() {
            if sessions.is_empty() {
                return Err(format!("the bucket of {} ms is empty", end.as_millis()));
            }
            for session in sessions {
                let bucket = self.sessions.get(session).and_then(|tracked| tracked.bucket);
                if bucket != Some(end.as_millis()) {
                    return Err(format!(
                        "{session} stands in the bucket of {} ms, not in {bucket:?}",
                        end.as_millis()
                    ));
                }
                alive += 1;
            }
        }
        if alive > self.sessions.len() {
            return Err("more sessions in buckets than known".to_owned());
        }
        Ok(())
    }
}
