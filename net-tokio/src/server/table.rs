//! The open connections by number.
//!
//! A number is a place in a slab and how often that place was used before: found by an index, and never the same twice.

use super::connection::Connection;
use quorate_core::vocabulary::ConnId;
use std::rc::Rc;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    used: u32,
    connection: Option<Rc<Connection>>,
}

impl Table {
    /// Adds the connection that `make` makes under the number it is given.
    pub(super) fn insert(&mut self, make: impl FnOnce(ConnId) -> Connection) -> Rc<Connection> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("there are fewer than 2^32 descriptors")
        });
        let slot = &mut self.slots[place as usize];
        slot.used = slot.used.checked_add(1).expect("no place is used 2^32 times");
        let connection = Rc::new(make(ConnId(u64::from(slot.used) << 32 | u64::from(place))));
        slot.connection = Some(Rc::clone(&connection));
        connection
    }

    /// A connection that is open, or was until just now.
    pub(super) fn find(&self, id: ConnId) -> Option<&Rc<Connection>> {
        let slot = self.slots.get(place(id))?;
        slot.connection.as_ref().filter(|connection| connection.id == id)
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Rc<Connection>> {
        self.find(id)?;
        self.free.push(place(id) as u32);
        self.slots[place(id)].connection.take()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Rc<Connection>> + '_ {
        self.slots.iter().filter_map(|slot| slot.connection.as_ref())
    }
}

fn place(id: ConnId) -> usize {
    (id.0 & u64::from(u32::MAX)) as usize
}
