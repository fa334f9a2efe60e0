//! The server as a process, over real sockets and files: what no test inside it can see.
//!
//! Each test starts its own on a port that the system chooses, with data in a directory of its own. Nothing waits for a fixed
//! time: conditions are polled until a deadline that only a broken server reaches.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod bystander;
mod client;
mod process;

mod abuse;
mod basics;
mod crowd;
mod durability;
mod expiry;
mod full_disk;
mod logs;
mod pages;
mod slow_reader;
mod start_and_stop;
mod sync_order;
mod torment;
mod words;
