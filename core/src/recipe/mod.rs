//! Recipes: what applications build of a coordination service, over [`crate::client`].

mod election;
mod guard;
mod line;
mod multi_lock;
mod mutex;
mod persist;
mod rw_lock;
mod semaphore;

pub use election::{LeaderLatch, LeaderSelector, Participant};
pub use guard::{FencingToken, Guard, Lost};
pub use line::{Contender, ContenderOptions};
pub use multi_lock::{MultiGuard, MultiLock};
pub use mutex::Mutex;
pub use persist::Layout;
pub use rw_lock::RwLock;
pub use semaphore::{Maximum, Semaphore};
