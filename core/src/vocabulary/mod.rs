//! The words everything else is made of: newtypes for ids and times, error codes, configuration, and the one map that hashes.
//!
//! Two equal integers never stand side by side in a signature: a zxid is a [`Zxid`], a session a [`SessionId`].

mod config;
mod entropy;
mod error_code;
mod ids;
mod lookup;
mod time;
mod zxid;

pub use config::{Limits, PeerConfig, Sequences, Switches};
pub use entropy::{Entropy, EntropyPurpose};
pub use error_code::ErrorCode;
pub use ids::{ConnId, Cxid, LinkId, ServerId, SessionId, Version, Xid};
pub use lookup::{LookupKey, LookupMap, LookupSeed};
pub use time::{Millis, Mono, Now, Wall};
pub use zxid::{Epoch, LAST_COUNTER, Zxid};
