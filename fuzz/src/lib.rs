//! Fuzz targets of Quorate: each is a plain function over bytes that must neither panic nor hang, whatever the bytes are.
//!
//! `cargo test -p quorate-fuzz` runs each over damaged samples on the stable toolchain. The libFuzzer binaries, the corpora
//! and the targets for the log, the snapshot and the schedule are absent for now.

use bytes::Bytes;
use quorate_core::contract::{QuorumDecoder, QuorumMessage};
use quorate_core::jute::{
    ClientDecoder, ClientMessage, Decode, Encode, FieldLimit, QuorumPacket, Reader, ReplyDecoder, Request,
    ServerMessage, Txn,
};
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::LookupSeed;

/// A client's stream, cut by its own first byte: whatever it yields is encoded again and read as the same.
pub fn client_stream(bytes: &[u8]) {
    let Some((&piece, stream)) = bytes.split_first() else { return };
    let mut decoder = ClientDecoder::new(0xf_ffff, FieldLimit::default());
    for piece in stream.chunks(usize::from(piece).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.poll() {
                Ok(Some(ClientMessage::Request { request, .. })) => read_again(&request),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn read_again(request: &Request) {
    if matches!(request, Request::Malformed(_) | Request::Unknown { .. }) {
        return;
    }
    let again = Request::decode(request.opcode(), &mut Reader::new(request.to_bytes()));
    assert_eq!(again.as_ref(), Ok(request), "a request must survive being written and read");
}

/// A server's stream, as a client reads it.
pub fn server_stream(bytes: &[u8]) {
    let mut decoder = ReplyDecoder::new(0xf_ffff);
    decoder.push(bytes);
    while let Ok(Some(message)) = decoder.poll() {
        if let ServerMessage::Reply { header, mut body } = message {
            let _ = quorate_core::jute::Response::decode(header.err, &mut body);
        }
    }
}

/// A leader's stream, as its learner reads it, cut by its own first byte: packets that are written again are read as the same, and a
/// database is whole.
pub fn quorum_stream(bytes: &[u8]) {
    let Some((&piece, stream)) = bytes.split_first() else { return };
    let mut decoder = QuorumDecoder::dialled(LookupSeed(0), TreeOptions::default(), FieldLimit::default());
    for piece in stream.chunks(usize::from(piece).max(1)) {
        decoder.push(piece);
        loop {
            match decoder.poll() {
                Ok(Some(QuorumMessage::Packet(packet))) => {
                    let again = QuorumPacket::decode(&mut Reader::new(packet.to_bytes()));
                    assert_eq!(again, Ok(packet), "a packet must survive being written and read");
                }
                Ok(Some(QuorumMessage::Snapshot(database))) => {
                    assert_eq!(database.check_full(), Ok(()), "what was read must be sound");
                }
                Ok(Some(QuorumMessage::SnapshotUnderWay)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// The payload of a log entry or a PROPOSAL.
pub fn txn(bytes: &[u8]) {
    if let Ok(txn) = Txn::decode_all(&mut Reader::new(Bytes::copy_from_slice(bytes))) {
        let again = Txn::decode_all(&mut Reader::new(txn.to_bytes()));
        assert_eq!(again.as_ref(), Ok(&txn), "a txn must survive being written and read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples with one byte changed or cut short, for every position: small, total, and the same on every run.
    fn damaged(sample: &[u8], target: fn(&[u8])) {
        target(sample);
        for at in 0..sample.len() {
            target(&sample[..at]);
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = sample.to_vec();
                bytes[at] = value;
                target(&bytes);
            }
        }
    }

    #[test]
    fn a_damaged_client_stream_hurts_nobody() {
        let mut stream = vec![3];
        stream.extend([0, 0, 0, 0x2d, 0, 0, 0, 0]);
        stream.extend([0; 10]);
        stream.extend([0x75, 0x30]);
        stream.extend([0; 8]);
        stream.extend([0, 0, 0, 0x10]);
        stream.extend([0; 17]);
        stream.extend([0, 0, 0, 0x0f, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, b'/', b'a', 0]);
        stream.extend([
            0, 0, 0, 0x11, 0, 0, 0, 6, 0, 0, 0, 14, 0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff,
        ]);
        damaged(&stream, client_stream);
    }

    #[test]
    fn a_damaged_server_stream_hurts_nobody() {
        let mut stream = vec![0, 0, 0, 0x25];
        stream.extend([0; 0x25]);
        stream.extend([0, 0, 0, 0x1e, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]);
        stream.extend([0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, b'/', b'a']);
        damaged(&stream, server_stream);
    }

    #[test]
    fn a_damaged_quorum_stream_hurts_nobody() {
        let packet = |kind: u8, data: &[u8]| {
            let mut bytes = vec![0, 0, 0, kind, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, data.len() as u8];
            bytes.extend(data);
            bytes.extend([0xff; 4]);
            bytes
        };
        let mut stream = vec![7];
        stream.extend(packet(17, &[0, 1, 0, 0]));
        stream.extend(packet(15, &[]));
        stream.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0x10, 0]);
        stream.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 31]);
        stream.extend([0, 0, 0, 5, b'w', b'o', b'r', b'l', b'd', 0, 0, 0, 1, b'x']);
        for path in ["", "/a", "/a/b"] {
            stream.extend((path.len() as u32).to_be_bytes());
            stream.extend(path.as_bytes());
            stream.extend([0, 0, 0, 1, b'd', 0, 0, 0, 0, 0, 0, 0, 1]);
            stream.extend([0; 60]);
        }
        stream.extend([0, 0, 0, 1, b'/', 0, 0, 0, 10]);
        stream.extend(b"BenWasHere");
        for (kind, data) in
            [(2, &b"txn"[..]), (4, b""), (5, &[0; 12]), (6, &[0; 9]), (18, &[0; 4]), (19, &[0; 9])]
        {
            stream.extend(packet(kind, data));
        }
        // The sample itself is read to its end.
        let mut decoder =
            QuorumDecoder::dialled(LookupSeed(0), TreeOptions::default(), FieldLimit::default());
        decoder.push(&stream[1..]);
        let messages = std::iter::from_fn(|| decoder.poll().expect("nothing is damaged yet")).count();
        assert_eq!(messages, 8);
        damaged(&stream, quorum_stream);
    }

    #[test]
    fn a_damaged_txn_hurts_nobody() {
        let mut multi = vec![0; 20];
        multi.extend([0; 8]);
        multi.extend([0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 2, b'/', b'a']);
        damaged(&multi, txn);
        let mut close = vec![0; 28];
        close.extend([0xff, 0xff, 0xff, 0xf5, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
        damaged(&close, txn);
    }
}
