//! A recording as both checkers read it: operations on paths, with times, and what each was told.
//!
//! Paths and data are numbered, and replies decoded, once. What no checker judges has no steps: its times and its zxid are left.

use crate::checkers::Violation;
use crate::recorded::RecordedHistory;
use bytes::Bytes;
use quorate_core::vocabulary::SessionId;

/// When an answer came that never came.
pub(super) const NEVER: u64 = u64::MAX;
/// No path.
pub(super) const NONE: u32 = u32::MAX;
/// A multi failed, nobody says where.
pub(super) const SOMEWHERE: u32 = u32::MAX;

/// What one step does to its path.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Create { data: u32, is_ephemeral: bool },
    Delete { version: i32 },
    Set { data: u32, version: i32 },
    Check { version: i32 },
    Look,
}

/// What a reply shows of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) data: Option<u32>,
    pub(super) version: i32,
    /// 0 when it is not known.
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
}

/// One path's part of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) path: u32,
    pub(super) what: What,
    pub(super) shown: Option<Shown>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    Read,
    Sync,
    Close,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody knows.
    Unknown,
    Done,
    /// A step was refused, and nothing happened.
    Failed {
        step: u32,
        code: i32,
    },
}

impl End {
    /// Whether it says that `step` fails with `code`.
    pub(super) fn is_failure(self, at: usize, found: i32) -> bool {
        matches!(self, End::Failed { step, code } if code == found && (step == SOMEWHERE || step as usize == at))
    }
}

/// One request of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) connection: u32,
    pub(super) session: u32,
    /// Its place in its connection.
    pub(super) place: u32,
    pub(super) sent: u64,
    pub(super) at: u64,
    /// 0 when the server said none.
    pub(super) zxid: i64,
    pub(super) kind: Kind,
    pub(super) end: End,
    pub(super) steps: (u32, u32),
}

impl Operation {
    /// Whether it may have changed something.
    pub(super) fn may_change(&self) -> bool {
        matches!(self.kind, Kind::Write | Kind::Close) && !matches!(self.end, End::Failed { .. })
    }
}

/// A sequential node that was created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    pub(super) operation: u32,
    pub(super) parent: u32,
    pub(super) number: i64,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Operations {
    pub(super) list: Vec<Operation>,
    pub(super) steps: Vec<Step>,
    pub(super) paths: Vec<String>,
    /// Of each path its parent, [`NONE`] for the root.
    pub(super) parents: Vec<u32>,
    pub(super) data: Vec<Option<Bytes>>,
    pub(super) sessions: Vec<SessionId>,
    /// Of each connection: when its handshake was sent, and its session.
    pub(super) connections: Vec<(u64, u32)>,
    pub(super) numbered: Vec<Numbered>,
    /// Requests whose reply says what no rule here knows of.
    pub(super) not_judged: usize,
}

impl Operations {
    /// Reads a recording.
    ///
    /// # Errors
    /// `reply_body` when a reply is none to its request.
    pub fn of(recorded: &RecordedHistory) -> Result<Self, Violation> {
        super::intake::take_in(recorded)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn steps(&self, operation: &Operation) -> &[Step] {
        &self.steps[operation.steps.0 as usize..operation.steps.1 as usize]
    }

    /// An operation in words.
    pub(super) fn words(&self, index: u32) -> String {
        let operation = &self.list[index as usize];
        let mut text = String::new();
        for step in self.steps(operation) {
            let path = &self.paths[step.path as usize];
            let asked = match step.what {
                What::Create { data, .. } => format!("create {path} = {}", self.datum(data)),
                What::Delete { version } => format!("delete {path} at version {version}"),
                What::Set { data, version } => {
                    format!("set {path} = {} at version {version}", self.datum(data))
                }
                What::Check { version } => format!("check {path} at version {version}"),
                What::Look => format!("read {path}"),
            };
            let shown = step.shown.map_or(String::new(), |shown| {
                let data = shown.data.map_or(String::new(), |data| format!("{}, ", self.datum(data)));
                format!(" ({data}version {})", shown.version)
            });
            text += &format!("{}{asked}{shown}", if text.is_empty() { "" } else { ", " });
        }
        if text.is_empty() {
            text = format!("{:?}", operation.kind).to_lowercase();
        }
        let end = match operation.end {
            End::Unknown => "outcome unknown".to_owned(),
            End::Done => "done".to_owned(),
            End::Failed { code, .. } => format!("refused with {code}"),
        };
        let at = if operation.at == NEVER { "never".to_owned() } else { operation.at.to_string() };
        let session = self.sessions[operation.session as usize];
        format!("{text}: {end}, session {session}, sent at {}, answered at {at}", operation.sent)
    }

    pub(super) fn datum(&self, data: u32) -> String {
        match &self.data[data as usize] {
            None => "null".to_owned(),
            Some(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let short: String = text.chars().take(40).collect();
                format!("{:?}{}", short, if short.len() < text.len() { "…" } else { "" })
            }
        }
    }
}
