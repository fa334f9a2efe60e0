//! Watches.

use crate::{Target, soon};
use quorate_client::{CreateOptions, EventType, Resync, Version, Watch, WatchEvent, WatchMode};

async fn node(watch: &mut Watch) -> (EventType, String) {
    match soon("a watch fires", watch.next()).await {
        Some(WatchEvent::Node { kind, path, .. }) => (kind, path),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_one_shot_watch_tells_one_change_and_ends() {
    let target = Target::start();
    let client = target.client("one-shot").await;
    let (none, mut created) = client.exists_watched("/a").await.unwrap();
    assert_eq!(none, None);
    let (_, mut children) = client.children_watched("/").await.unwrap();
    client.create("/a", "", &CreateOptions::persistent()).await.unwrap();
    assert_eq!(node(&mut created).await, (EventType::NodeCreated, "/a".to_owned()));
    assert_eq!(soon("it ends", created.next()).await, None);
    assert_eq!(node(&mut children).await, (EventType::NodeChildrenChanged, "/".to_owned()));
    let (_, mut changed) = client.get_watched("/a").await.unwrap();
    let (_, mut also) = client.get_watched("/a").await.unwrap();
    client.set("/a", "x", Version::ANY).await.unwrap();
    assert_eq!(node(&mut changed).await, (EventType::NodeDataChanged, "/a".to_owned()));
    assert_eq!(node(&mut also).await, (EventType::NodeDataChanged, "/a".to_owned()));
}

#[tokio::test]
async fn persistent_watches_go_on_and_recursive_ones_see_what_is_below() {
    let target = Target::start();
    let client = target.client("persistent").await;
    client.create("/a", "", &CreateOptions::persistent()).await.unwrap();
    let mut own = client.watch("/a", WatchMode::Persistent).await.unwrap();
    let mut below = client.watch("/", WatchMode::Recursive).await.unwrap();
    client.set("/a", "1", Version::ANY).await.unwrap();
    client.create("/a/b", "", &CreateOptions::persistent()).await.unwrap();
    client.delete("/a/b", Version::ANY).await.unwrap();
    assert_eq!(node(&mut own).await.0, EventType::NodeDataChanged);
    assert_eq!(node(&mut own).await.0, EventType::NodeChildrenChanged);
    assert_eq!(node(&mut own).await.0, EventType::NodeChildrenChanged);
    assert_eq!(node(&mut below).await, (EventType::NodeDataChanged, "/a".to_owned()));
    assert_eq!(node(&mut below).await, (EventType::NodeCreated, "/a/b".to_owned()));
    assert_eq!(node(&mut below).await, (EventType::NodeDeleted, "/a/b".to_owned()));
}

#[tokio::test]
async fn a_dropped_watch_takes_no_other_with_it() {
    let target = Target::start();
    let client = target.client("dropped").await;
    client.create("/a", "", &CreateOptions::persistent()).await.unwrap();
    let first = client.watch("/a", WatchMode::Persistent).await.unwrap();
    let mut second = client.watch("/a", WatchMode::Persistent).await.unwrap();
    let recursive = client.watch("/a", WatchMode::Recursive).await.unwrap();
    drop(client.watch("/a", WatchMode::Persistent));
    drop((first, recursive));
    for change in 0..3 {
        client.set("/a", change.to_string(), Version::ANY).await.unwrap();
        assert_eq!(node(&mut second).await.0, EventType::NodeDataChanged);
    }
    drop(second);
    client.set("/a", "", Version::ANY).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_that_it_has_missed_something() {
    let target = Target::start();
    let client = target.client("slow").await;
    let mut slow = client.watch("/", WatchMode::Recursive).await.unwrap();
    let creates: Vec<_> =
        (0..2000).map(|node| client.create(&format!("/{node}"), "", &CreateOptions::persistent())).collect();
    for create in creates {
        create.await.unwrap();
    }
    let mut seen = 0;
    loop {
        match soon("it is told", slow.next()).await {
            Some(WatchEvent::Node { .. }) => seen += 1,
            Some(WatchEvent::Resync(Resync::Lagged)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen < 2000, "{seen} events were kept for it");
    client.create("/again", "", &CreateOptions::persistent()).await.unwrap();
    assert_eq!(node(&mut slow).await, (EventType::NodeCreated, "/again".to_owned()));
}

#[tokio::test]
async fn a_persistent_watch_says_that_it_was_away() {
    let target = Target::start();
    let (proxies, connect) = target.proxies();
    let client = target.through(&connect, "away").await;
    let mut watch = client.watch("/", WatchMode::Recursive).await.unwrap();
    let (_, mut one_shot) = client.exists_watched("/a").await.unwrap();
    let mut session = client.session();
    proxies.cut();
    proxies.heal();
    soon("the connection is lost", session.wait_for(|view| !view.state.is_connected())).await.unwrap();
    client.create("/a", "", &CreateOptions::persistent()).await.unwrap();
    assert_eq!(soon("it is told", watch.next()).await, Some(WatchEvent::Resync(Resync::Reconnected)));
    assert_eq!(node(&mut watch).await, (EventType::NodeCreated, "/a".to_owned()));
    assert_eq!(node(&mut one_shot).await, (EventType::NodeCreated, "/a".to_owned()));
}
