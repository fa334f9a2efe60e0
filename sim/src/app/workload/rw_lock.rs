//! Everybody wants to read or to write what one lock protects, and shows by transactions that it may; who may write lets itself
//! be one of the readers. Curator's contenders and kazoo's stand in one line.

use super::Scene;
use super::holds::{self, Proof, Side, Subject};
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::Verdict;
use quorate_core::client::Result;
use quorate_core::recipe::{ContenderOptions, Guard, Layout, RwLock};
use quorate_core::vocabulary::{Millis, Version};

const LOCK: &str = "/rw/lock";
const DATA: &str = "/rw/data";
const CHECKER: &str = "app_rw_lock";
const MOST_PAUSE_MS: u64 = 500;
pub(super) const PROBES: &[&str] = &[
    "app_rw_lock_downgraded",
    "app_rw_lock_fenced_off",
    "app_rw_lock_read",
    "app_rw_lock_read_together",
    "app_rw_lock_timed_out",
    "app_rw_lock_written",
];

pub(super) async fn run(scene: Scene) {
    scene.ensure(DATA).await;
    let layout = if scene.one_in(4) { Layout::Kazoo } else { Layout::Curator };
    let options = ContenderOptions { layout, ..ContenderOptions::default() };
    let lock = RwLock::with_options(&scene.client, LOCK, options);
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        if let Err(error) = turn(&scene, &lock).await
            && !scene.is_passing(&error)
        {
            scene.violate(CHECKER, error);
        }
    }
    scene.leave_nothing().await;
}

async fn turn(scene: &Scene, lock: &RwLock<SimRuntime>) -> Result<()> {
    let longest = Millis(scene.runtime.below(500));
    let (guard, side) = match scene.runtime.below(10) {
        0 => (lock.try_write().await?, Side::Alone),
        1 => (lock.write_within(longest).await?, Side::Alone),
        2 | 3 => (Some(lock.write().await?), Side::Alone),
        4 => (lock.try_read().await?, Side::Shared),
        5 => (lock.read_within(longest).await?, Side::Shared),
        6 => return trouble(scene, lock).await,
        _ => (Some(lock.read().await?), Side::Shared),
    };
    match (guard, side) {
        (None, _) => scene.runtime.probe("app_rw_lock_timed_out"),
        (Some(guard), Side::Alone) => write(scene, lock, guard).await?,
        (Some(guard), Side::Shared) => read(scene, lock, guard).await?,
    }
    Ok(())
}

/// Takes the first one's node away.
async fn trouble(scene: &Scene, lock: &RwLock<SimRuntime>) -> Result<()> {
    let first = lock.contenders().await?.into_iter().next();
    if let Some(first) = first
        && scene.one_in(2)
    {
        subject(scene, Side::Alone).deletes(&first.path);
        // Whoever gets here too late deletes nothing.
        scene.client.delete(&first.path, Version::ANY).await.or(Ok(()))?;
    }
    Ok(())
}

fn subject(scene: &Scene, side: Side) -> Subject<'_> {
    Subject { scene, checker: CHECKER, number: 0, side }
}

async fn write(scene: &Scene, lock: &RwLock<SimRuntime>, guard: Guard<SimRuntime>) -> Result<()> {
    let writer = subject(scene, Side::Alone);
    writer.acquired(&guard).await;
    for _ in 0..=scene.runtime.below(2) {
        scene.pause(MOST_PAUSE_MS).await;
        match writer.prove(&guard, DATA).await {
            Proof::Held => scene.runtime.probe("app_rw_lock_written"),
            Proof::FencedOff => scene.runtime.probe("app_rw_lock_fenced_off"),
            Proof::None => {}
        }
    }
    if scene.one_in(2) {
        return finish(scene, guard).await;
    }
    let reads = match lock.downgrade(&guard).await {
        Ok(reads) => reads,
        Err(error) if Guard::<SimRuntime>::is_fenced_off(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let reader = subject(scene, Side::Shared);
    if reader.prove(&reads, DATA).await == Proof::Held {
        scene.runtime.probe("app_rw_lock_downgraded");
    }
    finish(scene, guard).await?;
    read(scene, lock, reads).await
}

async fn read(scene: &Scene, lock: &RwLock<SimRuntime>, guard: Guard<SimRuntime>) -> Result<()> {
    let reader = subject(scene, Side::Shared);
    reader.acquired(&guard).await;
    for _ in 0..=scene.runtime.below(2) {
        scene.pause(MOST_PAUSE_MS).await;
        match reader.prove(&guard, DATA).await {
            Proof::Held => scene.runtime.probe("app_rw_lock_read"),
            Proof::FencedOff => scene.runtime.probe("app_rw_lock_fenced_off"),
            Proof::None => {}
        }
    }
    if scene.one_in(4) {
        let line = lock.contenders().await?;
        let is_reader = |path: &str| path.contains("__READ__") || path.contains("__rlock__");
        if line.iter().take_while(|contender| is_reader(&contender.path)).count() > 1 {
            scene.runtime.probe("app_rw_lock_read_together");
        }
    }
    finish(scene, guard).await
}

async fn finish(scene: &Scene, guard: Guard<SimRuntime>) -> Result<()> {
    if scene.one_in(2) {
        drop(guard);
        return Ok(());
    }
    guard.release().await
}

/// Nobody writes while another is proven to read or to write.
pub(super) fn judge(told: &[Told]) -> Verdict {
    holds::judge(CHECKER, told, 1)
}
