//! CPU time and memory of a process, from `/proc`.

use super::wire::BenchError;
use serde::Serialize;
use std::fs;
use std::io;

/// A running process.
pub(super) struct ServerProcess {
    pid: u32,
    ticks_per_second: u64,
}

/// What it had used at one moment.
pub(super) struct Sample {
    cpu_us: u64,
    resident_kib: u64,
}

/// What it used between two moments.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Usage {
    /// User and system time, microseconds.
    pub(super) cpu_us: u64,
    /// Resident memory at the end, KiB.
    pub(super) resident_kib: u64,
}

impl ServerProcess {
    /// The process with this id, if it may be looked at.
    pub(super) fn open(pid: u32) -> Result<Self, BenchError> {
        let process = ServerProcess { pid, ticks_per_second: rustix::param::clock_ticks_per_second() };
        let looked_at = process.sample();
        looked_at.map_err(|error| BenchError::Protocol(format!("--server-pid {pid}: {error}")))?;
        Ok(process)
    }

    /// What it has used so far.
    pub(super) fn sample(&self) -> Result<Sample, BenchError> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let ticks = cpu_ticks(&stat).ok_or_else(|| io::Error::other("/proc/PID/stat can't be read"))?;
        let cpu_us = ticks * 1_000_000 / self.ticks_per_second.max(1);
        Ok(Sample { cpu_us, resident_kib: self.resident_kib()? })
    }

    /// This process.
    pub(super) fn own() -> Result<Self, BenchError> {
        Self::open(std::process::id())
    }

    /// Resident memory, KiB.
    pub(super) fn resident_kib(&self) -> Result<u64, BenchError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok());
        Ok(number.ok_or_else(|| io::Error::other("/proc/PID/status tells no VmRSS"))?)
    }
}

impl Sample {
    /// What was used since `earlier`.
    pub(super) fn since(&self, earlier: &Sample) -> Usage {
        Usage { cpu_us: self.cpu_us.saturating_sub(earlier.cpu_us), resident_kib: self.resident_kib }
    }
}

/// utime and stime, fields 14 and 15. The name in field 2 may hold anything, so counting begins behind its bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let rest = "S 1 2 3 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10";
        for name in ["java", "a b) (c", ")"] {
            assert_eq!(cpu_ticks(&format!("77 ({name}) {rest}")), Some(300));
        }
        assert_eq!(cpu_ticks("77 (java) S 1"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let process = ServerProcess::open(std::process::id()).unwrap();
        assert!(process.resident_kib().unwrap() > 100);
    }
}
