//! `cons`, and the line of one connection that `stat` shows too (`operations.md` §4.3, §4.4).

use super::{Facts, java_address};
use quorate_core::pipeline::Connection;
use std::fmt::Write as _;

/// Everything about every connection.
pub(super) fn cons(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for connection in facts.status.connections() {
        text.push_str(&brief(connection, facts));
        if connection.session().is_some() {
            text.push_str(&details(connection));
        }
        text.push_str(")\n");
    }
    text.push('\n');
    text
}

/// A connection's line, but for the parenthesis that ends it.
pub(super) fn brief(connection: &Connection, facts: &Facts<'_>) -> String {
    let reads = facts.asking != Some(connection.id()) && !connection.is_paused();
    let stats = connection.stats();
    format!(
        " {}[{:x}](queued={},recved={},sent={}",
        java_address(connection.identity().address),
        u8::from(reads),
        connection.outstanding(),
        stats.received,
        stats.sent
    )
}

fn details(connection: &Connection) -> String {
    let stats = connection.stats();
    let session = connection.session().unwrap_or_default();
    let mut text = format!(
        ",sid={session},lop={},est={},to={}",
        stats.last_operation,
        stats.established.0,
        connection.timeout().0
    );
    if let Some(cxid) = stats.last_cxid {
        let _ = write!(text, ",lcxid=0x{:x}", cxid.0);
    }
    let latency = &stats.latency;
    let count = i64::try_from(latency.count()).unwrap_or(i64::MAX);
    let average = latency.sum().checked_div(count).unwrap_or(0);
    let _ = write!(
        text,
        ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={average},maxlat={}",
        stats.last_zxid.0,
        stats.last_response.as_millis(),
        stats.last_latency.0,
        latency.min(),
        latency.max()
    );
    text
}
