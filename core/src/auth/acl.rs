//! Checking, storing and showing ACLs (`client-protocol.md` §15.2, §15.3, §15.6).

use super::{AuthConfig, Identities, Provider, digest, ip};
use crate::jute::{Acl, Id, Permissions};
use crate::vocabulary::ErrorCode;
use std::collections::BTreeSet;

fn is_world_anyone(id: &Id) -> bool {
    id.scheme.as_deref() == Some("world") && id.id.as_deref() == Some("anyone")
}

/// Whether `identities` have any of `wanted` under `acl`. An empty ACL allows everything.
pub fn check_acl(config: &AuthConfig, identities: &Identities, acl: &[Acl], wanted: Permissions) -> bool {
    if acl.is_empty() || config.skip_acl || identities.is_super() {
        return true;
    }
    acl.iter().any(|entry| {
        entry.perms.overlaps(wanted) && (is_world_anyone(&entry.id) || matches(config, identities, &entry.id))
    })
}

fn matches(config: &AuthConfig, identities: &Identities, entry: &Id) -> bool {
    let (Some(scheme), Some(id)) = (entry.scheme.as_deref(), entry.id.as_deref()) else { return false };
    match config.provider(scheme) {
        Some(Provider::Ip) => ip::matches(identities.address(), id),
        Some(Provider::Digest) => identities.has_digest(id),
        None => false,
    }
}

/// The ACL to store for the one a create or setACL asks for: without exact duplicates, `auth` replaced by the asker's
/// authenticated identities. What that puts in may double others, and is kept. `room` is what the request's ACLs may still come
/// to, bytes as they are stored: a few words can ask for a lot of identities a lot of times.
///
/// # Errors
/// InvalidAcl; MarshallingError for a null where ZooKeeper's server trips over it, and without room.
pub fn fix_acl(
    config: &AuthConfig,
    identities: &Identities,
    acl: Option<&[Acl]>,
    room: &mut usize,
) -> Result<Vec<Acl>, ErrorCode> {
    let acl = acl.unwrap_or_default();
    if acl.is_empty() {
        return Err(ErrorCode::InvalidAcl);
    }
    let mut fixed = Vec::with_capacity(acl.len());
    for entry in without_duplicates(acl)? {
        let scheme = entry.id.scheme.as_deref().ok_or(ErrorCode::InvalidAcl)?;
        if scheme == "auth" {
            add_authenticated(config, identities, entry.perms, (&mut fixed, room))?;
        } else {
            check_entry(config, scheme, entry.id.id.as_deref())?;
            take(room, &entry.id)?;
            fixed.push(entry.clone());
        }
    }
    Ok(fixed)
}

/// The first of equal entries. ZooKeeper's server compares each with those before it, permissions first, then the scheme, then
/// the id, and trips over a null of its own that it comes to.
fn without_duplicates(acl: &[Acl]) -> Result<Vec<&Acl>, ErrorCode> {
    if let [only] = acl {
        return Ok(vec![only]);
    }
    let mut unique = Vec::with_capacity(acl.len());
    let (mut entries, mut perms, mut schemes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in acl {
        let Id { scheme, id } = &entry.id;
        let is_compared = !perms.insert(entry.perms);
        let has_scheme = !schemes.insert((entry.perms, scheme));
        if is_compared && scheme.is_none() || has_scheme && id.is_none() {
            return Err(ErrorCode::MarshallingError);
        }
        if entries.insert(entry) {
            unique.push(entry);
        }
    }
    Ok(unique)
}

/// Takes what an entry comes to.
fn take(room: &mut usize, id: &Id) -> Result<(), ErrorCode> {
    let length = |part: &Option<String>| 4 + part.as_ref().map_or(0, String::len);
    let size = 4 + length(&id.scheme) + length(&id.id);
    *room = room.checked_sub(size).ok_or(ErrorCode::MarshallingError)?;
    Ok(())
}

fn add_authenticated(
    config: &AuthConfig,
    identities: &Identities,
    perms: Permissions,
    (fixed, room): (&mut Vec<Acl>, &mut usize),
) -> Result<(), ErrorCode> {
    let before = fixed.len();
    let proven = |own: &&Id| {
        own.scheme.as_deref().and_then(|scheme| config.provider(scheme)) == Some(Provider::Digest)
    };
    for own in identities.iter().filter(proven) {
        take(room, own)?;
        fixed.push(Acl { perms, id: own.clone() });
    }
    if fixed.len() == before { Err(ErrorCode::InvalidAcl) } else { Ok(()) }
}

fn check_entry(config: &AuthConfig, scheme: &str, id: Option<&str>) -> Result<(), ErrorCode> {
    let is_world = scheme == "world";
    let provider = config.provider(scheme);
    if !is_world && provider.is_none() {
        return Err(ErrorCode::InvalidAcl);
    }
    let id = id.ok_or(ErrorCode::MarshallingError)?;
    let valid = match provider {
        Some(Provider::Ip) => ip::is_valid(id),
        Some(Provider::Digest) => digest::is_valid(id),
        None => id == "anyone",
    };
    if valid { Ok(()) } else { Err(ErrorCode::InvalidAcl) }
}

/// The ACL for somebody with READ but without ADMIN: the hashes of digest entries are hidden.
pub fn mask_acl(acl: &[Acl]) -> Vec<Acl> {
    let mut shown = acl.to_vec();
    for entry in &mut shown {
        if entry.id.scheme.as_deref() == Some("digest")
            && let Some(id) = &mut entry.id.id
        {
            *id = digest::masked(id);
        }
    }
    shown
}
