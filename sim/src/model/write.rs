//! Writes, in the order of the checks that §11 to §13 of `client-protocol.md` give: the first that fails wins.
//!
//! A write is judged and done at once, at its place in history: what was pending when the server prepared it is done by then.

use super::watch::Change;
use super::{ExpectedEvent, Model, Node, NodeKind, SavedStat, Who, path, tree};
use bytes::Bytes;
use quorate_core::jute::{Acl, CreateKind, CreateRequest, EventType, MultiOp, MultiResult, Permissions};
use quorate_core::jute::{Request, Response};
use quorate_core::vocabulary::{ConnId, SessionId, Zxid};

/// Where in history a write stands, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) session: SessionId,
    pub(crate) who: &'a Who,
    pub(crate) zxid: Zxid,
    /// The wall clock in its txn.
    pub(crate) time: i64,
    /// How far history was applied when the server judged it: what quotas see.
    pub(crate) applied: Zxid,
    /// What an ephemeral of its session is answered, where none can be.
    pub(crate) no_ephemeral: Option<i32>,
}

/// What a write must bring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Of the reply's header.
    pub(crate) error: i32,
    /// The reply's body.
    pub(crate) response: Option<Response>,
    /// Whether the tree stays as it was.
    pub(crate) failed: bool,
    /// Who is told, in this order for each.
    pub(crate) events: Vec<(ConnId, ExpectedEvent)>,
}

impl Outcome {
    fn error(error: i32) -> Self {
        Outcome { error, failed: true, ..Outcome::default() }
    }
}

/// What one operation did.
enum Done {
    Created { path: String, kind: CreateKind },
    Deleted,
    Changed { path: String },
    Checked,
}

impl Model {
    /// Executes the write `request`.
    pub(crate) fn write(&mut self, place: Place<'_>, request: &Request) -> Outcome {
        let mut changes = Vec::new();
        let done = match request {
            Request::Create(create) => self.create(place, create, &mut changes),
            Request::Delete { path, version } => self.delete(place, path.as_deref(), *version, &mut changes),
            Request::SetData { path, data, version } => {
                self.set_data(place, path.as_deref(), (data, *version), &mut changes)
            }
            Request::SetAcl { path, acl, version } => {
                self.set_acl(place, path.as_deref(), (acl.as_ref(), *version))
            }
            Request::Multi(ops) => return self.multi(place, ops),
            Request::Reconfig { .. } => Err(-123),
            Request::Malformed(_) => Err(-5),
            other => unreachable!("{other:?} is no write"),
        };
        self.zxid = place.zxid;
        let response = match done {
            Err(error) => return Outcome::error(error),
            Ok(done) => self.response(&done),
        };
        Outcome {
            response: Some(response),
            events: self.fire_all(place.zxid, &changes),
            ..Outcome::default()
        }
    }

    fn fire_all(&mut self, zxid: Zxid, changes: &[Change]) -> Vec<(ConnId, ExpectedEvent)> {
        let mut events = Vec::new();
        changes.iter().for_each(|change| self.fire(zxid, change, &mut events));
        events
    }

    fn response(&self, done: &Done) -> Response {
        let stat = |path: &str| self.tree.get(path).expect("it was just changed").stat();
        match done {
            Done::Created { path, kind: CreateKind::Create } => Response::Create { path: path.clone() },
            Done::Created { path, .. } => Response::Create2 { path: path.clone(), stat: stat(path) },
            Done::Changed { path } => Response::Stat(stat(path)),
            Done::Deleted | Done::Checked => Response::Empty,
        }
    }

    fn result(&self, done: &Done) -> MultiResult {
        match (done, self.response(done)) {
            (_, Response::Create { path }) => MultiResult::Create { path },
            (_, Response::Create2 { path, stat }) => MultiResult::Create2 { path, stat },
            (_, Response::Stat(stat)) => MultiResult::SetData { stat },
            (Done::Deleted, _) => MultiResult::Delete,
            _ => MultiResult::Check,
        }
    }

    /// §13.1: all or nothing, each operation seeing those before it.
    fn multi(&mut self, place: Place<'_>, ops: &[MultiOp]) -> Outcome {
        let quotas_before = self.quotas.clone();
        self.tree.begin();
        let mut changes = Vec::new();
        let mut results = Vec::new();
        let mut failure = None;
        for (index, op) in ops.iter().enumerate() {
            let done = match op {
                MultiOp::Create(create) => self.create(place, create, &mut changes),
                MultiOp::Delete { path, version } => {
                    self.delete(place, path.as_deref(), *version, &mut changes)
                }
                MultiOp::SetData { path, data, version } => {
                    self.set_data(place, path.as_deref(), (data, *version), &mut changes)
                }
                MultiOp::Check { path, version } => self.check_version(place.who, path.as_deref(), *version),
            };
            match done {
                Ok(done) => results.push(self.result(&done)),
                Err(error) => {
                    failure = Some((index, error));
                    break;
                }
            }
        }
        self.zxid = place.zxid;
        let Some((failed_at, error)) = failure else {
            self.tree.commit();
            let response = Some(Response::Multi(results));
            return Outcome { response, events: self.fire_all(place.zxid, &changes), ..Outcome::default() };
        };
        self.tree.roll_back();
        self.quotas = quotas_before;
        if error == -5 || ops.iter().any(has_null_path) {
            return Outcome::error(-5);
        }
        let codes = (0..ops.len()).map(|index| match index.cmp(&failed_at) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => error,
            std::cmp::Ordering::Greater => -2,
        });
        let results = codes.map(|code| MultiResult::Error { code }).collect();
        Outcome { failed: true, response: Some(Response::Multi(results)), ..Outcome::default() }
    }

    /// §12.1.
    fn create(
        &mut self,
        place: Place<'_>,
        request: &CreateRequest,
        changes: &mut Vec<Change>,
    ) -> Result<Done, i32> {
        let flags = request.flags;
        let (is_ttl, is_sequential) = (matches!(flags, 5 | 6), matches!(flags, 2 | 3 | 6));
        if !(0..=6).contains(&flags) {
            return Err(-8);
        }
        if is_ttl && !self.config.extended_types {
            return Err(-6);
        }
        let has_ttl = request.kind == CreateKind::CreateTtl;
        if is_ttl != has_ttl || (is_ttl && !(1..=0xff_ffff_ffff).contains(&request.ttl)) {
            return Err(-8);
        }
        if let (1 | 3, Some(error)) = (flags, place.no_ephemeral) {
            return Err(error);
        }
        let kind = match request.kind {
            CreateKind::CreateContainer => NodeKind::Container,
            CreateKind::CreateTtl => NodeKind::Ttl(request.ttl),
            _ if matches!(flags, 1 | 3) => NodeKind::Ephemeral(place.session),
            _ => NodeKind::Persistent,
        };
        let wanted = request.path.as_deref().ok_or(-5)?;
        if !path::is_splittable(wanted) {
            return Err(-8);
        }
        let acl = Model::fix_acl(place.who, request.acl.as_ref())?;
        let parent = self.tree.get(tree::parent_of(wanted)).ok_or(-101)?;
        self.check(place.who, &parent.acl, Permissions::CREATE)?;
        let mut path = wanted.to_string();
        if is_sequential {
            path += &format!("{:010}", parent.stat.cversion);
        }
        if !path::is_valid(&path) {
            return Err(-8);
        }
        if self.tree.get(&path).is_some() {
            return Err(-110);
        }
        if matches!(parent.kind, NodeKind::Ephemeral(_)) {
            return Err(-108);
        }
        let bytes = request.data.as_ref().map_or(0, Bytes::len) as i64;
        self.check_quota(place.applied, &path, (1, bytes))?;
        let (zxid, time) = (place.zxid, place.time);
        let stat = SavedStat::created(zxid, time);
        let data = request.data.clone();
        self.tree.insert(&path, Node { data, acl, stat, kind, children: Vec::new() });
        self.note_quota(zxid, &path, (1, bytes), true);
        changes.push(self.change(EventType::NodeCreated, &path));
        Ok(Done::Created { path, kind: request.kind })
    }

    /// What watches are told of a node that is there.
    fn change(&self, kind: EventType, path: &str) -> Change {
        let parent = tree::parent_of(path);
        let acl = |path: &str| self.tree.get(path).map(|node| node.acl.clone()).unwrap_or_default();
        Change {
            kind,
            path: path.to_string(),
            acl: acl(path),
            parent: parent.to_string(),
            parent_acl: acl(parent),
        }
    }

    /// §12.2.
    fn delete(
        &mut self,
        place: Place<'_>,
        wanted: Option<&str>,
        version: i32,
        changes: &mut Vec<Change>,
    ) -> Result<Done, i32> {
        let wanted = wanted.ok_or(-5)?;
        let is_kept = matches!(wanted, "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config");
        if !path::is_splittable(wanted) || is_kept {
            return Err(-8);
        }
        let parent = self.tree.get(tree::parent_of(wanted)).ok_or(-101)?;
        self.check(place.who, &parent.acl, Permissions::DELETE)?;
        let node = self.tree.get(wanted).ok_or(-101)?;
        expect_version(version, node.stat.version)?;
        if !node.children.is_empty() {
            return Err(-111);
        }
        self.remove(place.zxid, wanted, changes);
        Ok(Done::Deleted)
    }

    fn remove(&mut self, zxid: Zxid, path: &str, changes: &mut Vec<Change>) {
        changes.push(self.change(EventType::NodeDeleted, path));
        let node = self.tree.remove(path, zxid);
        let bytes = node.data.as_ref().map_or(0, Bytes::len) as i64;
        self.note_quota(zxid, path, (-1, -bytes), false);
    }

    /// §12.3.
    fn set_data(
        &mut self,
        place: Place<'_>,
        wanted: Option<&str>,
        (data, version): (&Option<Bytes>, i32),
        changes: &mut Vec<Change>,
    ) -> Result<Done, i32> {
        let wanted = wanted.filter(|wanted| path::is_valid(wanted)).ok_or(-8)?;
        let node = self.tree.get(wanted).ok_or(-101)?;
        self.check(place.who, &node.acl, Permissions::WRITE)?;
        let length = |data: &Option<Bytes>| data.as_ref().map_or(0, Bytes::len) as i64;
        let grows_by = length(data) - length(&node.data);
        self.check_quota(place.applied, wanted, (0, grows_by))?;
        expect_version(version, node.stat.version)?;
        let node = self.tree.get_mut(wanted).expect("it was just found");
        node.data.clone_from(data);
        node.stat.version = next_version(node.stat.version);
        node.stat.mzxid = place.zxid;
        node.stat.mtime = place.time;
        self.note_quota(place.zxid, wanted, (0, grows_by), false);
        changes.push(self.change(EventType::NodeDataChanged, wanted));
        Ok(Done::Changed { path: wanted.to_string() })
    }

    /// §12.4.
    fn set_acl(
        &mut self,
        place: Place<'_>,
        wanted: Option<&str>,
        (acl, version): (Option<&Vec<Acl>>, i32),
    ) -> Result<Done, i32> {
        let wanted = wanted.filter(|wanted| path::is_valid(wanted)).ok_or(-8)?;
        let acl = Model::fix_acl(place.who, acl)?;
        let node = self.tree.get(wanted).ok_or(-101)?;
        self.check(place.who, &node.acl, Permissions::ADMIN)?;
        expect_version(version, node.stat.aversion)?;
        let node = self.tree.get_mut(wanted).expect("it was just found");
        node.acl = acl;
        node.stat.aversion = next_version(node.stat.aversion);
        Ok(Done::Changed { path: wanted.to_string() })
    }

    /// §12.5.
    fn check_version(&self, who: &Who, wanted: Option<&str>, version: i32) -> Result<Done, i32> {
        let wanted = wanted.ok_or(-5)?;
        if !path::is_valid(wanted) {
            return Err(-8);
        }
        let node = self.tree.get(wanted).ok_or(-101)?;
        self.check(who, &node.acl, Permissions::READ)?;
        expect_version(version, node.stat.version)?;
        Ok(Done::Checked)
    }

    pub(crate) fn create_session(&mut self, zxid: Zxid, session: SessionId, timeout: i32) {
        self.sessions.insert(session, timeout);
        self.zxid = zxid;
    }

    /// §4.5: the session goes, its ephemerals with it, in the order in which the txn lists them.
    pub(crate) fn close_session(
        &mut self,
        zxid: Zxid,
        session: SessionId,
        listed: Option<&[String]>,
    ) -> Vec<(ConnId, ExpectedEvent)> {
        self.sessions.remove(&session);
        self.zxid = zxid;
        let mut changes = Vec::new();
        let own = self.tree.ephemerals(session);
        let in_order = listed.unwrap_or(&own);
        for path in in_order.iter().filter(|path| own.contains(path)) {
            self.remove(zxid, path, &mut changes);
        }
        self.fire_all(zxid, &changes)
    }

    /// §11.4: what the reaper may do at this place; false when it may not.
    pub(crate) fn reap(
        &mut self,
        place: (Zxid, i64, Zxid),
        path: &str,
    ) -> Option<Vec<(ConnId, ExpectedEvent)>> {
        let (zxid, time, applied) = place;
        let node = self.tree.get(path)?;
        let idle = time - node.stat.mtime;
        // What was changed after the reaper looked is not held against it.
        let is_fresh = node.stat.mzxid > applied;
        let never_used = self.config.container_max_never_used_ms as i64;
        let may_go = match node.kind {
            NodeKind::Container => {
                node.stat.cversion > 0 || (never_used != 0 && (is_fresh || idle > never_used))
            }
            NodeKind::Ttl(ttl) => is_fresh || idle > ttl,
            _ => false,
        };
        if !may_go || !node.children.is_empty() {
            return None;
        }
        let mut changes = Vec::new();
        self.remove(zxid, path, &mut changes);
        self.zxid = zxid;
        Some(self.fire_all(zxid, &changes))
    }
}

fn has_null_path(op: &MultiOp) -> bool {
    match op {
        MultiOp::Create(create) => create.path.is_none(),
        MultiOp::Delete { path, .. } | MultiOp::SetData { path, .. } | MultiOp::Check { path, .. } => {
            path.is_none()
        }
    }
}

/// §10.2.
fn expect_version(expected: i32, current: i32) -> Result<(), i32> {
    if expected == -1 || expected == current { Ok(()) } else { Err(-103) }
}

/// -1 would mean "any", so it is left out.
fn next_version(current: i32) -> i32 {
    match current.wrapping_add(1) {
        -1 => 0,
        next => next,
    }
}
