//! Recipes: what applications build of a coordination service, over [`crate::client`].

mod guard;
mod line;
mod mutex;
mod persist;

pub use guard::{FencingToken, Guard, Lost};
pub use line::{Contender, ContenderOptions};
pub use mutex::Mutex;
pub use persist::Layout;
