//! Recipes: what applications build of a coordination service, over [`crate::client`].

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
mod partitioner;
mod persist;
mod rw_lock;
mod semaphore;

pub use election::{LeaderLatch, LeaderSelector, Participant};
mod shared_value;

pub use barrier::Barrier;
pub use counter::{Counter, Encoding};
pub use double_barrier::{DoubleBarrier, Entered};
mod once;
mod persistent_node;
mod queue;

pub use cache::{Cache, CacheEvent, CacheEvents, Scope};
pub use config::{Config, LiveConfig, Versioned};
pub use discovery::{
    Provider, Registration, RestPolicy, Service, ServiceInstance, ServiceType, Strategy, service_names,
};
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
