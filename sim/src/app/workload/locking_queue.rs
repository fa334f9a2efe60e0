//! Everybody puts items into queues and gets them, and consumes them or lets go of them. What was put is consumed, and by one.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::future::{Either, select};
use quorate_core::client::{Outcome, Runtime};
use quorate_core::recipe::{LockedItem, LockingQueue};
use quorate_core::vocabulary::{ErrorCode, Mono};
use std::collections::BTreeMap;
use std::pin::pin;

/// Where the items of each of the two stand.
const PATHS: [&str; 2] = ["/locking/curator", "/locking/kazoo/entries"];
const MOST_PAUSE_MS: u64 = 1800;
pub(super) const PROBES: &[&str] = &[
    "app_locking_consumed",
    "app_locking_dropped",
    "app_locking_empty",
    "app_locking_given_up",
    "app_locking_got",
    "app_locking_got_by_another",
    "app_locking_unheld",
    "app_locking_unknown",
];

pub(super) async fn run(scene: Scene) {
    let queues = [
        LockingQueue::new(&scene.client, PATHS[0], "/locking/locks"),
        LockingQueue::kazoo(&scene.client, "/locking/kazoo"),
    ];
    let mut put = 0;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let queue = &queues[scene.runtime.below(2) as usize];
        if scene.one_in(2) {
            put += 1;
            self::put(&scene, queue, scene.machine << 32 | put).await;
            continue;
        }
        let got = match scene.one_in(3) {
            true => queue.try_get().await,
            false => {
                let due = scene.runtime.now().0 + scene.runtime.below(MOST_PAUSE_MS) * 1_000_000;
                match select(pin!(queue.get()), pin!(scene.runtime.sleep_until(Mono(due)))).await {
                    Either::Left((got, _)) => got.map(Some),
                    Either::Right(_) => Ok(None),
                }
            }
        };
        match got {
            Ok(Some(item)) => deal_with(&scene, item).await,
            Ok(None) => scene.runtime.probe("app_locking_empty"),
            Err(error) if scene.is_passing(&error) => scene.runtime.probe("app_locking_given_up"),
            Err(error) => scene.violate("app_locking_queue", error),
        }
    }
    for (queue, path) in queues.iter().zip(PATHS) {
        drain(&scene, queue, path).await;
    }
    scene.leave_nothing().await;
}

async fn put(scene: &Scene, queue: &LockingQueue<SimRuntime>, id: u64) {
    match queue.put(id.to_be_bytes().to_vec()).await {
        Ok(()) => scene.runtime.tell("put", [id, 0, 0]),
        Err(error) if error.outcome() == Outcome::Unknown => scene.runtime.tell("perhaps put", [id, 0, 0]),
        Err(error) if scene.is_passing(&error) => {}
        Err(error) => scene.violate("app_locking_queue", error),
    }
}

async fn deal_with(scene: &Scene, item: LockedItem<SimRuntime>) {
    scene.runtime.probe("app_locking_got");
    scene.pause(2 * MOST_PAUSE_MS).await;
    if !item.is_held() {
        scene.runtime.probe("app_locking_unheld");
    }
    match scene.runtime.below(4) {
        0 => {
            scene.runtime.probe("app_locking_dropped");
            drop(item);
        }
        // It fails when the session is over.
        1 => drop(item.release().await),
        _ => consume(scene, item).await,
    }
}

async fn consume(scene: &Scene, item: LockedItem<SimRuntime>) {
    let id = match item.items() {
        [item] => item.as_ref().try_into().map(u64::from_be_bytes).unwrap_or_default(),
        _ => 0,
    };
    match item.consume().await {
        Ok(true) => {
            scene.runtime.probe("app_locking_consumed");
            scene.runtime.tell("consumed", [id, 0, 0]);
        }
        Ok(false) => scene.runtime.probe("app_locking_got_by_another"),
        Err(error) if error.outcome() == Outcome::Unknown => {
            scene.runtime.probe("app_locking_unknown");
            scene.runtime.tell("perhaps consumed", [id, 0, 0]);
        }
        Err(error) if scene.is_passing(&error) => {}
        Err(error) => scene.violate("app_locking_queue", error),
    }
}

/// Consumes what there is, until a look behind a sync shows nothing: others may still have items, and let go of them.
async fn drain(scene: &Scene, queue: &LockingQueue<SimRuntime>, path: &str) {
    loop {
        if let Ok(Some(item)) = queue.try_get().await {
            consume(scene, item).await;
            continue;
        }
        let left = match scene.client.sync(path).await {
            Ok(()) => scene.client.children(path).await.map(|(names, _)| names.len()),
            Err(error) => Err(error),
        };
        match left {
            Ok(0) => return,
            Err(error) if error.code() == Some(ErrorCode::NoNode) => return,
            _ => scene.pause(MOST_PAUSE_MS).await,
        }
    }
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    let count = |wanted: &str| {
        let mut count: BTreeMap<u64, u64> = BTreeMap::new();
        for Told { numbers: [id, ..], .. } in told.iter().filter(|told| told.what == wanted) {
            *count.entry(*id).or_default() += 1;
        }
        count
    };
    let (put, perhaps_put) = (count("put"), count("perhaps put"));
    let (consumed, perhaps_consumed) = (count("consumed"), count("perhaps consumed"));
    for (id, times) in &consumed {
        require("app_locking_queue", *times == 1, || format!("{id:#x} was consumed {times} times"))?;
        require("app_locking_queue", put.contains_key(id) || perhaps_put.contains_key(id), || {
            format!("{id:#x} was consumed, and not put")
        })?;
    }
    for id in put.keys() {
        let is_consumed = consumed.contains_key(id) || perhaps_consumed.contains_key(id);
        require("app_locking_queue", is_consumed, || format!("{id:#x} is lost"))?;
    }
    Ok(())
}
