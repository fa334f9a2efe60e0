//! All samples, as a table for people and as JSON for scripts.

use super::sample::Sample;
use serde_json::{Map, Value};

/// A column: its head, and the value that stands in it.
const COLUMNS: [(&str, &str); 8] = [
    ("zxid", "zxid"),
    ("latency ms", ""),
    ("connections", "num_alive_connections"),
    ("sessions", "global_sessions"),
    ("watches", "watch_count"),
    ("znodes", "znode_count"),
    ("waiting", "outstanding_requests"),
    ("requests/s", RECEIVED),
];
const RECEIVED: &str = "packets_received";
const ABSENT: &str = "-";

/// A row for each server. The first three columns are their name, part and version.
pub(super) fn as_text(samples: &[Sample], before: &[Sample]) -> String {
    let head = ["server", "role"].into_iter().chain(COLUMNS.map(|(head, _)| head)).chain(["version"]);
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(samples.iter().map(|sample| row(sample, before)));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            // What a silent server's row has in its second place is a sentence.
            let cells =
                rows.iter().filter(|row| row.len() == rows[0].len()).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    let first = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:first$}"),
            // The last one's width does not matter, nor does a sentence's.
            _ if row.len() < widths.len() || column + 1 == widths.len() => cell.clone(),
            1 => format!("{cell:width$}", width = widths[column]),
            _ => format!("{cell:>width$}", width = widths[column]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(sample: &Sample, before: &[Sample]) -> Vec<String> {
    if let Err(reason) = &sample.said {
        return vec![sample.server.clone(), format!("does not serve: {reason}")];
    }
    let value = |name: &str| sample.get(name).unwrap_or(ABSENT).to_owned();
    let cells = COLUMNS.map(|(_, name)| match name {
        "" => format!("{}/{}/{}", value("min_latency"), value("avg_latency"), value("max_latency")),
        RECEIVED => sample.rate(RECEIVED, before).map_or(ABSENT.to_owned(), |rate| format!("{rate:.0}")),
        name => value(name),
    });
    let version = value("version");
    let version = version.split(',').next().unwrap_or_default().to_owned();
    [sample.server.clone(), value("server_state")].into_iter().chain(cells).chain([version]).collect()
}

/// An object for each server: all that it says, under `mntr`'s names without `zk_`; numbers as numbers.
pub(super) fn as_json(samples: &[Sample], before: &[Sample]) -> String {
    samples.iter().map(|sample| object(sample, before).to_string() + "\n").collect()
}

fn object(sample: &Sample, before: &[Sample]) -> Value {
    let mut object = Map::new();
    object.insert("server".to_owned(), sample.server.clone().into());
    match &sample.said {
        Ok(said) => object.extend(said.iter().map(|(name, value)| (name.clone(), number_or_text(value)))),
        Err(reason) => drop(object.insert("error".to_owned(), reason.clone().into())),
    }
    if let Some(rate) = sample.rate(RECEIVED, before) {
        object.insert("requests_per_second".to_owned(), rate.into());
    }
    object.into()
}

fn number_or_text(value: &str) -> Value {
    match value.parse::<i64>() {
        Ok(number) => number.into(),
        Err(_) => value
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or(value.into(), Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn sample(server: &str, at: Instant, said: &[(&str, &str)]) -> Sample {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sample { server: server.to_owned(), at, said: Ok(said) }
    }

    #[test]
    fn a_row_a_server() {
        let now = Instant::now();
        let before = [sample("a:1", now, &[("packets_received", "10")])];
        let said = [
            ("server_state", "leader"),
            ("zxid", "0x100"),
            ("packets_received", "30"),
            ("version", "3.9, built"),
        ];
        let silent = Sample { server: "bb:2".to_owned(), at: now, said: Err("refused".to_owned()) };
        let samples = [sample("a:1", now + Duration::from_secs(2), &said), silent];
        let expected = "\
server  role     zxid  latency ms  connections  sessions  watches  znodes  waiting  requests/s  version
a:1     leader  0x100       -/-/-            -         -        -       -        -          10  3.9
bb:2    does not serve: refused
";
        assert_eq!(as_text(&samples, &before), expected);
        let json = as_json(&samples, &before);
        assert!(
            json.contains("\"packets_received\":30,\"requests_per_second\":10.0,\"server\":\"a:1\""),
            "{json}"
        );
        assert!(json.ends_with("{\"error\":\"refused\",\"server\":\"bb:2\"}\n"), "{json}");
    }
}
