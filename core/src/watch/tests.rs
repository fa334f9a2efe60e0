//! Scripts of registrations and changes; each snapshot echoes a command above what it selected. Every invariant is checked
//! behind every command.

use super::{Notice, WatchMode, Watches};
use crate::jute::{Acl, EventType, Id, Permissions, ReplyDecoder, ServerMessage, SetWatches, WatcherType};
use crate::vocabulary::{ConnId, LookupSeed, Zxid};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::fmt::Write;

/// An ACL that says whose it is, so that a snapshot shows which one was to be asked.
fn acl_of(path: &str) -> Vec<Acl> {
    vec![Acl { perms: Permissions::READ, id: Id::new("test", path) }]
}

fn parent(path: &str) -> &str {
    match path.rfind('/').expect("an absolute path") {
        0 => "/",
        slash => &path[..slash],
    }
}

fn mode(word: &str) -> WatchMode {
    match word {
        "data" => WatchMode::Data,
        "child" => WatchMode::Child,
        "persistent" => WatchMode::Persistent,
        "recursive" => WatchMode::PersistentRecursive,
        other => panic!("no watch mode {other}"),
    }
}

fn kind(word: &str) -> WatcherType {
    let kinds = ["", "children", "data", "any", "persistent", "recursive"];
    let code = kinds.iter().position(|kind| *kind == word).expect("a watcher type");
    WatcherType::from_code(code as i32).expect("a watcher type")
}

#[derive(Clone)]
struct Script {
    watches: Watches,
    nodes: BTreeMap<String, (Zxid, Zxid)>,
}

impl Script {
    fn change(&mut self, words: &[&str], out: &mut String) {
        let path = words[1];
        let (acl, parent_acl) = (acl_of(path), acl_of(parent(path)));
        let mut lines = Vec::new();
        let mut sink = |notice: Notice<'_>| {
            let asked = notice.acl[0].id.id.clone().expect("the test's ACLs have ids");
            lines.push(format!(
                "  -> {} {:?} {} if it may read {asked}",
                notice.conn.0, notice.kind, notice.path
            ));
        };
        let watches = &mut self.watches;
        let selected = match words[0] {
            "create" => watches.created(path, &acl, parent(path), &parent_acl, &mut sink),
            "delete" => watches.deleted(path, &acl, parent(path), &parent_acl, &mut sink),
            _ => watches.data_changed(path, &acl, &mut sink),
        };
        let total = selected.data + selected.child + selected.parent;
        assert!(total >= lines.len(), "{total} selected, {} told", lines.len());
        if lines.is_empty() {
            lines.push("  nobody".to_owned());
        }
        writeln!(out, "{}", lines.join("\n")).expect("a string takes all");
    }

    fn replay(&mut self, words: &[&str], out: &mut String) {
        let conn = ConnId(words[1].parse().expect("a connection"));
        let mut request = SetWatches { relative_zxid: zxid(words[2]), ..SetWatches::default() };
        for word in &words[3..] {
            let (list, path) = word.split_once('=').expect("list=path");
            let list = match list {
                "data" => &mut request.data,
                "exist" => &mut request.exist,
                "child" => &mut request.child,
                "persistent" => &mut request.persistent,
                _ => &mut request.persistent_recursive,
            };
            list.push((path != "~").then(|| path.to_owned()));
        }
        let nodes = &self.nodes;
        let replay = self.watches.replay(conn, &request, |path| nodes.get(path).copied());
        for event in replay.events {
            writeln!(out, "  -> {:?} {}", event.kind, event.path).expect("a string takes all");
        }
        if replay.is_cut {
            writeln!(out, "  -> cut").expect("a string takes all");
        }
        self.list(out);
    }

    fn list(&self, out: &mut String) {
        for watched in self.watches.paths.iter().flatten() {
            for (table, entries) in [("data", &watched.data), ("child", &watched.child)] {
                for (conn, modes) in entries.iter() {
                    writeln!(out, "  {table} {} {}: {modes:?}", watched.path, conn.0)
                        .expect("a string takes all");
                }
            }
        }
    }

    fn run(&mut self, line: &str, out: &mut String) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let conn = || ConnId(words[1].parse().expect("a connection"));
        match words[0] {
            "watch" => self.watches.add(conn(), words[3], mode(words[2])),
            "check" => {
                let found = self.watches.check_watch(conn(), words[3], kind(words[2]));
                writeln!(out, "  {}", if found { "0" } else { "-121" }).expect("a string takes all");
            }
            "remove" => {
                let found = self.watches.remove(conn(), words[3], kind(words[2]));
                writeln!(out, "  {}", if found { "0" } else { "-121" }).expect("a string takes all");
                self.list(out);
            }
            "disconnect" => self.watches.remove_conn(conn()),
            "node" => drop(self.nodes.insert(words[1].to_owned(), (zxid(words[2]), zxid(words[3])))),
            "replay" => self.replay(&words, out),
            "list" => self.list(out),
            "count" => {
                let summary = self.watches.summary();
                writeln!(
                    out,
                    "  watch_count {}, wchs: {} connections watching {} paths, total {}",
                    self.watches.watch_count(),
                    summary.connections,
                    summary.paths,
                    summary.watches
                )
                .expect("a string takes all");
            }
            "wchc" => {
                self.watches.by_connection().iter().for_each(|row| writeln!(out, "  {row:?}").expect("fits"))
            }
            "wchp" => self.watches.by_path().iter().for_each(|row| writeln!(out, "  {row:?}").expect("fits")),
            _ => self.change(&words, out),
        }
        self.watches.check().expect("the invariants hold");
    }
}

fn zxid(word: &str) -> Zxid {
    Zxid(word.parse().expect("a zxid"))
}

fn run(script: &str) -> String {
    let mut out = String::new();
    let mut state = Script { watches: Watches::new(LookupSeed(7)), nodes: BTreeMap::new() };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(out, "{line}").expect("a string takes all");
        if !line.starts_with('#') {
            state.run(line, &mut out);
        }
    }
    out
}

#[test]
fn a_create_tells_the_node_then_its_parent() {
    insta::assert_snapshot!(run("
        # exists left a watch on a missing node, others watch the parent.
        watch 3 data /p/n
        watch 2 data /p/n
        watch 1 child /p
        watch 2 child /p
        # A data watch on the parent does not see children.
        watch 4 data /p
        create /p/n
        # One-shot watches are spent; the parent's data watch is not.
        create /p/n
        list
        # The parent of a top-level node is reported as the root.
        watch 1 child /
        create /top
    "));
}

#[test]
fn a_delete_tells_the_node_once_though_both_tables_match() {
    insta::assert_snapshot!(run("
        watch 1 data /p/n
        watch 1 child /p/n
        watch 2 child /p/n
        watch 3 data /p/n
        watch 3 child /p
        delete /p/n
        # The child watch of 1 was consumed without a word of its own.
        list
    "));
}

#[test]
fn set_data_tells_data_watches_alone() {
    insta::assert_snapshot!(run("
        watch 1 data /p/n
        watch 2 child /p/n
        watch 3 child /p
        set /p/n
        set /p/n
        list
    "));
}

#[test]
fn getdata_and_exists_share_one_watch() {
    insta::assert_snapshot!(run("
        watch 1 data /n
        watch 1 data /n
        count
        set /n
        set /n
    "));
}

#[test]
fn persistent_watches_stay_and_see_their_own_path() {
    insta::assert_snapshot!(run("
        watch 1 persistent /p
        set /p
        create /p/n
        set /p/n
        delete /p/n
        delete /p
        create /p
        list
    "));
}

#[test]
fn recursive_watches_see_the_subtree_but_never_children_changed() {
    insta::assert_snapshot!(run("
        watch 1 recursive /p
        watch 2 recursive /
        create /p/n
        create /p/n/deep
        set /p/n/deep
        delete /p/n/deep
        delete /p
        create /q
        # A name that only begins alike is no descendant.
        create /pp
        set /
    "));
}

#[test]
fn a_connection_with_several_matching_watches_is_told_once_a_lookup() {
    insta::assert_snapshot!(run("
        watch 1 recursive /p
        watch 1 recursive /
        watch 1 data /p/n
        watch 1 persistent /p/n
        set /p/n
        # The one-shot watch is spent, the others stay, and modes coexist.
        list
        # Created below a recursive watch with a child watch on the parent: two events, in this order.
        watch 1 child /p
        create /p/n
        # On the node itself with data and child watches: one.
        watch 1 child /p
        watch 1 data /p
        delete /p
    "));
}

#[test]
fn a_non_recursive_watch_on_an_ancestor_hears_nothing_of_descendants() {
    insta::assert_snapshot!(run("
        watch 1 persistent /p
        watch 2 data /p
        watch 3 recursive /p
        set /p/n
        list
    "));
}

#[test]
fn check_and_remove_look_where_their_type_says() {
    insta::assert_snapshot!(run("
        check 1 any /n
        watch 1 data /n
        watch 1 child /n
        watch 1 persistent /n
        watch 1 recursive /n
        watch 2 data /n
        check 1 children /n
        check 1 data /n
        check 1 any /n
        check 1 persistent /n
        check 1 recursive /n
        check 2 children /n
        check 2 persistent /n
        check 3 any /n
        remove 2 children /n
        remove 1 children /n
        remove 1 children /n
        remove 1 data /n
        remove 1 persistent /n
        remove 1 recursive /n
        remove 1 any /n
        watch 1 persistent /n
        watch 1 recursive /n
        # Types 1 and 2 do not match persistent watches.
        remove 1 data /n
        remove 1 children /n
        remove 1 any /n
        remove 2 any /n
        # Any finds a watch that stands in the child table alone.
        watch 1 child /n
        remove 1 any /n
    "));
}

#[test]
fn set_watches_replays_what_was_missed_and_registers_the_rest() {
    insta::assert_snapshot!(run("
        node /same 5 5
        node /data 11 5
        node /children 5 11
        # data: missing, newer, otherwise. A data watch does not care for pzxid.
        replay 1 10 data=/gone data=/data data=/same data=/children
        disconnect 1
        # exist: registered when missing, created when there, however old.
        replay 1 10 exist=/gone exist=/same
        disconnect 1
        # child: missing, newer pzxid, otherwise. It does not care for mzxid.
        replay 1 10 child=/gone child=/children child=/same child=/data
        disconnect 1
        # Persistent ones are registered and nothing else.
        replay 1 10 persistent=/gone persistent=/data recursive=/children
        disconnect 1
        # All lists: events in the order of the lists. Seen at exactly that zxid is seen.
        replay 1 11 recursive=/r persistent=/p child=/gone child=/children exist=/same data=/data data=/gone
    "));
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    insta::assert_snapshot!(run("
        watch 1 data /a
        watch 1 child /a
        watch 1 recursive /b
        watch 2 data /a
        count
        disconnect 1
        count
        list
        create /b/x
        disconnect 2
        disconnect 2
        count
        # Slots are used again.
        watch 3 data /c
        watch 3 data /d
        list
    "));
}

#[test]
fn the_lists_for_operators_show_data_watches_only() {
    insta::assert_snapshot!(run("
        watch 9 data /b
        watch 9 child /a
        watch 9 persistent /c
        watch 4 data /c
        watch 4 recursive /a
        watch 5 child /a
        # A persistent watch counts 2 in watch_count, a recursive one 1; the rest counts the data table.
        count
        wchc
        wchp
    "));
}

#[test]
fn a_herd_is_told_in_ascending_order_and_gives_everything_back() {
    let mut watches = Watches::new(LookupSeed(1));
    for conn in [5_u64, 1, 9, 3, 7] {
        watches.add(ConnId(conn), "/lock", WatchMode::Data);
    }
    watches.add(ConnId(2), "/", WatchMode::PersistentRecursive);
    let mut told = Vec::new();
    let selected = watches.deleted("/lock", &[], "/", &[], &mut |notice| told.push(notice.conn.0));
    assert_eq!(told, [1, 2, 3, 5, 7, 9]);
    assert_eq!((selected.data, selected.child, selected.parent), (6, 0, 0));
    watches.check().expect("the invariants hold");
    assert_eq!((watches.watch_count(), watches.path_count()), (1, 1));
}

/// The table against a list of (path, connection, table, mode) that is searched from end to end.
#[test]
fn it_selects_what_a_naive_list_selects() {
    use crate::vocabulary::{Entropy, EntropyPurpose, ServerId};
    const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/a/bc", "/b", "/b/c", "/c"];
    let entropy = Entropy::new(11, ServerId(1), 1);
    let mut counter = 0;
    let mut below = |bound| {
        counter += 1;
        entropy.below(EntropyPurpose::Backoff, counter, bound)
    };
    let mut watches = Watches::new(LookupSeed(3));
    let mut naive: Vec<(&str, u64, bool, char)> = Vec::new();
    for _ in 0..20_000 {
        let path = PATHS[below(8) as usize];
        let conn = below(6);
        let mut expected: Vec<(u64, EventType, String)> = Vec::new();
        let mut told = Vec::new();
        let select = |naive: &mut Vec<(&str, u64, bool, char)>, path: &str, child: bool| -> Vec<u64> {
            let under = |top: &str| top == "/" || path.starts_with(&format!("{top}/"));
            let mut found: Vec<u64> = (naive.iter())
                .filter(|w| w.2 == child && (w.0 == path || (w.3 == 'r' && !child && under(w.0))))
                .map(|w| w.1)
                .collect();
            naive.retain(|w| !(w.0 == path && w.2 == child && w.3 == 's'));
            found.sort_unstable();
            found.dedup();
            found
        };
        let mut sink = |notice: Notice<'_>| told.push((notice.conn.0, notice.kind, notice.path.to_owned()));
        let mut expect = |found: &[u64], kind, path: &str| {
            expected.extend(found.iter().map(|conn| (*conn, kind, path.to_owned())));
        };
        match below(12) {
            choice @ 0..=7 => {
                let (mode, rows): (_, &[(bool, char)]) = match choice % 4 {
                    0 => (WatchMode::Data, &[(false, 's')]),
                    1 => (WatchMode::Child, &[(true, 's')]),
                    2 => (WatchMode::Persistent, &[(false, 'p'), (true, 'p')]),
                    _ => (WatchMode::PersistentRecursive, &[(false, 'r')]),
                };
                watches.add(ConnId(conn), path, mode);
                for (child, letter) in rows {
                    let row = (path, conn, *child, *letter);
                    if !naive.contains(&row) {
                        naive.push(row);
                    }
                }
            }
            8 => {
                watches.remove_conn(ConnId(conn));
                naive.retain(|w| w.1 != conn);
            }
            9 => {
                watches.data_changed(path, &[], &mut sink);
                expect(&select(&mut naive, path, false), EventType::NodeDataChanged, path);
            }
            10 if path != "/" => {
                watches.created(path, &[], parent(path), &[], &mut sink);
                expect(&select(&mut naive, path, false), EventType::NodeCreated, path);
                expect(&select(&mut naive, parent(path), true), EventType::NodeChildrenChanged, parent(path));
            }
            _ if path != "/" => {
                watches.deleted(path, &[], parent(path), &[], &mut sink);
                let first = select(&mut naive, path, false);
                let mut second = select(&mut naive, path, true);
                second.retain(|conn| !first.contains(conn));
                expect(&first, EventType::NodeDeleted, path);
                expect(&second, EventType::NodeDeleted, path);
                expect(&select(&mut naive, parent(path), true), EventType::NodeChildrenChanged, parent(path));
            }
            _ => {}
        }
        assert_eq!(told, expected);
        watches.check().expect("the invariants hold");
    }
}

#[test]
fn a_notification_is_what_the_reply_decoder_reads() {
    let mut bytes = BytesMut::new();
    super::write_notification(&mut bytes, Zxid(9), EventType::NodeChildrenChanged, "/a");
    // length 30, xid -1, zxid 9, err 0, type 4, state 3, "/a"
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "0000001effffffff00000000000000090000000000000004000000030000000 22f61".replace(' ', ""));
    let mut decoder = ReplyDecoder::new(1000);
    // The handshake's answer comes first on every connection.
    decoder.push(&[0, 0, 0, 20]);
    decoder.push(&[0; 16]);
    decoder.push(&[0, 0, 0, 0]);
    assert!(matches!(decoder.poll(), Ok(Some(ServerMessage::Connected(_)))));
    decoder.push(&bytes);
    let Ok(Some(ServerMessage::Event { zxid, event })) = decoder.poll() else { panic!("no event") };
    assert_eq!((zxid, event.kind, event.path.as_str()), (Zxid(9), EventType::NodeChildrenChanged, "/a"));
}
