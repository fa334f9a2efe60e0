//! Recipes where sessions and runtimes end.

use super::super::{OnExpiry, Resync, SessionState, WatchEvent, WatchMode};
use super::{World, now, poll};
use crate::recipe::service_names;
use std::pin::pin;

#[test]
fn a_client_whose_runtime_has_ended_is_closed_for_those_who_still_ask() {
    for policy in [OnExpiry::Stop, OnExpiry::Replace] {
        let world = World::new();
        let client = world.connected(world.builder().on_expiry(policy));
        let watch = client.watch("/a", WatchMode::Persistent);
        world.run();
        let mut watch = now(watch).expect("it stands");
        world.mute(true);
        let waits = client.get("/a");
        let mut names = pin!(service_names(&client, "/services"));
        assert!(poll(&mut names).is_pending());
        world.run();
        world.end();
        assert_eq!(client.session().latest().state, SessionState::Closed);
        assert!(now(waits).expect_err("nobody answers").is_session_over());
        assert!(now(names).expect_err("nobody answers").is_session_over());
        assert!(now(service_names(&client, "/services")).expect_err("nobody answers").is_session_over());
        now(client.close());
        assert_eq!(now(watch.next()), Some(WatchEvent::Resync(Resync::Over)));
        assert_eq!(now(watch.next()), None);
    }
}
