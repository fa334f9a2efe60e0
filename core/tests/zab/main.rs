//! Leaders and learners: what stands on the wire between them, what each does with what it hears, and whole small ensembles whose
//! links lose, whose servers crash, and whose disks forget what was not stored.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod cluster;
mod decoder;
mod hostile;
mod leading;
mod learning;
mod rig;
