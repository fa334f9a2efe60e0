//! Ensembles of real server processes on loopback, killed, stopped and started again.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[allow(dead_code, reason = "the tests of one server use the rest")]
#[path = "../server/client.rs"]
mod client;
#[path = "../support/ports.rs"]
mod ports;
#[allow(dead_code, reason = "the tests of one server use the rest")]
#[path = "../server/process.rs"]
mod process;
#[allow(dead_code, reason = "chaos uses the rest")]
#[path = "../chaos/proxy.rs"]
mod proxy;

mod failures;
mod kept;
mod rig;
mod start;
mod together;
mod watched;
