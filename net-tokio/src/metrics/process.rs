//! What the system knows of the process: descriptors, memory, processor time. Read from `/proc`, which no disk can delay.

use rustix::process::{Resource, getrlimit};
use std::fs;

/// Open descriptors.
pub(super) fn open_descriptors() -> u64 {
    // Linux says how many there are since 6.2. Before, they have to be listed, which takes milliseconds when there are thousands; the
    // listing itself takes one, which is not ours.
    let told = fs::metadata("/proc/self/fd").map_or(0, |directory| directory.len());
    if told > 0 {
        return told;
    }
    fs::read_dir("/proc/self/fd").map_or(0, |entries| (entries.count() as u64).saturating_sub(1))
}

/// Descriptors that may be open.
pub(super) fn max_descriptors() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Resident memory, bytes.
pub(super) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Processor time in user and system mode, in hundredths of a second.
pub(super) fn cpu_centiseconds() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name may hold anything, so fields are counted behind its parenthesis.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * 100 / rustix::param::clock_ticks_per_second()
}
