//! Everybody makes ids, by two generators each, which now and then begin anew, or as the other's clone. No id comes twice, and those
//! of one generator rise.

use super::Scene;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use quorate_core::recipe::IdGenerator;
use std::collections::BTreeMap;

const PATH: &str = "/ids";
const MOST_PAUSE_MS: u64 = 1500;
pub(super) const PROBES: &[&str] = &["app_ids_made", "app_ids_failed", "app_ids_restarted"];

pub(super) async fn run(scene: Scene) {
    let fresh = || IdGenerator::new(&scene.client, PATH, 1 + scene.runtime.below(6) as u32);
    // Two, each with a number of its own.
    let mut generators = [(0, fresh()), (1, fresh())];
    let mut made = 2;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let which = scene.runtime.below(2) as usize;
        if scene.one_in(8) {
            scene.runtime.probe("app_ids_restarted");
            let another = if scene.one_in(2) { generators[1 - which].1.clone() } else { fresh() };
            generators[which] = (made, another);
            made += 1;
        }
        let (number, generator) = &mut generators[which];
        for _ in 0..scene.runtime.below(8) {
            match generator.next().await {
                Ok(id) => {
                    scene.runtime.probe("app_ids_made");
                    scene.runtime.tell("id", [id as u64, *number, 0]);
                }
                Err(error) if scene.is_passing(&error) => scene.runtime.probe("app_ids_failed"),
                Err(error) => scene.violate("app_ids", error),
            }
        }
    }
    scene.client.close().await;
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    let mut of: BTreeMap<u64, u64> = BTreeMap::new();
    let mut last: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for Told { machine, numbers: [id, generator, _], .. } in told {
        if let Some(other) = of.insert(*id, *machine) {
            require("app_ids", false, || format!("machines {other} and {machine} have both made {id}"))?;
        }
        let before = last.insert((*machine, *generator), *id).unwrap_or(0);
        require("app_ids", before < *id, || format!("machine {machine} has made {id} after {before}"))?;
    }
    Ok(())
}
