//! Everybody wants some of three locks at once, named in any order, and shows by one transaction that it holds all that it wants.

use super::Scene;
use super::holds::{self, Proof, Side, Subject, token};
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::Verdict;
use quorate_core::client::Result;
use quorate_core::recipe::{MultiGuard, MultiLock, Mutex};
use quorate_core::vocabulary::{Millis, Version};

const LOCKS: [&str; 3] = ["/multi/a", "/multi/b", "/multi/c"];
const DATA: &str = "/multi/data";
const CHECKER: &str = "app_multi_lock";
const MOST_PAUSE_MS: u64 = 500;
pub(super) const PROBES: &[&str] = &[
    "app_multi_lock_acquired",
    "app_multi_lock_fenced_off",
    "app_multi_lock_lost",
    "app_multi_lock_reentered",
    "app_multi_lock_timed_out",
];

pub(super) async fn run(scene: Scene) {
    scene.ensure(DATA).await;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        if let Err(error) = turn(&scene).await
            && !scene.is_passing(&error)
        {
            scene.violate(CHECKER, error);
        }
    }
    scene.leave_nothing().await;
}

async fn turn(scene: &Scene) -> Result<()> {
    // Two or three, from any of them on, in one direction or the other.
    let (first, step) = (scene.runtime.below(3), 1 + scene.runtime.below(2));
    let count = 2 + scene.runtime.below(2);
    let paths: Vec<&str> = (0..count).map(|at| LOCKS[((first + at * step) % 3) as usize]).collect();
    let mut lock = MultiLock::new(&scene.client, paths);
    let guard = match scene.runtime.below(6) {
        0 => lock.try_acquire().await?,
        1 => lock.acquire_within(Millis(scene.runtime.below(500))).await?,
        2 => return trouble(scene, first).await,
        _ => Some(lock.acquire().await?),
    };
    match guard {
        Some(guard) => hold(scene, &mut lock, guard).await,
        None => {
            scene.runtime.probe("app_multi_lock_timed_out");
            Ok(())
        }
    }
}

/// Takes away the node of who holds one of them.
async fn trouble(scene: &Scene, number: u64) -> Result<()> {
    let lock = Mutex::new(&scene.client, LOCKS[number as usize]);
    if let Some(first) = lock.contenders().await?.into_iter().next()
        && scene.one_in(2)
    {
        subject(scene, number).deletes(&first.path);
        // Whoever gets here too late deletes nothing.
        scene.client.delete(&first.path, Version::ANY).await.or(Ok(()))?;
    }
    Ok(())
}

fn subject(scene: &Scene, number: u64) -> Subject<'_> {
    Subject { scene, checker: CHECKER, number, side: Side::Alone }
}

async fn hold(scene: &Scene, lock: &mut MultiLock<SimRuntime>, guard: MultiGuard<SimRuntime>) -> Result<()> {
    let of = |path: &str| LOCKS.iter().position(|lock| path.starts_with(lock)).unwrap_or(0);
    let subjects: Vec<_> =
        guard.guards().iter().map(|guard| subject(scene, of(guard.path()) as u64)).collect();
    for (subject, guard) in subjects.iter().zip(guard.guards()) {
        subject.acquired(guard).await;
    }
    scene.runtime.probe("app_multi_lock_acquired");
    let tokens: Vec<u64> = guard.guards().iter().map(token).collect();
    if scene.one_in(4)
        && let Some(again) = lock.try_acquire().await?
        && again.tokens() == guard.tokens()
    {
        scene.runtime.probe("app_multi_lock_reentered");
    }
    if scene.one_in(2) {
        work(&subjects, &guard, &tokens).await;
    } else if guard.run(work(&subjects, &guard, &tokens)).await.is_err() {
        scene.runtime.probe("app_multi_lock_lost");
    }
    if scene.one_in(2) {
        drop(guard);
        return Ok(());
    }
    guard.release().await
}

async fn work(subjects: &[Subject<'_>], guard: &MultiGuard<SimRuntime>, tokens: &[u64]) {
    let scene = subjects[0].scene;
    for _ in 0..=scene.runtime.below(3) {
        scene.pause(MOST_PAUSE_MS).await;
        subjects.iter().zip(guard.guards()).for_each(|(subject, guard)| subject.claim(guard));
        if holds::prove(subjects, guard.transaction(), tokens, DATA).await == Proof::FencedOff {
            scene.runtime.probe("app_multi_lock_fenced_off");
        }
    }
}

/// Of each lock nobody is proven to hold what somebody behind it has acquired.
pub(super) fn judge(told: &[Told]) -> Verdict {
    holds::judge(CHECKER, told, LOCKS.len() as u64)
}
