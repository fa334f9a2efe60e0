//! The guide's first example, unchanged: everybody numbers invoices. No number is given twice.

#[path = "../../../../net-tokio/client/examples/invoices/app.rs"]
mod app;

use super::Scene;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use std::collections::BTreeMap;

const MOST_PAUSE_MS: u64 = 6000;
pub(super) const PROBES: &[&str] = &["app_invoices_given", "app_invoices_given_up"];

pub(super) async fn run(scene: Scene) {
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        match app::next_number(&scene.client).await {
            Ok(number) => {
                scene.runtime.probe("app_invoices_given");
                scene.runtime.tell("given", [number, 0, 0]);
            }
            // The lock was lost, the session is over, or the disks are full.
            Err(_) => scene.runtime.probe("app_invoices_given_up"),
        }
    }
    scene.leave_nothing().await;
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    let mut given = BTreeMap::new();
    for Told { machine, numbers: [number, ..], .. } in told {
        let before = given.insert(number, machine);
        require("app_invoices", before.is_none(), || {
            format!("machines {before:?} and {machine} were both given {number}")
        })?;
    }
    Ok(())
}
