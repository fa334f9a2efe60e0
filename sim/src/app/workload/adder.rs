//! Everybody adds to counters of all encodings, each time another amount, and some look on by a shared value.
//!
//! An addition that was acknowledged is the stretch of numbers that it has added. No two overlap, and what is between them is made of
//! amounts whose outcome is unknown: so nothing is added twice, and nothing is lost.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::future::{Either, join, select};
use quorate_core::client::{Error, Outcome, Runtime};
use quorate_core::recipe::{Counter, Encoding, SharedValue};
use quorate_core::vocabulary::Mono;
use std::pin::pin;

const COUNTERS: [(&str, Encoding); 3] =
    [("/adders/long", Encoding::Long), ("/adders/int", Encoding::Int), ("/adders/text", Encoding::Text)];
const MACHINES: u64 = 8;
/// What is shown must be right within four times this, once nobody adds.
const MOST_PATIENCE_MS: u64 = 20_000;
const MOST_PAUSE_MS: u64 = 1200;
pub(super) const PROBES: &[&str] = &[
    "app_adder_added",
    "app_adder_another_came_first",
    "app_adder_compared",
    "app_adder_seen",
    "app_adder_unknown",
];

pub(super) async fn run(scene: Scene) {
    let counters = COUNTERS.map(|(path, encoding)| Counter::with_encoding(&scene.client, path, encoding));
    let adder = async {
        let mut by = scene.machine as i64 + 1;
        while !scene.is_over() {
            scene.pause(MOST_PAUSE_MS).await;
            let which = scene.runtime.below(COUNTERS.len() as u64);
            let added = add(&scene, &counters[which as usize], by).await;
            let told = |what, number: i64| scene.runtime.tell(what, [which, number as u64, by as u64]);
            match added {
                Ok(Some(sum)) => told("added", sum),
                Ok(None) => scene.runtime.probe("app_adder_another_came_first"),
                Err(error) if error.outcome() == Outcome::Unknown => {
                    scene.runtime.probe("app_adder_unknown");
                    told("perhaps", 0);
                }
                Err(error) if scene.is_passing(&error) => {}
                Err(error) => scene.violate("app_adder", error),
            }
            by += MACHINES as i64;
        }
    };
    match scene.one_in(2) {
        true => {
            join(adder, look_on(&scene)).await;
        }
        false => adder.await,
    }
    for (which, counter) in counters.iter().enumerate() {
        let shown = loop {
            if let Ok(()) = scene.client.sync(COUNTERS[which].0).await
                && let Ok(shown) = counter.get().await
            {
                break shown;
            }
            scene.pause(MOST_PAUSE_MS).await;
        };
        scene.runtime.tell("shown", [which as u64, shown as u64, 0]);
    }
    scene.client.close().await;
}

/// Adds, or sets to the sum what shows a number still; answers the sum.
async fn add(scene: &Scene, counter: &Counter<SimRuntime>, by: i64) -> Result<Option<i64>, Error> {
    let sum = match scene.one_in(3) {
        true => {
            let number = counter.get().await?;
            let is_set = counter.compare_and_set(number, number + by).await?;
            scene.runtime.probe("app_adder_compared");
            is_set.then_some(number + by)
        }
        false => Some(counter.add(by).await?),
    };
    scene.runtime.probe("app_adder_added");
    Ok(sum)
}

/// Sees the first counter by a shared value, until it is seen to be right after everybody has stopped adding.
async fn look_on(scene: &Scene) {
    let path = COUNTERS[0].0;
    let mut value = loop {
        match SharedValue::open(&scene.client, path, 0_i64.to_be_bytes().to_vec()).await {
            Ok(value) => break value,
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_adder", error),
        }
    };
    let mut newest = 0;
    loop {
        let due = Mono(scene.runtime.now().0 + MOST_PATIENCE_MS * 50_000);
        let is_kept = match select(pin!(value.changed()), scene.runtime.sleep_until(due)).await {
            Either::Left((changed, _)) => changed.is_some(),
            Either::Right(_) => true,
        };
        let Some(latest) = value.latest().filter(|_| is_kept) else {
            return scene.violate("app_adder", "the counter is shown to be deleted, or not at all");
        };
        if latest.stat.mzxid.0 < newest {
            scene.violate("app_adder", format!("{latest:?} is shown after {newest:#x}"));
        }
        newest = latest.stat.mzxid.0;
        if scene.is_over() && scene.client.sync(path).await.is_ok() {
            match scene.client.exists(path).await {
                Ok(Some(truth)) if value.latest().is_some_and(|seen| seen.stat.mzxid == truth.mzxid) => {
                    return scene.runtime.probe("app_adder_seen");
                }
                truth if scene.runtime.now().0 > scene.end.0 + 4 * MOST_PATIENCE_MS * 1_000_000 => {
                    return scene.violate("app_adder", format!("{newest:#x} is shown of {truth:?}"));
                }
                _ => {}
            }
        }
    }
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    for (which, (path, _)) in COUNTERS.iter().enumerate() {
        let of = |wanted| {
            let of = move |told: &&Told| told.what == wanted && told.numbers[0] == which as u64;
            told.iter().filter(of).map(|told| (told.numbers[1], told.numbers[2]))
        };
        let perhaps: Vec<u64> = of("perhaps").map(|(_, by)| by).collect();
        let mut added: Vec<(u64, u64)> = of("added").map(|(sum, by)| (sum - by, sum)).collect();
        added.sort_unstable();
        // Whoever has looked last has looked behind all that was acknowledged.
        let shown = of("shown").map(|(shown, _)| shown).max().unwrap_or_default();
        added.push((shown, shown));
        let mut so_far = 0;
        for (from, to) in added {
            require("app_adder", from >= so_far && is_sum(from - so_far, &perhaps), || {
                format!(
                    "{path}: from {so_far} to {from} nobody has added but perhaps {perhaps:?}; {shown} in all"
                )
            })?;
            so_far = to;
        }
    }
    Ok(())
}

/// Whether a number is the sum of some of those.
fn is_sum(sum: u64, of: &[u64]) -> bool {
    let mut sums = vec![false; sum as usize + 1];
    sums[0] = true;
    for &by in of.iter().filter(|by| **by <= sum) {
        for at in (by as usize..sums.len()).rev() {
            sums[at] |= sums[at - by as usize];
        }
    }
    sums[sum as usize]
}
