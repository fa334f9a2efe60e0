//! Everybody wants leases, by clocks that agree. No two have one at the same time.

use super::Scene;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use quorate_core::recipe::{MultiNonBlockingLease, NonBlockingLease};
use quorate_core::vocabulary::{Millis, Wall};

const ONE: &str = "/leases/one";
const SOME: &str = "/leases/some";
const COUNT: usize = 2;
const MOST_PAUSE_MS: u64 = 1800;
const MOST_LEASE_MS: u64 = 3000;
pub(super) const PROBES: &[&str] = &["app_lease_obtained", "app_lease_taken"];

pub(super) async fn run(scene: Scene) {
    let holder = format!("machine {}", scene.machine);
    let one = NonBlockingLease::new(&scene.client, ONE, &holder);
    let some = MultiNonBlockingLease::new(&scene.client, SOME, &holder, COUNT);
    let wall = || Wall((scene.runtime.world_time() / 1_000_000) as i64);
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let length = Millis(scene.runtime.below(MOST_LEASE_MS));
        let obtained = match scene.one_in(2) {
            true => one.obtain(length, wall).await.map(|end| end.map(|end| (COUNT, end))),
            false => some.obtain(length, wall).await,
        };
        match obtained {
            Ok(Some((which, end))) => {
                scene.runtime.probe("app_lease_obtained");
                scene.runtime.tell("obtained", [which as u64, end.0 as u64 * 1_000_000, 0]);
            }
            Ok(None) => scene.runtime.probe("app_lease_taken"),
            Err(error) if scene.is_passing(&error) => {}
            Err(error) => scene.violate("app_lease", error),
        }
    }
    scene.leave_nothing().await;
}

/// Of any two the one was over before the other was answered.
pub(super) fn judge(told: &[Told]) -> Verdict {
    for (place, later) in told.iter().enumerate() {
        let [which, end, _] = later.numbers;
        let of_others = |other: &&Told| other.numbers[0] == which && other.machine != later.machine;
        // A clock shows whole milliseconds.
        let both = told[..place]
            .iter()
            .filter(of_others)
            .find(|earlier| later.at + 1_000_000 < earlier.numbers[1] && earlier.at + 1_000_000 < end);
        require("app_lease", both.is_none(), || format!("{later:?} and {both:?} have the same lease"))?;
    }
    Ok(())
}
