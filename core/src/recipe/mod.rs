//! Recipes: what applications build of a coordination service, over [`crate::client`].

mod cache;
mod guard;
mod line;
mod mutex;
mod persist;

pub use cache::{Cache, CacheEvent, CacheEvents, Scope};
pub use guard::{FencingToken, Guard, Lost};
pub use line::{Contender, ContenderOptions};
pub use mutex::Mutex;
pub use persist::Layout;
