//! setData (`client-protocol.md` §12.3). The quota is asked before the version.

use super::changes::Edit;
use super::{Context, Prep, Prep1, next_version, valid};
use crate::jute::{OpCode, Permissions, TxnRecord};
use crate::tree::{StatsTrack, is_usage};
use crate::vocabulary::ErrorCode;
use bytes::Bytes;

impl Prep {
    pub(super) fn set_data(
        &mut self,
        context: &Context<'_>,
        path: Option<&str>,
        data: Option<&Bytes>,
        expected: i32,
    ) -> Prep1 {
        let path = valid(path)?;
        let tree = context.ground.tree;
        let node = self.changes.look(tree, path).ok_or(ErrorCode::NoNode)?;
        context.require(node.acl, Permissions::WRITE)?;
        let (mut stat, children) = (node.stat, node.children);
        let grows = data.map_or(0, Bytes::len) as i64 - node.data.map_or(0, <[u8]>::len) as i64;
        self.check_quota(context, path, (grows, 0))?;
        let version = next_version(stat.version, expected)?;
        if is_usage(path) && StatsTrack::parse(data.map(|data| &data[..])).is_none() {
            return Err(ErrorCode::BadArguments);
        }
        (stat.version, stat.mzxid, stat.mtime) = (version, context.zxid, context.ground.time.0);
        let edit = Edit { data: Some(data.cloned()), ..Edit::default() };
        self.changes.put(tree, path, (stat, children), edit);
        Ok((OpCode::SetData, TxnRecord::SetData { path: path.to_owned(), data: data.cloned(), version }))
    }
}
