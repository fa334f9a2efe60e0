//! Elections: votes and their order, connections by id, the configuration's text, and whole elections over a network that loses,
//! repeats and delays.

mod configuration;
mod connections;
mod schedules;
mod wire;
