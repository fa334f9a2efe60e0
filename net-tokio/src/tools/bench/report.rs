//! What was measured, as text for people and as JSON for scripts.

use super::process::Usage;
use super::workload::Judgement;
use super::{BenchArgs, znodes};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Less than this of the rate that was asked for is told as a miss.
const REACHED: f64 = 0.98;
/// Of its thread's time, what the bench may use before it is told as the limit.
const BUSY: f64 = 0.9;
/// Anything longer than ten minutes is told as ten minutes.
const LONGEST_NS: u64 = 600_000_000_000;

/// What is gathered while a run goes on.
pub(super) struct Recorder {
    /// Nanoseconds.
    latencies: Histogram<u64>,
    /// Right answers within the window.
    completed: u64,
    errors: BTreeMap<i32, u64>,
    wrong: u64,
    first_wrong: Option<String>,
    unanswered: u64,
}

/// Memory of the server around the connecting, KiB.
pub(super) struct Memory {
    /// Before anything was set up.
    pub(super) idle_kib: Option<u64>,
    /// When all connections and znodes were there.
    pub(super) connected_kib: Option<u64>,
}

/// What a run came to.
pub(super) struct Report {
    json: Value,
    clean: bool,
}

impl Recorder {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order");
        Recorder {
            latencies,
            completed: 0,
            errors: BTreeMap::new(),
            wrong: 0,
            first_wrong: None,
            unanswered: 0,
        }
    }

    /// A right answer came within the window.
    pub(super) fn completed(&mut self) {
        self.completed += 1;
    }

    /// How long the answer to a request of the window took.
    pub(super) fn latency(&mut self, latency: Duration) {
        self.latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// What an answer was, in the window or not.
    pub(super) fn judged(&mut self, judgement: &Judgement) {
        match judgement {
            Judgement::Right => {}
            Judgement::Error(code) => *self.errors.entry(*code).or_default() += 1,
            Judgement::Wrong(text) => {
                self.wrong += 1;
                self.first_wrong.get_or_insert_with(|| text.clone());
            }
        }
    }

    /// So many requests were given up.
    pub(super) fn unanswered(&mut self, count: usize) {
        self.unanswered += count as u64;
    }

    /// Right answers within the window so far.
    pub(super) fn operations(&self) -> u64 {
        self.completed
    }
}

impl Report {
    /// Puts everything together.
    pub(super) fn new(
        arguments: &BenchArgs,
        recorder: &Recorder,
        (usage, own): (Option<Usage>, Usage),
        memory: &Memory,
    ) -> Self {
        let quantile = |q| micros(recorder.latencies.value_at_quantile(q) as f64);
        let errors: BTreeMap<String, u64> =
            recorder.errors.iter().map(|(code, count)| (znodes::error_name(*code), *count)).collect();
        let clean = recorder.errors.is_empty() && recorder.wrong == 0 && recorder.unanswered == 0;
        let workload = arguments.workload.to_possible_value().map(|value| value.get_name().to_owned());
        let per_operation = |usage: Usage| round(usage.cpu_us as f64 / recorder.completed.max(1) as f64);
        let json = json!({
            "server": arguments.server,
            "workload": workload,
            "connections": arguments.connections,
            "depth": arguments.depth,
            "rate": arguments.rate,
            "size": arguments.size,
            "znodes": arguments.znodes,
            "warmup_s": arguments.warmup,
            "duration_s": arguments.duration,
            "seed": arguments.seed,
            "operations": recorder.completed,
            "operations_per_s": round(recorder.completed as f64 / arguments.duration.max(0.001)),
            "latency_us": {
                "min": micros(recorder.latencies.min() as f64),
                "mean": micros(recorder.latencies.mean()),
                "p50": quantile(0.5),
                "p90": quantile(0.9),
                "p99": quantile(0.99),
                "p99_9": quantile(0.999),
                "max": micros(recorder.latencies.max() as f64),
            },
            "errors": errors,
            "wrong": recorder.wrong,
            "first_wrong": recorder.first_wrong,
            "unanswered": recorder.unanswered,
            "server_cpu_us": usage.map(|usage| usage.cpu_us),
            "server_cpu_us_per_operation": usage.map(per_operation),
            "bench_cpu_us_per_operation": per_operation(own),
            "bench_busy": round(own.cpu_us as f64 / 1e6 / arguments.duration.max(0.001)),
            "server_rss_kib": usage.map(|usage| usage.resident_kib),
            "server_rss_before_setup_kib": memory.idle_kib,
            "server_rss_connected_kib": memory.connected_kib,
        });
        Report { json, clean }
    }

    /// What makes the figures say less than they seem to.
    fn reservations(&self) -> Vec<String> {
        let number = |name: &str| self.json[name].as_f64();
        let mut reservations = Vec::new();
        // Of watch-fanout the rate is of writes, and operations are the events of all watchers.
        let of_operations =
            self.json["workload"] != "watch-fanout" && self.json["workload"] != "idle-sessions";
        if let (Some(rate), Some(reached), true) = (number("rate"), number("operations_per_s"), of_operations)
            && reached < rate * REACHED
        {
            reservations.push(format!("the rate was missed: {reached}/s of {rate}/s"));
        }
        if let Some(busy) = number("bench_busy").filter(|busy| *busy >= BUSY) {
            let percent = (busy * 100.0).round();
            reservations
                .push(format!("the bench itself was busy {percent} % of the time and may be the limit"));
        }
        reservations
    }

    /// Whether every request was answered rightly.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// All of it.
    pub(super) fn as_json(&self) -> &Value {
        &self.json
    }
}

/// Nanoseconds as microseconds.
fn micros(nanos: f64) -> f64 {
    round(nanos / 1000.0)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field =
            |name: &str| self.json[name].as_str().map_or_else(|| self.json[name].to_string(), str::to_owned);
        let latency = |name: &str| self.json["latency_us"][name].to_string();
        let pace = match self.json["rate"].as_f64() {
            Some(rate) => format!("open loop, {rate}/s"),
            None => format!("closed loop, depth {}", field("depth")),
        };
        writeln!(
            f,
            "{} on {}, {} connections, {pace}, {} bytes",
            field("workload"),
            field("server"),
            field("connections"),
            field("size")
        )?;
        writeln!(
            f,
            "operations   {} in {} s = {}/s",
            field("operations"),
            field("duration_s"),
            field("operations_per_s")
        )?;
        writeln!(
            f,
            "latency µs   p50 {}  p99 {}  p99.9 {}  (min {}, mean {}, max {})",
            latency("p50"),
            latency("p99"),
            latency("p99_9"),
            latency("min"),
            latency("mean"),
            latency("max")
        )?;
        if !self.json["server_cpu_us"].is_null() {
            writeln!(
                f,
                "server       {} µs CPU an operation, {} KiB resident",
                field("server_cpu_us_per_operation"),
                field("server_rss_kib")
            )?;
        }
        for reservation in self.reservations() {
            writeln!(f, "beware       {reservation}")?;
        }
        if !self.clean {
            writeln!(
                f,
                "errors       {}, wrong {}, unanswered {}",
                self.json["errors"],
                field("wrong"),
                field("unanswered")
            )?;
            if let Some(text) = self.json["first_wrong"].as_str() {
                writeln!(f, "first wrong  {text}")?;
            }
        }
        Ok(())
    }
}
