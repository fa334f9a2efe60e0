//! What can happen next, one thing at a time, and how it is kept in four bytes.

use super::links::Number;
use serde::{Deserialize, Serialize};

/// One thing that happens. Servers are numbered from 1, connections by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Choice {
    /// The oldest message of a connection comes to a server, or the word that it has ended.
    Deliver {
        to: u8,
        link: Number,
    },
    /// A connection whose other end has crashed breaks, with what was on its way.
    Break {
        to: u8,
        link: Number,
    },
    /// The oldest op of the log is durable.
    Log {
        server: u8,
    },
    /// The oldest op of the epoch files is.
    Epoch {
        server: u8,
    },
    /// What a server waits for next is due.
    Timer {
        server: u8,
    },
    Crash {
        server: u8,
    },
    Restart {
        server: u8,
    },
    /// Nothing passes between a server and the others.
    Cut {
        server: u8,
    },
    Heal,
    /// A client asks a leader for a session.
    Write {
        server: u8,
    },
}

impl Choice {
    /// In four bytes.
    pub(super) fn pack(self) -> u32 {
        let of = |kind: u32, server: u8| kind << 24 | u32::from(server) << 16;
        match self {
            Choice::Deliver { to, link } => of(0, to) | u32::from(link.0),
            Choice::Break { to, link } => of(1, to) | u32::from(link.0),
            Choice::Log { server } => of(2, server),
            Choice::Epoch { server } => of(3, server),
            Choice::Timer { server } => of(4, server),
            Choice::Crash { server } => of(5, server),
            Choice::Restart { server } => of(6, server),
            Choice::Cut { server } => of(7, server),
            Choice::Heal => of(8, 0),
            Choice::Write { server } => of(9, server),
        }
    }

    /// What was packed.
    pub(super) fn unpack(packed: u32) -> Self {
        let server = (packed >> 16) as u8;
        let (to, link) = (server, Number(packed as u16));
        match packed >> 24 {
            0 => Choice::Deliver { to, link },
            1 => Choice::Break { to, link },
            2 => Choice::Log { server },
            3 => Choice::Epoch { server },
            4 => Choice::Timer { server },
            5 => Choice::Crash { server },
            6 => Choice::Restart { server },
            7 => Choice::Cut { server },
            8 => Choice::Heal,
            _ => Choice::Write { server },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let link = Number(0x1234);
        let all = [
            Choice::Deliver { to: 3, link },
            Choice::Break { to: 3, link },
            Choice::Log { server: 1 },
            Choice::Epoch { server: 1 },
            Choice::Timer { server: 2 },
            Choice::Crash { server: 5 },
            Choice::Restart { server: 5 },
            Choice::Cut { server: 4 },
            Choice::Heal,
            Choice::Write { server: 3 },
        ];
        assert_eq!(all.map(|choice| Choice::unpack(choice.pack())), all);
    }
}
