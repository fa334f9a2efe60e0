//! Packets between a leader and its learners (`quorum-protocol.md` §4): records back to back, without lengths between them.
//!
//! Each kind is a variant with what it means; numbers that a kind does not use are written as Java writes them and not read.
//! Not here: the snapshot that follows a SNAP inline, which only its own reader finds the end of.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use super::records::Id;
use crate::vocabulary::{Epoch, SessionId, Xid, Zxid};
use bytes::{Bytes, BytesMut};

/// The protocol's version in LearnerInfo and LEADERINFO, since 3.4.
const PROTOCOL_VERSION: i32 = 0x10000;
/// The zxid of packets that have none.
const NO_ZXID: Zxid = Zxid(-1);

/// Who a learner is, as it introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerInfo {
    /// Its id, unchecked: any long.
    pub sid: i64,
    /// The version of its committed configuration.
    pub config_version: i64,
    /// Whether it marks itself as Quorate: it truncates exactly, snapshots included. The mark stands behind the fields that Java
    /// reads.
    pub is_quorate: bool,
}

/// A client's request on its way to the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// Whose it is.
    pub session: SessionId,
    /// Its number there.
    pub cxid: Xid,
    /// The operation on the wire.
    pub opcode: i32,
    /// The request's record, as the client sent it.
    pub body: Bytes,
    /// Who the client is.
    pub identities: Vec<Id>,
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of ZooKeeper's packets, quorum-protocol.md §4")]
pub enum QuorumPacket {
    Request(ForwardedRequest),
    /// The txn as it stands in the log.
    Proposal {
        zxid: Zxid,
        txn: Bytes,
    },
    Ack {
        zxid: Zxid,
    },
    Commit {
        zxid: Zxid,
    },
    /// From a leader without data; from a learner with the sessions it has heard of since, and their timeouts in ms.
    Ping {
        zxid: Zxid,
        touched: Option<Vec<(SessionId, i32)>>,
    },
    /// A learner asks whether a session may go on there.
    Revalidate {
        session: SessionId,
        timeout: i32,
    },
    /// The leader's answer.
    Revalidated {
        session: SessionId,
        valid: bool,
    },
    Sync {
        zxid: Zxid,
    },
    Inform {
        zxid: Zxid,
        txn: Bytes,
    },
    CommitAndActivate {
        zxid: Zxid,
        designated_leader: i64,
    },
    InformAndActivate {
        zxid: Zxid,
        designated_leader: i64,
        txn: Bytes,
    },
    /// `zxid` has the new epoch and the counter 0. The text of the configuration last seen, from a leader that knows one.
    NewLeader {
        zxid: Zxid,
        config: Option<Bytes>,
    },
    FollowerInfo {
        accepted_epoch: Epoch,
        info: LearnerInfo,
    },
    ObserverInfo {
        accepted_epoch: Epoch,
        info: LearnerInfo,
    },
    UpToDate,
    Diff {
        zxid: Zxid,
    },
    Trunc {
        zxid: Zxid,
    },
    /// The database follows.
    Snap {
        zxid: Zxid,
    },
    LeaderInfo {
        epoch: Epoch,
    },
    /// The epoch is none when the learner has accepted this one before, and so does not count.
    AckEpoch {
        last_zxid: Zxid,
        current_epoch: Option<Epoch>,
    },
    /// A kind that nobody knows: learners warn and go on.
    Unknown {
        kind: i32,
    },
}

/// What stands behind LearnerInfo's fields in a packet of ours. Java reads no further than the fields.
const QUORATE_MARK: &[u8; 4] = b"QRT1";

impl Encode for QuorumPacket {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut data = BytesMut::new();
        let mut body = Writer::new(&mut data);
        let no_ids: &[Id] = &[];
        let plain = |out: &mut Writer<'_>, kind: i32, zxid: Zxid, data: Option<&[u8]>| {
            out.int(kind);
            out.long(zxid.0);
            out.buffer(data);
            out.int(-1);
        };
        match self {
            QuorumPacket::Request(request) => {
                body.long(request.session.0);
                body.int(request.cxid.0);
                body.int(request.opcode);
                body.raw(&request.body);
                out.int(1);
                out.long(NO_ZXID.0);
                out.buffer(Some(&data));
                out.vector(if request.identities.is_empty() { no_ids } else { &request.identities });
            }
            QuorumPacket::Proposal { zxid, txn } => plain(out, 2, *zxid, Some(txn)),
            QuorumPacket::Ack { zxid } => plain(out, 3, *zxid, None),
            QuorumPacket::Commit { zxid } => plain(out, 4, *zxid, None),
            QuorumPacket::Ping { zxid, touched } => {
                for (session, timeout) in touched.iter().flatten() {
                    body.long(session.0);
                    body.int(*timeout);
                }
                plain(out, 5, *zxid, touched.as_ref().map(|_| &data[..]));
            }
            QuorumPacket::Revalidate { session, timeout } => {
                body.long(session.0);
                body.int(*timeout);
                plain(out, 6, NO_ZXID, Some(&data));
            }
            QuorumPacket::Revalidated { session, valid } => {
                body.long(session.0);
                body.boolean(*valid);
                plain(out, 6, NO_ZXID, Some(&data));
            }
            QuorumPacket::Sync { zxid } => plain(out, 7, *zxid, None),
            QuorumPacket::Inform { zxid, txn } => plain(out, 8, *zxid, Some(txn)),
            QuorumPacket::CommitAndActivate { zxid, designated_leader } => {
                body.long(*designated_leader);
                plain(out, 9, *zxid, Some(&data));
            }
            QuorumPacket::NewLeader { zxid, config } => plain(out, 10, *zxid, config.as_deref()),
            QuorumPacket::FollowerInfo { accepted_epoch, info } => {
                info.encode(&mut body);
                plain(out, 11, Zxid::new(*accepted_epoch, 0), Some(&data));
            }
            QuorumPacket::UpToDate => plain(out, 12, NO_ZXID, None),
            QuorumPacket::Diff { zxid } => plain(out, 13, *zxid, None),
            QuorumPacket::Trunc { zxid } => plain(out, 14, *zxid, None),
            QuorumPacket::Snap { zxid } => plain(out, 15, *zxid, None),
            QuorumPacket::ObserverInfo { accepted_epoch, info } => {
                info.encode(&mut body);
                plain(out, 16, Zxid::new(*accepted_epoch, 0), Some(&data));
            }
            QuorumPacket::LeaderInfo { epoch } => {
                body.int(PROTOCOL_VERSION);
                plain(out, 17, Zxid::new(*epoch, 0), Some(&data));
            }
            QuorumPacket::AckEpoch { last_zxid, current_epoch } => {
                body.int(current_epoch.map_or(-1, |epoch| epoch.0 as i32));
                plain(out, 18, *last_zxid, Some(&data));
            }
            QuorumPacket::InformAndActivate { zxid, designated_leader, txn } => {
                body.long(*designated_leader);
                body.raw(txn);
                plain(out, 19, *zxid, Some(&data));
            }
            QuorumPacket::Unknown { kind } => plain(out, *kind, NO_ZXID, None),
        }
    }
}

impl Decode for QuorumPacket {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let (kind, zxid, data) = (input.int()?, Zxid(input.long()?), input.buffer()?);
        let identities = input.list::<Id>()?;
        let mut body = Reader::new(data.clone().unwrap_or_default());
        let packet = decode_body(kind, zxid, data, identities, &mut body);
        // What is missing in a packet that is there will never come.
        packet.map_err(|error| match error {
            DecodeError::Truncated => DecodeError::Invalid("a packet whose data is too short"),
            error => error,
        })
    }
}

fn decode_body(
    kind: i32,
    zxid: Zxid,
    data: Option<Bytes>,
    identities: Vec<Id>,
    body: &mut Reader,
) -> Result<QuorumPacket, DecodeError> {
    let txn = data.clone().unwrap_or_default();
    Ok(match kind {
        1 => QuorumPacket::Request(ForwardedRequest {
            session: SessionId(body.long()?),
            cxid: Xid(body.int()?),
            opcode: body.int()?,
            body: txn.slice(body.position()..),
            identities,
        }),
        2 => QuorumPacket::Proposal { zxid, txn },
        3 => QuorumPacket::Ack { zxid },
        4 => QuorumPacket::Commit { zxid },
        5 => {
            let read = |data: Bytes| -> Result<Vec<_>, DecodeError> {
                let mut entries = Reader::new(data);
                let mut touched = Vec::with_capacity(entries.remaining() / 12);
                while entries.remaining() > 0 {
                    touched.push((SessionId(entries.long()?), entries.int()?));
                }
                Ok(touched)
            };
            QuorumPacket::Ping { zxid, touched: data.map(read).transpose()? }
        }
        // The answer has a byte where the question has four.
        6 if body.remaining() == 9 => {
            QuorumPacket::Revalidated { session: SessionId(body.long()?), valid: body.boolean()? }
        }
        6 => QuorumPacket::Revalidate { session: SessionId(body.long()?), timeout: body.int()? },
        7 => QuorumPacket::Sync { zxid },
        8 => QuorumPacket::Inform { zxid, txn },
        9 => QuorumPacket::CommitAndActivate { zxid, designated_leader: body.long()? },
        10 => QuorumPacket::NewLeader { zxid, config: data },
        11 => QuorumPacket::FollowerInfo { accepted_epoch: zxid.epoch(), info: LearnerInfo::decode(body)? },
        12 => QuorumPacket::UpToDate,
        13 => QuorumPacket::Diff { zxid },
        14 => QuorumPacket::Trunc { zxid },
        15 => QuorumPacket::Snap { zxid },
        16 => QuorumPacket::ObserverInfo { accepted_epoch: zxid.epoch(), info: LearnerInfo::decode(body)? },
        17 => QuorumPacket::LeaderInfo { epoch: zxid.epoch() },
        18 => {
            let epoch = body.int()?;
            let current_epoch = u32::try_from(epoch).ok().map(Epoch);
            QuorumPacket::AckEpoch { last_zxid: zxid, current_epoch }
        }
        19 => {
            let designated_leader = body.long()?;
            QuorumPacket::InformAndActivate { zxid, designated_leader, txn: txn.slice(8..) }
        }
        kind => QuorumPacket::Unknown { kind },
    })
}

impl Encode for LearnerInfo {
    fn encode(&self, out: &mut Writer<'_>) {
        out.long(self.sid);
        out.int(PROTOCOL_VERSION);
        out.long(self.config_version);
        if self.is_quorate {
            out.raw(QUORATE_MARK);
        }
    }
}

impl Decode for LearnerInfo {
    /// Tolerates what is shorter, as Java does: an id alone, an id and a version.
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let sid = input.long()?;
        if input.remaining() >= 4 {
            input.int()?;
        }
        let config_version = if input.remaining() >= 8 { input.long()? } else { 0 };
        let is_quorate = input.rest().starts_with(QUORATE_MARK);
        Ok(LearnerInfo { sid, config_version, is_quorate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<QuorumPacket> {
        let zxid = Zxid(0x2_0000_0007);
        let txn = Bytes::from_static(b"header and record");
        let info = LearnerInfo { sid: 3, config_version: 0, is_quorate: true };
        vec![
            QuorumPacket::Request(ForwardedRequest {
                session: SessionId(0x0300_0000_0000_0001),
                cxid: Xid(9),
                opcode: 5,
                body: Bytes::from_static(b"body"),
                identities: vec![Id::new("ip", "127.0.0.1"), Id::new("digest", "u:h")],
            }),
            QuorumPacket::Proposal { zxid, txn: txn.clone() },
            QuorumPacket::Ack { zxid },
            QuorumPacket::Commit { zxid },
            QuorumPacket::Ping { zxid, touched: None },
            QuorumPacket::Ping { zxid, touched: Some(Vec::new()) },
            QuorumPacket::Ping { zxid, touched: Some(vec![(SessionId(1), 4000), (SessionId(2), 6000)]) },
            QuorumPacket::Revalidate { session: SessionId(1), timeout: 4000 },
            QuorumPacket::Revalidated { session: SessionId(1), valid: true },
            QuorumPacket::Sync { zxid: Zxid(0) },
            QuorumPacket::Inform { zxid, txn: txn.clone() },
            QuorumPacket::CommitAndActivate { zxid, designated_leader: 2 },
            QuorumPacket::InformAndActivate { zxid, designated_leader: 2, txn },
            QuorumPacket::NewLeader { zxid: Zxid(2 << 32), config: Some(Bytes::from_static(b"version=0")) },
            QuorumPacket::NewLeader { zxid: Zxid(2 << 32), config: None },
            QuorumPacket::FollowerInfo { accepted_epoch: Epoch(1), info },
            QuorumPacket::ObserverInfo { accepted_epoch: Epoch(1), info },
            QuorumPacket::UpToDate,
            QuorumPacket::Diff { zxid },
            QuorumPacket::Trunc { zxid },
            QuorumPacket::Snap { zxid },
            QuorumPacket::LeaderInfo { epoch: Epoch(2) },
            QuorumPacket::AckEpoch { last_zxid: zxid, current_epoch: Some(Epoch(1)) },
            QuorumPacket::AckEpoch { last_zxid: zxid, current_epoch: None },
            QuorumPacket::Unknown { kind: 77 },
        ]
    }

    #[test]
    fn every_packet_comes_back_as_it_was_sent_and_only_when_it_is_whole() {
        for packet in examples() {
            let bytes = packet.to_bytes();
            let mut whole = Reader::new(bytes.clone());
            assert_eq!(QuorumPacket::decode(&mut whole), Ok(packet.clone()));
            assert_eq!(whole.remaining(), 0, "{packet:?}");
            for end in 0..bytes.len() {
                let part = QuorumPacket::decode(&mut Reader::new(bytes.slice(..end)));
                assert_eq!(part, Err(DecodeError::Truncated), "{packet:?} cut to {end} bytes");
            }
        }
    }

    #[test]
    fn data_that_is_too_short_for_its_kind_is_not_waited_for() {
        let mut bytes = BytesMut::new();
        let mut out = Writer::new(&mut bytes);
        out.int(6);
        out.long(-1);
        out.buffer(Some(b"short"));
        out.int(-1);
        let read = QuorumPacket::decode(&mut Reader::new(bytes.freeze()));
        assert_eq!(read, Err(DecodeError::Invalid("a packet whose data is too short")));
    }

    #[test]
    fn a_learner_of_an_old_version_introduces_itself_with_less() {
        let read = |bytes: &'static [u8]| LearnerInfo::decode(&mut Reader::new(Bytes::from_static(bytes)));
        let sid = LearnerInfo { sid: 5, config_version: 0, is_quorate: false };
        assert_eq!(read(&[0, 0, 0, 0, 0, 0, 0, 5]), Ok(sid));
        assert_eq!(read(&[0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0]), Ok(sid));
    }
}
