//! Elections: votes and their order, connections by id, the configuration's text, and whole elections over a network that loses,
//! repeats and delays.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod configuration;
mod connections;
mod schedules;
mod wire;
