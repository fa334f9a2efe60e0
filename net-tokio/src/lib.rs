//! The `quorate` binary's parts: the server, and the tools that come with it.
//!
//! ```text
//! config        what can be set, and what was set
//! cli           the command line, and what each command does
//! server        the running server
//! tools         status, health, check, bench, inspect
//! ```

pub mod cli;
pub mod config;
pub mod server;
mod tools;
