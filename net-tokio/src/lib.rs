//! The `quorate` binary's parts: the server, and the tools that come with it.
//!
//! ```text
//! config        what can be set, and what was set
//! cli           the command line, and what each command does
//! logging       the log's lines
//! four_letter   the four-letter words
//! metrics       mntr, and the Prometheus page
//! server        the running server
//! shell         `quorate cli`, ZooKeeper's shell
//! tools         status, health, top, check, copy, bench, inspect
//! ```

mod civil;
pub mod cli;
pub mod config;
mod four_letter;
mod logging;
mod metrics;
pub mod server;
mod shell;
mod tools;
