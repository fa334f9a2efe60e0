//! The connections that watch one path in one table. Nearly always there is none or one, and then nothing is allocated.

use super::mode::Modes;
use crate::vocabulary::ConnId;
use std::collections::BTreeMap;

/// Connections with their modes, in ascending order. Invariant: no entry's modes are empty; `Many` holds two or more.
#[derive(Clone, Debug, Default)]
pub(super) enum Entries {
    #[default]
    None,
    One(ConnId, Modes),
    Many(BTreeMap<ConnId, Modes>),
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Entries::None)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Entries::None => 0,
            Entries::One(..) => 1,
            Entries::Many(map) => map.len(),
        }
    }

    pub(super) fn modes(&self, conn: ConnId) -> Modes {
        match self {
            Entries::One(one, modes) if *one == conn => *modes,
            Entries::Many(map) => map.get(&conn).copied().unwrap_or_default(),
            _ => Modes::NONE,
        }
    }

    /// Sets the modes of `conn`; none removes its entry.
    pub(super) fn set(&mut self, conn: ConnId, modes: Modes) {
        *self = match std::mem::take(self) {
            Entries::None if modes.is_empty() => Entries::None,
            Entries::None => Entries::One(conn, modes),
            Entries::One(one, _) if one == conn && modes.is_empty() => Entries::None,
            Entries::One(one, _) if one == conn => Entries::One(conn, modes),
            Entries::One(one, old) if modes.is_empty() => Entries::One(one, old),
            Entries::One(one, old) => Entries::Many(BTreeMap::from([(one, old), (conn, modes)])),
            Entries::Many(mut map) => {
                if modes.is_empty() {
                    map.remove(&conn);
                } else {
                    map.insert(conn, modes);
                }
                Self::from_map(map)
            }
        };
    }

    /// Takes away the one-shot mode of every entry; calls `gone` for each connection whose entry ends with it.
    pub(super) fn spend_standard(&mut self, mut gone: impl FnMut(ConnId)) {
        match self {
            Entries::None => {}
            Entries::One(conn, modes) => {
                *modes = modes.without(Modes::STANDARD);
                if modes.is_empty() {
                    gone(*conn);
                    *self = Entries::None;
                }
            }
            Entries::Many(map) => {
                map.retain(|conn, modes| {
                    *modes = modes.without(Modes::STANDARD);
                    if modes.is_empty() {
                        gone(*conn);
                    }
                    !modes.is_empty()
                });
                *self = Self::from_map(std::mem::take(map));
            }
        }
    }

    fn from_map(map: BTreeMap<ConnId, Modes>) -> Self {
        match map.len() {
            0 => Entries::None,
            1 => {
                let (conn, modes) = map.into_iter().next().expect("a map of one entry has a first");
                Entries::One(conn, modes)
            }
            _ => Entries::Many(map),
        }
    }

    /// Every entry, by ascending connection.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, Modes)> + '_ {
        let (one, many) = match self {
            Entries::None => (None, None),
            Entries::One(conn, modes) => (Some((*conn, *modes)), None),
            Entries::Many(map) => (None, Some(map)),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|(conn, modes)| (*conn, *modes)))
    }
}
