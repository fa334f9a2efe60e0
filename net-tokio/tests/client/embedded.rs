//! The server for tests of applications.

use quorate::server::EmbeddedServer;

#[test]
fn a_server_takes_no_directory_that_is_there() {
    // What a process of the same number has left.
    let name = |number: u32| std::env::temp_dir().join(format!("quorate-{}-{number}", std::process::id()));
    let left: Vec<_> = (0..3).map(name).collect();
    left.iter().for_each(|directory| std::fs::create_dir(directory).unwrap());
    drop(EmbeddedServer::start().unwrap());
    let kept = left.iter().filter(|directory| directory.exists()).count();
    left.iter().for_each(|directory| drop(std::fs::remove_dir_all(directory)));
    assert_eq!(kept, 3);
}
