//! An ensemble of server processes, and clients that look for whoever serves them.

use crate::client::{Client, word};
use crate::process::{Server, poll_until};
use quorate_core::jute::{ConnectResponse, Request, Response};
use quorate_core::vocabulary::Zxid;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Below those that the system gives to whoever dials.
const PORTS: Range<u16> = 23_000..32_000;

/// See the module's words. Processes are killed when it is dropped.
pub(crate) struct Rig {
    directory: TempDir,
    ports: Vec<Ports>,
    settings: String,
    /// How the servers call each other.
    host: &'static str,
    /// The list of servers stands in a file of its own.
    dynamic: bool,
    /// The last one observes.
    observer: bool,
    /// Each server has an address of its own, at which it calls others and is called.
    own_hosts: bool,
    servers: Vec<Option<Server>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) client: u16,
    pub(crate) quorum: u16,
    pub(crate) election: u16,
}

impl Rig {
    /// So many servers, none of them started; `settings` as zoo.cfg spells them.
    pub(crate) fn new(count: usize, settings: &[&str]) -> Self {
        let directory = scratch();
        let ports = (0..count).map(|_| Ports { client: port(), quorum: port(), election: port() }).collect();
        let mut text =
            "tickTime=400\ninitLimit=20\nsyncLimit=10\npreAllocSize=64\n4lw.commands.whitelist=*\n"
                .to_owned();
        settings.iter().for_each(|setting| text.push_str(&format!("{setting}\n")));
        let servers = (0..count).map(|_| None).collect();
        Rig {
            directory,
            ports,
            settings: text,
            host: "127.0.0.1",
            dynamic: false,
            observer: false,
            own_hosts: false,
            servers,
        }
    }

    /// The same with servers that call each other so.
    pub(crate) fn at(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// The same with a list of servers in a file of its own.
    pub(crate) fn with_dynamic_file(mut self) -> Self {
        self.dynamic = true;
        self
    }

    /// The same, but that the last server observes.
    pub(crate) fn with_observer(mut self) -> Self {
        self.observer = true;
        self
    }

    /// The same, with a port at which followers serve observers: everybody's, so each server has an address of its own.
    pub(crate) fn with_observer_masters(mut self) -> Self {
        self.own_hosts = true;
        self.settings.push_str(&format!("observerMasterPort={}\n", port()));
        self
    }

    /// Starts all, and waits until they serve.
    pub(crate) fn started(mut self) -> Self {
        (0..self.count()).for_each(|server| self.start(server));
        self.wait_for_all();
        self
    }

    /// So many servers, all started and serving.
    pub(crate) fn serving(count: usize, settings: &[&str]) -> Self {
        Self::new(count, settings).started()
    }

    pub(crate) fn count(&self) -> usize {
        self.ports.len()
    }

    pub(crate) fn ports(&self, server: usize) -> Ports {
        self.ports[server]
    }

    pub(crate) fn data(&self, server: usize) -> PathBuf {
        self.directory.path().join(format!("data{}", server + 1))
    }

    /// The command that starts a server; its ids are one above its place here.
    pub(crate) fn command(&self, server: usize) -> Command {
        let data = self.data(server);
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("myid"), format!("{}\n", server + 1)).unwrap();
        let mut text = self.settings.clone();
        text.push_str(&format!("dataDir={}\nclientPort={}\n", data.display(), self.ports[server].client));
        let config = self.directory.path().join(format!("zoo{}.cfg", server + 1));
        let servers = self.server_lines();
        if self.dynamic {
            let list = config.with_extension("cfg.dynamic");
            std::fs::write(&list, servers).unwrap();
            text.push_str(&format!("dynamicConfigFile={}\n", list.display()));
        } else {
            text.push_str(&servers);
        }
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.arg("server").arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET");
        command
    }

    fn server_lines(&self) -> String {
        let line = |(at, Ports { quorum, election, .. }): (usize, &Ports)| {
            let role = if self.observer && at + 1 == self.count() { ":observer" } else { "" };
            let host = if self.own_hosts { format!("127.0.0.{}", at + 1) } else { self.host.to_owned() };
            format!("server.{}={host}:{quorum}:{election}{role}\n", at + 1)
        };
        self.ports.iter().enumerate().map(line).collect()
    }

    pub(crate) fn start(&mut self, server: usize) {
        assert!(self.servers[server].is_none(), "it runs already");
        self.servers[server] = Some(Server::spawn(&mut self.command(server)));
    }

    pub(crate) fn server(&mut self, server: usize) -> &mut Server {
        self.servers[server].as_mut().expect("it runs")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, server: usize) {
        self.servers[server].take().expect("it runs").kill();
    }

    /// SIGTERM, and success.
    pub(crate) fn stop(&mut self, server: usize) {
        self.servers[server].take().expect("it runs").stop();
    }

    pub(crate) fn address(&self, server: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[server].client))
    }

    /// The answer to a four-letter word.
    pub(crate) fn word(&self, server: usize, name: &str) -> String {
        word(self.address(server), name.as_bytes())
    }

    /// The last txn that a server has applied.
    pub(crate) fn last_zxid(&self, server: usize) -> Zxid {
        let reply = self.word(server, "srvr");
        let zxid = reply.lines().find_map(|line| line.strip_prefix("Zxid: 0x")).expect("it serves");
        Zxid(i64::from_str_radix(zxid, 16).unwrap())
    }

    /// What a server says it is, while it serves.
    pub(crate) fn mode(&self, server: usize) -> Option<String> {
        self.servers[server].as_ref()?;
        let reply = self.word(server, "srvr");
        reply.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until every server that runs serves, under one leader; returns that.
    pub(crate) fn wait_for_all(&self) -> usize {
        let mut leader = None;
        poll_until("all serve under one leader", || {
            let modes: Vec<Option<String>> = (0..self.count()).map(|server| self.mode(server)).collect();
            let running = self.servers.iter().filter(|server| server.is_some()).count();
            let leaders = || (0..self.count()).filter(|at| modes[*at].as_deref() == Some("leader"));
            leader = leaders().next();
            modes.iter().flatten().count() == running && leaders().count() == 1
        });
        leader.expect("it was found")
    }

    /// One that runs and does not lead.
    pub(crate) fn a_follower(&self) -> usize {
        let leader = self.wait_for_all();
        (0..self.count()).find(|at| *at != leader && self.servers[*at].is_some()).expect("others run")
    }

    /// A client with a new session at this server.
    pub(crate) fn client(&self, server: usize) -> Session {
        let (client, response) = Client::with_session(self.address(server));
        Session { client, response }
    }

    /// The session goes on at this server, or wherever it is taken.
    pub(crate) fn move_session(&self, session: &mut Session, to: Option<usize>) {
        poll_until("the session is taken up", || {
            (0..self.count()).filter(|at| to.is_none_or(|to| to == *at)).any(|at| self.try_move(session, at))
        });
    }

    fn try_move(&self, session: &mut Session, to: usize) -> bool {
        if self.servers[to].is_none() || TcpStream::connect(self.address(to)).is_err() {
            return false;
        }
        let (client, response) = Client::reattach(self.address(to), &session.response);
        let Some(response) = response else { return false };
        assert_eq!(response.session_id, session.response.session_id, "the session has expired");
        session.client = client;
        true
    }

    /// Waits until the data of a node, read at this server, is this.
    pub(crate) fn wait_for_data(&self, server: usize, path: &str, data: &[u8]) {
        let mut session = self.client(server);
        poll_until(&format!("server {} has {path}", server + 1), || {
            session.data(path).as_deref() == Ok(data)
        });
    }

    /// Waits until all servers that run have the same tree, by its digest at a common zxid.
    pub(crate) fn wait_for_equal_trees(&self) {
        poll_until("all trees are equal", || {
            let running = (0..self.count()).filter(|at| self.servers[*at].is_some());
            let mut views = running.map(|at| {
                let lines = self.word(at, "srvr");
                let of = |key: &str| lines.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
                (of("Zxid: "), of("Node count: "))
            });
            let first = views.next().expect("one runs");
            first.0.is_some() && views.all(|view| view == first)
        });
    }
}

impl Drop for Rig {
    /// What they logged explains what went wrong.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, server) in self.servers.iter().enumerate() {
                let lines = server.as_ref().map_or_else(|| vec!["it is down".to_owned()], Server::all_lines);
                eprintln!("server {}:\n{}", at + 1, lines.join("\n"));
            }
        }
    }
}

/// A client's session, and its connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    response: ConnectResponse,
}

impl Session {
    pub(crate) fn ask(&mut self, request: Request) -> Result<Response, i32> {
        self.client.ask(request)
    }

    pub(crate) fn data(&mut self, path: &str) -> Result<Vec<u8>, i32> {
        crate::client::data_of(&mut self.client, path)
    }

    /// What follows is not before anything that was acknowledged anywhere.
    pub(crate) fn sync(&mut self) {
        self.ask(Request::Sync { path: Some("/".to_owned()) }).unwrap();
    }
}

/// In memory if there is such a place: the disk of a machine that builds something may stand still for longer than an ensemble waits.
/// Processes are killed here, the power stays.
fn scratch() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// A port that nobody has.
fn port() -> u16 {
    crate::ports::free(PORTS)
}

/// Time for what should not happen to happen.
pub(crate) fn a_while() {
    std::thread::sleep(Duration::from_secs(3));
}
