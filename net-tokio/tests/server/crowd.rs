//! Thousands of connections: 2,000, or 10,000 when `QUORATE_FULL` is set.

use crate::bystander::is_full;
use crate::client::{Client, create, data_of, word};
use crate::process::{Server, raise_descriptor_limit};
use quorate_core::jute::{Request, ServerMessage};
use quorate_core::vocabulary::SessionId;
use tempfile::tempdir;

#[test]
fn thousands_come_at_once_and_all_are_served() {
    let count: usize = if is_full() { 10_000 } else { 2_000 };
    raise_descriptor_limit(count + 200);
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["maxClientCnxns=0"]);
    let mut crowd: Vec<_> = (0..count).map(|_| Client::connect(server.address)).collect();
    for client in &mut crowd {
        client.say_handshake(SessionId::NONE, &[0; 16], 40_000);
    }
    for client in &mut crowd {
        let Some(ServerMessage::Connected(response)) = client.hear() else { panic!("no handshake") };
        assert!(response.timeout > 0);
    }
    let (mut writer, _) = Client::with_session(server.address);
    writer.ask(create("/a", b"news")).unwrap();
    for client in &mut crowd {
        client.send(&Request::Exists { path: Some("/a".to_owned()), watch: true });
    }
    for client in &mut crowd {
        assert!(matches!(client.hear(), Some(ServerMessage::Reply { .. })));
    }
    // One change, and everybody hears of it.
    writer.ask(Request::Delete { path: Some("/a".to_owned()), version: -1 }).unwrap();
    for client in &mut crowd {
        assert!(matches!(client.hear(), Some(ServerMessage::Event { .. })));
        assert!(data_of(client, "/a").is_err());
    }
    let mntr = word(server.address, b"mntr");
    assert!(mntr.contains(&format!("\nzk_num_alive_connections\t{}\n", count + 2)), "{mntr}");
    assert!(mntr.contains(&format!("\nzk_global_sessions\t{}\n", count + 1)), "{mntr}");
    // A line for each session would be a flood.
    assert!(server.count_logged("event=session_created") < count / 2);
    server.logged("event=suppressed kind=session_created");
}
