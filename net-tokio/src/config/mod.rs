//! The configuration of a server: what can be set, where it may come from, and what becomes of it (`operations.md` §1–§3).
//!
//! ```text
//! properties    Java's properties format
//! jvm_flags     -D properties out of the environment
//! settings      the one table: names, sources, kinds, defaults, effects, meanings
//! membership    server.N, group.N, weight.N
//! member        what is set of a member of an ensemble
//! draft         what is judged when every row has spoken
//! load          from all of these to an evaluation
//! evaluation    what was found out; a ServerConfig, or the reasons why there is none
//! model         ServerConfig, what the server is told
//! ```
//!
//! Absent: TLS, SASL, audit, the admin server; the table says what is refused for that.

mod draft;
mod evaluation;
mod jvm_flags;
mod load;
mod member;
mod membership;
mod model;
mod properties;
pub mod settings;

pub use evaluation::{Evaluation, Finding, InvalidConfig, Origin, Verdict};
pub use load::{EMBEDDED, Given, evaluate};
pub use model::{
    ConfigSource, FourLetterWhitelist, ListenConfig, LogConfig, LogFormat, MemberConfig, MetricsConfig,
    MetricsProvider, Notice, NoticeLevel, ServerConfig, SnapshotCompression, StorageConfig,
};
