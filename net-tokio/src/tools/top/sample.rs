//! What one server says of itself.

use crate::tools::ask::ask;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One look at one server.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) server: String,
    pub(super) at: Instant,
    /// What `srvr` and `mntr` tell under `mntr`'s names, or why there is nothing.
    pub(super) said: Result<BTreeMap<String, String>, String>,
}

impl Sample {
    /// Asks `server`.
    pub(super) fn take(server: &str, patience: Duration) -> Sample {
        let said = ask(server, "srvr", patience).map_err(|error| error.to_string()).and_then(|reply| {
            let mut said = from_srvr(&reply);
            if !said.contains_key("server_state") {
                return Err(reply.trim().to_owned());
            }
            // Most servers do not allow it.
            said.extend(ask(server, "mntr", patience).map(|reply| from_mntr(&reply)).unwrap_or_default());
            Ok(said)
        });
        Sample { server: server.to_owned(), at: Instant::now(), said }
    }

    /// Whether it serves clients.
    pub(super) fn serves(&self) -> bool {
        self.said.is_ok()
    }

    /// A value by its name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.said.as_ref().ok()?.get(name).map(String::as_str)
    }

    /// How much the value has grown a second since the look before.
    pub(super) fn rate(&self, name: &str, before: &[Sample]) -> Option<f64> {
        let number = |sample: &Sample| sample.get(name)?.parse::<f64>().ok();
        let before = before.iter().find(|before| before.server == self.server)?;
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64();
        let grown = number(self)? - number(before)?;
        // A server that has begun anew counts from nothing.
        (seconds > 0.0 && grown >= 0.0).then(|| grown / seconds)
    }
}

fn from_srvr(reply: &str) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let mut put = |name: &str, value: &str| said.insert(name.to_owned(), value.trim().to_owned());
    for (name, value) in reply.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Zookeeper version" => {
                put("version", value);
            }
            "Latency min/avg/max" => {
                for (name, value) in
                    ["min_latency", "avg_latency", "max_latency"].iter().zip(value.split('/'))
                {
                    put(name, value);
                }
            }
            "Received" => drop(put("packets_received", value)),
            "Connections" => drop(put("num_alive_connections", value)),
            "Outstanding" => drop(put("outstanding_requests", value)),
            "Zxid" => drop(put("zxid", value)),
            "Mode" => drop(put("server_state", value)),
            "Node count" => drop(put("znode_count", value)),
            _ => {}
        }
    }
    said
}

fn from_mntr(reply: &str) -> BTreeMap<String, String> {
    let lines = reply.lines().filter_map(|line| line.strip_prefix("zk_")?.split_once('\t'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_give_the_same_names() {
        let srvr = from_srvr(
            "Zookeeper version: 3.9.5-x, built on 2026\nLatency min/avg/max: 0/0.5/12\nReceived: 7\nSent: 6\nConnections: 2\n\
             Outstanding: 0\nZxid: 0x100000002\nMode: leader\nNode count: 5\nProposal sizes last/min/max: 32/32/36\n",
        );
        let mntr = from_mntr(
            "zk_version\t3.9.5-x, built on 2026\nzk_server_state\tleader\nzk_max_latency\t12\nhello\n",
        );
        assert!(mntr.iter().all(|(name, value)| srvr.get(name) == Some(value)), "{srvr:?} {mntr:?}");
        assert_eq!((mntr.len(), srvr.len()), (3, 10));
    }
}
