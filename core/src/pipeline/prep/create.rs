//! create, create2, createContainer, createTTL (`client-protocol.md` §11, §12.1).

use super::changes::Edit;
use super::{Context, Prep, Prep1, parent_of};
use crate::jute::{Acl, CreateFlag, CreateKind, CreateRequest, CreateTxn, Permissions, TxnRecord};
use crate::tree::{Owner, StatPersisted, governs_nothing, path as paths};
use crate::vocabulary::{ErrorCode, Zxid};

impl Prep {
    pub(super) fn create(&mut self, context: &Context<'_>, create: &CreateRequest) -> Prep1 {
        let extended_types = context.ground.config.switches.extended_types;
        let (flag, owner) = kind_of_node(context, create, extended_types)?;
        let wanted = create.path.as_deref().ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of(wanted)?;
        let acl = self.fix_acl(context, create.acl.as_deref())?;
        let tree = context.ground.tree;
        let parent = self.changes.look(tree, parent_path).ok_or(ErrorCode::NoNode)?;
        context.require(parent.acl, Permissions::CREATE)?;
        let counter = parent.stat.cversion;
        let path = if flag.is_sequential() { format!("{wanted}{counter:010}") } else { wanted.to_owned() };
        paths::validate(&path)?;
        if self.changes.look(tree, &path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if matches!(parent.owner(tree), Owner::Ephemeral(_)) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let parent_after = (count_creation(parent.stat, context.zxid), parent.children + 1);
        let bytes = create.data.as_ref().map_or(0, |data| data.len());
        self.check_quota(context, &path, (bytes as i64, 1))?;
        if governs_nothing(&path) {
            return Err(ErrorCode::BadArguments);
        }
        self.changes.put(tree, parent_path, parent_after, Edit::default());
        let (zxid, time) = (context.zxid, context.ground.time.0);
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner.to_stored(),
            ..StatPersisted::default()
        };
        let edit = Edit { acl: Some(acl.as_slice().into()), data: Some(create.data.clone()) };
        self.changes.put(tree, &path, (stat, 0), edit);
        let record = create_record(create, path, acl, (owner, counter.wrapping_add(1)));
        Ok((create.kind.opcode(), record))
    }
}

/// Flag and TTL are judged before anything else; what comes out is what the node will live by. The opcode decides about
/// containers and TTLs, the flag about ephemerals.
fn kind_of_node(
    context: &Context<'_>,
    create: &CreateRequest,
    extended_types: bool,
) -> Result<(CreateFlag, Owner), ErrorCode> {
    let flag = CreateFlag::from_code(create.flags).ok_or(ErrorCode::BadArguments)?;
    if flag.is_ttl() && !extended_types {
        return Err(ErrorCode::Unimplemented);
    }
    if flag.is_ttl() != (create.kind == CreateKind::CreateTtl) {
        return Err(ErrorCode::BadArguments);
    }
    if flag.is_ephemeral() {
        // A container that says so, too.
        context.asker.may_own?;
    }
    let owner = match create.kind {
        CreateKind::CreateTtl => Owner::ttl(create.ttl).ok_or(ErrorCode::BadArguments)?,
        CreateKind::CreateContainer => Owner::Container,
        _ if flag.is_ephemeral() => Owner::Ephemeral(context.asker.session),
        _ => Owner::Persistent,
    };
    Ok((flag, owner))
}

/// The parent's numbers after a creation: the tree only raises its counter, so at its end nothing changes.
fn count_creation(mut stat: StatPersisted, zxid: Zxid) -> StatPersisted {
    let cversion = stat.cversion.wrapping_add(1);
    // -1 in a txn means "one more"; the tree then adds one to what it has.
    if cversion > stat.cversion {
        (stat.cversion, stat.pzxid) = (cversion, zxid);
    }
    stat
}

fn create_record(
    create: &CreateRequest,
    path: String,
    acl: Vec<Acl>,
    (owner, parent_cversion): (Owner, i32),
) -> TxnRecord {
    TxnRecord::Create(CreateTxn {
        path,
        data: create.data.clone(),
        acl,
        ephemeral: matches!(owner, Owner::Ephemeral(_)),
        parent_cversion,
        ttl: if let Owner::Ttl(ttl) = owner { ttl.0 as i64 } else { 0 },
    })
}
