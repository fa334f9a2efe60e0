//! Reads a snapshot's items from bytes that may end anywhere; "more is needed" is an answer of its own.

use super::snapshot_decoder::SnapshotError;
use super::stat::StatPersisted;
use crate::jute::{Acl, FieldLimit, Id, Permissions};
use crate::vocabulary::Zxid;
use std::borrow::Cow;

/// Why an item was not read.
#[derive(Debug)]
pub(super) enum Stop {
    /// Its end has not come yet.
    NeedMore,
    /// It is wrong.
    Bad(SnapshotError),
}

/// A node as a snapshot has it.
#[derive(Debug)]
pub(super) struct ScannedNode<'a> {
    pub(super) path: Cow<'a, str>,
    pub(super) data: Option<&'a [u8]>,
    pub(super) acl: i64,
    pub(super) stat: StatPersisted,
}

/// A cursor over the bytes there are.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    position: usize,
    limit: FieldLimit,
    /// Where in the snapshot `bytes` start.
    offset: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8], limit: FieldLimit, offset: u64) -> Self {
        Scan { bytes, position: 0, limit, offset }
    }

    /// Bytes read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.position..];
        if rest.len() < length {
            return Err(Stop::NeedMore);
        }
        self.position += length;
        Ok(&rest[..length])
    }

    /// So many bytes as they are.
    pub(super) fn raw(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        self.take(length)
    }

    pub(super) fn int(&mut self) -> Result<i32, Stop> {
        let bytes = self.take(4)?.try_into().expect("take returns what was asked");
        Ok(i32::from_be_bytes(bytes))
    }

    pub(super) fn long(&mut self) -> Result<i64, Stop> {
        let bytes = self.take(8)?.try_into().expect("take returns what was asked");
        Ok(i64::from_be_bytes(bytes))
    }

    /// A buffer, or null. A length out of bounds is found before its bytes are waited for.
    pub(super) fn buffer(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        let offset = self.offset + self.position as u64;
        let length = self.int()?;
        match u32::try_from(length) {
            Ok(length) if length <= self.limit.0 => Ok(Some(self.take(length as usize)?)),
            _ if length == -1 => Ok(None),
            _ => Err(Stop::Bad(SnapshotError::UnreasonableLength { length, offset })),
        }
    }

    /// A string, or null; malformed UTF-8 becomes U+FFFD.
    pub(super) fn string(&mut self) -> Result<Option<Cow<'a, str>>, Stop> {
        Ok(self.buffer()?.map(String::from_utf8_lossy))
    }

    /// A list of ACL entries; null is read as empty.
    pub(super) fn acls(&mut self) -> Result<Vec<Acl>, Stop> {
        let count = self.int()?;
        let mut list = Vec::new();
        for _ in 0..count {
            let perms = Permissions(self.int()?);
            let scheme = self.string()?.map(Cow::into_owned);
            let id = self.string()?.map(Cow::into_owned);
            list.push(Acl { perms, id: Id { scheme, id } });
        }
        Ok(list)
    }

    /// The next node; none at the end of the nodes.
    pub(super) fn node(&mut self) -> Result<Option<ScannedNode<'a>>, Stop> {
        let path = self.string()?.unwrap_or_default();
        if path == "/" {
            return Ok(None);
        }
        let (data, acl, stat) = (self.buffer()?, self.long()?, self.stat()?);
        Ok(Some(ScannedNode { path, data, acl, stat }))
    }

    fn stat(&mut self) -> Result<StatPersisted, Stop> {
        Ok(StatPersisted {
            czxid: Zxid(self.long()?),
            mzxid: Zxid(self.long()?),
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            pzxid: Zxid(self.long()?),
        })
    }
}
