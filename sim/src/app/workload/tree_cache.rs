//! Everybody changes nodes of a small tree, and keeps a cache of it. From its events alone a picture is kept, which never goes back,
//! and which is in the end what the servers have.

use super::Scene;
use futures_util::future::{Either, select};
use quorate_core::client::{CreateOptions, Result, Runtime, Value};
use quorate_core::recipe::{Cache, CacheEvent, CacheEvents, Scope};
use quorate_core::vocabulary::{ErrorCode, Mono, Version, Zxid};
use std::collections::BTreeMap;

const ROOT: &str = "/tree";
const BRANCHES: u64 = 4;
const MOST_PAUSE_MS: u64 = 1000;
/// So often it may lack something when the servers answer, each time behind a pause, once nobody writes.
const MOST_LATE: u64 = 20;
pub(super) const PROBES: &[&str] =
    &["app_tree_changed", "app_tree_converged", "app_tree_created", "app_tree_deleted", "app_tree_replaced"];

type Nodes = BTreeMap<String, (Vec<u8>, Zxid, Zxid)>;

pub(super) fn start(scene: Scene) {
    let runtime = scene.runtime.clone();
    runtime.spawn(write(scene.clone()));
    runtime.spawn(watch(scene));
}

async fn write(scene: Scene) {
    let mut written = 0;
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let mut node = format!("{ROOT}/{}", scene.runtime.below(BRANCHES));
        for _ in 0..scene.runtime.below(3) {
            node.push_str("/x");
        }
        written += 1;
        let data = format!("{}-{written}", scene.machine);
        let options = CreateOptions::persistent().parents();
        let client = &scene.client;
        // Whatever becomes of it, the picture has to follow.
        let _ = match scene.runtime.below(4) {
            0 => client.create(&node, data, &options).await.map(drop),
            1 => client.set(&node, data, Version::ANY).await.map(drop),
            2 => client.delete(&node, Version::ANY).await,
            // Another node of the same version.
            _ => {
                let replace = client.transaction().delete(&node, Version(0)).create(&node, data, &options);
                replace.commit().await.map(drop)
            }
        };
    }
}

async fn watch(scene: Scene) {
    let scope = [Scope::Tree, Scope::Tree, Scope::Children, Scope::Node][scene.runtime.below(4) as usize];
    loop {
        match Cache::start(&scene.client, ROOT, scope).await {
            Ok(cache) => break follow(&scene, cache, scope).await,
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_tree_cache", error),
        }
    }
    scene.client.close().await;
}

/// Keeps a picture until it is seen to be right after everybody has stopped writing.
async fn follow(scene: &Scene, cache: Cache, scope: Scope) {
    let mut events = cache.events();
    let mut picture = Picture::default();
    let mut late = 0;
    loop {
        let until =
            if scene.is_over() { scene.runtime.now().0 + MOST_PAUSE_MS * 1_000_000 } else { scene.end.0 };
        match next(scene, &mut events, Mono(until)).await {
            Some(Some(event)) => picture.apply(scene, event),
            Some(None) => return scene.violate("app_tree_cache", format!("ended: {:?}", cache.ended())),
            None if scene.is_over() => {
                // The truth is read behind the picture: whoever compares must not be late.
                let read = (nodes(cache.nodes()), read(scene, scope).await);
                if let (kept, Ok(truth)) = read {
                    if truth == kept && truth == picture.nodes {
                        return scene.runtime.probe("app_tree_converged");
                    }
                    late += 1;
                    scene.runtime.probe("app_tree_late");
                    if late > MOST_LATE {
                        let told = &picture.nodes;
                        scene.violate(
                            "app_tree_cache",
                            format!("{kept:?} is kept, {told:?} told, of {truth:?}"),
                        );
                        return;
                    }
                }
            }
            None => {}
        }
    }
}

/// What the events make.
#[derive(Default)]
struct Picture {
    nodes: Nodes,
    /// Of each path the last change that was seen of it.
    newest: BTreeMap<String, Zxid>,
}

impl Picture {
    fn apply(&mut self, scene: &Scene, event: CacheEvent) {
        let (path, old, new) = (event.path, event.old.map(node), event.new.map(node));
        if self.nodes.get(&path) != old.as_ref() {
            let known = self.nodes.get(&path);
            scene.violate(
                "app_tree_cache",
                format!("of {path} {old:?} is old in an event, {known:?} was new"),
            );
        }
        scene.runtime.probe(match (&old, &new) {
            (None, _) => "app_tree_created",
            (_, None) => "app_tree_deleted",
            (Some((_, old, _)), Some((_, new, _))) if old != new => "app_tree_replaced",
            _ => "app_tree_changed",
        });
        let Some(new) = new else {
            self.nodes.remove(&path);
            return;
        };
        let newest = self.newest.insert(path.clone(), new.2);
        if newest.is_some_and(|newest| newest >= new.2) {
            scene.violate("app_tree_cache", format!("{path} goes back from {newest:?} to {new:?}"));
        }
        self.nodes.insert(path, new);
    }
}

fn node(value: Value) -> (Vec<u8>, Zxid, Zxid) {
    (value.bytes().to_vec(), value.stat.czxid, value.stat.mzxid)
}

fn nodes(nodes: BTreeMap<String, Value>) -> Nodes {
    nodes.into_iter().map(|(path, value)| (path, node(value))).collect()
}

/// The next event, or None when `due` has come before it.
async fn next(scene: &Scene, events: &mut CacheEvents, due: Mono) -> Option<Option<CacheEvent>> {
    let event = std::pin::pin!(events.next());
    let sleep = std::pin::pin!(scene.runtime.sleep_until(due));
    match select(event, sleep).await {
        Either::Left((event, _)) => Some(event),
        Either::Right(_) => None,
    }
}

/// The nodes as the servers have them.
async fn read(scene: &Scene, scope: Scope) -> Result<Nodes> {
    scene.client.sync(ROOT).await?;
    let mut nodes = Nodes::new();
    let mut paths = vec![(ROOT.to_owned(), 0)];
    while let Some((path, depth)) = paths.pop() {
        let read = (scene.client.get(&path), scene.client.children(&path));
        match (read.0.await, read.1.await) {
            (Ok(value), Ok((names, _))) => {
                nodes.insert(path.clone(), node(value));
                if scope == Scope::Tree || (scope == Scope::Children && depth == 0) {
                    paths.extend(names.into_iter().map(|name| (format!("{path}/{name}"), depth + 1)));
                }
            }
            (Err(error), _) | (_, Err(error)) if error.code() == Some(ErrorCode::NoNode) => {}
            (Err(error), _) | (_, Err(error)) => return Err(error),
        }
    }
    Ok(nodes)
}
