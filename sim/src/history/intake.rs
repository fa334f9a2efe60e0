//! Makes the checkers' operations of a recording: every request and reply is looked at once.

use super::operations::{
    End, Kind, NEVER, NONE, Numbered, Operation, Operations, SOMEWHERE, Shown, Step, What,
};
use crate::checkers::Violation;
use crate::oracle::makes_txn;
use crate::recorded::{RecordedConnection, RecordedHistory, RecordedReply, RecordedRequest};
use bytes::Bytes;
use quorate_core::jute::{CreateFlag, CreateRequest, MultiOp, MultiResult, Reader, Request, Response, Stat};
use quorate_core::vocabulary::{LookupMap, LookupSeed, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// What the tree's rules answer, and the checkers can judge: NoNode, BadVersion, NoChildrenForEphemerals, NodeExists, NotEmpty.
const JUDGED: [i32; 5] = [-101, -103, -108, -110, -111];
/// Refusals that come without a txn: NotReadOnly, Throttled.
const WITHOUT_TXN: [i32; 2] = [-119, -127];

/// See [`Operations::of`].
pub(super) fn take_in(recorded: &RecordedHistory) -> Result<Operations, Violation> {
    let mut building = Building::default();
    for (index, connection) in recorded.connections.iter().enumerate() {
        let session = building.session(connection);
        building.done.connections.push((connection.sent, session));
        for (place, asked) in connection.requests.iter().enumerate() {
            building.take_in((index as u32, session, place as u32), asked)?;
        }
    }
    building.name_the_unknown();
    Ok(building.done)
}

/// The session that it was asked for, or the new one, if it was told.
fn session_of(connection: &RecordedConnection) -> SessionId {
    match (connection.handshake.session_id, &connection.answer) {
        (SessionId::NONE, Some((_, response))) => response.session_id,
        (asked, _) => asked,
    }
}

struct Building {
    done: Operations,
    path_numbers: LookupMap<String, u32>,
    data_numbers: LookupMap<Option<Bytes>, u32>,
    session_numbers: BTreeMap<SessionId, u32>,
    /// Sequential creations that may have been: the operation, the prefix and the data.
    unnamed: Vec<(Operation, String, What)>,
    /// Paths that sequential creations were answered with.
    named: BTreeSet<u32>,
}

impl Default for Building {
    fn default() -> Self {
        Building {
            done: Operations::default(),
            path_numbers: LookupMap::new(LookupSeed(3)),
            data_numbers: LookupMap::new(LookupSeed(1)),
            session_numbers: BTreeMap::new(),
            unnamed: Vec::new(),
            named: BTreeSet::new(),
        }
    }
}

/// The tree's own nodes are not followed: nobody says how they began.
fn is_followed(path: &str) -> bool {
    path.starts_with('/') && path != "/" && !path.starts_with("/zookeeper")
}

impl Building {
    /// The number of a connection's session; who was never told one has one of their own.
    fn session(&mut self, connection: &RecordedConnection) -> u32 {
        let id = session_of(connection);
        let next = self.done.sessions.len() as u32;
        let number =
            if id == SessionId::NONE { next } else { *self.session_numbers.entry(id).or_insert(next) };
        if number == next {
            self.done.sessions.push(id);
        }
        number
    }

    fn path(&mut self, path: &str) -> u32 {
        if let Some(known) = self.path_numbers.get(path) {
            return *known;
        }
        let parent = match path.rfind('/') {
            Some(0) | None => NONE,
            Some(slash) => self.path(&path[..slash]),
        };
        let number = self.done.paths.len() as u32;
        self.done.paths.push(path.to_owned());
        self.done.parents.push(parent);
        self.path_numbers.insert(path.to_owned(), number);
        number
    }

    fn datum(&mut self, data: &Option<Bytes>) -> u32 {
        let next = self.done.data.len() as u32;
        if let Some(known) = self.data_numbers.get(data) {
            return *known;
        }
        self.data_numbers.insert(data.clone(), next);
        self.done.data.push(data.clone());
        next
    }

    fn shown(&mut self, stat: &Stat, data: Option<&Option<Bytes>>) -> Option<Shown> {
        let data = data.map(|data| self.datum(data));
        Some(Shown { data, version: stat.version, czxid: stat.czxid.0, mzxid: stat.mzxid.0 })
    }

    fn step(&mut self, path: Option<&str>, what: What, shown: Option<Shown>) {
        if let Some(path) = path.filter(|path| is_followed(path)) {
            let path = self.path(path);
            self.done.steps.push(Step { path, what, shown });
        }
    }

    fn take_in(&mut self, at: (u32, u32, u32), asked: &RecordedRequest) -> Result<(), Violation> {
        let first = self.done.steps.len();
        let reply = asked.reply.as_ref();
        let err = reply.map_or(0, |reply| reply.header.err);
        let is_write = makes_txn(&asked.request) && !WITHOUT_TXN.contains(&err);
        let mut operation = Operation {
            connection: at.0,
            session: at.1,
            place: at.2,
            sent: asked.sent,
            at: reply.map_or(NEVER, |reply| reply.at),
            zxid: reply.map_or(0, |reply| reply.header.zxid.0),
            kind: match asked.request {
                Request::CloseSession => Kind::Close,
                Request::Sync { .. } => Kind::Sync,
                _ if is_write => Kind::Write,
                _ => Kind::Read,
            },
            end: if reply.is_none() { End::Unknown } else { End::Done },
            steps: (first as u32, first as u32),
        };
        let response = reply.filter(|_| err == 0).map(|reply| body(asked, reply)).transpose()?;
        let is_multi = matches!(asked.request, Request::Multi(_));
        let is_judged = err == 0 || (JUDGED.contains(&err) && !is_multi);
        if is_judged {
            self.add_steps(&mut operation, &asked.request, response.as_ref());
        } else {
            self.done.not_judged += 1;
        }
        if err != 0 && self.done.steps.len() > first {
            operation.end = End::Failed { step: 0, code: err };
        }
        operation.steps.1 = self.done.steps.len() as u32;
        self.done.list.push(operation);
        Ok(())
    }

    fn add_steps(&mut self, operation: &mut Operation, request: &Request, response: Option<&Response>) {
        match (request, response) {
            (Request::Create(create), None) => self.create(operation, create, None),
            (Request::Create(create), Some(Response::Create { path })) => {
                self.create(operation, create, Some((path, None)));
            }
            (Request::Create(create), Some(Response::Create2 { path, stat })) => {
                self.create(operation, create, Some((path, Some(stat))));
            }
            (Request::Delete { path, version }, _) => {
                self.step(path.as_deref(), What::Delete { version: *version }, None);
            }
            (Request::SetData { path, data, version }, response) => {
                let what = What::Set { data: self.datum(data), version: *version };
                let shown = response.and_then(stat_of).and_then(|stat| self.shown(stat, None));
                self.step(path.as_deref(), what, shown);
            }
            (
                Request::Exists { path, .. }
                | Request::GetAcl { path }
                | Request::GetData { path, .. }
                | Request::GetChildren { path, .. }
                | Request::GetChildren2 { path, .. },
                response,
            ) => {
                let shown = match response {
                    Some(Response::GetData { data, stat }) => self.shown(stat, Some(data)),
                    response => response.and_then(stat_of).and_then(|stat| self.shown(stat, None)),
                };
                self.step(path.as_deref(), What::Look, shown);
            }
            (Request::Multi(ops), response) => self.multi(operation, ops, response),
            _ => {}
        }
    }

    fn create(
        &mut self,
        operation: &Operation,
        create: &CreateRequest,
        answer: Option<(&String, Option<&Stat>)>,
    ) {
        let flag = CreateFlag::from_code(create.flags).unwrap_or(CreateFlag::Persistent);
        let what = What::Create { data: self.datum(&create.data), is_ephemeral: flag.is_ephemeral() };
        let shown = answer.and_then(|(_, stat)| stat).and_then(|stat| self.shown(stat, None));
        let asked = create.path.as_deref();
        match answer {
            None if flag.is_sequential() => {
                if let (End::Unknown, Some(prefix)) = (operation.end, asked) {
                    self.unnamed.push((*operation, prefix.to_owned(), what));
                }
            }
            None => self.step(asked, what, None),
            Some((path, _)) => {
                self.step(Some(path), what, shown);
                let number = asked.and_then(|prefix| path.strip_prefix(prefix)?.parse().ok());
                if let Some(number) = number.filter(|_| flag.is_sequential()) {
                    let path = self.path(path);
                    let parent = self.done.parents[path as usize];
                    let operation = self.done.list.len() as u32;
                    self.named.insert(path);
                    self.done.numbered.push(Numbered { operation, parent, number });
                }
            }
        }
    }

    fn multi(&mut self, operation: &mut Operation, ops: &[MultiOp], response: Option<&Response>) {
        let results: &[MultiResult] = match response {
            Some(Response::Multi(results)) => results,
            _ => &[],
        };
        let code = |result: &MultiResult| match result {
            MultiResult::Error { code } => Some(*code),
            _ => None,
        };
        let is_failed = |code: &i32| *code != 0 && *code != -2;
        let failure = results
            .iter()
            .enumerate()
            .find_map(|(index, result)| Some((index, code(result).filter(is_failed)?)));
        if let Some((step, code)) = failure {
            if !JUDGED.contains(&code) {
                self.done.not_judged += 1;
                return;
            }
            operation.end = End::Failed { step: step as u32, code };
        }
        let wanted = failure.map_or(ops.len(), |(step, _)| step + 1);
        for (index, op) in ops.iter().take(wanted).enumerate() {
            let before = self.done.steps.len();
            self.multi_step(operation, op, results.get(index));
            if let Some((step, code)) = failure.filter(|_| self.done.steps.len() == before) {
                // A step that can't be followed would shift what is said of the others; of the one that failed nothing can be said.
                operation.end = End::Failed { step: SOMEWHERE, code };
                if index == step {
                    self.done.steps.truncate(operation.steps.0 as usize);
                }
            }
        }
    }

    fn multi_step(&mut self, operation: &Operation, op: &MultiOp, result: Option<&MultiResult>) {
        match (op, result) {
            (MultiOp::Create(create), Some(MultiResult::Create { path })) => {
                self.create(operation, create, Some((path, None)));
            }
            (MultiOp::Create(create), Some(MultiResult::Create2 { path, stat })) => {
                self.create(operation, create, Some((path, Some(stat))));
            }
            (MultiOp::Create(create), _) => self.create(operation, create, None),
            (MultiOp::Delete { path, version }, _) => {
                self.step(path.as_deref(), What::Delete { version: *version }, None);
            }
            (MultiOp::SetData { path, data, version }, result) => {
                let what = What::Set { data: self.datum(data), version: *version };
                let shown = match result {
                    Some(MultiResult::SetData { stat }) => self.shown(stat, None),
                    _ => None,
                };
                self.step(path.as_deref(), what, shown);
            }
            (MultiOp::Check { path, version }, _) => {
                self.step(path.as_deref(), What::Check { version: *version }, None);
            }
        }
    }

    /// Whoever created a sequential node and was not told its name may have created any that nobody else has.
    fn name_the_unknown(&mut self) {
        let unnamed = std::mem::take(&mut self.unnamed);
        if unnamed.is_empty() {
            return;
        }
        let named = self.done.paths.iter().enumerate().map(|(number, path)| (path.clone(), number as u32));
        let free: BTreeMap<String, u32> = named.filter(|(_, number)| !self.named.contains(number)).collect();
        for (mut operation, prefix, what) in unnamed {
            let own = free.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
            for (_, path) in own.filter(|(path, _)| path.len() == prefix.len() + 10) {
                let first = self.done.steps.len() as u32;
                self.done.steps.push(Step { path: *path, what, shown: None });
                operation.steps = (first, first + 1);
                self.done.list.push(operation);
            }
        }
    }
}

fn stat_of(response: &Response) -> Option<&Stat> {
    match response {
        Response::Stat(stat) | Response::GetAcl { stat, .. } | Response::GetChildren2 { stat, .. } => {
            Some(stat)
        }
        _ => None,
    }
}

fn body(asked: &RecordedRequest, reply: &RecordedReply) -> Result<Response, Violation> {
    let mut body = Reader::new(reply.body.clone());
    Response::decode(asked.request.opcode(), &mut body).map_err(|error| Violation {
        checker: "reply_body",
        detail: format!("the reply to {:?} can't be decoded: {error}", asked.request),
    })
}
