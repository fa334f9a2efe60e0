//! Prep: a request becomes a txn, or an error txn, against the tree overlaid with what is pending
//! (`client-protocol.md` §12, §13; `disk-format.md` §3).
//!
//! One file for each request. Every check stands in the order of the specification's list for it: the first that fails wins.
//!
//! - A failed write is a txn too: it consumes its zxid and is logged as an error.
//! - A txn is serialised once, here; what the reader of a log would refuse is refused here, with -5, before it is logged
//!   (ZOOKEEPER-3496, -4306).
//! - A version never becomes -1, which would match "any version" (ZOOKEEPER-4743): -2 is followed by 0, as in 3.10.
//! - A request behind a pending setACL is checked against the new ACL; ZooKeeper's server checks the old one.
//! - A sequential create whose parent's counter has reached its end collides at once, as it does in ZooKeeper's tree.
//! - What would keep ZooKeeper's server from reading the log is -8: limits for no path, usage that it can't parse.
//! - createTTL with a flag that has no TTL is -8 whatever the TTL; ZooKeeper's server exits for a negative one.
//!
//! Absent: reconfig beyond its refusals. Who may ask in a session's name is not asked here: `peer` does.

mod changes;
mod check;
mod create;
mod delete;
mod multi;
mod reap;
mod reconfig;
mod session;
mod set_acl;
mod set_data;

use crate::auth::{AuthConfig, Identities, check_acl, fix_acl};
use crate::jute::{Acl, Encode, OpCode, Permissions, Request, Txn, TxnDigest, TxnHeader, TxnRecord, Writer};
use crate::tree::{DIGEST_VERSION, DataTree, path as paths};
use crate::vocabulary::{ErrorCode, LookupSeed, PeerConfig, SessionId, Wall, Xid, Zxid};
use bytes::{Bytes, BytesMut};
use changes::Changes;

/// Serialised txns share allocations of this many bytes.
const ARENA: usize = 64 << 10;

/// What a request is checked against, besides pending changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) tree: &'a DataTree,
    pub(crate) config: &'a PeerConfig,
    pub(crate) auth: &'a AuthConfig,
    /// The wall clock, for the txn's header.
    pub(crate) time: Wall,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) session: SessionId,
    pub(crate) cxid: Xid,
    pub(crate) identities: &'a Identities,
    /// Whether an ephemeral may be its session's; if not, what wanting one is answered.
    pub(crate) may_own: Result<(), ErrorCode>,
}

impl<'a> Asker<'a> {
    /// One whose session the ensemble knows.
    pub(crate) fn global(session: SessionId, cxid: Xid, identities: &'a Identities) -> Self {
        Asker { session, cxid, identities, may_own: Ok(()) }
    }
}

/// A txn, ready to be logged.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) txn: Txn,
    /// The same, serialised.
    pub(crate) bytes: Bytes,
}

/// A quota that a write has passed.
#[derive(Clone, Debug)]
pub(crate) struct QuotaNote {
    pub(crate) path: String,
    pub(crate) hard: bool,
}

/// One operation's opcode and record, or why it fails.
type Prep1 = Result<(OpCode, TxnRecord), ErrorCode>;

/// What the checks of one request share.
#[derive(Clone, Copy, Debug)]
struct Context<'a> {
    ground: Ground<'a>,
    asker: Asker<'a>,
    zxid: Zxid,
}

impl Context<'_> {
    fn require(&self, acl: &[Acl], wanted: Permissions) -> Result<(), ErrorCode> {
        let allowed = check_acl(self.ground.auth, self.asker.identities, acl, wanted);
        if allowed { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Prep {
    changes: Changes,
    last_zxid: Zxid,
    arena: BytesMut,
    /// The last request's, if it passed one.
    quota_note: Option<QuotaNote>,
    /// What the ACLs of the request under way may still come to, bytes.
    acl_room: usize,
}

impl Prep {
    /// Nothing pending over a tree with this digest, whose last txn was `last_zxid`.
    pub(crate) fn new(seed: LookupSeed, last_zxid: Zxid, digest: u64) -> Self {
        Prep {
            changes: Changes::new(seed, digest),
            last_zxid,
            arena: BytesMut::new(),
            quota_note: None,
            acl_room: 0,
        }
    }

    /// The zxid of the last txn prepared.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The quota that the last request has passed.
    pub(crate) fn take_quota_note(&mut self) -> Option<QuotaNote> {
        self.quota_note.take()
    }

    /// Changes that are pending.
    pub(crate) fn outstanding_changes(&self) -> usize {
        self.changes.len()
    }

    /// Every txn up to `zxid` has been applied. Returns how many changes were forgotten.
    pub(crate) fn applied(&mut self, zxid: Zxid) -> usize {
        self.changes.applied(zxid)
    }

    /// The invariants of the module's words.
    pub(crate) fn check(&self, tree: &DataTree, last_applied: Zxid) -> Result<(), String> {
        if self.last_zxid < last_applied {
            return Err(format!("{last_applied} is applied, {} the last prepared", self.last_zxid));
        }
        self.changes.check(tree)
    }

    /// Prepares a client's write.
    ///
    /// # Panics
    /// For a request that makes no txn.
    pub(crate) fn request(&mut self, ground: Ground<'_>, asker: Asker<'_>, request: &Request) -> Prepared {
        self.prepare(ground, asker, |prep, context| match request {
            Request::Create(create) => prep.create(context, create),
            Request::Delete { path, version } => prep.delete(context, path.as_deref(), *version),
            Request::SetData { path, data, version } => {
                prep.set_data(context, path.as_deref(), data.as_ref(), *version)
            }
            Request::SetAcl { path, acl, version } => {
                prep.set_acl(context, path.as_deref(), acl.as_deref(), *version)
            }
            Request::Multi(ops) => prep.multi(context, ops),
            Request::Reconfig { .. } => reconfig::refuse(context),
            Request::CloseSession => Ok(prep.close_session(context)),
            // The one malformed request that costs a zxid is an undecodable multi.
            Request::Malformed(_) => Err(ErrorCode::MarshallingError),
            _ => unreachable!("{} makes no txn", request.opcode()),
        })
    }

    /// A request that is refused before anything of it is looked at, with a txn that says so.
    pub(crate) fn refuse(&mut self, ground: Ground<'_>, asker: Asker<'_>, code: ErrorCode) -> Prepared {
        self.prepare(ground, asker, |_, _| Err(code))
    }

    /// Gives `operation` a zxid, and makes a serialised txn of what it says.
    fn prepare(
        &mut self,
        ground: Ground<'_>,
        asker: Asker<'_>,
        operation: impl FnOnce(&mut Self, &Context<'_>) -> Prep1,
    ) -> Prepared {
        let zxid = self.last_zxid.next();
        self.last_zxid = zxid;
        self.changes.begin(zxid);
        self.quota_note = None;
        self.acl_room = ground.config.limits.max_field() as usize;
        let context = Context { ground, asker, zxid };
        if let Ok((opcode, record)) = operation(self, &context)
            .inspect_err(|_| self.changes.rollback())
            .or_else(|error| Ok::<_, ErrorCode>((OpCode::Error, TxnRecord::Error { err: error.code() })))
            && let Some(prepared) = self.serialize(&context, opcode, record)
        {
            return prepared;
        }
        self.changes.rollback();
        let refused = TxnRecord::Error { err: ErrorCode::MarshallingError.code() };
        self.serialize(&context, OpCode::Error, refused).expect("an error txn fits any log")
    }

    /// The txn and its bytes; none when a log's reader would refuse it.
    fn serialize(&mut self, context: &Context<'_>, opcode: OpCode, record: TxnRecord) -> Option<Prepared> {
        let header = TxnHeader {
            session: context.asker.session,
            cxid: context.asker.cxid,
            zxid: context.zxid,
            time: context.ground.time,
            opcode,
        };
        let digest = context
            .ground
            .tree
            .options()
            .digest
            .then(|| TxnDigest { version: DIGEST_VERSION, tree_digest: self.changes.digest() });
        let txn = Txn { header, record, digest };
        if self.arena.capacity() < 256 {
            self.arena.reserve(ARENA);
        }
        txn.encode(&mut Writer::new(&mut self.arena));
        if self.arena.len() > context.ground.config.limits.max_field() as usize {
            self.arena.clear();
            return None;
        }
        let bytes = self.arena.split().freeze();
        Some(Prepared { txn, bytes })
    }

    /// The ACL to store for one that the asker asks for.
    fn fix_acl(&mut self, context: &Context<'_>, acl: Option<&[Acl]>) -> Result<Vec<Acl>, ErrorCode> {
        fix_acl(context.ground.auth, context.asker.identities, acl, &mut self.acl_room)
    }

    /// Whether a quota lets `path` grow by so much; notes when one is passed.
    fn check_quota(
        &mut self,
        context: &Context<'_>,
        path: &str,
        (bytes, count): (i64, i64),
    ) -> Result<(), ErrorCode> {
        use crate::tree::QuotaVerdict;
        if !context.ground.config.switches.enforce_quota {
            return Ok(());
        }
        match context.ground.tree.check_quota(path, bytes, count) {
            QuotaVerdict::Within => Ok(()),
            QuotaVerdict::Unreadable => Err(ErrorCode::MarshallingError),
            QuotaVerdict::Soft { path } => {
                self.quota_note = Some(QuotaNote { path, hard: false });
                Ok(())
            }
            QuotaVerdict::Hard { path } => {
                self.quota_note = Some(QuotaNote { path, hard: true });
                Err(ErrorCode::QuotaExceeded)
            }
        }
    }
}

/// The version after `current`, if `expected` is it or -1.
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    match current.wrapping_add(1) {
        -1 => Ok(0),
        next => Ok(next),
    }
}

/// The parent's path as ZooKeeper's server cuts it, where nothing but a slash is asked for.
fn parent_of(path: &str) -> Result<&str, ErrorCode> {
    let slash = path.rfind('/').ok_or(ErrorCode::BadArguments)?;
    if path.contains('\0') { Err(ErrorCode::BadArguments) } else { Ok(&path[..slash]) }
}

/// A path that is to be valid in full; null is not.
fn valid(path: Option<&str>) -> Result<&str, ErrorCode> {
    let path = path.ok_or(ErrorCode::BadArguments)?;
    paths::validate(path)?;
    Ok(path)
}

impl<'a> Ground<'a> {
    /// The ground that this server's requests stand on.
    pub(crate) fn of(state: &'a super::state::ServerState, now: crate::vocabulary::Now) -> Self {
        Ground { tree: &state.database.tree, config: &state.config, auth: &state.auth, time: now.wall }
    }
}
