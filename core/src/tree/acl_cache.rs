//! Access control lists, each kept once and counted (`disk-format.md` §4.5).
//!
//! Invariants: a list has one id; an id stays as long as a node uses it; id 0, "everything for everybody", always exists and
//! is what snapshots call -1. Ids are this server's own and mean nothing outside one snapshot.

use crate::jute::Acl;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A list's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AclId(u32);

impl AclId {
    /// Everything for everybody.
    pub(super) const OPEN: AclId = AclId(0);

    /// The id as snapshots have it.
    pub(super) fn to_stored(self) -> i64 {
        if self == AclId::OPEN { -1 } else { i64::from(self.0) }
    }
}

/// The lists alone, as a frozen view needs them.
pub(super) type AclLists = Arc<Vec<Option<Arc<[Acl]>>>>;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct AclCache {
    lists: AclLists,
    uses: Vec<u32>,
    free: Vec<AclId>,
    ids: BTreeMap<Arc<[Acl]>, AclId>,
}

impl AclCache {
    /// A cache with nothing but the open list.
    pub(super) fn new() -> Self {
        let open: Arc<[Acl]> = Acl::open().into();
        AclCache {
            lists: Arc::new(vec![Some(open.clone())]),
            uses: vec![0],
            free: Vec::new(),
            ids: BTreeMap::from([(open, AclId::OPEN)]),
        }
    }

    /// The id of `acl`, with one more use.
    pub(super) fn acquire(&mut self, acl: &[Acl]) -> AclId {
        let id = match self.ids.get(acl) {
            Some(id) => *id,
            None => self.add(acl.into()),
        };
        self.uses[id.0 as usize] += 1;
        id
    }

    fn add(&mut self, acl: Arc<[Acl]>) -> AclId {
        let lists = Arc::make_mut(&mut self.lists);
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                lists.push(None);
                self.uses.push(0);
                AclId(u32::try_from(lists.len() - 1).expect("fewer lists than nodes"))
            }
        };
        lists[id.0 as usize] = Some(acl.clone());
        self.ids.insert(acl, id);
        id
    }

    /// One more use of a list that is in use.
    pub(super) fn retain(&mut self, id: AclId) {
        let uses = &mut self.uses[id.0 as usize];
        assert!(*uses > 0 || id == AclId::OPEN, "an ACL that nobody uses is gone");
        *uses += 1;
    }

    /// Takes one use away; the last one takes the list along.
    pub(super) fn release(&mut self, id: AclId) {
        let uses = &mut self.uses[id.0 as usize];
        assert!(*uses > 0, "an ACL released more often than acquired");
        *uses -= 1;
        if *uses == 0 && id != AclId::OPEN {
            let list = Arc::make_mut(&mut self.lists)[id.0 as usize].take().expect("a used id has a list");
            self.ids.remove(&list);
            self.free.push(id);
        }
    }

    /// The list of `id`.
    pub(super) fn list(&self, id: AclId) -> &[Acl] {
        list(&self.lists, id)
    }

    /// The list of `id`, to keep while the node goes.
    pub(super) fn shared(&self, id: AclId) -> Arc<[Acl]> {
        self.lists[id.0 as usize].clone().expect("a used id has a list")
    }

    /// The lists, to freeze.
    pub(super) fn lists(&self) -> AclLists {
        self.lists.clone()
    }

    /// Lists in use, the open one included.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Uses of `id`.
    pub(super) fn uses(&self, id: AclId) -> u32 {
        self.uses[id.0 as usize]
    }

    /// Every id in use, the open one included.
    pub(super) fn ids(&self) -> impl Iterator<Item = AclId> + '_ {
        self.ids.values().copied()
    }

    /// Bytes on the heap, about.
    pub(super) fn heap_bytes(&self) -> usize {
        let entries: usize = self.ids.keys().map(|list| 80 + std::mem::size_of_val(&**list)).sum();
        entries + self.lists.capacity() * 16 + self.uses.capacity() * 4 + self.free.capacity() * 4
    }
}

/// The list of `id` among `lists`.
fn list(lists: &AclLists, id: AclId) -> &[Acl] {
    lists[id.0 as usize].as_deref().expect("a used id has a list")
}

/// The list in slot `index` of frozen lists, with the id snapshots give it; none in a slot that is free. Slot 0, the open list, is
/// not written.
pub(super) fn stored_list(lists: &AclLists, index: usize) -> Option<(i64, &[Acl])> {
    assert!(index > 0, "the open list has no id of its own");
    Some((index as i64, lists[index].as_deref()?))
}
