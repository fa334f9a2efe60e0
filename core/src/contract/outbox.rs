//! What a peer wants done, in order; filled by one `handle`, drained by the adapter.
//!
//! Replies to one connection that follow each other become one [`Output::Send`], packets to one link one [`Output::SendLink`]; all
//! of a batch share one allocation, and what goes to several links is written once. A batch with long replies has several, so that
//! nobody who keeps one of these keeps much else. Data that is long is not copied at all: its frame is sent in pieces, one of
//! which is the tree's own.

use super::event::{ExitCode, PeerEvent};
use super::link::Port;
use super::store::{Lane, LoadId, StoreOp, StoreSeq};
use crate::jute::{FrameTooLong, Inset, Insets, Writer, write_frame_around};
use crate::tree::SnapshotImage;
use crate::vocabulary::{ConnId, Limits, LinkId, ServerId, Zxid};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// One thing to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Write these bytes to a client.
    Send {
        /// On which connection.
        conn: ConnId,
        /// Whole frames, or a piece of one that has long data.
        bytes: Bytes,
    },
    /// Close a connection once everything sent to it before is written.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Read no more from a connection for now.
    PauseRead {
        /// Which.
        conn: ConnId,
    },
    /// Read from it again.
    ResumeRead {
        /// Which.
        conn: ConnId,
    },
    /// Make something durable, then confirm it.
    Store {
        /// The queue it stands in; ops of one lane are done in order.
        lane: Lane,
        /// Its number there, rising by one.
        seq: StoreSeq,
        /// What to do.
        op: StoreOp,
    },
    /// Connect to another server's port; answered by `Dialled` or `DialFailed`.
    Dial {
        /// To which port.
        port: Port,
        /// Of which server.
        to: ServerId,
    },
    /// Write these bytes to another server: over an election connection in one piece, answered by `LinkWritten`.
    SendLink {
        /// Over which connection.
        link: LinkId,
        /// Whole messages.
        bytes: Bytes,
    },
    /// Write this database to a learner, inline ([`SnapshotImage::stream`]), before whatever is sent behind it.
    SendSnapshot {
        /// Over which connection.
        link: LinkId,
        /// The database.
        image: SnapshotImage,
    },
    /// Close a connection between servers once everything given to it before is written. Nothing is heard of it any more.
    CloseLink {
        /// Which.
        link: LinkId,
    },
    /// Read old txns back: all behind `after` up to and with `up_to`, if the log holds `after` itself or a snapshot ends with it, and unless
    /// they come to more than `max_bytes`. Answered by `Loaded`.
    Load {
        /// The request.
        id: LoadId,
        /// Not this one.
        after: Zxid,
        /// But this one.
        up_to: Zxid,
        /// The most that is wanted.
        max_bytes: u64,
    },
    /// Tell the operator.
    Event(PeerEvent),
    /// End the process; what was sent before is still written.
    Exit {
        /// With this code.
        code: ExitCode,
        /// For this reason.
        reason: String,
    },
}

/// An arena that holds this much takes no more, so that one long reply that is not taken keeps hardly more memory than its own.
const ARENA_FULL: usize = 16 << 10;

/// An arena that has grown beyond this is not kept for the next batch: what is kept of one must not keep another's long reply.
const ARENA_KEPT: usize = 64 << 10;

/// A batch has at least so much room at its start, or gets [`ARENA_ROOM`], so that few replies are moved while they are written.
const BATCH_ROOM: usize = 128;

/// What batches with little to say share: a reply that is kept keeps no more memory than this.
const ARENA_ROOM: usize = 1 << 10;

/// So many entries back a link's last packets are looked for: those of a batch for an ensemble of nine, with the log's ops.
const LOOK_BACK: usize = 16;

#[derive(Debug)]
enum Entry {
    Send { conn: ConnId, range: Range<usize> },
    SendLink { link: LinkId, range: Range<usize> },
    Other(Output),
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: Vec<Entry>,
    /// Arenas of this batch that are full. Ranges count on through all of them.
    full: Vec<Arena>,
    arena: BytesMut,
    /// Where the arena under way begins.
    begin: usize,
    /// Bytes of this batch that are in no arena.
    shared: usize,
    /// Reused between frames.
    insets: Vec<Inset>,
}

#[derive(Debug)]
struct Arena {
    begin: usize,
    bytes: Bytes,
}

impl Outbox {
    /// An empty one; keep it and use it again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends what `write` appends (whole frames, or nothing) to `conn`.
    pub fn send(&mut self, conn: ConnId, write: impl FnOnce(&mut BytesMut)) {
        let range = self.write(write);
        self.send_range(conn, range);
    }

    /// Sends a frame to `conn` that `body` writes; returns its length.
    ///
    /// # Errors
    /// When it is longer than a reply may be. Nothing is sent then.
    pub fn send_frame(
        &mut self,
        conn: ConnId,
        limits: &Limits,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<usize, FrameTooLong> {
        let mut insets = Insets { from: limits.share_from, list: std::mem::take(&mut self.insets) };
        let mut length = Ok(0);
        let Range { mut start, end } =
            self.write(|out| length = write_frame_around(out, &mut insets, limits.backlog_close, body));
        for Inset { at, bytes } in insets.list.drain(..) {
            let at = self.begin + at;
            self.send_range(conn, start..at);
            self.shared += bytes.len();
            self.push(Output::Send { conn, bytes });
            start = at;
        }
        self.send_range(conn, start..end);
        self.insets = insets.list;
        length
    }

    fn send_range(&mut self, conn: ConnId, Range { start, end }: Range<usize>) {
        if end == start {
            return;
        }
        if let Some(Entry::Send { conn: last, range }) = self.entries.last_mut()
            && *last == conn
            && range.start >= self.begin
        {
            range.end = end;
            return;
        }
        self.entries.push(Entry::Send { conn, range: start..end });
    }

    fn write(&mut self, write: impl FnOnce(&mut BytesMut)) -> Range<usize> {
        if self.arena.len() >= ARENA_FULL {
            let next = BytesMut::with_capacity(2 * ARENA_FULL);
            let bytes = std::mem::replace(&mut self.arena, next).freeze();
            let begin = self.begin;
            self.begin += bytes.len();
            self.full.push(Arena { begin, bytes });
        } else if self.arena.is_empty() && self.arena.capacity() < BATCH_ROOM {
            self.arena.reserve(ARENA_ROOM);
        }
        let start = self.begin + self.arena.len();
        write(&mut self.arena);
        start..self.begin + self.arena.len()
    }

    /// Sends what `write` appends (whole packets) to each of `links`.
    pub fn send_links(&mut self, links: impl IntoIterator<Item = LinkId>, write: impl FnOnce(&mut BytesMut)) {
        let range = self.write(write);
        for link in links {
            // Packets to several links, and the log's ops between them, alternate: each link's still become one.
            let last = self.entries.iter_mut().rev().take(LOOK_BACK).map_while(|entry| match entry {
                Entry::SendLink { link, range } => Some(Some((*link, range))),
                Entry::Other(Output::Store { .. }) => Some(None),
                Entry::Send { .. } | Entry::Other(_) => None,
            });
            let last = last.flatten().find(|(other, _)| *other == link);
            match last {
                Some((_, last)) if last.end == range.start && last.start >= self.begin => {
                    last.end = range.end
                }
                _ => self.entries.push(Entry::SendLink { link, range: range.clone() }),
            }
        }
    }

    /// Adds anything but a send.
    pub fn push(&mut self, output: Output) {
        self.entries.push(Entry::Other(output));
    }

    /// Tells the operator.
    pub fn event(&mut self, event: PeerEvent) {
        self.push(Output::Event(event));
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes to be sent that wait to be taken out.
    pub fn bytes(&self) -> usize {
        self.begin + self.arena.len() + self.shared
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.shared = 0;
        let bytes = self.arena.split().freeze();
        if bytes.len() + self.arena.capacity() > ARENA_KEPT {
            self.arena = BytesMut::new();
        }
        let (full, last) =
            (std::mem::take(&mut self.full), Arena { begin: std::mem::take(&mut self.begin), bytes });
        let slice = move |Range { start, end }| {
            let arena =
                full.iter().rfind(|arena| arena.begin <= start && start < last.begin).unwrap_or(&last);
            arena.bytes.slice(start - arena.begin..end - arena.begin)
        };
        self.entries.drain(..).map(move |entry| match entry {
            Entry::Send { conn, range } => Output::Send { conn, bytes: slice(range) },
            Entry::SendLink { link, range } => Output::SendLink { link, bytes: slice(range) },
            Entry::Other(output) => output,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut as _;

    #[test]
    fn a_long_reply_that_is_kept_keeps_hardly_anything_else() {
        let mut outbox = Outbox::new();
        let reply = |length, byte| move |out: &mut BytesMut| out.put_bytes(byte, length);
        let lengths = [10, ARENA_FULL, 20, 3 * ARENA_FULL, 30, 40];
        for (number, length) in lengths.into_iter().enumerate() {
            outbox.send(ConnId(number as u64 / 5), reply(length, number as u8));
        }
        assert_eq!(outbox.bytes(), lengths.iter().sum::<usize>());
        let sent: Vec<Bytes> = outbox
            .drain()
            .map(|output| match output {
                Output::Send { bytes, .. } => bytes,
                other => panic!("{other:?}"),
            })
            .collect();
        // The first five are for one connection: two arenas of them, and what follows the second.
        let all: Vec<u8> = sent.iter().flatten().copied().collect();
        let expected =
            lengths.into_iter().enumerate().flat_map(|(number, length)| vec![number as u8; length]);
        assert!(all.into_iter().eq(expected));
        assert_eq!(
            sent.iter().map(Bytes::len).collect::<Vec<_>>(),
            [10 + ARENA_FULL, 20 + 3 * ARENA_FULL, 30, 40]
        );
        assert_eq!(outbox.bytes(), 0);
        outbox.send(ConnId(1), reply(5, 7));
        assert!(matches!(outbox.drain().next(), Some(Output::Send { bytes, .. }) if bytes[..] == [7; 5]));
    }

    #[test]
    fn long_data_that_is_shared_is_sent_as_it_is_within_its_frame() {
        let (mut outbox, limits) = (Outbox::new(), Limits { share_from: 100, ..Limits::default() });
        let (long, short) = (Bytes::from(vec![7; 100]), Bytes::from(vec![8; 99]));
        let mut frame = |conn, data: &Bytes, limits: &Limits| {
            outbox.send_frame(ConnId(conn), limits, |out| {
                out.int(1);
                out.shared(data);
                out.int(2);
            })
        };
        assert_eq!(frame(1, &short, &limits), Ok(4 + 12 + 99));
        assert_eq!(frame(1, &long, &limits), Ok(4 + 12 + 100));
        assert_eq!(frame(1, &short, &limits), Ok(4 + 12 + 99));
        let strict = Limits { backlog_close: 111, ..limits.clone() };
        assert_eq!(frame(1, &long, &strict), Err(FrameTooLong(111)));
        assert_eq!(outbox.bytes(), 3 * 16 + 99 + 100 + 99);
        let sent = outbox.drain().map(|output| match output {
            Output::Send { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        });
        let sent: Vec<Bytes> = sent.collect();
        assert_eq!(sent.iter().map(Bytes::len).collect::<Vec<_>>(), [115 + 12, 100, 4 + 115]);
        assert!(std::ptr::eq(sent[1].as_ptr(), long.as_ptr()), "it was copied");
        let all = sent.concat();
        assert_eq!(
            all[115..127],
            [0, 0, 0, 112, 0, 0, 0, 1, 0, 0, 0, 100],
            "length, number, length of the data"
        );
        assert_eq!(all[227..231], [0, 0, 0, 2]);
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn packets_for_several_links_are_written_once_and_leave_as_one_for_each() {
        let mut outbox = Outbox::new();
        let links = [LinkId(1), LinkId(2)];
        let store = |seq| Output::Store { lane: Lane::Log, seq: StoreSeq(seq), op: StoreOp::Roll };
        outbox.send_links(links, |out| out.put_slice(b"one "));
        outbox.push(store(1));
        outbox.send_links(links, |out| out.put_slice(b"two "));
        outbox.send_links([LinkId(2)], |out| out.put_slice(b"more "));
        outbox.send_links(links, |out| out.put_slice(b"three"));
        outbox.push(Output::CloseLink { link: LinkId(1) });
        outbox.send_links([LinkId(1)], |out| out.put_slice(b"late"));
        assert_eq!(outbox.bytes(), 22);
        let sent: Vec<(u64, Vec<u8>)> = outbox
            .drain()
            .filter_map(|output| match output {
                Output::SendLink { link, bytes } => Some((link.0, bytes.to_vec())),
                _ => None,
            })
            .collect();
        let expected: [(u64, &[u8]); 4] =
            [(1, b"one two "), (2, b"one two more three"), (1, b"three"), (1, b"late")];
        assert_eq!(sent, expected.map(|(link, bytes)| (link, bytes.to_vec())));
    }
}
