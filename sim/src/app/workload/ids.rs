//! Everybody makes ids, some with a generator that has begun anew. No id comes twice, and those of one generator rise.

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
    let mut generator = fresh();
    let mut incarnation = 0;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        if scene.one_in(8) {
            scene.runtime.probe("app_ids_restarted");
            incarnation += 1;
            generator = if scene.one_in(2) { generator.clone() } else { fresh() };
        }
        for _ in 0..scene.runtime.below(8) {
            match generator.next().await {
                Ok(id) => {
                    scene.runtime.probe("app_ids_made");
                    scene.runtime.tell("id", [id as u64, incarnation, 0]);
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
    for Told { machine, numbers: [id, incarnation, _], .. } in told {
        if let Some(other) = of.insert(*id, *machine) {
            require("app_ids", false, || format!("machines {other} and {machine} have both made {id}"))?;
        }
        let before = last.insert((*machine, *incarnation), *id).unwrap_or(0);
        require("app_ids", before < *id, || format!("machine {machine} has made {id} after {before}"))?;
    }
    Ok(())
}
