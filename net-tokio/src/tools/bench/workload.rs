//! Which request comes next, and what its reply must be.

use super::wire::{BenchError, Reply, Wire};
use super::{BenchArgs, WorkloadKind, znodes};
use quorate_core::jute::{OpCode, Response};

/// What one connection asks.
pub(super) struct Workload {
    kind: WorkloadKind,
    /// Which connection this is.
    connection: usize,
    znodes: usize,
    reads: u8,
    data: Vec<u8>,
    random: SplitMix,
    created: u64,
    path: String,
}

/// What a reply must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Data of the size that was set.
    Data,
    /// A stat of such data.
    Written,
    /// The path that was created as this connection's so many-th.
    Created(u64),
    /// As many names as there are children.
    Children,
}

/// What a reply was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// What it must be.
    Right,
    /// The server refused, with this code.
    Error(i32),
    /// Something else, in words.
    Wrong(String),
}

impl Workload {
    /// The workload of connection number `connection`.
    pub(super) fn new(arguments: &BenchArgs, connection: usize) -> Self {
        Workload {
            kind: arguments.workload,
            connection,
            znodes: arguments.znodes,
            reads: arguments.reads,
            data: vec![b'x'; arguments.size],
            random: SplitMix(arguments.seed ^ (connection as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            created: 0,
            path: String::new(),
        }
    }

    /// Writes the next request into the connection's buffer.
    pub(super) fn push_next(&mut self, wire: &mut Wire) -> Expected {
        match self.kind {
            WorkloadKind::Read => self.push_read(wire),
            WorkloadKind::Write => self.push_write(wire),
            WorkloadKind::Mixed if self.random.below(100) < usize::from(self.reads) => self.push_read(wire),
            WorkloadKind::Mixed => self.push_write(wire),
            WorkloadKind::Create => self.push_create(wire),
            WorkloadKind::Children => {
                wire.push(OpCode::GetChildren, |out| {
                    out.string(&znodes::PARENT);
                    out.boolean(false);
                });
                Expected::Children
            }
            WorkloadKind::WatchFanout | WorkloadKind::IdleSessions => {
                unreachable!("these have drivers of their own")
            }
        }
    }

    fn push_read(&mut self, wire: &mut Wire) -> Expected {
        znodes::write_path(&mut self.path, self.random.below(self.znodes));
        wire.push(OpCode::GetData, |out| {
            out.string(&self.path);
            out.boolean(false);
        });
        Expected::Data
    }

    fn push_write(&mut self, wire: &mut Wire) -> Expected {
        znodes::write_path(&mut self.path, self.random.below(self.znodes));
        wire.push(OpCode::SetData, |out| {
            out.string(&self.path);
            out.buffer(Some(&self.data));
            out.int(-1);
        });
        Expected::Written
    }

    fn push_create(&mut self, wire: &mut Wire) -> Expected {
        let index = self.created;
        self.created += 1;
        znodes::write_created_path(&mut self.path, self.connection, index);
        wire.push(OpCode::Create, |out| znodes::write_create(out, &self.path, &self.data));
        Expected::Created(index)
    }

    /// Compares a reply with what it must be.
    pub(super) fn judge(&mut self, expected: Expected, mut reply: Reply) -> Result<Judgement, BenchError> {
        if reply.header.err != 0 {
            return Ok(Judgement::Error(reply.header.err));
        }
        let opcode = match expected {
            Expected::Data => OpCode::GetData,
            Expected::Written => OpCode::SetData,
            Expected::Created(_) => OpCode::Create,
            Expected::Children => OpCode::GetChildren,
        };
        let response = Response::decode(opcode.code(), &mut reply.body)?;
        let size = self.data.len();
        let wrong = match (expected, response) {
            (Expected::Data, Response::GetData { data, stat }) => {
                let length = data.as_ref().map_or(0, |data| data.len());
                (length != size || stat.data_length as usize != size).then(|| {
                    format!("{length} bytes (dataLength {}) where {size} were written", stat.data_length)
                })
            }
            (Expected::Written, Response::Stat(stat)) => (stat.data_length as usize != size
                || stat.version < 1)
                .then(|| format!("after a write: dataLength {}, version {}", stat.data_length, stat.version)),
            (Expected::Created(index), Response::Create { path }) => {
                znodes::write_created_path(&mut self.path, self.connection, index);
                (path != self.path).then(|| format!("created {path} instead of {}", self.path))
            }
            (Expected::Children, Response::Paths(names)) => {
                (names.len() != self.znodes).then(|| format!("{} children of {}", names.len(), self.znodes))
            }
            (expected, other) => Some(format!("{other:?} where {expected:?} was asked for")),
        };
        let trailing = reply.body.remaining();
        Ok(match wrong {
            Some(text) => Judgement::Wrong(text),
            None if trailing > 0 => Judgement::Wrong(format!("{trailing} bytes behind a reply")),
            None => Judgement::Right,
        })
    }
}

/// A small generator of evenly spread numbers; the same seed asks the same things in the same order.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }
}
