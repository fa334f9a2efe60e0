//! What comes with the server: commands that ask, check, measure and read.

pub(crate) mod ask;
pub(crate) mod check;
pub(crate) mod health;
pub(crate) mod status;
