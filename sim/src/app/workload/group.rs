//! Everybody joins a group and leaves it, again and again, while others delete its node. Who says that its node is there is not
//! wrong about whose it is; and once all stay, all see all, with what they said last.

use super::Scene;
use quorate_core::recipe::{Group, Layout, Member, NodeState};
use quorate_core::vocabulary::Version;

const GROUP: &str = "/group/members";
const DONE: &str = "/group/done";
const LAST: &[u8] = b"last";
const MOST_PAUSE_MS: u64 = 2800;
pub(super) const PROBES: &[&str] =
    &["app_group_complete", "app_group_left", "app_group_lost", "app_group_owned", "app_group_taken"];

pub(super) async fn run(scene: Scene) {
    let group = loop {
        match Group::watch(&scene.client, GROUP, Layout::Curator).await {
            Ok(group) => break group,
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_group", error),
        }
    };
    let id = format!("m{}", scene.machine);
    while !scene.is_over() {
        let member = Member::join(&scene.client, GROUP, &id, "first");
        for said in 0..scene.runtime.below(8) {
            scene.pause(MOST_PAUSE_MS).await;
            match scene.runtime.below(5) {
                0 => member.set_data(said.to_string()),
                1 => expel(&scene, &group).await,
                _ => look_at(&scene, &id, &member).await,
            }
        }
        match scene.one_in(2) {
            true => drop(member),
            false => leave(&scene, &id, member).await,
        }
    }
    let member = Member::join(&scene.client, GROUP, &id, "first");
    scene.pause(MOST_PAUSE_MS).await;
    member.set_data(LAST);
    if scene.one_in(2) {
        // It comes again with what it said last.
        scene.pause(MOST_PAUSE_MS).await;
        let _ = scene.client.delete(&format!("{GROUP}/{id}"), Version::ANY).await;
    }
    meet(&scene, group).await;
    leave(&scene, &id, member).await;
    scene.has_left_nothing().await;
    end(&scene, Member::join(&scene.client, GROUP, &id, "")).await;
}

/// Nobody is in the group whose session is over.
async fn end(scene: &Scene, member: Member) {
    member.joined().await;
    scene.client.close().await;
    let mut view = member.view();
    while view.changed().await.is_some() {}
    if member.joined().await {
        scene.violate(
            "app_group",
            format!("its session is closed, and it is in the group: {:?}", view.latest()),
        );
    }
}

/// Takes somebody's node away.
async fn expel(scene: &Scene, group: &Group) {
    let members = group.members();
    if let Some(id) = members.keys().nth(scene.runtime.below(scene.machines) as usize) {
        // Whoever comes too late deletes nothing.
        let _ = scene.client.delete(&format!("{GROUP}/{id}"), Version::ANY).await;
    }
}

/// Whether the node that is said to be this session's is.
async fn look_at(scene: &Scene, id: &str, member: &Member) {
    let view = member.view().latest();
    let path = format!("{GROUP}/{id}");
    match (view.state, scene.client.exists(&path).await) {
        (NodeState::There { czxid, session }, Ok(Some(stat))) if stat.czxid == czxid => {
            scene.runtime.probe("app_group_owned");
            if stat.ephemeral_owner != session.0 {
                let owner = stat.ephemeral_owner;
                scene.violate("app_group", format!("the node of {owner:#x} is taken for that of {session}"));
            }
        }
        (NodeState::There { .. }, Ok(None)) => scene.runtime.probe("app_group_lost"),
        (NodeState::Taken, _) => scene.runtime.probe("app_group_taken"),
        _ => {}
    }
}

/// Whoever has left has left nothing.
async fn leave(scene: &Scene, id: &str, member: Member) {
    let session = scene.client.session().latest().id;
    if member.leave().await.is_err() {
        return;
    }
    scene.runtime.probe("app_group_left");
    if let Ok(Some(stat)) = scene.client.exists(&format!("{GROUP}/{id}")).await
        && stat.ephemeral_owner == session.0
        && scene.client.session().latest().id == session
    {
        scene.violate("app_group", format!("it has left, and its node {stat:?} is there"));
    }
}

/// Ready when everybody has seen everybody, and the last that they said.
async fn meet(scene: &Scene, mut group: Group) {
    let is_complete = |group: &Group| {
        let members = group.members();
        members.len() == scene.machines as usize && members.values().all(|data| data == LAST)
    };
    while !is_complete(&group) {
        if !group.changed().await {
            return scene.violate("app_group", "the group is not followed any more");
        }
    }
    scene.runtime.probe("app_group_complete");
    scene.ensure(&format!("{DONE}/{}", scene.machine)).await;
    loop {
        match scene.client.children(DONE).await {
            Ok((done, _)) if done.len() == scene.machines as usize => return,
            _ => scene.pause(MOST_PAUSE_MS).await,
        }
    }
}
