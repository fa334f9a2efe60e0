//! Recipes: what applications build of a coordination service, over [`crate::client`].

mod cache;
mod config;
mod discovery;
mod group;
mod guard;
mod line;
mod mutex;
mod once;
mod persist;
mod persistent_node;
mod queue;

pub use cache::{Cache, CacheEvent, CacheEvents, Scope};
pub use config::{Config, LiveConfig, Versioned};
pub use discovery::{
    Provider, Registration, RestPolicy, Service, ServiceInstance, ServiceType, Strategy, service_names,
};
pub use group::{Group, Member};
pub use guard::{FencingToken, Guard, Lost};
pub use line::{Contender, ContenderOptions};
pub use mutex::Mutex;
pub use persist::Layout;
pub use persistent_node::{Lifetime, NodeState, NodeView, PersistentNode};
pub use queue::{DelayQueue, Items, LockedItem, LockingQueue, PriorityQueue, Queue, TakeError, WallClock};
