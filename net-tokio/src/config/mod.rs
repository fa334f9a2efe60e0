//! The configuration of a server: what can be set, where it may come from, and what becomes of it (`operations.md` §1–§3).
//!
//! ```text
//! properties    Java's properties format
//! model         ServerConfig, what the server is told
//! ```

mod model;

pub use model::{
    AdminConfig, ConfigSource, FourLetterWhitelist, FreeSpace, ListenConfig, LogConfig, LogFormat,
    MetricsConfig, MetricsProvider, Notice, NoticeLevel, Retention, ServerConfig, SnapshotCompression,
    StorageConfig,
};
