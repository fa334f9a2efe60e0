//! How the nodes of queues are called, ordered and filled: as Curator's, ZooKeeper's own recipe's and kazoo's are.
//!
//! Sequence numbers are compared on a circle, so that the order survives their overflow.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Before Curator's items: the version of their format, and what stands before an item and behind the last.
const FORMAT: i32 = 0x0001_0001;
const ITEM: u8 = 1;
const END: u8 = 2;

/// Whose queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Curator's `DistributedQueue`: `queue-0000000001`.
    Plain,
    /// Curator's `DistributedPriorityQueue`: `queue-1000000050000000001`.
    Priority,
    /// Curator's `DistributedDelayQueue`: `queue-|18C2A3F0D10|0000000001`.
    Delay,
    /// ZooKeeper's recipe and Curator's `SimpleDistributedQueue`: `qn-0000000001`.
    Simple,
    /// kazoo's `Queue`: `entry-100-0000000001`.
    Kazoo,
}

/// An item's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) name: String,
    /// What comes before its age: the priority, or when it is due. The smaller first.
    pub(super) key: i64,
    sequence: i32,
}

impl Kind {
    /// An item's name before its number.
    pub(super) fn front(self, key: i64) -> String {
        match self {
            Kind::Plain => "queue-".to_owned(),
            Kind::Priority => {
                let priority = i32::try_from(key).unwrap_or(if key < 0 { i32::MIN } else { i32::MAX });
                format!("queue-{}{:08X}", u8::from(priority >= 0), priority)
            }
            Kind::Delay => format!("queue-|{key:08X}|"),
            Kind::Simple => "qn-".to_owned(),
            Kind::Kazoo => format!("entry-{:03}-", key.clamp(0, 999)),
        }
    }

    /// Whether an item that came later can have to be taken before others.
    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Kind::Plain | Kind::Simple)
    }

    fn key(self, front: &str) -> Option<i64> {
        match self {
            Kind::Plain => front.starts_with("queue-").then_some(0),
            // What Curator has put back has lost its priority: it goes before the others.
            Kind::Priority => match front.strip_prefix("queue-")?.as_bytes() {
                [] => Some(i64::MIN),
                [b'0' | b'1', hex @ ..] if hex.len() == 8 => {
                    let hex = str::from_utf8(hex).ok()?;
                    Some(i64::from(u32::from_str_radix(hex, 16).ok()?.cast_signed()))
                }
                _ => None,
            },
            // And its time: it is due.
            Kind::Delay => {
                let hex = front.strip_prefix("queue-")?.trim_matches('|');
                Some(i64::from_str_radix(hex, 16).unwrap_or(0))
            }
            Kind::Simple => (front == "qn-").then_some(0),
            Kind::Kazoo => front.strip_prefix("entry-")?.strip_suffix('-')?.parse().ok(),
        }
    }

    fn read(self, name: &str) -> Option<Ranked> {
        let number = |digits| {
            let (front, number) = name.split_at_checked(name.len().checked_sub(digits)?)?;
            // A number of more than ten digits is negative.
            (digits == 10 || number.starts_with('-')).then_some(())?;
            let (key, sequence) = (self.key(front)?, number.parse().ok()?);
            Some(Ranked { name: name.to_owned(), key, sequence })
        };
        number(11).or_else(|| number(10))
    }

    /// The items among these names, in the order in which they are to be taken.
    pub(super) fn sorted(self, names: &[String]) -> Vec<Ranked> {
        let mut items: Vec<Ranked> = names.iter().filter_map(|name| self.read(name)).collect();
        if let Some(first) = items.first().map(|item| item.sequence) {
            items.sort_by_key(|item| (item.key, item.sequence.wrapping_sub(first)));
        }
        items
    }

    /// A node's data.
    pub(super) fn encode(self, item: Bytes) -> Bytes {
        if matches!(self, Kind::Simple | Kind::Kazoo) {
            return item;
        }
        let mut data = BytesMut::with_capacity(item.len() + 10);
        data.put_i32(FORMAT);
        data.put_u8(ITEM);
        data.put_i32(i32::try_from(item.len()).expect("the servers' limit for data is far below 2 GiB"));
        data.put(item);
        data.put_u8(END);
        data.freeze()
    }

    /// What is in a node; None if somebody else wrote it.
    pub(super) fn decode(self, mut data: Bytes) -> Option<Vec<Bytes>> {
        if matches!(self, Kind::Simple | Kind::Kazoo) {
            return Some(vec![data]);
        }
        if data.try_get_i32().ok()? != FORMAT {
            return None;
        }
        let mut items = Vec::new();
        loop {
            match data.try_get_u8().ok()? {
                ITEM => {
                    let length = usize::try_from(data.try_get_i32().ok()?).ok()?;
                    (length < data.len()).then_some(())?;
                    items.push(data.split_to(length));
                }
                END => return Some(items),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(kind: Kind, names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        kind.sorted(&names).into_iter().map(|item| item.name).collect()
    }

    #[test]
    fn names_are_those_of_curator_and_kazoo() {
        let fronts = [
            (Kind::Plain, 0),
            (Kind::Simple, 0),
            (Kind::Kazoo, 7),
            (Kind::Priority, 5),
            (Kind::Priority, -1),
        ]
        .map(|(kind, key)| kind.front(key));
        assert_eq!(fronts, ["queue-", "qn-", "entry-007-", "queue-100000005", "queue-0FFFFFFFF"]);
        assert_eq!(Kind::Delay.front(0x18C_2A3F_0D10), "queue-|18C2A3F0D10|");
        assert_eq!(Kind::Delay.front(1), "queue-|00000001|");
    }

    #[test]
    fn the_order_is_that_of_curator_and_kazoo_and_survives_the_overflow() {
        assert_eq!(
            sorted(
                Kind::Plain,
                &["queue-2147483647", "locks", "queue--2147483648", "queue-2147483646", "queue-x"]
            ),
            ["queue-2147483646", "queue-2147483647", "queue--2147483648"]
        );
        let priorities = [
            "queue-1000000050000000000",
            "queue-0FFFFFFFF0000000004",
            "queue-1000000010000000002",
            "queue-1000000010000000001",
            "queue-0000000003",
        ];
        let first = ["queue-0000000003", "queue-0FFFFFFFF0000000004", "queue-1000000010000000001"];
        assert_eq!(sorted(Kind::Priority, &priorities)[..3], first);
        let due = ["queue-|18C2A3F0D10|0000000001", "queue-|0000000A|0000000002", "queue-0000000003"];
        assert_eq!(sorted(Kind::Delay, &due), [due[2], due[1], due[0]]);
        assert_eq!(
            sorted(Kind::Kazoo, &["entry-100-0000000001", "entry-005-0000000002"]),
            ["entry-005-0000000002", "entry-100-0000000001"]
        );
    }

    #[test]
    fn items_have_curators_format() {
        let data = Kind::Plain.encode(Bytes::from_static(b"ab"));
        assert_eq!(data[..], [0, 1, 0, 1, 1, 0, 0, 0, 2, b'a', b'b', 2]);
        assert_eq!(Kind::Plain.decode(data.clone()), Some(vec![Bytes::from_static(b"ab")]));
        let two = Bytes::from_static(b"\x00\x01\x00\x01\x01\0\0\0\x01a\x01\0\0\0\0\x02");
        assert_eq!(Kind::Plain.decode(two), Some(vec![Bytes::from_static(b"a"), Bytes::new()]));
        for cut in 0..data.len() {
            assert_eq!(Kind::Plain.decode(data.slice(..cut)), None, "{cut} bytes");
        }
        assert_eq!(Kind::Simple.decode(data.clone()), Some(vec![data]));
    }
}
