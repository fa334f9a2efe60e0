//! Everybody counts in one node, by reading it and setting it under the condition of its version. In the end it shows what was
//! acknowledged, and of what had an unknown outcome some.

use super::Scene;
use crate::app::Machine;
use crate::checkers::{Verdict, require};
use quorate_core::client::{CreateOptions, Outcome, Result, Value};
use quorate_core::vocabulary::ErrorCode;

const PATH: &str = "/count";
const MOST_PAUSE_MS: u64 = 400;
pub(super) const PROBES: &[&str] = &["app_outcome_unknown", "app_not_applied", "app_refused"];

pub(super) async fn run(scene: Scene) {
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        if let Ok(value) = read(&scene).await {
            let next = number(&value) + 1;
            match scene.client.set(PATH, next.to_string(), value.version()).await {
                Ok(_) => scene.runtime.count("counted", 1),
                Err(error) => match error.outcome() {
                    Outcome::Unknown => {
                        scene.runtime.probe("app_outcome_unknown");
                        scene.runtime.count("perhaps", 1);
                    }
                    Outcome::NotApplied => scene.runtime.probe("app_not_applied"),
                    Outcome::Refused => scene.runtime.probe("app_refused"),
                },
            }
        }
    }
    loop {
        let synced = scene.client.sync(PATH).await;
        if synced.is_ok()
            && let Ok(value) = read(&scene).await
        {
            scene.runtime.count("shown", number(&value));
            break;
        }
        scene.pause(MOST_PAUSE_MS).await;
    }
    scene.client.close().await;
}

async fn read(scene: &Scene) -> Result<Value> {
    match scene.client.get(PATH).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => {
            // Whoever comes second finds it there.
            let _ = scene.client.create(PATH, "0", &CreateOptions::persistent()).await;
            scene.client.get(PATH).await
        }
        value => value,
    }
}

fn number(value: &Value) -> u64 {
    str::from_utf8(value.bytes()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The last to look has looked behind all others' writes.
pub(super) fn judge(machines: &[&Machine]) -> Verdict {
    let sum = |name| machines.iter().map(|machine| machine.tally(name)).sum::<u64>();
    let shown = machines.iter().map(|machine| machine.tally("shown")).max().unwrap_or(0);
    let (counted, perhaps) = (sum("counted"), sum("perhaps"));
    require("app_counter", counted <= shown && shown <= counted + perhaps, || {
        format!("{counted} were counted and {perhaps} perhaps, the node shows {shown}")
    })
}
