//! The tree from outside: Java's own files, replay over fuzzy snapshots, damaged snapshots, and transcripts.

#![expect(clippy::unwrap_used, reason = "a test says that something is wrong by panicking")]

mod damage;
mod fuzzy_replay;
mod java_files;
mod order;
mod random_history;
mod round_trip;
mod support;
mod transcripts;
