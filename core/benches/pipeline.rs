//! What a request costs a whole standalone peer, storage excluded: typed message in, reply bytes out. One iteration is a
//! batch of pipelined requests of one connection, as an adapter hands them over.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::contract::{Identity, Input, Lane, Outbox, Output, StoreSeq};
use quorate_core::jute::{Acl, ClientMessage, ConnectRequest, CreateKind, CreateRequest, MultiOp, Request};
use quorate_core::peer::Peer;
use quorate_core::tree::{Database, TreeOptions};
use quorate_core::vocabulary::{
    ConnId, Entropy, Millis, Mono, Now, PeerConfig, ServerId, SessionId, Wall, Xid, Zxid,
};
use std::hint::black_box;

const BATCH: usize = 64;
const NODES: usize = 10_000;

struct Bench {
    peer: Peer,
    outbox: Outbox,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let entropy = Entropy::new(1, ServerId(1), 1);
        let now = Now { mono: Mono::from_millis(1_000_000), wall: Wall(1_000_000) };
        let database = Database::new(entropy.lookup_seed(), TreeOptions::default());
        let peer = Peer::new(PeerConfig::standalone(Millis(2000)), database, entropy, now);
        let mut bench = Bench { peer, outbox: Outbox::new(), now };
        let identity = Identity { address: ([127, 0, 0, 1], 4000).into(), certificate: None };
        bench.input(Input::Accepted { conn: ConnId(1), identity });
        let connect = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout: 40_000,
            session_id: SessionId::NONE,
            password: None,
            read_only: Some(false),
        };
        bench.input(Input::Client { conn: ConnId(1), message: ClientMessage::Connect(connect) });
        bench.drain();
        bench.request(create("/n"));
        bench.drain();
        for node in 0..NODES {
            bench.request(create(&path(node)));
            bench.drain();
        }
        bench
    }

    fn input(&mut self, input: Input) {
        self.peer.handle(self.now, input, &mut self.outbox);
    }

    fn request(&mut self, request: Request) {
        let message = ClientMessage::Request { xid: Xid(1), request, frame_length: 40 };
        self.input(Input::Client { conn: ConnId(1), message });
    }

    /// Takes everything out, and confirms what was to be stored.
    fn drain(&mut self) {
        let mut stored: Option<StoreSeq> = None;
        for output in self.outbox.drain() {
            if let Output::Store { lane: Lane::Log, seq, .. } = &output {
                stored = Some(*seq);
            }
            black_box(output);
        }
        if let Some(seq) = stored {
            self.input(Input::Stored { lane: Lane::Log, seq });
            self.outbox.drain().for_each(|output| drop(black_box(output)));
        }
    }
}

fn path(node: usize) -> String {
    format!("/n/node-{node:08}")
}

fn create(path: &str) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(vec![7; 100].into()),
        acl: Some(Acl::open()),
        flags: 0,
        ttl: -1,
    })
}

fn measure(criterion: &mut Criterion, name: &str, request: impl Fn(usize) -> Request) {
    let mut bench = Bench::new();
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut next = 0;
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                next += BATCH;
                (next..next + BATCH)
                    .map(|place| request(place.wrapping_mul(7919) % NODES))
                    .collect::<Vec<_>>()
            },
            |requests| {
                for request in requests {
                    bench.request(request);
                }
                bench.drain();
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn pipeline(criterion: &mut Criterion) {
    measure(criterion, "get", |place| Request::GetData { path: Some(path(place)), watch: false });
    measure(criterion, "exists", |place| Request::Exists { path: Some(path(place)), watch: false });
    measure(criterion, "ping", |_| Request::Ping);
    measure(criterion, "set", |place| Request::SetData {
        path: Some(path(place)),
        data: Some(vec![9; 100].into()),
        version: -1,
    });
    measure(criterion, "multi of set and check", |place| {
        Request::Multi(vec![
            MultiOp::Check { path: Some(path(place)), version: -1 },
            MultiOp::SetData { path: Some(path(place)), data: Some(vec![9; 100].into()), version: -1 },
        ])
    });
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
