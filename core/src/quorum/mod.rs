//! Who belongs to the ensemble, and which of its servers together may decide (`quorum-protocol.md` §2.5, `operations.md` §3).
//!
//! - [`ServerSet`]: a set of server ids, a value of 32 bytes.
//! - [`Membership`]: the servers of one configuration with their addresses and roles, and its rule of quorums: the majority of
//!   voters, or a majority of groups each won by weight.
//! - [`Memberships`]: the committed configuration and, while a change is under way, the one last seen: then both have to agree.
//!
//! [`EnsembleConfig`] is everything that a member is configured with. `text.rs` reads and writes the lines that Java exchanges and stores. Absent: the oracle of two-server ensembles.

mod ensemble;
mod membership;
mod server_set;
mod text;

pub use ensemble::{ElectionTimes, EnsembleConfig};
pub use membership::{
    ConfigVersion, Membership, MembershipError, Memberships, Role, Server, ServerAddresses,
};
pub use server_set::ServerSet;
pub use text::MemberLine;
