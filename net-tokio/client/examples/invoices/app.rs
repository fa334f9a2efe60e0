//! Numbers invoices: no number is given twice, whatever breaks.

use quorate_core::client::{self, Client, CreateOptions, Runtime, Value};
use quorate_core::recipe::Mutex;
use quorate_core::vocabulary::ErrorCode;
use std::error::Error;

const LAST: &str = "/invoices/last";

/// The next number. With an error none is given; one may be left out.
pub(crate) async fn next_number<R: Runtime>(client: &Client<R>) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let guard = Mutex::new(client, "/invoices/lock").acquire().await?;
    let last = last_number(client).await?;
    // What is no number is an error: who began again at 1 would give numbers twice.
    let next = str::from_utf8(last.bytes())?.parse::<u64>()? + 1;
    // Only written while the lock is held, whatever this machine believes.
    guard.transaction().set(LAST, next.to_string(), last.version()).commit().await?;
    guard.release().await?;
    Ok(next)
}

async fn last_number<R: Runtime>(client: &Client<R>) -> client::Result<Value> {
    let options = CreateOptions::persistent().parents();
    match client.create(LAST, "0", &options).await {
        Err(error) if error.code() != Some(ErrorCode::NodeExists) => Err(error),
        _ => client.get(LAST).await,
    }
}
