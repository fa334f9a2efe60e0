//! Scripts (`tests/transcripts/tree/*.txt`) and what the tree makes of them: each command stands above its output.
//!
//! A txn gets the next zxid, or the one that `at` says, and its time is 1000 times that. Commands:
//! `create|create2|container PATH DATA [ephemeral=SESSION] [acl=SCHEME:ID:PERMS] [cversion=N]`, `ttl PATH DATA MS`, `delete PATH`,
//! `set PATH DATA VERSION`, `setacl PATH ACL VERSION`, `session ID TIMEOUT`, `close ID [PATHS…|unlisted]`, `error CODE`,
//! `multi OP; OP…`; and to look: `get PATH`, `ls PATH`, `count PATH`, `quota PATH BYTES COUNT`, `reapable NOW MAX_NEVER_USED`,
//! `ephemerals`, `orphans`, `acls`, `sizes`, `reload [ZXID]`, `fresh`. DATA `null` is null, `empty` is empty, `*N` is N bytes.

use crate::support::{OPTIONS, SEED, create, decode, encode, txn};
use bytes::Bytes;
use quorate_core::jute::{Acl, Id, OpCode, Permissions, Stat, Txn, TxnRecord};
use quorate_core::tree::{Applied, Database, TreeObserver};
use quorate_core::vocabulary::{Millis, Wall, Zxid};
use std::fmt::Write;

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let script = include_str!(concat!("../transcripts/tree/", stringify!($name), ".txt"));
            let settings = {
                let mut settings = insta::Settings::clone_current();
                settings.set_snapshot_path("../transcripts/tree");
                settings.set_prepend_module_to_snapshot(false);
                settings.set_omit_expression(true);
                settings
            };
            settings.bind(|| insta::assert_snapshot!(stringify!($name), play(script)));
        }
    )*};
}

transcripts! {
    creates_deletes_and_sets_move_the_right_numbers
    replay_is_idempotent
    quotas_count_what_they_govern
    owners_decide_who_is_reaped
    sequence_numbers_stick_at_the_end
    a_failed_multi_does_nothing
    a_session_takes_its_ephemerals_along
}

fn play(script: &str) -> String {
    let mut player = Player { database: Database::new(SEED, OPTIONS), zxid: 0, out: String::new() };
    for line in script.lines() {
        if line.is_empty() || line.starts_with('#') {
            writeln!(player.out, "{line}").unwrap();
            continue;
        }
        writeln!(player.out, "> {line}").unwrap();
        player.command(line);
        player.database.check_full().unwrap();
    }
    player.out
}

struct Player {
    database: Database,
    zxid: i64,
    out: String,
}

impl Player {
    fn say(&mut self, line: impl std::fmt::Display) {
        writeln!(self.out, "{line}").unwrap();
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["at", zxid] => self.zxid = zxid.parse::<i64>().unwrap() - 1,
            ["fresh"] => self.database = Database::new(SEED, OPTIONS),
            ["reload"] => self.reload(self.database.last_zxid().0),
            ["reload", zxid] => self.reload(zxid.parse().unwrap()),
            ["get", path] => match self.database.tree.node(path) {
                Some(node) => {
                    let data = match node.data() {
                        None => "null".to_string(),
                        Some(data) if data.len() > 80 => format!("{} bytes", data.len()),
                        Some(data) => format!("\"{}\"", data.escape_ascii()),
                    };
                    let (stat, acl) = (show_stat(&node.stat()), show_acl(node.acl()));
                    let stored = (node.stored().cversion, node.owner());
                    self.say(format!("{data} {acl}\n{stat}\nstored cversion and owner {stored:?}"));
                }
                None => self.say("none"),
            },
            ["ls", path] => {
                let names =
                    self.database.tree.node(path).map(|node| node.children().collect::<Vec<_>>().join(" "));
                self.say(names.unwrap_or("none".into()));
            }
            ["count", path] => self.say(format!("{:?}", self.database.tree.descendants(path))),
            ["quota", path, bytes, count] => {
                let verdict =
                    self.database.tree.check_quota(path, bytes.parse().unwrap(), count.parse().unwrap());
                self.say(format!("{verdict:?}"));
            }
            ["reapable", now, never_used] => {
                let (now, never_used) = (Wall(now.parse().unwrap()), Millis(never_used.parse().unwrap()));
                self.say(format!("{:?}", self.database.tree.reapable(now, never_used)));
            }
            ["ephemerals"] => {
                for session in self.database.tree.sessions_with_ephemerals() {
                    self.say(format!("{session}: {:?}", self.database.tree.ephemerals(session)));
                }
                self.say(format!("{} in all", self.database.tree.ephemeral_count()));
            }
            ["orphans"] => {
                let orphans = self.database.drop_orphans();
                self.say(format!("{orphans:?}"));
            }
            ["acls"] => self.say(self.database.tree.acl_count()),
            ["sizes"] => {
                let tree = &self.database.tree;
                let line = format!("{} nodes, {} bytes", tree.node_count(), tree.approximate_data_size());
                self.say(line);
            }
            _ => self.write(line),
        }
    }

    fn reload(&mut self, zxid: i64) {
        self.database = decode(&encode(self.database.image()), zxid, &[100]).unwrap();
        self.say(format!("last zxid {}", self.database.last_zxid()));
    }

    fn write(&mut self, line: &str) {
        self.zxid += 1;
        let (session, opcode, record) = match line.strip_prefix("multi ") {
            Some(ops) => {
                let ops = ops
                    .split("; ")
                    .map(|op| parse(op, self.zxid))
                    .map(|(_, opcode, record)| (opcode, record));
                (0, OpCode::Multi, TxnRecord::Multi(ops.collect()))
            }
            None => parse(line, self.zxid),
        };
        let txn: Txn = txn(session, self.zxid, opcode, record);
        let mut events = Events(String::new());
        let applied = self.database.apply(&txn, &mut events);
        let result = match applied {
            Ok(applied) => show_applied(&applied),
            Err(error) => format!("{error:?}"),
        };
        write!(self.out, "{} {result}\n{}", txn.header.zxid, events.0).unwrap();
        assert!(self.database.last_zxid() >= txn.header.zxid);
    }
}

fn parse(line: &str, zxid: i64) -> (i64, OpCode, TxnRecord) {
    let words: Vec<&str> = line.split(' ').collect();
    let id = |text: &str| i64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let number = |text: &str| text.parse::<i32>().unwrap();
    match words[..] {
        [kind @ ("create" | "create2" | "container"), path, bytes, ref rest @ ..] => {
            let mut record = create(path, b"", -1);
            record.data = data(bytes);
            let mut session = 0;
            for word in rest {
                match word.split_once('=').unwrap() {
                    ("ephemeral", owner) => (session, record.ephemeral) = (id(owner), true),
                    ("acl", list) => record.acl = acl(list),
                    ("cversion", cversion) => record.parent_cversion = number(cversion),
                    _ => panic!("unknown word {word}"),
                }
            }
            let opcode = match kind {
                "create" => OpCode::Create,
                "create2" => OpCode::Create2,
                _ => OpCode::CreateContainer,
            };
            (session, opcode, TxnRecord::Create(record))
        }
        ["ttl", path, bytes, ttl] => {
            let mut record = create(path, b"", -1);
            (record.data, record.ttl) = (data(bytes), ttl.parse().unwrap());
            (0, OpCode::CreateTtl, TxnRecord::Create(record))
        }
        ["delete", path] => (0, OpCode::Delete, TxnRecord::Delete { path: path.into() }),
        ["set", path, bytes, version] => {
            let record =
                TxnRecord::SetData { path: path.into(), data: data(bytes), version: number(version) };
            (0, OpCode::SetData, record)
        }
        ["setacl", path, list, version] => {
            let record = TxnRecord::SetAcl { path: path.into(), acl: acl(list), version: number(version) };
            (0, OpCode::SetAcl, record)
        }
        ["check", path, version] => {
            (0, OpCode::Check, TxnRecord::Check { path: path.into(), version: number(version) })
        }
        ["session", session, timeout] => {
            (id(session), OpCode::CreateSession, TxnRecord::CreateSession { timeout: number(timeout) })
        }
        ["close", session, "unlisted"] => {
            (id(session), OpCode::CloseSession, TxnRecord::CloseSession { paths: None })
        }
        ["close", session, ref paths @ ..] => {
            let paths = Some(paths.iter().map(|path| path.to_string()).collect());
            (id(session), OpCode::CloseSession, TxnRecord::CloseSession { paths })
        }
        ["error", code] => (0, OpCode::Error, TxnRecord::Error { err: number(code) }),
        _ => panic!("unknown command at zxid {zxid}: {line}"),
    }
}

fn data(word: &str) -> Option<Bytes> {
    match word {
        "null" => None,
        "empty" => Some(Bytes::new()),
        _ => Some(match word.strip_prefix('*') {
            Some(length) => Bytes::from(vec![b'.'; length.parse().unwrap()]),
            None => Bytes::copy_from_slice(word.as_bytes()),
        }),
    }
}

fn acl(word: &str) -> Vec<Acl> {
    let mut parts = word.splitn(3, ':');
    let (scheme, id, perms) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    vec![Acl { perms: Permissions(perms.parse().unwrap()), id: Id::new(scheme, id) }]
}

fn show_acl(acl: &[Acl]) -> String {
    let show = |acl: &Acl| {
        let (scheme, id) = (acl.id.scheme.as_deref().unwrap(), acl.id.id.as_deref().unwrap());
        format!("{scheme}:{id}:{}", acl.perms.0)
    };
    acl.iter().map(show).collect::<Vec<_>>().join(",")
}

fn show_stat(stat: &Stat) -> String {
    format!(
        "czxid {} mzxid {} pzxid {} ctime {} mtime {} version {} cversion {} aversion {} owner 0x{:x} length {} children {}",
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime,
        stat.mtime,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

fn show_applied(applied: &Applied) -> String {
    match applied {
        Applied::Created { path, .. } => format!("created {path}"),
        Applied::DataSet { stat } => format!("set, version {} length {}", stat.version, stat.data_length),
        Applied::AclSet { stat } => format!("ACL set, aversion {}", stat.aversion),
        Applied::Multi(all) => format!("[{}]", all.iter().map(show_applied).collect::<Vec<_>>().join("; ")),
        other => format!("{other:?}"),
    }
}

/// What watches would be told.
struct Events(String);

impl TreeObserver for Events {
    fn created(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]) {
        let (acl, parent_acl) = (show_acl(acl), show_acl(parent_acl));
        writeln!(self.0, "  created {path} ({acl}) in {parent} ({parent_acl}) at {zxid}").unwrap();
    }

    fn deleted(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]) {
        let (acl, parent_acl) = (show_acl(acl), show_acl(parent_acl));
        writeln!(self.0, "  deleted {path} ({acl}) in {parent} ({parent_acl}) at {zxid}").unwrap();
    }

    fn data_changed(&mut self, zxid: Zxid, path: &str, acl: &[Acl]) {
        writeln!(self.0, "  data changed {path} ({}) at {zxid}", show_acl(acl)).unwrap();
    }
}
