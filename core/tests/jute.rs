//! The codec against the specification's vectors, against itself, and against bytes that are nothing at all.

use bytes::{Bytes, BytesMut};
use quorate_core::jute::*;
use quorate_core::vocabulary::{SessionId, Wall, Xid, Zxid};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |digit: u8| char::from(digit).to_digit(16).expect("the vectors are hexadecimal") as u8;
    digits.chunks(2).map(|pair| value(pair[0]) * 16 + value(pair[1])).collect()
}

fn decoder() -> ClientDecoder {
    ClientDecoder::new(0xf_ffff, FieldLimit::default())
}

fn connected() -> ClientDecoder {
    let mut decoder = decoder();
    decoder.push(&hex(CONNECT));
    assert!(matches!(decoder.poll(), Ok(Some(ClientMessage::Connect(_)))));
    decoder
}

/// ConnectRequest, new session, 30 s, readOnly=false (client-protocol.md §25).
const CONNECT: &str = "0000002d 00000000 0000000000000000 00007530 0000000000000000 00000010 00000000000000000000000000000000 00";

fn requests() -> Vec<Request> {
    let path = || Some("/a".to_string());
    let acl = || Some(Acl::open());
    let create = |kind, flags, ttl| CreateRequest {
        kind,
        path: path(),
        data: Some(Bytes::from_static(b"x")),
        acl: acl(),
        flags,
        ttl,
    };
    let watches = SetWatches {
        relative_zxid: Zxid(7),
        data: vec![Some("/d".into())],
        exist: vec![Some("/e".into())],
        child: vec![Some("/c".into())],
        ..SetWatches::default()
    };
    let all_watches = SetWatches {
        persistent: vec![Some("/p".into())],
        persistent_recursive: vec![Some("/r".into()), Some("/s".into())],
        ..watches.clone()
    };
    vec![
        Request::Create(create(CreateKind::Create, 0, -1)),
        Request::Create(create(CreateKind::Create2, 3, -1)),
        Request::Create(create(CreateKind::CreateContainer, 4, -1)),
        Request::Create(create(CreateKind::CreateTtl, 5, 1000)),
        Request::Delete { path: path(), version: -1 },
        Request::Exists { path: None, watch: true },
        Request::GetData { path: Some(String::new()), watch: false },
        Request::SetData { path: path(), data: None, version: 3 },
        Request::GetAcl { path: path() },
        Request::SetAcl { path: path(), acl: None, version: 0 },
        Request::GetChildren { path: path(), watch: true },
        Request::GetChildren2 { path: path(), watch: false },
        Request::Sync { path: path() },
        Request::Ping,
        Request::Multi(vec![
            MultiOp::Create(create(CreateKind::Create2, 0, -1)),
            MultiOp::Check { path: path(), version: 1 },
            MultiOp::SetData { path: path(), data: Some(Bytes::new()), version: 1 },
            MultiOp::Delete { path: path(), version: 2 },
        ]),
        Request::Multi(vec![]),
        Request::MultiRead(vec![
            MultiReadOp::GetData { path: path() },
            MultiReadOp::GetChildren { path: None },
        ]),
        Request::Reconfig { joining: None, leaving: Some("3".into()), members: None, config_id: -1 },
        Request::CheckWatches { path: path(), kind: 3 },
        Request::RemoveWatches { path: path(), kind: 9 },
        Request::Auth(AuthPacket { kind: 0, scheme: Some("digest".into()), auth: None }),
        Request::SetWatches(Box::new(watches)),
        Request::SetWatches2(Box::new(all_watches)),
        Request::Sasl { token: Bytes::new() },
        Request::GetEphemerals { prefix: None },
        Request::GetAllChildrenNumber { path: path() },
        Request::AddWatch { path: path(), mode: 1 },
        Request::WhoAmI,
        Request::CloseSession,
    ]
}

fn framed(xid: i32, request: &Request) -> BytesMut {
    let mut bytes = BytesMut::new();
    write_frame(&mut bytes, |out| {
        RequestHeader { xid: Xid(xid), opcode: request.opcode() }.encode(out);
        request.encode(out);
    });
    bytes
}

#[test]
fn a_handshake_is_read_however_it_is_cut() {
    let bytes = hex(CONNECT);
    for cut in 0..bytes.len() {
        let mut decoder = decoder();
        decoder.push(&bytes[..cut]);
        assert_eq!(decoder.poll(), Ok(None), "cut at {cut}");
        decoder.push(&bytes[cut..]);
        let Ok(Some(ClientMessage::Connect(request))) = decoder.poll() else { panic!("cut at {cut}") };
        assert_eq!((request.timeout, request.read_only), (30_000, Some(false)));
    }
}

#[test]
fn a_handshake_without_the_read_only_byte_says_so() {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(-1),
        timeout: 1,
        session_id: SessionId(9),
        password: None,
        read_only: None,
    };
    assert_eq!(ConnectRequest::decode(&mut Reader::new(request.to_bytes())), Ok(request));
}

#[test]
fn every_request_survives_the_wire() {
    let mut decoder = connected();
    for (index, expected) in requests().into_iter().enumerate() {
        let xid = index as i32 + 1;
        decoder.push(&framed(xid, &expected));
        let Ok(Some(ClientMessage::Request { xid: Xid(read), request, .. })) = decoder.poll() else {
            panic!("{expected:?} was not read")
        };
        assert_eq!((read, request), (xid, expected));
    }
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn the_vectors_of_the_specification_read_as_they_should() {
    let mut decoder = connected();
    decoder.push(&hex("0000000f 00000001 00000004 00000002 2f61 00"));
    decoder.push(&hex("00000008 fffffffe 0000000b"));
    decoder.push(&hex("00000008 00000005 fffffff5"));
    decoder.push(&hex("00000011 00000006 0000000e ffffffff 01 ffffffff"));
    let mut read = vec![];
    while let Ok(Some(ClientMessage::Request { xid, request, .. })) = decoder.poll() {
        read.push((xid.0, request));
    }
    let get = Request::GetData { path: Some("/a".into()), watch: false };
    assert_eq!(
        read,
        [(1, get), (-2, Request::Ping), (5, Request::CloseSession), (6, Request::Multi(vec![]))]
    );
}

#[test]
fn a_truncated_body_is_malformed_and_leaves_the_connection_usable() {
    let mut decoder = connected();
    for request in requests() {
        let whole = framed(1, &request);
        for length in 8..whole.len() - 4 {
            let mut cut = BytesMut::new();
            write_frame(&mut cut, |out| out.raw(&whole[4..4 + length]));
            decoder.push(&cut);
            match decoder.poll() {
                Ok(Some(ClientMessage::Request { request: Request::Malformed(malformed), .. })) => {
                    assert_eq!(malformed.opcode.code(), request.opcode());
                }
                Err(ProtocolViolation::Undecodable(_))
                    if matches!(request, Request::Auth(_) | Request::Sasl { .. }) =>
                {
                    decoder = connected();
                }
                other => panic!("{request:?} cut to {length}: {other:?}"),
            }
        }
    }
}

#[test]
fn frames_of_impossible_length_end_the_connection() {
    for length in [-1, i32::MIN, 0x10_0000, i32::MAX] {
        let mut decoder = connected();
        decoder.push(&length.to_be_bytes());
        let violation = ProtocolViolation::FrameLength { length, limit: 0xf_ffff };
        assert_eq!(decoder.poll(), Err(violation));
        decoder.push(&framed(1, &Request::Ping));
        assert_eq!(decoder.poll(), Ok(None), "a closed connection is not read");
    }
}

#[test]
fn opcodes_that_only_servers_use_are_unknown_from_clients() {
    let mut decoder = connected();
    for opcode in [-10, -1, 0, 13, 20, 10, 108, 999, i32::MIN] {
        let mut bytes = BytesMut::new();
        write_frame(&mut bytes, |out| RequestHeader { xid: Xid(1), opcode }.encode(out));
        decoder.push(&bytes);
        let Ok(Some(ClientMessage::Request { request, .. })) = decoder.poll() else { panic!("{opcode}") };
        assert_eq!(request, Request::Unknown { opcode });
    }
}

#[test]
fn four_letter_words_are_told_from_handshakes() {
    for word in FourLetterCommand::ALL {
        let mut decoder = decoder();
        decoder.push(word.as_bytes());
        decoder.push(&306_i64.to_be_bytes());
        let Ok(Some(ClientMessage::FourLetter { command, argument })) = decoder.poll() else {
            panic!("{word}")
        };
        assert_eq!(command.as_str(), word);
        assert_eq!(argument, (word == "stmk").then_some(306));
    }
    // Nothing is waited for where the mask would not be taken.
    let mut decoder = decoder().without_mask();
    decoder.push(b"stmk");
    let word = ClientMessage::FourLetter { command: FourLetterCommand(*b"stmk"), argument: None };
    assert_eq!(decoder.poll(), Ok(Some(word)));
}

#[test]
fn a_ttl_flag_needs_create_ttl_inside_a_multi() {
    let create = |kind, flags, acl| {
        MultiOp::Create(CreateRequest {
            kind,
            path: Some("/a".into()),
            data: None,
            acl,
            flags,
            ttl: if kind == CreateKind::CreateTtl { 5 } else { -1 },
        })
    };
    let read = |op: MultiOp| {
        let mut decoder = connected();
        decoder.push(&framed(1, &Request::Multi(vec![op])));
        let Ok(Some(ClientMessage::Request { request, .. })) = decoder.poll() else { panic!() };
        request
    };
    let malformed = |reason| Request::Malformed(Malformed { opcode: OpCode::Multi, reason });
    // A refused flag costs a zxid in Java, a null ACL does not.
    assert_eq!(read(create(CreateKind::Create, 5, Some(vec![]))), malformed(MalformedReason::Undecodable));
    assert_eq!(read(create(CreateKind::Create2, 77, Some(vec![]))), malformed(MalformedReason::Undecodable));
    assert_eq!(read(create(CreateKind::Create, 0, None)), malformed(MalformedReason::Unusable));
    // Retyped as Java does it: by the flag.
    for (kind, flags, becomes) in [
        (CreateKind::Create, 4, CreateKind::CreateContainer),
        (CreateKind::CreateTtl, 0, CreateKind::Create),
        (CreateKind::CreateTtl, 4, CreateKind::CreateContainer),
        (CreateKind::CreateContainer, 0, CreateKind::CreateContainer),
    ] {
        let Request::Multi(ops) = read(create(kind, flags, Some(vec![]))) else { panic!() };
        assert!(matches!(&ops[0], MultiOp::Create(create) if create.kind == becomes), "{kind:?} {flags}");
    }
}

fn txns() -> Vec<Txn> {
    let create = |parent_cversion, ephemeral, ttl| {
        TxnRecord::Create(CreateTxn {
            path: "/a".into(),
            data: Some(Bytes::from_static(b"data")),
            acl: Acl::open(),
            ephemeral,
            parent_cversion,
            ttl,
        })
    };
    let set = TxnRecord::SetData { path: "/a".into(), data: None, version: 2 };
    let records = vec![
        (OpCode::Create, create(1, true, 0)),
        (OpCode::Create2, create(2, false, 0)),
        (OpCode::CreateContainer, create(3, false, 0)),
        (OpCode::CreateTtl, create(4, false, 9)),
        (OpCode::Delete, TxnRecord::Delete { path: "/a".into() }),
        (OpCode::DeleteContainer, TxnRecord::Delete { path: "/a".into() }),
        (OpCode::SetData, set.clone()),
        (OpCode::SetAcl, TxnRecord::SetAcl { path: "/a".into(), acl: vec![], version: 1 }),
        (OpCode::CreateSession, TxnRecord::CreateSession { timeout: 4000 }),
        (OpCode::CloseSession, TxnRecord::CloseSession { paths: Some(vec!["/e".into()]) }),
        (OpCode::CloseSession, TxnRecord::CloseSession { paths: Some(vec![]) }),
        (OpCode::CloseSession, TxnRecord::CloseSession { paths: None }),
        (OpCode::Error, TxnRecord::Error { err: -101 }),
        (
            OpCode::Multi,
            TxnRecord::Multi(vec![
                (OpCode::SetData, set),
                (OpCode::Check, TxnRecord::Check { path: "/a".into(), version: 1 }),
                (OpCode::Error, TxnRecord::Error { err: -2 }),
            ]),
        ),
    ];
    let header = |opcode| TxnHeader {
        session: SessionId(0x0100_0000_0000_0001),
        cxid: Xid(3),
        zxid: Zxid(0x1_0000_0002),
        time: Wall(1_700_000_000_000),
        opcode,
    };
    let digest = Some(TxnDigest { version: 2, tree_digest: u64::MAX - 5 });
    records
        .into_iter()
        .flat_map(|(opcode, record)| {
            [None, digest].map(|digest| Txn { header: header(opcode), record: record.clone(), digest })
        })
        .collect()
}

#[test]
fn every_txn_survives_the_log_with_and_without_a_digest() {
    for txn in txns() {
        let read = Txn::decode_all(&mut Reader::new(txn.to_bytes()));
        assert_eq!(read, Ok(txn));
    }
}

#[test]
fn a_create_from_before_3_3_has_no_parent_cversion() {
    let mut bytes = txns()[0].to_bytes().to_vec();
    bytes.truncate(bytes.len() - 4);
    let txn = Txn::decode_all(&mut Reader::new(bytes.into())).unwrap();
    let TxnRecord::Create(create) = txn.record else { panic!() };
    assert_eq!((create.parent_cversion, create.ephemeral), (-1, true));
}

#[test]
fn a_lone_check_is_no_txn() {
    let mut txn = txns().remove(0);
    txn.header.opcode = OpCode::Check;
    txn.record = TxnRecord::Check { path: "/a".into(), version: 1 };
    assert!(Txn::decode_all(&mut Reader::new(txn.to_bytes())).is_err());
}

/// Bytes that were valid before one was changed: nothing panics, nothing is read beyond the end.
#[test]
fn mutated_bytes_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut refused = 0;
    for _ in 0..20_000 {
        let requests = requests();
        let mut bytes = framed(1, &requests[next(requests.len())]);
        let at = 4 + next(bytes.len() - 4);
        bytes[at] = next(256) as u8;
        let mut decoder = connected();
        decoder.push(&bytes);
        refused += usize::from(!matches!(
            decoder.poll(),
            Ok(Some(ClientMessage::Request { request, .. })) if !matches!(request, Request::Malformed(_))
        ));
        let txns = txns();
        let mut bytes = txns[next(txns.len())].to_bytes().to_vec();
        let at = next(bytes.len());
        bytes[at] = next(256) as u8;
        refused += usize::from(Txn::decode_all(&mut Reader::new(bytes.into())).is_err());
    }
    assert!(
        refused > 1_000,
        "only {refused} of 40,000 mutations were refused: this test exercises too little"
    );
}

#[test]
fn a_vector_that_claims_two_billion_elements_reserves_nothing() {
    let mut bytes = BytesMut::new();
    Writer::new(&mut bytes).int(i32::MAX);
    assert_eq!(Reader::new(bytes.freeze()).vector::<String>(), Err(DecodeError::Truncated));
}

#[test]
fn replies_and_events_are_told_apart_by_the_client() {
    let mut bytes = BytesMut::new();
    let response = ConnectResponse {
        protocol_version: 0,
        timeout: 4000,
        session_id: SessionId(1),
        password: Bytes::from_static(&[7; 16]),
        read_only: Some(false),
    };
    write_frame(&mut bytes, |out| response.encode(out));
    let event = WatcherEvent { kind: EventType::NodeDeleted, path: "/a".into() };
    write_frame(&mut bytes, |out| {
        ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(4), err: 0 }.encode(out);
        event.encode(out);
    });
    write_frame(&mut bytes, |out| {
        ReplyHeader { xid: Xid(2), zxid: Zxid(5), err: 0 }.encode(out);
        Response::Paths(vec!["b".into()]).encode(out);
    });
    let mut decoder = ReplyDecoder::new(0xf_ffff);
    decoder.push(&bytes);
    assert!(matches!(decoder.poll(), Ok(Some(ServerMessage::Connected(read))) if read == response));
    assert!(
        matches!(decoder.poll(), Ok(Some(ServerMessage::Event { zxid: Zxid(4), event: read })) if read == event)
    );
    let Ok(Some(ServerMessage::Reply { header, mut body })) = decoder.poll() else { panic!() };
    assert_eq!(header.zxid, Zxid(5));
    let response = Response::decode(OpCode::GetChildren.code(), &mut body).unwrap();
    assert_eq!(response, Response::Paths(vec!["b".into()]));
}

#[test]
fn text_is_decoded_as_java_decodes_it() {
    // Malformed parts as the server of 3.9 echoes them; a surrogate is one part, however much of it is there.
    let rows: [(&[u8], &str); 12] = [
        (b"/a", "/a"),
        (b"", ""),
        (b"/\xed\xa0\x80", "/\u{fffd}"),
        (b"/\xed\xa0\xbd\xed\xb8\x80x", "/\u{fffd}\u{fffd}x"),
        (b"/\xed\xa0", "/\u{fffd}"),
        (b"/\xed\xa0x", "/\u{fffd}x"),
        (b"/\xed", "/\u{fffd}"),
        (b"/\xf0\x9f\x98\x80", "/\u{1f600}"),
        (b"/\xf0\x9f\x98s", "/\u{fffd}s"),
        (b"/\xc0\x80", "/\u{fffd}\u{fffd}"),
        (b"/\xe0\x80\x80", "/\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
    ];
    for (bytes, expected) in rows {
        assert_eq!(java_string(bytes), expected, "{bytes:x?}");
    }
}

#[test]
fn a_frame_that_would_be_too_long_leaves_nothing() {
    let mut bytes = BytesMut::from(&b"before"[..]);
    let names = ["a"; 1000];
    assert_eq!(write_frame_within(&mut bytes, 5003, |out| out.vector(&names)), Err(FrameTooLong(5003)));
    assert_eq!(write_frame_within(&mut bytes, 3, |out| out.int(7)), Err(FrameTooLong(3)));
    assert_eq!(&bytes[..], b"before");
    assert_eq!(write_frame_within(&mut bytes, 5004, |out| out.vector(&names)), Ok(()));
    assert_eq!(bytes.len(), 6 + 4 + 5004);
    let mut bytes = BytesMut::new();
    let overlong = write_frame_within(&mut bytes, usize::MAX, |out| out.count(usize::MAX));
    assert_eq!(overlong, Err(FrameTooLong(i32::MAX as usize)));
}
