//! Everybody puts items into queues and gets them, and consumes them or lets go of them. What was put is consumed, and by one.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use quorate_core::client::{Error, Outcome, Runtime};
use quorate_core::recipe::{LockedItem, LockingQueue};
use quorate_core::vocabulary::{ErrorCode, Millis, Mono, Zxid};
use std::collections::BTreeMap;
use std::pin::pin;

/// Where the items of each of the two stand, and the locks on them.
const PATHS: [(&str, &str); 2] =
    [("/locking/curator", "/locking/locks"), ("/locking/kazoo/entries", "/locking/kazoo/taken")];
/// So often an item may be free before who waits for one has it, when nothing else happens and the servers answer.
const MOST_LATE: u64 = 4;
const BETWEEN_LOOKS: Millis = Millis(300);
const MOST_BETWEEN_POLLS_MS: u64 = 200;
const MOST_PAUSE_MS: u64 = 2400;
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
        LockingQueue::new(&scene.client, PATHS[0].0, PATHS[0].1),
        LockingQueue::kazoo(&scene.client, "/locking/kazoo"),
    ];
    let mut put = 0;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let place = scene.runtime.below(2) as usize;
        let queue = &queues[place];
        if scene.one_in(2) {
            put += 1;
            self::put(&scene, queue, scene.machine << 32 | put).await;
            continue;
        }
        let got = match scene.one_in(3) {
            true => queue.try_get().await,
            false => within(&scene, queue, PATHS[place]).await,
        };
        match got {
            Ok(Some(item)) => deal_with(&scene, item).await,
            Ok(None) => scene.runtime.probe("app_locking_empty"),
            Err(error) if scene.is_passing(&error) => scene.runtime.probe("app_locking_given_up"),
            Err(error) => scene.violate("app_locking_queue", error),
        }
    }
    for (queue, (path, _)) in queues.iter().zip(PATHS) {
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

/// What is got before patience ends, which it does not while there is something to get.
async fn within(
    scene: &Scene,
    queue: &LockingQueue<SimRuntime>,
    paths: (&str, &str),
) -> Result<Option<LockedItem<SimRuntime>>, Error> {
    let mut get = pin!(queue.get());
    let (mut late, mut before) = (0, None);
    let mut due = Mono(scene.runtime.now().0 + scene.runtime.below(MOST_PAUSE_MS) * 1_000_000);
    if scene.one_in(2) {
        // Who is busy with something else polls seldom.
        while scene.runtime.now() < due {
            if let Some(got) = get.as_mut().now_or_never() {
                return got.map(Some);
            }
            scene.pause(MOST_BETWEEN_POLLS_MS).await;
        }
    }
    loop {
        let patience = scene.runtime.sleep_until(due);
        let look = pin!(async {
            patience.await;
            free(scene, paths).await
        });
        let free = match select(get.as_mut(), look).await {
            Either::Left((got, _)) => return got.map(Some),
            Either::Right((free, _)) => free,
        };
        let Ok(Some(free)) = free else { return Ok(None) };
        late = if before == Some(free) { late + 1 } else { 0 };
        before = Some(free);
        if late > MOST_LATE {
            scene.violate("app_locking_queue", format!("it waits, and an item of {paths:?} is free"));
            return Ok(None);
        }
        due = scene.runtime.now() + BETWEEN_LOOKS;
    }
}

/// Since when items and locks are as they are, if there is an item that nobody has.
async fn free(scene: &Scene, (items, locks): (&str, &str)) -> Result<Option<(Zxid, Zxid)>, Error> {
    scene.client.sync(items).await?;
    let (items, stat) = scene.client.children(items).await?;
    let (locks, lock_stat) = scene.client.children(locks).await?;
    let is_free = items.iter().any(|item| !locks.contains(item));
    Ok(is_free.then_some((stat.pzxid, lock_stat.pzxid)))
}

async fn deal_with(scene: &Scene, item: LockedItem<SimRuntime>) {
    scene.runtime.probe("app_locking_got");
    if scene.one_in(4) {
        // Before others have come to wait for it.
        return drop(item);
    }
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
