//! Everybody publishes versions of a configuration, goes back to older ones, and follows it. Each version was published once, is the
//! same for all, and nobody sees one go back; in the end all have the newest, and the last few are kept.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::future::{Either, select};
use quorate_core::client::{Error, Outcome, Runtime};
use quorate_core::recipe::{Config, LiveConfig, Versioned};
use quorate_core::vocabulary::{ErrorCode, Mono, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::pin::pin;

const PATH: &str = "/config/document";
const DONE: &str = "/config/done";
const KEPT: usize = 5;
const MOST_PAUSE_MS: u64 = 2200;
pub(super) const PROBES: &[&str] = &[
    "app_config_complete",
    "app_config_conflict",
    "app_config_published",
    "app_config_rolled_back",
    "app_config_too_old",
    "app_config_unknown",
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    id: u64,
}

type Documents = Config<SimRuntime, Document>;

pub(super) async fn run(scene: Scene) {
    let config: Documents = Config::new(&scene.client, PATH, KEPT);
    let mut live = loop {
        match config.live().await {
            Ok(live) => break live,
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_config", error),
        }
    };
    let newest = live.latest().map(|seen| seen.version);
    let mut follower = Follower { scene: &scene, live, newest };
    let mut written = 0;
    while !scene.is_over() {
        let due = Mono(scene.runtime.now().0 + scene.runtime.below(MOST_PAUSE_MS) * 1_000_000);
        let is_quiet = {
            let (next, alarm) = (pin!(follower.next()), pin!(scene.runtime.sleep_until(due)));
            matches!(select(next, alarm).await, Either::Right(_))
        };
        if is_quiet {
            written += 1;
            change(&scene, &config, follower.newest, scene.machine << 32 | written).await;
        }
    }
    scene.ensure(&format!("{DONE}/{}", scene.machine)).await;
    while !matches!(scene.client.children(DONE).await, Ok((done, _)) if done.len() as u64 == scene.machines) {
        scene.pause(MOST_PAUSE_MS).await;
    }
    finish(&scene, &config, &mut follower).await;
    scene.leave_nothing().await;
}

/// Sees one version after the other.
struct Follower<'a> {
    scene: &'a Scene,
    live: LiveConfig<Document>,
    newest: Option<Version>,
}

impl Follower<'_> {
    async fn next(&mut self) {
        let Some(seen) = self.live.changed().await else {
            return self.scene.violate("app_config", "it is not followed any more");
        };
        if self.newest.is_some_and(|newest| newest >= seen.version) {
            self.scene.violate("app_config", format!("{seen:?} is seen behind {:?}", self.newest));
        }
        self.newest = Some(seen.version);
        saw(self.scene, &seen);
    }
}

fn saw(scene: &Scene, seen: &Versioned<Document>) {
    scene.runtime.tell("saw", [seen.version.0 as u64, seen.value.id, 0]);
}

async fn change(scene: &Scene, config: &Documents, newest: Option<Version>, id: u64) {
    let seen = match (scene.runtime.below(3), newest) {
        (0, Some(newest)) => newest,
        (1, Some(newest)) => Version(newest.0 - 1),
        _ => Version::ANY,
    };
    let published = match scene.one_in(4) {
        true => roll_back(scene, config, seen).await,
        false => config.publish(&Document { id }, seen).await.map(|version| Some((version, id))),
    };
    match published {
        Ok(Some((version, id))) => {
            scene.runtime.probe("app_config_published");
            scene.runtime.tell("published", [version.0 as u64, id, 0]);
            if seen != Version::ANY && version.0 != seen.0 + 1 {
                scene.violate("app_config", format!("{version:?} succeeds {seen:?}"));
            }
        }
        Ok(None) => {}
        Err(error) if error.outcome() == Outcome::Unknown => {
            scene.runtime.probe("app_config_unknown");
            scene.runtime.count("perhaps", 1);
        }
        Err(error) => match error.code() {
            Some(ErrorCode::BadVersion) => scene.runtime.probe("app_config_conflict"),
            Some(ErrorCode::NoNode) => scene.runtime.probe("app_config_too_old"),
            _ if scene.is_passing(&error) => {}
            _ => scene.violate("app_config", error),
        },
    }
}

/// Publishes an old version again, one that is kept, or was.
async fn roll_back(
    scene: &Scene,
    config: &Documents,
    seen: Version,
) -> Result<Option<(Version, u64)>, Error> {
    let versions = config.versions().await?;
    let Some(oldest) = versions.first() else { return Ok(None) };
    let to = Version((oldest.0 + scene.runtime.below(KEPT as u64 + 2) as i32 - 2).max(0));
    let Some(old) = config.version(to).await? else {
        // It may come to be meanwhile: then nobody knows what it is.
        config.roll_back(to, seen).await?;
        scene.runtime.count("perhaps", 1);
        return Ok(None);
    };
    let version = config.roll_back(to, seen).await?;
    scene.runtime.probe("app_config_rolled_back");
    Ok(Some((version, old.value.id)))
}

/// Nobody changes anything any more: all there is is there.
async fn finish(scene: &Scene, config: &Documents, follower: &mut Follower<'_>) {
    loop {
        let newest = match scene.client.sync(PATH).await {
            Ok(()) => config.get().await,
            Err(error) => Err(error),
        };
        match newest {
            // All disks may have been full all the time.
            Ok(None) => return,
            Ok(Some(newest)) => {
                while follower.newest.is_none_or(|seen| seen < newest.version) {
                    follower.next().await;
                }
                saw(scene, &newest);
                scene.runtime.tell("newest", [newest.version.0 as u64, newest.value.id, 0]);
                if history(scene, config, newest.version).await.is_ok() {
                    return scene.runtime.probe("app_config_complete");
                }
            }
            Err(_) => {}
        }
        scene.pause(MOST_PAUSE_MS).await;
    }
}

async fn history(scene: &Scene, config: &Documents, newest: Version) -> Result<(), Error> {
    let versions: Vec<i32> = config.versions().await?.iter().map(|version| version.0).collect();
    for version in &versions {
        if let Some(document) = config.version(Version(*version)).await? {
            saw(scene, &document);
        }
    }
    let is_newest = config.get().await?.is_some_and(|document| document.version == newest);
    let kept: Vec<i32> = ((newest.0 + 1 - KEPT as i32).max(0)..=newest.0).collect();
    if is_newest && versions != kept {
        scene.violate("app_config", format!("of {newest:?} {versions:?} are kept"));
    }
    Ok(())
}

/// Each version has one document, and one publication; `perhaps` of them nobody knows of.
pub(super) fn judge(told: &[Told], perhaps: u64) -> Verdict {
    let mut documents: BTreeMap<u64, u64> = BTreeMap::new();
    for Told { machine, what, numbers: [version, id, _], .. } in told {
        let known = *documents.entry(*version).or_insert(*id);
        require("app_config", known == *id, || {
            format!("machine {machine} ({what}) has {id:#x} as version {version}, another {known:#x}")
        })?;
    }
    let of = |wanted: &'static str| told.iter().filter(move |told| told.what == wanted);
    let mut published: Vec<u64> = of("published").map(|told| told.numbers[0]).collect();
    published.sort_unstable();
    let twice = published.windows(2).find(|pair| pair[0] == pair[1]);
    require("app_config", twice.is_none(), || format!("version {twice:?} was published by two"))?;
    let newest = of("newest").map(|told| told.numbers[0] + 1).max().unwrap_or(0);
    let count = published.len() as u64;
    require("app_config", count <= newest && newest <= count + perhaps, || {
        format!("{count} were published and {perhaps} perhaps, there are {newest}")
    })
}
