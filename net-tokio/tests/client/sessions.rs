//! Sessions: what they survive, and how they end.

use crate::{Target, soon};
use quorate_client::{
    CreateOptions, Millis, OnExpiry, Outcome, Resync, SessionState, StartError, WatchEvent, WatchMode,
};
use std::time::Duration;

#[tokio::test]
async fn a_session_survives_its_connection_and_ends_with_close() {
    let target = Target::start();
    let (proxies, connect) = target.proxies();
    let client = target.through(&connect, "survives").await;
    let other = target.client("observer").await;
    let path = client.create("/mine", "", &CreateOptions::ephemeral()).await.unwrap().stat;
    let mut session = client.session();
    let before = session.latest();
    proxies.cut();
    proxies.heal();
    let suspended =
        soon("it is suspended", session.wait_for(|view| !view.state.is_connected())).await.unwrap();
    assert!(suspended.state.time_left(client.now()).is_some_and(|left| left <= before.timeout));
    let after = soon("it is back", session.wait_for(|view| view.state.is_connected())).await.unwrap();
    assert_eq!((after.id, path.ephemeral_owner), (before.id, before.id.0));
    assert!(client.exists("/mine").await.unwrap().is_some());
    client.close().await;
    assert_eq!(client.session().latest().state, SessionState::Closed);
    let late = client.get("/mine").await.unwrap_err();
    assert!(late.is_session_over());
    assert_eq!(late.outcome(), Outcome::NotApplied);
    other.close().await;
}

#[tokio::test]
async fn a_session_that_expires_can_be_replaced() {
    let target = Target::start();
    let (proxies, connect) = target.proxies();
    let builder = quorate_client::builder(&connect).unwrap();
    let client = builder.session_timeout(Millis(4000)).on_expiry(OnExpiry::Replace).connect().await.unwrap();
    let mut session = client.session();
    let first = session.latest();
    let home = format!("/client-test-{}-replaced", std::process::id());
    client.create(&home, "", &CreateOptions::persistent()).await.unwrap();
    let mut watch = client.watch(&home, WatchMode::Recursive).await.unwrap();
    proxies.cut();
    soon("it expires", session.wait_for(|view| view.state == SessionState::Connecting)).await.unwrap();
    proxies.heal();
    let second = soon("there is another", session.wait_for(|view| view.state.is_connected())).await.unwrap();
    assert_ne!(first.id, second.id);
    let told = soon("the watch stands again", watch.next()).await;
    assert_eq!(told, Some(WatchEvent::Resync(Resync::NewSession)));
    client.close().await;
}

#[tokio::test]
async fn whoever_finds_no_server_is_told_so() {
    let builder = quorate_client::builder("127.0.0.1:1,127.0.0.1:2/app").unwrap();
    let error = builder.connect_timeout(Millis(300)).connect().await.unwrap_err();
    assert!(matches!(error, StartError::Unreachable { .. }));
    let told = error.to_string();
    assert!(told.starts_with("no session after 300 ms with any of 127.0.0.1:1,127.0.0.1:2; "), "{told}");
    assert!(told.contains("Connection refused"), "{told}");
    assert!(quorate_client::builder("").is_err());
}

#[tokio::test]
async fn without_a_connection_requests_wait_or_fail_as_the_client_was_told() {
    let target = Target::start();
    let (proxies, connect) = target.proxies();
    let patient = target.through(&connect, "patient").await;
    let builder = quorate_client::builder(&connect).unwrap();
    let hasty = builder.session_timeout(Millis(6000)).fail_fast(true).connect().await.unwrap();
    proxies.cut();
    let mut session = hasty.session();
    soon("it is suspended", session.wait_for(|view| !view.state.is_connected())).await.unwrap();
    let error = hasty.create("/hasty", "", &CreateOptions::ephemeral()).await.unwrap_err();
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotApplied, true));
    let waits = patient.create("/patient", "", &CreateOptions::persistent());
    tokio::time::sleep(Duration::from_millis(50)).await;
    proxies.heal();
    // It was made before the connection was lost for good: sent or not, somebody says what became of it.
    match soon("it is answered", waits).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.outcome(), Outcome::Unknown),
    }
}
