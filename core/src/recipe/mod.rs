//! Recipes: what applications build of a coordination service, over [`crate::client`].

mod barrier;
mod counter;
mod double_barrier;
mod election;
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
pub use guard::{FencingToken, Guard, Lost};
pub use id_generator::IdGenerator;
pub use lease::{MultiNonBlockingLease, NonBlockingLease};
pub use line::{Contender, ContenderOptions};
pub use multi_lock::{MultiGuard, MultiLock};
pub use mutex::Mutex;
pub use partitioner::{SetPartitioner, Share};
pub use persist::Layout;
pub use rw_lock::RwLock;
pub use semaphore::{Maximum, Semaphore};
pub use shared_value::SharedValue;
