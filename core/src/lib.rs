//! Quorate's state machines: a coordination service that speaks ZooKeeper's protocols, with no clock, socket, file, thread
//! or entropy in it. Time, randomness and durability are inputs; bytes and storage requests are outputs.
//!
//! Modules stand in layers; each imports only from those above it.
//!
#![doc = include_str!("../ARCHITECTURE.md")]

pub mod vocabulary;

pub mod jute;

pub mod quorum;

pub mod tree;

pub mod watch;

pub mod session;

pub mod auth;

pub mod metrics;

pub mod contract;

pub mod election;

pub mod zab;

pub mod pipeline;

pub mod peer;

pub mod client;

pub mod recipe;
