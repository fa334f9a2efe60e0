//! What a client keeps whatever becomes of the servers that it is on: its session, its ephemeral node, and every watch.
//!
//! A client has watches of four kinds on many nodes, and its ways to the servers lead through proxies. Round after round it is cut off,
//! silently or with its server killed; while it is away somebody else changes some of the nodes. When it is back each of those
//! has told exactly one event, and no other any; and watches of both persistent modes say that they were away, and go on. A few
//! rounds by default, a hundred with QUORATE_FULL.

use crate::process::poll_until;
use crate::proxy::Proxy;
use crate::rig::Rig;
use quorate_client::{
    Client, CreateOptions, EventType, Millis, OnExpiry, Resync, SessionState, Version, Watch, WatchEvent,
    WatchMode,
};
use std::time::Duration;

const NODES: usize = 40;
/// So many of them change in a round.
const CHANGES: usize = 12;
const TIMEOUT: Millis = Millis(8000);
const DEADLINE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("it never came to pass that {what}"))
}

/// An event that is there already.
async fn at_once(watch: &mut Watch) -> Option<WatchEvent> {
    tokio::time::timeout(Duration::ZERO, watch.next()).await.ok().flatten()
}

/// What is watched of a node, and what changes there.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Data,
    Deletion,
    Creation,
    Children,
}

impl Kind {
    fn of(node: usize) -> Self {
        [Kind::Data, Kind::Deletion, Kind::Creation, Kind::Children][node % 4]
    }

    fn event(self) -> EventType {
        match self {
            Kind::Data => EventType::NodeDataChanged,
            Kind::Deletion => EventType::NodeDeleted,
            Kind::Creation => EventType::NodeCreated,
            Kind::Children => EventType::NodeChildrenChanged,
        }
    }
}

fn path(node: usize) -> String {
    format!("/kept/{node}")
}

/// Sets the watch of a node, once everybody sees what was changed last.
async fn watch(client: &Client, node: usize) -> Watch {
    let path = path(node);
    client.sync(&path).await.unwrap();
    match Kind::of(node) {
        Kind::Data | Kind::Deletion => client.get_watched(&path).await.unwrap().1,
        Kind::Creation => client.exists_watched(&path).await.unwrap().1,
        Kind::Children => client.children_watched(&path).await.unwrap().1,
    }
}

/// Changes a node, and puts it back after.
async fn change(other: &Client, node: usize, round: usize) {
    let path = path(node);
    match Kind::of(node) {
        Kind::Data => {
            for change in 0..=round % 2 {
                other.set(&path, format!("{round}.{change}"), Version::ANY).await.unwrap();
            }
        }
        Kind::Deletion => other.delete(&path, Version::ANY).await.unwrap(),
        Kind::Creation => drop(other.create(&path, "", &CreateOptions::persistent()).await.unwrap()),
        Kind::Children => {
            let child = format!("{path}/{round}");
            other.create(&child, "", &CreateOptions::persistent()).await.unwrap();
        }
    }
}

async fn put_back(other: &Client, node: usize) {
    match Kind::of(node) {
        Kind::Deletion => drop(other.create(&path(node), "", &CreateOptions::persistent()).await.unwrap()),
        Kind::Creation => other.delete(&path(node), Version::ANY).await.unwrap(),
        Kind::Data | Kind::Children => {}
    }
}

/// How the client is cut off in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Its connection breaks.
    Break,
    /// Its server is killed.
    Kill,
    /// Nothing comes through any more.
    Silence,
}

impl Fault {
    fn of(round: usize) -> Self {
        match round % 10 {
            1 | 4 | 7 => Fault::Kill,
            9 => Fault::Silence,
            _ => Fault::Break,
        }
    }
}

/// A persistent watch has said that it was away, and tells what changes behind that.
async fn goes_on(other: &Client, path: &str, watch: &mut Watch) {
    let what = format!("the persistent watch of {path} goes on");
    let mut is_back = false;
    loop {
        match soon(&what, watch.next()).await {
            Some(WatchEvent::Resync(Resync::Reconnected | Resync::Lagged)) => {
                is_back = true;
                other.set(path, "", Version::ANY).await.unwrap();
            }
            Some(WatchEvent::Node { .. }) if is_back => return,
            Some(WatchEvent::Node { .. }) => {}
            end => panic!("{end:?}: {what}"),
        }
    }
}

/// The server that the session is on.
fn server_of(rig: &Rig, client: &Client) -> usize {
    let sid = format!("sid=0x{:x},", client.session().latest().id.0);
    let mut found = None;
    poll_until("a server has the session", || {
        found = (0..rig.count())
            .find(|server| rig.mode(*server).is_some() && rig.word(*server, "cons").contains(&sid));
        found.is_some()
    });
    found.expect("it was found")
}

/// Cuts the client off. Answers the server that was killed.
async fn cut_off(rig: &mut Rig, proxies: &[Proxy], client: &Client, fault: Fault) -> Option<usize> {
    let server = server_of(rig, client);
    proxies.iter().for_each(|proxy| proxy.cut(true, true));
    match fault {
        Fault::Break => proxies[server].sever(),
        Fault::Kill => rig.kill(server),
        Fault::Silence => {}
    }
    let mut session = client.session();
    let view = soon("it is cut off", session.wait_for(|view| !view.state.is_connected())).await.unwrap();
    assert!(matches!(view.state, SessionState::Suspended { .. }), "{view:?}");
    (fault == Fault::Kill).then_some(server)
}

/// A client that writes all the time.
async fn load(address: String) {
    let client = quorate_client::builder(&address).unwrap().session_timeout(TIMEOUT).connect().await.unwrap();
    let _ = client.create("/load", "", &CreateOptions::persistent()).await;
    for round in 0_u64.. {
        let sets: Vec<_> = (0..8).map(|_| client.set("/load", round.to_string(), Version::ANY)).collect();
        for set in sets {
            // Of what was cut off nobody knows.
            let _ = set.await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn keep(rounds: usize) {
    let mut rig = Rig::serving(3, &[]);
    let proxies: Vec<Proxy> = (0..3).map(|server| Proxy::before(rig.ports(server).client)).collect();
    let hosts = |ports: [u16; 3]| ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    let direct = hosts([0, 1, 2].map(|server| rig.ports(server).client));
    let through = hosts([0, 1, 2].map(|server: usize| proxies[server].port));
    let builder = |hosts: &str| quorate_client::builder(hosts).unwrap().session_timeout(TIMEOUT);
    let other = builder(&direct).on_expiry(OnExpiry::Replace).connect().await.unwrap();
    let loads = tokio::spawn(load(direct));
    other.create("/kept", "", &CreateOptions::persistent()).await.unwrap();
    for node in (0..NODES).filter(|node| !matches!(Kind::of(*node), Kind::Creation)) {
        other.create(&path(node), "", &CreateOptions::persistent()).await.unwrap();
    }
    let client = builder(&through).connect().await.unwrap();
    let id = client.session().latest().id;
    client.create("/mine", "", &CreateOptions::ephemeral()).await.unwrap();
    let mut persistent = Vec::new();
    for (path, mode) in [("/kept", WatchMode::Persistent), ("/load", WatchMode::Recursive)] {
        persistent.push((path, client.watch(path, mode).await.unwrap()));
    }
    let mut watches = Vec::new();
    for node in 0..NODES {
        watches.push(watch(&client, node).await);
    }
    let (mut events, mut reconnects) = (0, 0);
    for round in 0..rounds {
        let killed = cut_off(&mut rig, &proxies, &client, Fault::of(round)).await;
        let changed: Vec<usize> = (0..CHANGES).map(|change| (round * 7 + change * 3) % NODES).collect();
        for node in &changed {
            soon("somebody else changes a node", change(&other, *node, round)).await;
        }
        for proxy in &proxies {
            proxy.heal(false);
        }
        let mut session = client.session();
        soon("it is back", session.wait_for(|view| view.state.is_connected())).await.unwrap();
        reconnects += 1;
        // What was replayed stands before the answer to what is asked now.
        client.sync("/kept").await.unwrap();
        for (node, watch) in watches.iter_mut().enumerate() {
            if changed.contains(&node) {
                let what = format!("the {:?} watch of {node} fires in round {round}", Kind::of(node));
                let event = soon(&what, watch.next()).await;
                let Some(WatchEvent::Node { kind, path: of, .. }) = event else {
                    panic!("{event:?} of {node}")
                };
                assert_eq!((kind, of), (Kind::of(node).event(), path(node)), "round {round}");
                assert_eq!(soon("it ends", watch.next()).await, None, "node {node}, round {round}");
                events += 1;
            } else {
                let event = at_once(watch).await;
                assert_eq!(event, None, "node {node} did not change in round {round}");
            }
        }
        for (path, watch) in &mut persistent {
            goes_on(&other, path, watch).await;
        }
        for node in changed {
            put_back(&other, node).await;
            watches[node] = watch(&client, node).await;
        }
        if let Some(server) = killed {
            rig.start(server);
            rig.wait_for_all();
        }
    }
    assert_eq!(client.session().latest().id, id, "it is the same session");
    assert!(client.exists("/mine").await.unwrap().is_some());
    loads.abort();
    println!(
        "{reconnects} reconnects with {NODES} watches pending, {events} events, none lost, none doubled"
    );
}

#[test]
fn a_client_keeps_its_session_and_its_watches_through_kills_and_partitions() {
    let rounds = if std::env::var_os("QUORATE_FULL").is_some() { 100 } else { 5 };
    // The clients live on a thread of their own: this one waits for servers without letting others go on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    let clients = std::thread::spawn(move || runtime.block_on(is_over));
    handle.block_on(keep(rounds));
    drop(over);
    let _ = clients.join();
}
