//! Numbers invoices: no number is given twice, whatever breaks.

use quorate_core::client::{Client, CreateOptions, Result, Runtime, Value};
use quorate_core::recipe::Mutex;
use quorate_core::vocabulary::ErrorCode;

const LAST: &str = "/invoices/last";

/// The next number. With an error none is given; one may be left out.
pub(crate) async fn next_number<R: Runtime>(client: &Client<R>) -> Result<u64> {
    let guard = Mutex::new(client, "/invoices/lock").acquire().await?;
    let last = last_number(client).await?;
    let text = str::from_utf8(last.bytes()).unwrap_or_default();
    let next = text.parse::<u64>().unwrap_or(0) + 1;
    // Only written while the lock is held, whatever this machine believes.
    guard.transaction().set(LAST, next.to_string(), last.version()).commit().await?;
    guard.release().await?;
    Ok(next)
}

async fn last_number<R: Runtime>(client: &Client<R>) -> Result<Value> {
    let options = CreateOptions::persistent().parents();
    match client.create(LAST, "0", &options).await {
        Err(error) if error.code() != Some(ErrorCode::NodeExists) => Err(error),
        _ => client.get(LAST).await,
    }
}
