//! What a Java learner says, byte by byte as `Learner` writes it (`quorum-protocol.md` §4); not by the encoders that are under test.

use crate::plan::Introduces;
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{Acl, Id, Writer};
use quorate_core::vocabulary::{Epoch, SessionId, Zxid};

const NO_ZXID: i64 = -1;
const PROTOCOL_VERSION: i32 = 0x10000;
pub(super) const CREATE_SESSION: i32 = -10;
pub(super) const CLOSE_SESSION: i32 = -11;
pub(super) const SYNC: i32 = 9;

fn body(write: impl FnOnce(&mut Writer<'_>)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    out
}

fn packet(kind: i32, zxid: i64, data: Option<&[u8]>, ids: Option<&[Id]>) -> Bytes {
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&mut out);
    writer.int(kind);
    writer.long(zxid);
    writer.buffer(data);
    writer.nullable_vector(ids);
    out.freeze()
}

/// FOLLOWERINFO or OBSERVERINFO.
pub(super) fn introduction(sid: u8, is_observer: bool, accepted: Epoch, how: Introduces) -> Bytes {
    let data = body(|out| {
        out.long(i64::from(sid));
        if how != Introduces::ById {
            out.int(PROTOCOL_VERSION);
        }
        if how == Introduces::Fully {
            out.long(0);
        }
    });
    packet(if is_observer { 16 } else { 11 }, Zxid::new(accepted, 0).0, Some(&data), None)
}

/// ACKEPOCH; without an epoch if this one was accepted before.
pub(super) fn ack_epoch(last: Zxid, current: Option<Epoch>) -> Bytes {
    let data = body(|out| out.int(current.map_or(-1, |epoch| epoch.0 as i32)));
    packet(18, last.0, Some(&data), None)
}

pub(super) fn ack(zxid: Zxid) -> Bytes {
    packet(3, zxid.0, None, None)
}

/// The answer to a PING, whose zxid it echoes.
pub(super) fn ping(zxid: Zxid, touched: &[(SessionId, i32)]) -> Bytes {
    let data = body(|out| {
        for (session, timeout) in touched {
            out.long(session.0);
            out.int(*timeout);
        }
    });
    packet(5, zxid.0, Some(&data), None)
}

pub(super) fn revalidate(session: SessionId, timeout: i32) -> Bytes {
    let data = body(|out| {
        out.long(session.0);
        out.int(timeout);
    });
    packet(6, NO_ZXID, Some(&data), None)
}

/// REQUEST.
pub(super) fn request((session, cxid): (SessionId, i32), opcode: i32, record: &[u8]) -> Bytes {
    let data = body(|out| {
        out.long(session.0);
        out.int(cxid);
        out.int(opcode);
        out.raw(record);
    });
    let ids = [Id::new("ip", "10.0.0.77")];
    packet(1, NO_ZXID, Some(&data), Some(&ids))
}

pub(super) fn create(path: &str, data: &[u8], flags: i32) -> BytesMut {
    body(|out| {
        out.string(path);
        out.buffer(Some(data));
        out.vector(&Acl::open());
        out.int(flags);
    })
}

pub(super) fn set_data(path: &str, data: &[u8]) -> BytesMut {
    body(|out| {
        out.string(path);
        out.buffer(Some(data));
        out.int(-1);
    })
}

pub(super) fn delete(path: &str) -> BytesMut {
    body(|out| {
        out.string(path);
        out.int(-1);
    })
}

pub(super) fn set_acl(path: &str) -> BytesMut {
    body(|out| {
        out.string(path);
        out.vector(&Acl::world_readable());
        out.int(-1);
    })
}

/// A multi of a create and a check that fails now and then.
pub(super) fn multi(path: &str, version: i32) -> BytesMut {
    let header = |out: &mut Writer<'_>, opcode: i32, is_done: bool| {
        out.int(opcode);
        out.boolean(is_done);
        out.int(-1);
    };
    body(|out| {
        header(out, 5, false);
        out.raw(&set_data(path, b"multi"));
        header(out, 13, false);
        out.string(path);
        out.int(version);
        header(out, -1, true);
    })
}

pub(super) fn path_only(path: &str) -> BytesMut {
    body(|out| out.string(path))
}

pub(super) fn timeout(ms: i32) -> BytesMut {
    body(|out| out.int(ms))
}
