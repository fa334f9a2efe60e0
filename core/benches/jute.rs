//! What a request costs before and behind the state machine: decoding it from a stream, encoding its reply, and the txn
//! that a write becomes.
//!
//! `cargo bench -p quorate-core --bench jute`

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::jute::{
    Acl, ClientDecoder, ConnectRequest, CreateKind, CreateRequest, CreateTxn, Encode, FieldLimit, OpCode,
    Reader, ReplyHeader, Request, RequestHeader, Response, Stat, Txn, TxnHeader, TxnRecord, write_frame,
};
use quorate_core::vocabulary::{SessionId, Wall, Xid, Zxid};
use std::hint::black_box;

const PATH: &str = "/services/orders/instances/0000000042";

fn connected_decoder() -> ClientDecoder {
    let mut decoder = ClientDecoder::new(0xf_ffff, FieldLimit::default());
    let mut bytes = BytesMut::new();
    let handshake = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout: 30_000,
        session_id: SessionId::NONE,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    write_frame(&mut bytes, |out| handshake.encode(out));
    decoder.push(&bytes);
    decoder.poll().expect("a handshake").expect("a whole one");
    decoder
}

fn frames(request: &Request, count: i32) -> Bytes {
    let mut bytes = BytesMut::new();
    for xid in 1..=count {
        write_frame(&mut bytes, |out| {
            RequestHeader { xid: Xid(xid), opcode: request.opcode() }.encode(out);
            request.encode(out);
        });
    }
    bytes.freeze()
}

fn create(data: usize) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(PATH.to_owned()),
        data: Some(Bytes::from(vec![7; data])),
        acl: Some(Acl::open()),
        flags: 0,
        ttl: -1,
    })
}

/// Streams of a hundred pipelined requests.
fn decode_requests(criterion: &mut Criterion) {
    const COUNT: i32 = 100;
    let mut group = criterion.benchmark_group("decode_100_requests");
    group.throughput(Throughput::Elements(COUNT as u64));
    let requests = [
        ("ping", Request::Ping),
        ("getData", Request::GetData { path: Some(PATH.to_owned()), watch: true }),
        ("create_100_bytes", create(100)),
        ("create_4096_bytes", create(4096)),
    ];
    for (name, request) in requests {
        let stream = frames(&request, COUNT);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                connected_decoder,
                |decoder| {
                    decoder.push(&stream);
                    while let Some(message) = decoder.poll().expect("valid requests") {
                        black_box(message);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn encode_replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode_reply");
    group.throughput(Throughput::Elements(1));
    let children = (0..100).map(|n| format!("child-{n:010}")).collect();
    let replies = [
        ("header", Response::Empty),
        ("stat", Response::Stat(Stat::default())),
        (
            "getData_1024_bytes",
            Response::GetData { data: Some(Bytes::from(vec![7; 1024])), stat: Stat::default() },
        ),
        ("getChildren_of_100", Response::Paths(children)),
    ];
    for (name, response) in replies {
        let mut out = BytesMut::with_capacity(1 << 16);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                write_frame(&mut out, |out| {
                    ReplyHeader { xid: Xid(1), zxid: Zxid(9), err: 0 }.encode(out);
                    response.encode(out);
                });
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn txns(criterion: &mut Criterion) {
    let txn = Txn {
        header: TxnHeader {
            session: SessionId(0x100_0000_0000_0001),
            cxid: Xid(7),
            zxid: Zxid(9),
            time: Wall(1_700_000_000_000),
            opcode: OpCode::Create,
        },
        record: TxnRecord::Create(CreateTxn {
            path: PATH.to_owned(),
            data: Some(Bytes::from(vec![7; 100])),
            acl: Acl::open(),
            ephemeral: false,
            parent_cversion: 3,
            ttl: 0,
        }),
        digest: None,
    };
    let mut group = criterion.benchmark_group("txn");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode_create", |bencher| bencher.iter(|| black_box(&txn).to_bytes()));
    let bytes = txn.to_bytes();
    group.bench_function("decode_create", |bencher| {
        bencher.iter(|| Txn::decode_all(&mut Reader::new(bytes.clone())).expect("a txn"));
    });
    group.finish();
}

criterion_group!(benches, decode_requests, encode_replies, txns);
criterion_main!(benches);
