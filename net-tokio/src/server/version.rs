//! What this server says it is.
//!
//! Probes and clients read the number in front as ZooKeeper's version, so it is the version whose behaviour this server has.

/// `<ZooKeeper's version>-quorate-<ours>-<commit>, built on <the commit's date>`, as `srvr`, `envi` and `mntr` print it.
pub(crate) const FULL_VERSION: &str = concat!(
    "3.9.5-quorate-",
    env!("CARGO_PKG_VERSION"),
    "-",
    env!("QUORATE_COMMIT"),
    ", built on ",
    env!("QUORATE_DATE")
);
