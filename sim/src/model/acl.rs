//! Permissions (`client-protocol.md` §15).

use super::{Model, Node};
use quorate_core::jute::{Acl, ClientInfo, Id, Permissions};
use std::net::IpAddr;

/// Who asks: what a connection has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) address: IpAddr,
    /// The ids that digest authentication has earned, in order.
    pub(crate) digests: Vec<String>,
    pub(crate) is_super: bool,
}

impl Who {
    pub(crate) fn new(address: IpAddr) -> Self {
        Who { address, digests: Vec::new(), is_super: false }
    }

    fn matches(&self, id: &Id) -> bool {
        let (Some(scheme), Some(id)) = (&id.scheme, &id.id) else { return false };
        match scheme.as_str() {
            "world" => id == "anyone",
            "digest" => self.digests.contains(id),
            "ip" => in_network(self.address, id),
            _ => false,
        }
    }

    /// §15.7, in ascending order.
    pub(super) fn who_am_i(&self) -> Vec<ClientInfo> {
        let info =
            |scheme: &str, user: &str| ClientInfo { scheme: scheme.to_string(), user: user.to_string() };
        let mut infos = vec![info("ip", &self.address.to_string())];
        for id in &self.digests {
            infos.push(info("digest", id.split(':').next().unwrap_or_default()));
        }
        if self.is_super {
            infos.push(info("super", ""));
        }
        infos.sort();
        infos
    }
}

/// `address` or `address/bits`, IPv4 only.
fn network(id: &str) -> Option<(u32, u32)> {
    let (address, bits) = match id.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
        None => (id, 32),
    };
    Some((u32::from(address.parse::<std::net::Ipv4Addr>().ok()?), bits))
}

fn in_network(address: IpAddr, id: &str) -> bool {
    let (IpAddr::V4(address), Some((network, bits))) = (address, network(id)) else { return false };
    let differs = u32::from(address) ^ network;
    bits == 0 || differs >> (32 - bits) == 0
}

impl Model {
    /// §15.2.
    pub(super) fn may(&self, who: &Who, acl: &[Acl], wanted: Permissions) -> bool {
        acl.is_empty()
            || who.is_super
            || acl.iter().any(|entry| entry.perms.0 & wanted.0 != 0 && who.matches(&entry.id))
    }

    pub(super) fn check(&self, who: &Who, acl: &[Acl], wanted: Permissions) -> Result<(), i32> {
        if self.may(who, acl, wanted) { Ok(()) } else { Err(-102) }
    }

    /// §15.3.
    pub(super) fn fix_acl(who: &Who, acl: Option<&Vec<Acl>>) -> Result<Vec<Acl>, i32> {
        let mut distinct: Vec<&Acl> = Vec::new();
        for entry in acl.into_iter().flatten() {
            // Java compares permissions, scheme and id, and trips over a null.
            let Id { scheme, id } = &entry.id;
            let mut equal_perms = distinct.iter().filter(|other| other.perms == entry.perms);
            if equal_perms.any(|other| scheme.is_none() || (id.is_none() && *scheme == other.id.scheme)) {
                return Err(-5);
            }
            if !distinct.contains(&entry) {
                distinct.push(entry);
            }
        }
        if distinct.is_empty() {
            return Err(-114);
        }
        let mut fixed = Vec::new();
        for entry in distinct {
            match (entry.id.scheme.as_deref(), entry.id.id.as_deref()) {
                (Some("auth"), _) if who.digests.is_empty() => return Err(-114),
                (Some("auth"), _) => fixed.extend(
                    who.digests
                        .iter()
                        .map(|id| Acl { perms: entry.perms, id: Id::new("digest", id.clone()) }),
                ),
                (Some("world" | "digest" | "ip"), None) => return Err(-5),
                (Some("world"), Some("anyone")) => fixed.push(entry.clone()),
                (Some("digest"), Some(id)) if is_digest_id(id) => fixed.push(entry.clone()),
                (Some("ip"), Some(id)) if network(id).is_some() => fixed.push(entry.clone()),
                _ => return Err(-114),
            }
        }
        Ok(fixed)
    }

    /// §15.6: the hashes are for those who may change the ACL.
    pub(super) fn masked_acl(&self, who: &Who, node: &Node) -> Vec<Acl> {
        let shown = if node.acl.is_empty() { Acl::open() } else { node.acl.clone() };
        if self.may(who, &node.acl, Permissions::ADMIN) {
            return shown;
        }
        let mask = |mut entry: Acl| {
            if entry.id.scheme.as_deref() == Some("digest")
                && let Some(id) = &entry.id.id
            {
                entry.id.id = Some(format!("{}:x", id.split(':').next().unwrap_or_default()));
            }
            entry
        };
        shown.into_iter().map(mask).collect()
    }
}

/// Exactly two parts around a colon, Java's way of splitting: a trailing empty part does not count.
fn is_digest_id(id: &str) -> bool {
    matches!(id.split_once(':'), Some((_, hash)) if !hash.is_empty() && !hash.contains(':'))
}
