//! Every invariant of the tree, verified by walking all of it.

use super::acl_cache::AclId;
use super::data_tree::{DataTree, size_of_entry};
use super::frozen::Walk;
use super::owner::Owner;
use super::path;
use std::collections::BTreeMap;

impl DataTree {
    /// Verifies that pages, index, ACL uses, owners, sizes and digest describe the same nodes.
    ///
    /// # Errors
    /// Says what does not hold, and where.
    pub fn check_full(&self) -> Result<(), String> {
        self.slab.check()?;
        let pages = &self.slab.pages;
        let (mut digest, mut size, mut nodes, mut owned) = (0u64, 0, 0, 0);
        let mut uses: BTreeMap<AclId, u32> = BTreeMap::new();
        let mut walk = Walk::new();
        while let Some((id, path)) = walk.node() {
            nodes += 1;
            if self.find(path) != Some(id) {
                return Err(format!("the index does not find {path}"));
            }
            let owner = self.owner_of(id);
            owned += usize::from(owner != Owner::Persistent);
            if owner != Owner::Persistent && !self.owners.contains(id, owner) {
                return Err(format!("{path} is not noted as {owner:?}"));
            }
            digest = digest.wrapping_add(u64::from(self.digest_of(id, path)));
            size += size_of_entry(path, pages.data(id));
            *uses.entry(pages.node(id).acl).or_default() += 1;
            walk.advance(pages);
        }
        if self.options.digest && digest != self.digest {
            return Err(format!("the digest is kept as {:x} and is {digest:x}", self.digest));
        }
        if nodes != self.index.len() + 1 {
            return Err(format!("{nodes} nodes, {} in the index", self.index.len()));
        }
        if owned != self.owners.len() {
            return Err(format!("{owned} nodes do not persist, {} are noted", self.owners.len()));
        }
        if size != self.data_size {
            return Err(format!("the data size is kept as {} and is {size}", self.data_size));
        }
        self.check_acls(&uses)?;
        self.check_quotas()
    }

    fn check_acls(&self, uses: &BTreeMap<AclId, u32>) -> Result<(), String> {
        for id in self.acls.ids() {
            let (kept, counted) = (self.acls.uses(id), uses.get(&id).copied().unwrap_or(0));
            if kept != counted {
                return Err(format!("ACL {id:?} has {kept} uses and {counted} nodes"));
            }
        }
        match uses.keys().find(|id| self.acls.ids().all(|other| other != **id)) {
            Some(id) => Err(format!("ACL {id:?} is used and not there")),
            None => Ok(()),
        }
    }

    fn check_quotas(&self) -> Result<(), String> {
        match self.quota_paths().find(|governed| self.find(&limits_of(governed)).is_none()) {
            Some(governed) => Err(format!("{governed} is governed without limits")),
            None => Ok(()),
        }
    }
}

fn limits_of(governed: &str) -> String {
    format!("{}{governed}/zookeeper_limits", path::QUOTA)
}
