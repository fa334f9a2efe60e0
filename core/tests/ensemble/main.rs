//! Ensembles of real peers in a small world: what their clients see, and what is left on their disks.

mod chaos;
mod configurations;
mod disk;
mod forged;
mod groups;
mod local_sessions;
mod observer_masters;
mod read_only;
mod recovery;
mod replication;
mod rollover;
mod support;
mod world;
