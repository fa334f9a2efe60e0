//! What the tree costs: time for each kind of txn and read at a million znodes, what a freeze adds, bytes for a znode.
//!
//! `cargo bench -p quorate-core --bench tree`. The world: a million znodes of 100 bytes below 16 parents.

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use quorate_core::jute::{Acl, CreateTxn, OpCode, TxnHeader, TxnRecord};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid, Zxid};
use std::hint::black_box;

const NODES: usize = 1_000_000;
const PARENTS: usize = 16;
const DATA: [u8; 100] = [b'd'; 100];

/// A tree, and the zxid of its last txn.
struct World {
    database: Database,
    zxid: i64,
}

impl World {
    fn new() -> Self {
        let database = Database::new(LookupSeed(1), TreeOptions::default());
        let mut world = World { database, zxid: 0 };
        for parent in 0..PARENTS {
            world.create(format!("/parent-{parent}"));
        }
        for node in 0..NODES {
            world.create(path(node));
        }
        world
    }

    fn apply(&mut self, opcode: OpCode, record: &TxnRecord) {
        self.zxid += 1;
        let header = TxnHeader {
            session: SessionId(1),
            cxid: Xid(1),
            zxid: Zxid(self.zxid),
            time: Wall(self.zxid),
            opcode,
        };
        let applied = self.database.tree.apply(&header, record, &mut Unobserved);
        black_box(applied).expect("the benchmark's txns are valid");
    }

    fn create(&mut self, path: String) {
        let record = TxnRecord::Create(CreateTxn {
            path,
            data: Some(Bytes::from_static(&DATA)),
            acl: Acl::open(),
            ephemeral: false,
            parent_cversion: -1,
            ttl: 0,
        });
        self.apply(OpCode::Create, &record);
    }

    fn delete(&mut self, path: String) {
        self.apply(OpCode::Delete, &TxnRecord::Delete { path });
    }

    fn set(&mut self, path: String, data: &'static [u8]) {
        let data = Some(Bytes::from_static(data));
        self.apply(OpCode::SetData, &TxnRecord::SetData { path, data, version: 1 });
    }
}

fn path(node: usize) -> String {
    format!("/parent-{}/node-{node:010}", node % PARENTS)
}

/// Node after node in an order that caches don't foresee.
fn scattered(counter: &mut usize) -> usize {
    *counter = (*counter + 618_033) % NODES;
    *counter
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn tree(criterion: &mut Criterion) {
    let before = resident_bytes();
    let mut world = World::new();
    let (heap, resident) = (world.database.tree.heap_bytes(), resident_bytes() - before);
    let each = |bytes: usize| bytes as f64 / NODES as f64;
    let mebibytes = |bytes: usize| bytes as f64 / (1 << 20) as f64;
    println!("{NODES} znodes of {} bytes:", DATA.len());
    println!("  counted {:.1} bytes each, {:.1} MiB in all", each(heap), mebibytes(heap));
    println!("  resident {:.1} bytes each, {:.1} MiB in all", each(resident), mebibytes(resident));

    let mut group = criterion.benchmark_group("tree");
    let mut at = 0;
    group.bench_function("get", |bencher| {
        bencher.iter_batched(
            || path(scattered(&mut at)),
            |path| {
                black_box(
                    world.database.tree.node(&path).map(|node| (node.stat(), node.data().map(<[u8]>::len))),
                )
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("set, same length", |bencher| {
        bencher.iter(|| world.set(path(scattered(&mut at)), &DATA));
    });
    group.bench_function("set, other lengths", |bencher| {
        let mut length = 0;
        bencher.iter(|| {
            length = (length + 37) % 101;
            world.set(path(scattered(&mut at)), &DATA[..length]);
        });
    });
    group.bench_function("create and delete below a parent of many", |bencher| {
        bencher.iter(|| {
            world.create("/parent-0/another".to_string());
            world.delete("/parent-0/another".to_string());
        });
    });
    group.bench_function("freeze", |bencher| bencher.iter(|| black_box(world.database.tree.freeze())));
    group.bench_function("freeze and set", |bencher| {
        bencher.iter(|| {
            let frozen = world.database.tree.freeze();
            world.set(path(scattered(&mut at)), &DATA);
            black_box(frozen)
        });
    });
    group.bench_function("freeze, create and delete below a parent of many", |bencher| {
        bencher.iter(|| {
            let frozen = world.database.tree.freeze();
            world.create("/parent-0/another".to_string());
            world.delete("/parent-0/another".to_string());
            black_box(frozen)
        });
    });
    group.sample_size(10);
    group.bench_function("write a snapshot", |bencher| {
        bencher.iter(|| {
            let mut encoder = world.database.image().encoder();
            let mut out = BytesMut::new();
            while encoder.next_chunk(&mut out) {
                black_box(&out);
                out.clear();
            }
        });
    });
    group.finish();
}

fn grow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree");
    group.sample_size(10);
    group.bench_function("create a million", |bencher| bencher.iter_with_large_drop(World::new));
    group.finish();
}

criterion_group!(benches, tree, grow);
criterion_main!(benches);
