//! Everybody changes nodes below one, and keeps a picture of them by a recursive watch. Whatever breaks, in the end the picture is
//! what the servers have.

use super::Scene;
use futures_util::future::{Either, select};
use quorate_core::client::{
    CreateOptions, Error, EventType, Result, Resync, Runtime, Watch, WatchEvent, WatchMode,
};
use quorate_core::vocabulary::{ErrorCode, Mono, Version, Zxid};
use std::collections::BTreeMap;

const ROOT: &str = "/cache";
const NODES: u64 = 6;
const MOST_PAUSE_MS: u64 = 1000;
pub(super) const PROBES: &[&str] =
    &["app_cache_converged", "app_resync_new_session", "app_resync_reconnected"];
/// A picture that differs must be told of what it lacks within this, once nobody writes.
const PATIENCE_NS: u64 = 20_000_000_000;

/// The last change of each node's data.
type Picture = BTreeMap<String, Zxid>;

pub(super) fn start(scene: Scene) {
    let runtime = scene.runtime.clone();
    runtime.spawn(write(scene.clone()));
    runtime.spawn(watch(scene));
}

async fn write(scene: Scene) {
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let node = format!("{ROOT}/{}", scene.runtime.below(NODES));
        let node = if scene.runtime.below(3) == 0 { format!("{node}/below") } else { node };
        // Whatever becomes of it, the picture has to follow.
        let _ = match scene.runtime.below(3) {
            0 => scene.client.create(&node, "", &CreateOptions::persistent().parents()).await.map(drop),
            1 => scene.client.set(&node, "x", Version::ANY).await.map(drop),
            _ => scene.client.delete(&node, Version::ANY).await,
        };
    }
}

async fn watch(scene: Scene) {
    while let Err(error) = keep(&scene).await {
        if !error.is_retryable() && !error.is_session_over() {
            return scene.runtime.violate("app_cache", format!("machine {}: {error}", scene.machine));
        }
        scene.pause(MOST_PAUSE_MS).await;
    }
    scene.client.close().await;
}

/// Keeps a picture until it is seen to be right after everybody has stopped writing.
async fn keep(scene: &Scene) -> Result<()> {
    let mut watch = scene.client.watch(ROOT, WatchMode::Recursive).await?;
    let mut picture = read(scene).await?;
    let mut newest = Zxid::ZERO;
    loop {
        let due = if scene.is_over() { Mono(scene.runtime.now().0 + PATIENCE_NS) } else { scene.end };
        match next(scene, &mut watch, due).await {
            Some(Some(WatchEvent::Node { kind, path, zxid })) => {
                if let Some(zxid) = zxid {
                    if zxid < newest {
                        scene
                            .runtime
                            .violate("app_cache", format!("{path} at {zxid:?} is told behind {newest:?}"));
                    }
                    newest = zxid;
                }
                follow(scene, &mut picture, kind, path).await?;
            }
            Some(Some(WatchEvent::Resync(Resync::Over)) | None) => {
                // The session is replaced, and the watch is to be set again.
                scene.violate("app_cache", "the watch has ended before the client");
            }
            Some(Some(WatchEvent::Resync(why))) => {
                scene.runtime.probe(match why {
                    Resync::Reconnected => "app_resync_reconnected",
                    Resync::NewSession => "app_resync_new_session",
                    Resync::Lagged | Resync::Over => "app_resync_lagged",
                });
                newest = Zxid::ZERO;
                picture = read(scene).await?;
            }
            None => {}
        }
        if scene.is_over() {
            scene.client.sync(ROOT).await?;
            let truth = read(scene).await?;
            if truth == picture {
                scene.runtime.probe("app_cache_converged");
                return Ok(());
            }
            if scene.runtime.now().0 > scene.end.0 + 4 * PATIENCE_NS {
                scene
                    .runtime
                    .violate("app_cache", format!("machine {} has {picture:?} of {truth:?}", scene.machine));
            }
        }
    }
}

/// The next event, or None when `due` has come before it.
async fn next(scene: &Scene, watch: &mut Watch, due: Mono) -> Option<Option<WatchEvent>> {
    let event = std::pin::pin!(watch.next());
    let sleep = std::pin::pin!(scene.runtime.sleep_until(due));
    match select(event, sleep).await {
        Either::Left((event, _)) => Some(event),
        Either::Right(_) => None,
    }
}

async fn follow(scene: &Scene, picture: &mut Picture, kind: EventType, path: String) -> Result<()> {
    if kind == EventType::NodeDeleted {
        picture.remove(&path);
        return Ok(());
    }
    match scene.client.exists(&path).await? {
        Some(stat) => picture.insert(path, stat.mzxid),
        None => picture.remove(&path),
    };
    Ok(())
}

/// The picture as the server has it.
async fn read(scene: &Scene) -> Result<Picture> {
    let mut picture = Picture::new();
    let mut paths = vec![ROOT.to_owned()];
    while let Some(path) = paths.pop() {
        match scene.client.children(&path).await {
            Ok((children, stat)) => {
                paths.extend(children.into_iter().map(|child| format!("{path}/{child}")));
                picture.insert(path, stat.mzxid);
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(picture)
}

fn is_gone(error: &Error) -> bool {
    error.code() == Some(ErrorCode::NoNode)
}
