//! The verbs of `zkServer.sh`.

use crate::{BINARY, SRVR, command, fake_server, outcome, zoo_cfg};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// The binary under the name of the script.
fn script(dir: &Path) -> PathBuf {
    let path = dir.join("zkServer.sh");
    std::os::unix::fs::symlink(BINARY, &path).unwrap();
    path
}

#[test]
fn as_zk_server_sh_it_takes_the_scripts_verbs() {
    let port = fake_server(SRVR);
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\n"));
    let script = script(dir.path());
    let call = |arguments: &[&str]| {
        outcome(command(&script, dir.path()).env("ZOOCFGDIR", dir.path()).args(arguments).output().unwrap())
    };
    let config = dir.path().join("zoo.cfg");
    let head = format!("ZooKeeper JMX enabled by default\nUsing config: {}\n", config.display());

    let (code, out, err) = call(&["status"]);
    assert!(code == 0 && out.ends_with("Mode: standalone\n"), "{out}");
    assert_eq!(err, head);
    let (code, out, _) = call(&["stop"]);
    let pid_file = dir.path().join("data/zookeeper_server.pid");
    let expected =
        format!("Stopping zookeeper ... no zookeeper to stop (could not find file {})\n", pid_file.display());
    assert_eq!((code, out), (0, expected));
    let (code, out, _) = call(&["version"]);
    assert!(code == 0 && out.starts_with("quorate, version 3.9.5-quorate-"), "{out}");
    let (code, out, _) = call(&["print-cmd"]);
    assert!(code == 0 && out.contains("\"server\"") && out.contains("zoo.cfg"), "{out}");
    let (code, out, err) = call(&["dance"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.starts_with(&format!("{head}Usage: ")), "{err}");
    let (code, _, err) = call(&["--config", "/elsewhere", "status", "other.cfg"]);
    assert!(code == 1 && err.contains("Using config: /elsewhere/other.cfg\n"), "{err}");
}

#[test]
fn the_script_makes_no_data_directory_that_it_was_told_not_to_make() {
    let dir = zoo_cfg("dataDir=volume\nclientPort=2181\n");
    let call = |verb: &str| {
        let mut call = command(dir.path().join("zkServer.sh"), dir.path());
        outcome(
            call.env("ZOOCFGDIR", dir.path())
                .env("ZOO_LOG_DIR", dir.path().join("logs"))
                .env("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")
                .arg(verb)
                .output()
                .unwrap(),
        )
    };
    script(dir.path());
    let volume = dir.path().canonicalize().unwrap().join("volume");
    let missing = format!(
        "ZooKeeper data directory is missing at {} fix the path or run initialize\n",
        volume.display()
    );
    for verb in ["start", "start-foreground", "restart"] {
        let (code, out, _) = call(verb);
        assert_eq!((code, &out), (1, &missing), "{verb}");
        assert!(!volume.exists(), "{verb} has made it");
    }
    fs::create_dir_all(volume.join("version-2")).unwrap();
    let (code, out, _) = call("print-cmd");
    assert!(code == 0 && out.contains("\"--set\" \"datadir.autocreate=false\""), "{out}");
}

#[test]
fn the_script_is_found_through_path_and_looks_beside_itself() {
    let dir = zoo_cfg("");
    let (bin, conf) = (dir.path().join("zookeeper/bin"), dir.path().join("zookeeper/conf"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&conf).unwrap();
    fs::create_dir_all(dir.path().join("elsewhere")).unwrap();
    fs::write(conf.join("zoo.cfg"), "dataDir=data\nclientPort=2181\n").unwrap();
    let link = dir.path().join("elsewhere/zkServer.sh");
    std::os::unix::fs::symlink(script(&bin), &link).unwrap();
    // By its name alone, as a shell calls it, and by a link to it from a directory without a conf.
    for (called, path) in [(Path::new("zkServer.sh"), bin.as_path()), (&link, Path::new(""))] {
        let (code, out, err) =
            outcome(command(called, dir.path()).env("PATH", path).arg("print-cmd").output().unwrap());
        assert!(code == 0 && out.contains("/zookeeper/bin/../logs/"), "{out}");
        assert!(err.ends_with("/zookeeper/bin/../conf/zoo.cfg\n"), "{err}");
    }
    let (code, out, err) = outcome(command(&link, dir.path()).args(["start", "gone.cfg"]).output().unwrap());
    assert_eq!((code, out.as_str()), (1, "Starting zookeeper ... FAILED TO START\n"));
    assert!(err.ends_with("/zookeeper/bin/../conf/gone.cfg file is missing\n"), "{err}");
}

#[test]
fn a_server_that_cannot_start_is_told_by_start() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\nsecureClientPort=2281\n");
    let script = script(dir.path());
    let mut start = command(&script, dir.path());
    start.env("ZOOCFGDIR", dir.path()).env("ZOO_LOG_DIR", dir.path().join("logs")).arg("start");
    let (code, out, _) = outcome(start.output().unwrap());
    assert_eq!((code, out.as_str()), (1, "Starting zookeeper ... FAILED TO START\n"));
    assert!(!dir.path().join("data/zookeeper_server.pid").exists());
    let logs: Vec<_> = fs::read_dir(dir.path().join("logs")).unwrap().collect();
    let log = fs::read_to_string(logs[0].as_ref().unwrap().path()).unwrap();
    assert!(log.contains("TLS is not built yet"), "{log}");
}

/// The server that a pid file names; a test that ends early leaves none running.
struct Daemon(PathBuf);

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn the_script_starts_a_server_in_the_background_and_stops_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"));
    let script = script(dir.path());
    let call = |verb: &str| {
        let mut call = command(&script, dir.path());
        outcome(
            call.env("ZOOCFGDIR", dir.path())
                .env("ZOO_LOG_DIR", dir.path().join("logs"))
                .arg(verb)
                .output()
                .unwrap(),
        )
    };
    let _daemon = Daemon(dir.path().join("data/zookeeper_server.pid"));
    let (code, out, err) = call("start");
    assert_eq!((code, out.as_str()), (0, "Starting zookeeper ... STARTED\n"), "{err}");
    let pid = fs::read_to_string(dir.path().join("data/zookeeper_server.pid")).unwrap();
    let (code, out, _) = call("status");
    assert!(code == 0 && out.ends_with("Mode: standalone\n"), "{out}");
    let (code, out, _) = call("start");
    assert_eq!((code, out), (1, format!("Starting zookeeper ... already running as process {pid}.\n")));
    let (code, out, _) = call("restart");
    assert_eq!((code, out.as_str()), (0, "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n"));
    let restarted = fs::read_to_string(dir.path().join("data/zookeeper_server.pid")).unwrap();
    assert_ne!(pid, restarted);
    let (code, out, _) = call("stop");
    assert_eq!((code, out.as_str()), (0, "Stopping zookeeper ... STOPPED\n"));
    assert!(!Path::new(&format!("/proc/{restarted}")).exists());
    assert_eq!(call("status").0, 1);
}
