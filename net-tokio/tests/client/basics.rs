//! Requests, and what comes of them.

use crate::{Target, soon};
use quorate_client::{Acl, Cause, CreateOptions, ErrorCode, Id, OpResult, Outcome, Permissions, Version};

#[tokio::test]
async fn a_node_is_created_read_set_and_deleted() {
    let target = Target::start();
    let client = target.client("node").await;
    let created = client.create("/a", "one", &CreateOptions::persistent()).await.unwrap();
    assert_eq!((created.path.as_str(), created.stat.czxid), ("/a", created.zxid));
    let value = client.get("/a").await.unwrap();
    assert_eq!((value.bytes(), value.version()), (&b"one"[..], Version(0)));
    assert_eq!(client.set("/a", "two", Version(0)).await.unwrap().version, 1);
    let stale = client.set("/a", "three", Version(0)).await.unwrap_err();
    assert_eq!((stale.code(), stale.outcome()), (Some(ErrorCode::BadVersion), Outcome::Refused));
    assert_eq!(stale.to_string(), "set /a: refused: BadVersion");
    assert_eq!(client.exists("/a").await.unwrap().unwrap().data_length, 3);
    client.delete("/a", Version(1)).await.unwrap();
    assert_eq!(client.exists("/a").await.unwrap(), None);
    assert_eq!(client.get("/a").await.unwrap_err().code(), Some(ErrorCode::NoNode));
    client.close().await;
}

#[tokio::test]
async fn what_is_no_path_is_not_sent() {
    let target = Target::start();
    let client = target.client("path").await;
    for path in ["", "a", "/a/", "/a//b", "/a/../b", "/nul\0"] {
        let error = client.get(path).await.unwrap_err();
        assert_eq!((error.cause(), error.outcome()), (&Cause::Path, Outcome::NotApplied), "{path:?}");
    }
    assert!(client.at("x").is_err());
}

#[tokio::test]
async fn nodes_are_of_the_kind_that_was_asked_for() {
    let target = Target::start();
    let client = target.client("kinds").await;
    let sequential = CreateOptions::persistent().sequential();
    let first = client.create("/s-", "", &sequential).await.unwrap().path;
    let second = client.create("/s-", "", &sequential).await.unwrap().path;
    assert_eq!((first.as_str(), second.as_str()), ("/s-0000000000", "/s-0000000001"));
    let ephemeral = client.create("/e", "", &CreateOptions::ephemeral()).await.unwrap();
    assert_eq!(ephemeral.stat.ephemeral_owner, client.session().latest().id.0);
    let deep = client.create("/x/y/z", "deep", &CreateOptions::persistent().parents()).await.unwrap();
    assert_eq!(deep.path, "/x/y/z");
    client.create("/c/child", "", &CreateOptions::persistent().container_parents()).await.unwrap();
    let names = client.children("/").await.unwrap().0;
    assert_eq!(names.len(), 5, "{names:?}");
    let orphan = client.create("/none/child", "", &CreateOptions::persistent()).await.unwrap_err();
    assert_eq!(orphan.code(), Some(ErrorCode::NoNode));
    assert_eq!(client.count_below("/x").await.unwrap(), 2);
    let nowhere = client.at("/nowhere").unwrap();
    let lost = soon("it is refused", nowhere.create("/a", "", &CreateOptions::persistent().parents()));
    assert_eq!(lost.await.unwrap_err().code(), Some(ErrorCode::NoNode));
}

#[tokio::test]
async fn a_transaction_is_applied_whole_or_not_at_all() {
    let target = Target::start();
    let client = target.client("transaction").await;
    let done = client
        .transaction()
        .create("/a", "1", &CreateOptions::persistent())
        .set("/a", "2", Version(0))
        .check("/a", Version(1))
        .create("/b", "", &CreateOptions::persistent())
        .delete("/b", Version::ANY)
        .commit();
    let done = done.await.unwrap();
    assert!(matches!(
        done.as_slice(),
        [OpResult::Created(_), OpResult::Set(_), OpResult::Checked, OpResult::Created(_), OpResult::Deleted]
    ));
    let failed =
        client.transaction().set("/a", "3", Version::ANY).check("/a", Version(7)).delete("/a", Version::ANY);
    let error = failed.commit().await.unwrap_err();
    assert_eq!(error.cause(), &Cause::Operation { place: 1, code: ErrorCode::BadVersion });
    assert_eq!(client.get("/a").await.unwrap().bytes(), b"2");
}

#[tokio::test]
async fn requests_are_made_in_the_order_of_the_calls() {
    let target = Target::start();
    let client = target.client("order").await;
    let created = client.create("/n", "0", &CreateOptions::persistent());
    let sets: Vec<_> =
        (1..500).map(|number: i32| client.set("/n", number.to_string(), Version(number - 1))).collect();
    let read = client.get("/n");
    assert_eq!(soon("the last is answered", read).await.unwrap().bytes(), b"499");
    for set in sets.into_iter().rev() {
        set.await.unwrap();
    }
    created.await.unwrap();
}

#[tokio::test]
async fn an_acl_keeps_out_whom_it_does_not_name() {
    let target = Target::start();
    let client = target.client("acl").await;
    client.add_auth("digest", "joe:pw").await.unwrap();
    let mine = vec![Acl { perms: Permissions::ALL, id: Id::new("auth", "") }];
    client.create("/mine", "secret", &CreateOptions::persistent().acl(mine)).await.unwrap();
    let (acl, stat) = client.acl("/mine").await.unwrap();
    assert_eq!(acl[0].id.scheme.as_deref(), Some("digest"));
    assert!(client.who_am_i().await.unwrap().iter().any(|who| who.user == "joe"));
    let other = quorate_client::connect(&target.connect_string()).await.unwrap();
    other.sync("/").await.unwrap();
    let prefix = format!("client-test-{}-acl-", std::process::id());
    let homes = other.children("/").await.unwrap().0;
    let home = homes.iter().find(|name| name.starts_with(&prefix)).unwrap();
    let theirs = other.at(&format!("/{home}")).unwrap();
    assert_eq!(theirs.get("/mine").await.unwrap_err().code(), Some(ErrorCode::NoAuth));
    client.set_acl("/mine", Acl::open(), Version(stat.aversion)).await.unwrap();
    theirs.set("/mine", "open", Version::ANY).await.unwrap();
    other.close().await;
}
