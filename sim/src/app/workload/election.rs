//! Everybody wants to lead: by a latch, by a selector, and by one that is called as kazoo calls it. Who leads shows it by
//! transactions, until it has had enough, or is told that it does not lead any more.

use super::Scene;
use super::holds::{self, Proof, Side, Subject};
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::Verdict;
use futures_util::future::{Either, select};
use quorate_core::client::{Result, Runtime};
use quorate_core::recipe::{ContenderOptions, Guard, Layout, LeaderLatch, LeaderSelector, Participant};
use quorate_core::vocabulary::{Millis, Version};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

const PATHS: [&str; 3] = ["/election/latch", "/election/selector", "/election/kazoo"];
const DATA: &str = "/election/data";
const CHECKER: &str = "app_election";
const MOST_PAUSE_MS: u64 = 300;
/// So long one leads at most before it lets another.
const MOST_REIGN_MS: u64 = 6000;
pub(super) const PROBES: &[&str] = &[
    "app_election_abdicated",
    "app_election_cancelled",
    "app_election_deposed",
    "app_election_fenced_off",
    "app_election_gave_up",
    "app_election_led",
    "app_election_leader_seen",
];

pub(super) async fn run(scene: Scene) {
    scene.ensure(DATA).await;
    let id = format!("machine {}", scene.machine);
    let mut latch = LeaderLatch::new(&scene.client, PATHS[0], id.clone());
    let kazoo = ContenderOptions { layout: Layout::Kazoo, data: id.clone().into(), acl: None };
    let mut selectors = [
        LeaderSelector::new(&scene.client, PATHS[1], id),
        LeaderSelector::with_options(&scene.client, PATHS[2], kazoo),
    ];
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let done = match scene.runtime.below(5) {
            0 => trouble(&scene, latch.leader().await.map(Vec::from_iter), 0).await,
            1 => trouble(&scene, selectors[0].participants().await, 1).await,
            2 | 3 => by_latch(&scene, &mut latch).await,
            _ => {
                let number = scene.runtime.below(2);
                by_selector(&scene, &mut selectors[number as usize], 1 + number).await
            }
        };
        if let Err(error) = done
            && !scene.is_passing(&error)
        {
            scene.violate(CHECKER, error);
        }
    }
    scene.leave_nothing().await;
}

/// Takes the leader's node away.
async fn trouble(scene: &Scene, participants: Result<Vec<Participant>>, number: u64) -> Result<()> {
    let participants = participants?;
    if participants.iter().filter(|participant| participant.is_leader).count() > 1 {
        scene.violate(CHECKER, format!("{participants:?}"));
    }
    if let Some(first) = participants.first() {
        scene.runtime.probe("app_election_leader_seen");
        if scene.one_in(4) {
            subject(scene, number).deletes(&first.path);
            // Whoever gets here too late deletes nothing.
            scene.client.delete(&first.path, Version::ANY).await.or(Ok(()))?;
        }
    }
    Ok(())
}

fn subject(scene: &Scene, number: u64) -> Subject<'_> {
    Subject { scene, checker: CHECKER, number, side: Side::Alone }
}

async fn by_latch(scene: &Scene, latch: &mut LeaderLatch<SimRuntime>) -> Result<()> {
    let runtime = &scene.runtime;
    let patience = runtime.sleep_until(runtime.now() + Millis(runtime.below(5000)));
    let guard = match select(pin!(latch.await_leadership()), patience).await {
        Either::Left((guard, _)) => guard?,
        Either::Right(_) => {
            runtime.probe("app_election_gave_up");
            return Ok(());
        }
    };
    if scene.one_in(2) {
        lead(scene, &guard, 0).await;
    } else if guard.run(lead(scene, &guard, 0)).await.is_err() {
        runtime.probe("app_election_deposed");
    }
    if !guard.is_held() && latch.is_leader() {
        scene.violate(CHECKER, "a latch leads whose guard does not hold");
    }
    if scene.one_in(2) {
        drop(guard);
        return Ok(());
    }
    guard.release().await
}

async fn by_selector(scene: &Scene, selector: &mut LeaderSelector<SimRuntime>, number: u64) -> Result<()> {
    let (mut reigns, finished) = (0, AtomicU64::new(0));
    let lead = |guard: Guard<SimRuntime>| {
        reigns += 1;
        let finished = &finished;
        let is_last = scene.one_in(2);
        async move {
            lead(scene, &guard, number).await;
            finished.fetch_add(1, Ordering::Relaxed);
            match is_last || scene.is_over() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    };
    selector.run(lead).await?;
    if reigns > 1 {
        scene.runtime.probe("app_election_abdicated");
    }
    if reigns > finished.into_inner() {
        scene.runtime.probe("app_election_cancelled");
    }
    Ok(())
}

/// Leads for a while, and claims to all the time.
async fn lead(scene: &Scene, guard: &Guard<SimRuntime>, number: u64) {
    let leader = subject(scene, number);
    leader.acquired(guard).await;
    select(pin!(reign(leader, guard)), pin!(leader.claim_on(guard, MOST_PAUSE_MS))).await;
}

async fn reign(leader: Subject<'_>, guard: &Guard<SimRuntime>) {
    let scene = leader.scene;
    let most_ms = scene.runtime.below(MOST_REIGN_MS);
    let until = scene.runtime.now() + Millis(most_ms);
    while scene.runtime.now() < until && !scene.is_over() {
        scene.pause(3 * MOST_PAUSE_MS).await;
        match leader.prove(guard, DATA).await {
            Proof::Held => scene.runtime.probe("app_election_led"),
            Proof::FencedOff => {
                // The node is gone: that must be told.
                guard.lost().await;
                scene.runtime.probe("app_election_fenced_off");
                return;
            }
            Proof::None => {}
        }
    }
}

/// Nobody is proven to lead whom somebody has followed, and nobody who is to be believed claims to.
pub(super) fn judge(told: &[Told]) -> Verdict {
    holds::judge(CHECKER, told, PATHS.len() as u64)
}
