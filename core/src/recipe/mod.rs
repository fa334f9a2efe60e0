//! Recipes: what applications build of a coordination service, over [`crate::client`].
//!
//! ```text
//! persist ◀── line ◀── guard ◀── mutex, rw_lock, semaphore, multi_lock, election, lease, partitioner
//!    ▲                                  who holds something
//!    ├────── once, counter, shared_value, id_generator, queue, barrier, double_barrier
//!    │                                  what is done once, or not at all
//!    └────── cache ◀── group, discovery, config;  persistent_node
//!                                       pictures of what there is
//! ```
//!
//! Nodes are called, and hold, what Curator's recipes call theirs, or under [`Layout::Kazoo`] kazoo's, so that clients of those share
//! them; where both are said to agree they do. Invariants:
//! - a future may be dropped wherever it waits: nothing of it is left on the servers (`persist` finds what it has made by its GUID);
//! - a wake-up proves nothing: whoever is woken looks again;
//! - what may have happened is never done again blindly: it is proven by what the servers hold, or reported as unknown;
//! - nothing is taken from a session that is over for one's own.
//!
//! **Caveats.** A hold is a belief: see [`Guard`]. Wall clocks are only used by leases and delays, and are the caller's. Absent:
//! Curator's `InterProcessSemaphore` of old, `DistributedIdQueue`, `ModeledFramework`; kazoo's `Counter` of fractions.

mod barrier;
mod cache;
mod config;
mod counter;
mod discovery;
mod double_barrier;
mod election;
mod group;
mod guard;
mod id_generator;
mod lease;
mod lease_record;
mod line;
mod multi_lock;
mod mutex;
mod once;
mod partitioner;
mod persist;
mod persistent_node;
mod queue;
mod rw_lock;
mod semaphore;
mod shared_value;

pub use barrier::Barrier;
pub use cache::{Cache, CacheEvent, CacheEvents, Scope};
pub use config::{Config, LiveConfig, Versioned};
pub use counter::{Counter, Encoding};
pub use discovery::{
    Provider, Registration, RestPolicy, Service, ServiceInstance, ServiceType, Strategy, service_names,
};
pub use double_barrier::{DoubleBarrier, Entered};
pub use election::{LeaderLatch, LeaderSelector, Participant};
pub use group::{Group, Member};
pub use guard::{FencingToken, Guard, Lost};
pub use id_generator::IdGenerator;
pub use lease::{MultiNonBlockingLease, NonBlockingLease};
pub use line::{Contender, ContenderOptions};
pub use multi_lock::{MultiGuard, MultiLock};
pub use mutex::Mutex;
pub use partitioner::{SetPartitioner, Share};
pub use persist::Layout;
pub use persistent_node::{Lifetime, NodeState, NodeView, PersistentNode};
pub use queue::{DelayQueue, Items, LockedItem, LockingQueue, PriorityQueue, Queue, TakeError, WallClock};
pub use rw_lock::RwLock;
pub use semaphore::{Maximum, Semaphore};
pub use shared_value::SharedValue;
