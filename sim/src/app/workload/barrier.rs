//! One raises and lowers a barrier, the others wait at it.
//!
//! The judge knows when it was certainly up: from the answer to a raise until the next call that lowers it. Who began to wait behind
//! the one and was done before the other can't have passed. That nobody waits for ever shows as liveness.

use super::Scene;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use quorate_core::client::Error;
use quorate_core::recipe::Barrier;
use quorate_core::vocabulary::{Millis, Version};

const PATH: &str = "/barriers/gate";
const KEEPER: u64 = 0;
const MOST_PAUSE_MS: u64 = 300;
const MOST_UP_MS: u64 = 3000;
pub(super) const PROBES: &[&str] =
    &["app_barrier_lowered", "app_barrier_passed", "app_barrier_timed_out", "app_barrier_touched"];

pub(super) async fn run(scene: Scene) {
    let barrier = Barrier::new(&scene.client, PATH);
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let done = match scene.machine {
            KEEPER => keep(&scene, &barrier).await,
            _ => wait(&scene, &barrier).await,
        };
        match done {
            Err(error) if !scene.is_passing(&error) => scene.violate("app_barrier", error),
            _ => {}
        }
    }
    while scene.machine == KEEPER && lower(&scene, &barrier).await.is_err() {
        scene.pause(MOST_PAUSE_MS).await;
    }
    scene.leave_nothing().await;
}

async fn keep(scene: &Scene, barrier: &Barrier<crate::app::SimRuntime>) -> Result<(), Error> {
    barrier.raise().await?;
    scene.runtime.tell("up", [0; 3]);
    scene.pause(MOST_UP_MS).await;
    lower(scene, barrier).await
}

async fn lower(scene: &Scene, barrier: &Barrier<crate::app::SimRuntime>) -> Result<(), Error> {
    let session = scene.client.session().latest().id;
    scene.runtime.tell("lowering", [0; 3]);
    let lowered = barrier.lower().await;
    // Of a session that is over something may come late.
    let is_certain = lowered.is_ok() && scene.client.session().latest().id == session;
    scene.runtime.tell("lowered", [u64::from(is_certain), 0, 0]);
    scene.runtime.probe("app_barrier_lowered");
    lowered
}

async fn wait(scene: &Scene, barrier: &Barrier<crate::app::SimRuntime>) -> Result<(), Error> {
    let asked = scene.runtime.world_time();
    let passed = match scene.runtime.below(8) {
        0 => {
            // What it holds is nobody's business, and wakes all who wait.
            if scene.client.set(PATH, "x", Version::ANY).await.is_ok() {
                scene.runtime.probe("app_barrier_touched");
            }
            return Ok(());
        }
        1..4 => barrier.wait().await.map(|()| true)?,
        _ => barrier.wait_within(Millis(scene.runtime.below(MOST_UP_MS))).await?,
    };
    if passed {
        scene.runtime.probe("app_barrier_passed");
        scene.runtime.tell("passed", [asked, 0, 0]);
    } else {
        scene.runtime.probe("app_barrier_timed_out");
    }
    Ok(())
}

/// Nobody has passed while it was up.
pub(super) fn judge(told: &[Told]) -> Verdict {
    let mut up: Vec<(u64, u64)> = Vec::new();
    let (mut since, mut is_certain) = (None, true);
    for Told { at, what, numbers, .. } in told {
        match *what {
            "up" if is_certain => since = Some(*at),
            "lowering" => up.extend(since.take().map(|since| (since, *at))),
            "lowered" => is_certain &= numbers[0] == 1,
            _ => {}
        }
    }
    for Told { at, machine, numbers: [asked, ..], .. } in told.iter().filter(|told| told.what == "passed") {
        let within = up.iter().find(|(from, until)| from < asked && at < until);
        require("app_barrier", within.is_none(), || {
            format!("machine {machine} came at {asked} and had passed at {at}, while it was up: {within:?}")
        })?;
    }
    Ok(())
}
