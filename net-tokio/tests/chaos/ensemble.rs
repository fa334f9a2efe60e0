//! An ensemble of server processes on loopback that see each other only through proxies.

use crate::process::{Server, poll_until};
use crate::proxy::Proxy;
use crate::support::history::recovery_options;
use bytes::Bytes;
use quorate_core::tree::Database;
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::log_format::{LogItem, LogParser};
use quorate_storage_file::names::parse_log_name;
use quorate_storage_file::{Recovery, StdDisk, StdDiskOptions};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

pub(crate) const TICK_MS: i64 = 200;
pub(crate) const SYNC_LIMIT: i64 = 5;
pub(crate) const MIN_TIMEOUT: i32 = 1_000;
pub(crate) const MAX_TIMEOUT: i32 = 40_000;

/// Below those that the system gives to whoever dials.
const PORTS: Range<u16> = 12_000..20_000;

#[derive(Clone, Copy)]
struct Ports {
    client: u16,
    quorum: u16,
    election: u16,
}

/// Which port of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    Quorum,
    Election,
}

/// See the module's words.
pub(crate) struct Ensemble {
    directory: TempDir,
    ports: Vec<Ports>,
    servers: Vec<Option<Server>>,
    /// By who dials, who listens, and where.
    proxies: BTreeMap<(usize, usize, Wire), Proxy>,
    clients: Vec<Proxy>,
    /// Txns that some server has applied.
    committed: BTreeMap<Zxid, Bytes>,
}

impl Ensemble {
    /// So many servers, started and serving.
    pub(crate) fn start(count: usize) -> Self {
        let ports: Vec<Ports> =
            (0..count).map(|_| Ports { client: port(), quorum: port(), election: port() }).collect();
        let mut proxies = BTreeMap::new();
        for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
            if from != to {
                proxies.insert((from, to, Wire::Quorum), Proxy::before(ports[to].quorum));
                proxies.insert((from, to, Wire::Election), Proxy::before(ports[to].election));
            }
        }
        let clients = ports.iter().map(|ports| Proxy::before(ports.client)).collect();
        let servers = (0..count).map(|_| None).collect();
        let committed = BTreeMap::new();
        let mut ensemble = Ensemble { directory: scratch(), ports, servers, proxies, clients, committed };
        (0..count).for_each(|server| ensemble.launch(server));
        ensemble.wait_for_all();
        ensemble
    }

    pub(crate) fn count(&self) -> usize {
        self.ports.len()
    }

    /// Where a server listens for clients.
    pub(crate) fn address(&self, server: usize) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[server].client))
    }

    /// Where clients reach the servers through proxies.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.clients.iter().map(|proxy| SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port))).collect()
    }

    pub(crate) fn client_wire(&self, server: usize) -> &Proxy {
        &self.clients[server]
    }

    /// Cuts what servers say to each other where `is_cut` says so of who says it, who hears it, and the port.
    pub(crate) fn cut(&self, is_cut: impl Fn(usize, usize, Wire) -> bool) {
        for ((from, to, wire), proxy) in &self.proxies {
            proxy.cut(is_cut(*from, *to, *wire), is_cut(*to, *from, *wire));
        }
    }

    /// Ends the cut; connections end too, if so asked. Returns on how many connections something was held.
    pub(crate) fn heal(&self, ends: bool) -> u64 {
        self.proxies.values().chain(&self.clients).map(|proxy| proxy.heal(ends)).sum()
    }

    fn data(&self, server: usize) -> PathBuf {
        self.directory.path().join(format!("data{}", server + 1))
    }

    pub(crate) fn launch(&mut self, server: usize) {
        static LIVES: AtomicU64 = AtomicU64::new(0);
        assert!(self.servers[server].is_none(), "it runs already");
        let data = self.data(server);
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("myid"), format!("{}\n", server + 1)).unwrap();
        let mut text = format!(
            "tickTime={TICK_MS}\ninitLimit=12\nsyncLimit={SYNC_LIMIT}\nsnapCount=400\npreAllocSize=64\n\
             commitLogCount=300\nautopurge.purgeInterval=1\nautopurge.snapRetainCount=40\nminSessionTimeout={MIN_TIMEOUT}\nmaxSessionTimeout={MAX_TIMEOUT}\n\
             4lw.commands.whitelist=*\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n",
            data.display(),
            self.ports[server].client
        );
        for (at, own) in self.ports.iter().enumerate() {
            let port = |wire, own| self.proxies.get(&(server, at, wire)).map_or(own, |proxy| proxy.port);
            let (quorum, election) = (port(Wire::Quorum, own.quorum), port(Wire::Election, own.election));
            text.push_str(&format!("server.{}=127.0.0.1:{quorum}:{election}\n", at + 1));
        }
        let config = self.directory.path().join(format!("zoo{}.cfg", server + 1));
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("server").arg(config).arg(LIVES.fetch_add(1, Ordering::SeqCst).to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").env("RUST_BACKTRACE", "0");
        self.servers[server] = Some(Server::spawn(&mut command));
    }

    pub(crate) fn server(&self, server: usize) -> &Server {
        self.servers[server].as_ref().expect("it runs")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, server: usize) {
        self.servers[server].take().expect("it runs").kill();
    }

    /// The power of these goes at once, and of their data what had been synced is left, and perhaps some of the rest.
    pub(crate) fn cut_power(&mut self, servers: &[usize], is_torn: bool) {
        for server in servers {
            self.server(*server).signal(if is_torn { Signal::USR1 } else { Signal::USR2 });
        }
        for server in servers {
            let mut ended = self.servers[*server].take().expect("it runs");
            let (status, _) = ended.wait();
            assert!(!status.success(), "its power has gone:\n{}", ended.all_lines().join("\n"));
        }
    }

    /// SIGTERM, and success.
    pub(crate) fn stop(&mut self, server: usize) {
        self.servers[server].take().expect("it runs").stop();
    }

    /// What a server says it is, and what it has applied, while it serves.
    pub(crate) fn view(&self, server: usize) -> Option<(String, Zxid)> {
        self.servers[server].as_ref()?;
        let reply = crate::client::word(self.address(server), b"srvr");
        let of = |key: &str| reply.lines().find_map(|line| line.strip_prefix(key));
        let zxid = i64::from_str_radix(of("Zxid: 0x")?, 16).unwrap();
        Some((of("Mode: ")?.to_owned(), Zxid(zxid)))
    }

    /// The one that leads, of those that run.
    pub(crate) fn leader(&self, of: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.count())
            .find(|server| of(*server) && self.view(*server).is_some_and(|(mode, _)| mode == "leader"))
    }

    /// Waits until every server serves, under one leader; returns that.
    pub(crate) fn wait_for_all(&self) -> usize {
        let mut leader = None;
        poll_until("all serve under one leader", || {
            let views: Vec<_> = (0..self.count()).filter_map(|server| self.view(server)).collect();
            let leaders = views.iter().filter(|(mode, _)| mode == "leader").count();
            let is_so = views.len() == self.count() && leaders == 1;
            leader = is_so.then(|| self.leader(|_| true)).flatten();
            leader.is_some()
        });
        leader.expect("it was found")
    }

    /// Takes in what all have in their logs and have applied. Between two calls no log may be purged that nobody has taken in.
    pub(crate) fn take_in_logs(&mut self) {
        let last = self.committed.last_key_value().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        for server in 0..self.count() {
            let Some((_, applied)) = self.view(server) else { continue };
            self.take_in_log(server, last, applied);
        }
    }

    fn take_in_log(&mut self, server: usize, behind: Zxid, up_to: Zxid) {
        let directory = self.data(server).join("version-2");
        let names = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut logs: Vec<(Zxid, String)> = names
            .filter_map(|name| name.into_string().ok())
            .filter_map(|name| Some((parse_log_name(&name)?, name)))
            .collect();
        logs.sort();
        let first = logs.iter().rposition(|(zxid, _)| *zxid <= behind).unwrap_or(0);
        for (_, name) in &logs[first..] {
            // It may be purged by now.
            let Ok(bytes) = std::fs::read(directory.join(name)) else { continue };
            let mut parser = LogParser::new();
            parser.push(&bytes);
            parser.finish();
            while let LogItem::Entry(entry) = parser.next_item() {
                if entry.zxid() <= up_to {
                    let known = self.committed.entry(entry.zxid()).or_insert_with(|| entry.payload.clone());
                    assert_eq!(*known, entry.payload, "{} is not the same everywhere", entry.zxid());
                }
            }
        }
    }

    /// The last lines of each server's log.
    pub(crate) fn print_logs(&self) {
        for (at, server) in self.servers.iter().enumerate() {
            let lines = server.as_ref().map_or_else(|| vec!["it is down".to_owned()], Server::all_lines);
            let skipped = lines.len().saturating_sub(40);
            println!("server {}:\n{}", at + 1, lines[skipped..].join("\n"));
        }
    }

    /// Stops all; what is committed, and the databases that come back with all of that.
    pub(crate) fn end(mut self) -> (Vec<Bytes>, Vec<Database>) {
        poll_until("all have applied the same", || {
            let mut views = (0..self.count()).filter_map(|server| Some(self.view(server)?.1));
            let first = views.next();
            views.all(|zxid| Some(zxid) == first)
        });
        self.take_in_logs();
        (0..self.count()).for_each(|server| self.stop(server));
        let mut databases: Vec<Database> = (0..self.count()).map(|server| self.recover(server)).collect();
        // Sessions expire until the last has stopped: what a quorum has is committed, and nothing else.
        let mut ends: Vec<Zxid> = databases.iter().map(|database| database.last_zxid()).collect();
        ends.sort_unstable();
        let end = ends[(self.count() - 1) / 2];
        let known = self.committed.last_key_value().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        (0..self.count()).for_each(|server| self.take_in_log(server, known, end));
        databases.retain(|database| database.last_zxid() == end);
        (std::mem::take(&mut self.committed).into_values().collect(), databases)
    }

    fn recover(&self, server: usize) -> Database {
        let mut disk = StdDisk::open(&StdDiskOptions::in_directory(self.data(server))).unwrap();
        Recovery::new(recovery_options()).run(&mut disk).unwrap().database
    }
}

impl Drop for Ensemble {
    /// What they logged explains what went wrong.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
    }
}

/// In memory if there is such a place: how long a sync takes is decided by the disk above it.
fn scratch() -> TempDir {
    crate::support::scratch()
}

/// A port that nobody has.
fn port() -> u16 {
    crate::ports::free(PORTS)
}
