//! Ports of loopback for servers that have to know them before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of `range` that nobody has, and that this process was not given before until the range is used up. Ranges of tests that
/// run at once are disjoint, and none reaches those that the system hands out by itself.
pub(crate) fn free(range: Range<u16>) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = range.end - range.start;
    let start = (std::process::id() % u32::from(span)) as u16;
    loop {
        let port = range.start + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
