//! Some machines at a time enter a double barrier, and leave it.
//!
//! Who entered with whom is told by the txn by which they did. The judge wants so many in each as the barrier opens for, but for those
//! who may have been in and could not tell: their session was over, or they had dropped the future. Who came late must have found
//! somebody in. Nobody has left before all who entered with it wanted to. That nobody waits for ever shows as liveness.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::future::{Either, select};
use quorate_core::recipe::{DoubleBarrier, Entered};
use quorate_core::vocabulary::Millis;
use std::collections::BTreeMap;
use std::pin::pin;

const PARENT: &str = "/barriers";
const PATH: &str = "/barriers/double";
/// A node that somebody has lost sight of stands for so long at most.
const MOST_LINGERING_NS: u64 = 20_000_000_000;
const MEMBERS: usize = 3;
const MOST_PAUSE_MS: u64 = 1000;
const MOST_WAIT_MS: u64 = 4000;
pub(super) const PROBES: &[&str] = &[
    "app_double_barrier_dropped",
    "app_double_barrier_entered",
    "app_double_barrier_late",
    "app_double_barrier_left",
    "app_double_barrier_lost",
    "app_double_barrier_timed_out",
];

pub(super) async fn run(scene: Scene) {
    // So that there is a session from the first.
    scene.ensure(PARENT).await;
    let barrier = DoubleBarrier::new(&scene.client, PATH, MEMBERS);
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let (asked, session) = (scene.runtime.world_time(), scene.client.session().latest().id);
        let longest = Millis(scene.runtime.below(MOST_WAIT_MS));
        let entered = match scene.one_in(20) {
            true => match select(pin!(barrier.enter()), pin!(scene.pause(MOST_WAIT_MS))).await {
                Either::Left((entered, _)) => entered.map(Some),
                Either::Right(_) => {
                    scene.runtime.probe("app_double_barrier_dropped");
                    scene.runtime.tell("lost", [asked, 0, 0]);
                    continue;
                }
            },
            false => barrier.enter_within(longest).await,
        };
        if entered.is_err() || scene.client.session().latest().id != session {
            scene.runtime.probe("app_double_barrier_lost");
            scene.runtime.tell("lost", [asked, 0, 0]);
        }
        match entered {
            Ok(Some(entered)) => be_in(&scene, entered, asked).await,
            Ok(None) => scene.runtime.probe("app_double_barrier_timed_out"),
            Err(error) if scene.is_passing(&error) => {}
            Err(error) => scene.violate("app_double_barrier", error),
        }
    }
    scene.leave_nothing().await;
}

async fn be_in(scene: &Scene, entered: Entered<SimRuntime>, asked: u64) {
    let (token, session) = (entered.token().0.0 as u64, scene.client.session().latest().id);
    let is_late = entered.is_late();
    scene.runtime.probe(if is_late { "app_double_barrier_late" } else { "app_double_barrier_entered" });
    scene.runtime.tell("entered", [token, u64::from(is_late), asked]);
    scene.pause(MOST_PAUSE_MS).await;
    let leaving = scene.runtime.world_time();
    let left = match scene.runtime.below(10) {
        0 => {
            drop(entered);
            Ok(false)
        }
        1 => entered.leave_within(Millis(scene.runtime.below(MOST_WAIT_MS))).await,
        _ => entered.leave().await.map(|()| true),
    };
    match left {
        Ok(true) => {
            let is_same = scene.client.session().latest().id == session;
            scene.runtime.probe("app_double_barrier_left");
            scene.runtime.tell("left", [token, leaving, u64::from(is_same)]);
        }
        Ok(false) => {}
        Err(error) if scene.is_passing(&error) => {}
        Err(error) => scene.violate("app_double_barrier", error),
    }
}

/// Somebody who was in, or may have been.
#[derive(Clone, Copy, Debug)]
struct Stay {
    asked: u64,
    at: u64,
    token: u64,
    /// Until when it may have been in.
    until: u64,
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    let of = |wanted| told.iter().filter(move |told: &&Told| told.what == wanted);
    let lost: Vec<(u64, u64)> =
        of("lost").map(|lost| (lost.numbers[0], lost.at + MOST_LINGERING_NS)).collect();
    // Whose session was there all the time.
    let stayed = |left: &&Told| left.numbers[2] == 1;
    let left = |token, machine, since| {
        let is_it = |left: &&Told| left.numbers[0] == token && left.machine == machine && left.at >= since;
        of("left").filter(stayed).find(is_it)
    };
    let mut stays = Vec::new();
    let mut rounds: BTreeMap<u64, Vec<Stay>> = BTreeMap::new();
    let mut late = Vec::new();
    for &Told { at, machine, numbers: [token, is_late, asked], .. } in of("entered") {
        let until = left(token, machine, at).map_or(u64::MAX, |left| left.at);
        let stay = Stay { asked, at, token, until };
        stays.push(stay);
        match is_late {
            0 => rounds.entry(token).or_default().push(stay),
            _ => late.push(stay),
        }
    }
    for (token, round) in &rounds {
        // The txn was behind the last call and before the first answer.
        let from = round.iter().map(|stay| stay.asked).max().unwrap_or_default();
        let until = round.iter().map(|stay| stay.at).min().unwrap_or_default();
        let unheard = lost.iter().filter(|(asked, at)| *asked <= until && from <= *at).count();
        require("app_double_barrier", from <= until && round.len() + unheard >= MEMBERS, || {
            format!("by {token:#x} only these entered, and {unheard} that were not heard of: {round:?}")
        })?;
        let leaving = of("left").filter(|left| left.numbers[0] == *token);
        // For whom nobody waited had lost its session.
        let last_call = leaving.clone().filter(stayed).map(|left| left.numbers[1]).max().unwrap_or_default();
        let first_gone = leaving.map(|left| left.at).min().unwrap_or(u64::MAX);
        require("app_double_barrier", last_call <= first_gone, || {
            format!("of {token:#x} one had left at {first_gone}, and another wanted to at {last_call} only")
        })?;
    }
    for stay in late {
        let is_met = stays.iter().any(|other| other.token < stay.token && other.until >= stay.asked)
            || lost.iter().any(|(asked, _)| *asked <= stay.at);
        require("app_double_barrier", is_met, || format!("{stay:?} came late, and nobody was in"))?;
    }
    Ok(())
}
