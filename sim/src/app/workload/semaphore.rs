//! Everybody wants leases of three semaphores: of one with a fixed number of them, of one whose number is shared and changes, and of
//! one of kazoo's. Transactions show that the leases are held.
//!
//! Of those that were asked for after a change of the number was answered, and had before the next was asked for, never more are held
//! than it said: who has its turn reads the number behind that.

use super::Scene;
use super::holds::{self, Proof, Side, Subject, token};
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::Verdict;
use futures_util::future::join;
use quorate_core::client::{Client, Result, Transaction};
use quorate_core::recipe::{ContenderOptions, Guard, Layout, Maximum, Semaphore};
use quorate_core::vocabulary::{Millis, Version};

const DATA: &str = "/semaphore/data";
const NUMBER: &str = "/semaphore/number";
const PATHS: [&str; 3] = ["/semaphore/fixed", "/semaphore/shared", "/semaphore/kazoo"];
/// The most leases that there ever are of each.
const MOST: [usize; 3] = [2, 3, 2];
const CHECKER: &str = "app_semaphore";
const MOST_PAUSE_MS: u64 = 500;
const MOST_REST_MS: u64 = 2800;
/// Between two changes of the shared number.
const MOST_STEADY_MS: u64 = 3000;
pub(super) const PROBES: &[&str] = &[
    "app_semaphore_acquired",
    "app_semaphore_deleted",
    "app_semaphore_fenced_off",
    "app_semaphore_full",
    "app_semaphore_many",
    "app_semaphore_timed_out",
];

pub(super) async fn run(scene: Scene) {
    scene.ensure(DATA).await;
    let vary = async {
        // One is enough.
        if scene.machine == 0 {
            vary(&scene).await;
        }
    };
    join(acquire(&scene), vary).await;
    scene.leave_nothing().await;
}

/// Changes the shared number, and leaves as many leases as there may be.
async fn vary(scene: &Scene) {
    scene.ensure(NUMBER).await;
    // What a session has asked for may come late, when it is over.
    let (mut unsure, mut is_certain) = (None, true);
    while !scene.is_over() {
        scene.pause(MOST_STEADY_MS).await;
        let number = scene.runtime.below(MOST[1] as u64 + 1);
        let session = scene.client.session().latest().id;
        scene.runtime.tell("changes", [0; 3]);
        let is_set =
            scene.client.set(NUMBER, (number as i32).to_be_bytes().to_vec(), Version::ANY).await.is_ok();
        let is_same = scene.client.session().latest().id == session;
        is_certain &= unsure.take().is_none_or(|before| before == session && is_same);
        if is_set && is_certain {
            scene.runtime.tell("changed", [number, 0, 0]);
        }
        unsure = (!is_set).then_some(session);
    }
    scene.runtime.tell("changes", [0; 3]);
    let last = (MOST[1] as i32).to_be_bytes();
    while scene.client.set(NUMBER, last.to_vec(), Version::ANY).await.is_err() {
        scene.pause(MOST_PAUSE_MS).await;
    }
}

async fn acquire(scene: &Scene) {
    let semaphores = [0, 1, 2].map(|number| semaphore(&scene.client, number));
    while !scene.is_over() {
        scene.pause(MOST_REST_MS).await;
        let number = scene.runtime.below(3) as usize;
        if let Err(error) = turn(scene, &semaphores[number], number).await
            && !scene.is_passing(&error)
        {
            scene.violate(CHECKER, error);
        }
    }
}

fn semaphore(client: &Client<SimRuntime>, number: usize) -> Semaphore<SimRuntime> {
    let layout = if number == 2 { Layout::Kazoo } else { Layout::Curator };
    let maximum = match number {
        1 => Maximum::Shared(NUMBER.to_owned()),
        _ => Maximum::Fixed(MOST[number] as u32),
    };
    let options = ContenderOptions { layout, ..ContenderOptions::default() };
    Semaphore::with_options(client, PATHS[number], maximum, options)
}

async fn turn(scene: &Scene, semaphore: &Semaphore<SimRuntime>, number: usize) -> Result<()> {
    let (count, asked) = (if scene.one_in(4) { 2 } else { 1 }, scene.runtime.world_time());
    let leases = match scene.runtime.below(6) {
        0 => semaphore.try_acquire(count).await?,
        1 | 2 => semaphore.acquire_within(count, Millis(scene.runtime.below(1000))).await?,
        3 => return trouble(scene, semaphore, number).await,
        _ => Some(vec![semaphore.acquire().await?]),
    };
    match leases {
        Some(leases) => {
            for lease in &leases {
                scene.runtime.tell_of(number as u64, "has", [token(lease), asked, 0]);
            }
            hold(scene, semaphore, leases, number).await
        }
        None => {
            scene.runtime.probe("app_semaphore_timed_out");
            Ok(())
        }
    }
}

/// Takes away somebody's lease, or its turn.
async fn trouble(scene: &Scene, semaphore: &Semaphore<SimRuntime>, number: usize) -> Result<()> {
    let mut paths = semaphore.leases().await?;
    if scene.one_in(2) && number < 2 {
        let locks = format!("{}/locks", PATHS[number]);
        let (names, _) = scene.client.children(&locks).await.unwrap_or_default();
        paths = names.into_iter().map(|name| format!("{locks}/{name}")).collect();
    }
    if let Some(path) = paths.first()
        && scene.one_in(2)
    {
        // Whoever gets here too late deletes nothing.
        if scene.client.delete(path, Version::ANY).await.is_ok() {
            scene.runtime.probe("app_semaphore_deleted");
        }
    }
    Ok(())
}

async fn hold(
    scene: &Scene,
    semaphore: &Semaphore<SimRuntime>,
    leases: Vec<Guard<SimRuntime>>,
    number: usize,
) -> Result<()> {
    scene.runtime.probe(match leases.len() {
        1 => "app_semaphore_acquired",
        _ => "app_semaphore_many",
    });
    let subject = Subject { scene, checker: CHECKER, number: number as u64, side: Side::Shared };
    for lease in &leases {
        subject.acquired(lease).await;
    }
    let (subjects, tokens) = (vec![subject; leases.len()], leases.iter().map(token).collect::<Vec<_>>());
    for _ in 0..=scene.runtime.below(3) {
        let check =
            |checks: Transaction<SimRuntime>, lease: &Guard<_>| checks.check(lease.path(), Version::ANY);
        let checks = leases.iter().fold(scene.client.transaction(), check);
        if holds::prove(&subjects, checks, &tokens, DATA).await == Proof::FencedOff {
            scene.runtime.probe("app_semaphore_fenced_off");
        }
        scene.pause(MOST_PAUSE_MS).await;
    }
    if scene.one_in(4) && semaphore.leases().await?.len() > MOST[number] {
        scene.runtime.probe("app_semaphore_full");
    }
    for lease in leases {
        match scene.one_in(2) {
            true => drop(lease),
            false => lease.release().await?,
        }
    }
    Ok(())
}

/// There are never more leases than there may be.
pub(super) fn judge(told: &[Told]) -> Verdict {
    (0..3).try_for_each(|number| holds::judge_number(CHECKER, told, (number as u64, MOST[number])))?;
    let mut changes = told.iter().filter(|told| told.what.starts_with("change")).peekable();
    while let Some(change) = changes.next() {
        let Some(next) = changes.peek().filter(|_| change.what == "changed") else { continue };
        let is_within = |had: &&Told| {
            had.what == "has" && had.subject == 1 && change.at < had.numbers[1] && had.at < next.at
        };
        let within: Vec<u64> = told.iter().filter(is_within).map(|had| had.numbers[0]).collect();
        let of: Vec<Told> = told.iter().filter(|told| within.contains(&told.numbers[0])).copied().collect();
        holds::judge_number(CHECKER, &of, (1, change.numbers[0] as usize))?;
    }
    Ok(())
}
