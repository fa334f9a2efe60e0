//! The table of connections: a slab, found by number; walked only in the order of its places.
//!
//! Invariants (`Connections::check`): every connection is found at its place; a session is attached to at most one connection;
//! the counts by address are the sums.

use super::connection::{Connection, ConnectionState, Pending};
use super::places::Places;
use crate::vocabulary::{ConnId, LookupMap, LookupSeed, SessionId};
use std::collections::VecDeque;
use std::net::IpAddr;

/// A connection's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    slots: LookupMap<ConnId, Slot>,
    by_session: LookupMap<SessionId, ConnId>,
    by_address: LookupMap<IpAddr, u32>,
    places: Places<Connection>,
    free: Vec<Slot>,
    /// What waits in queues and is no txn under way here: reads, refusals, and what the leader was asked for.
    pub(crate) waiting: usize,
    /// Connections, open or not any more, that have something in their queue which could be answered, but not by the input under
    /// way: it has asked for enough.
    pub(crate) unfinished: VecDeque<ConnId>,
    /// Connections that end with the input under way, for the reply they would have got is too long.
    pub(crate) overlong: Vec<ConnId>,
}

impl Connections {
    pub(crate) fn new(seed: LookupSeed) -> Self {
        Connections {
            slots: LookupMap::new(seed),
            by_session: LookupMap::new(seed),
            by_address: LookupMap::new(seed),
            places: Places::new(),
            free: Vec::new(),
            waiting: 0,
            unfinished: VecDeque::new(),
            overlong: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn count_from(&self, address: IpAddr) -> u32 {
        self.by_address.get(&address).copied().unwrap_or(0)
    }

    pub(crate) fn insert(&mut self, connection: Connection) {
        let id = connection.id;
        *self.by_address.get_or_insert_with(connection.identity.address.ip(), || 0) += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            Slot(u32::try_from(self.places.add()).expect("fewer than 2^32 connections fit in memory"))
        });
        *self.places.at_mut(slot.0 as usize) = Some(connection);
        let old = self.slots.insert(id, slot);
        assert!(old.is_none(), "{id:?} was accepted twice");
    }

    pub(crate) fn slot(&self, id: ConnId) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(crate) fn at(&self, slot: Slot) -> &Connection {
        self.places.at(slot.0 as usize).as_ref().expect("a slot that was looked up is in use")
    }

    pub(crate) fn at_mut(&mut self, slot: Slot) -> &mut Connection {
        self.places.at_mut(slot.0 as usize).as_mut().expect("a slot that was looked up is in use")
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Connection> {
        self.slot(id).map(|slot| self.at(slot))
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.slot(id).map(|slot| self.at_mut(slot))
    }

    /// The connection that `session` is attached to.
    pub(crate) fn of_session(&self, session: SessionId) -> Option<ConnId> {
        self.by_session.get(&session).copied()
    }

    /// Attaches `session` to the connection at `slot`.
    pub(crate) fn attach(&mut self, slot: Slot, session: SessionId) {
        let connection = self.at_mut(slot);
        assert!(connection.session == SessionId::NONE, "a connection changes its session");
        connection.session = session;
        let id = connection.id;
        let old = self.by_session.insert(session, id);
        assert!(old.is_none(), "{session} is attached to two connections");
    }

    /// Takes a connection out of the table.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Connection> {
        let slot = self.slots.remove(&id)?;
        let connection =
            self.places.at_mut(slot.0 as usize).take().expect("a slot that was looked up is in use");
        self.free.push(slot);
        self.waiting -= connection.queue.iter().filter(|pending| counts(pending)).count();
        if self.by_session.get(&connection.session) == Some(&id) {
            self.by_session.remove(&connection.session);
        }
        let address = connection.identity.address.ip();
        let count = self.by_address.get_mut(&address).expect("a connection is counted by its address");
        *count -= 1;
        if *count == 0 {
            self.by_address.remove(&address);
        }
        Some(connection)
    }

    /// Puts something into a connection's queue.
    pub(crate) fn enqueue(&mut self, slot: Slot, pending: Pending) {
        self.waiting += usize::from(counts(&pending));
        self.at_mut(slot).queue.push_back(pending);
    }

    /// Takes the head of a connection's queue. An empty one gives its memory back: most connections are idle.
    pub(crate) fn dequeue(&mut self, slot: Slot) -> Option<Pending> {
        let queue = &mut self.at_mut(slot).queue;
        let pending = queue.pop_front();
        if queue.is_empty() && queue.capacity() > 0 {
            *queue = VecDeque::new();
        }
        self.waiting -= usize::from(pending.as_ref().is_some_and(counts));
        pending
    }

    /// Every connection, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> + '_ {
        self.places.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> + '_ {
        self.places.iter_mut().flatten()
    }

    /// Every invariant of the module's words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (mut waiting, mut attached) = (0, 0);
        for (place, connection) in self.places.iter().enumerate() {
            let Some(connection) = connection else { continue };
            let id = connection.id;
            if self.slots.get(&id) != Some(&Slot(place as u32)) {
                return Err(format!("{id:?} is not found at its place"));
            }
            waiting += connection.queue.iter().filter(|pending| counts(pending)).count();
            if let Some(session) = connection.session() {
                attached += 1;
                if self.by_session.get(&session) != Some(&id) {
                    return Err(format!("{session} is not attached to {id:?}, which has it"));
                }
            }
            let is_unfinished = self.unfinished.contains(&id);
            if let Some(Pending::Read { .. } | Pending::Refused { .. }) = connection.queue.front()
                && !is_unfinished
            {
                return Err(format!("{id:?} waits with something that can be answered"));
            }
            let has_early = !connection.early.is_empty();
            let may_keep = connection.state == ConnectionState::Establishing || connection.is_syncing;
            if has_early && !may_keep && !is_unfinished {
                return Err(format!("{id:?} has a session and keeps requests back"));
            }
        }
        if waiting != self.waiting || attached != self.by_session.len() {
            return Err("the counts of connections are not the sums".to_owned());
        }
        let used = self.places.iter().flatten().count();
        if used != self.slots.len() || used + self.free.len() != self.places.len() {
            return Err("the slab of connections has lost a place".to_owned());
        }
        Ok(())
    }
}

/// Whether it counts as in process by itself; a write counts by its txn.
fn counts(pending: &Pending) -> bool {
    !matches!(pending, Pending::Write { .. } | Pending::Barrier { .. } | Pending::OwnSync { .. })
}
