//! What an operator can do about what is found at start: an error's own words, and behind them which setting, user or
//! command.

use crate::config::StorageConfig;
use quorate_core::tree::{Database, Owner};
use quorate_core::vocabulary::SessionId;
use quorate_storage_file::{DiskError, DiskErrorKind, DiskOperation, RecoveryError};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// About a directory that can't be opened.
pub(crate) fn about_disk(error: &DiskError, storage: &StorageConfig) -> String {
    match (error.operation, error.kind) {
        (DiskOperation::Open, DiskErrorKind::NotFound) if !storage.datadir_autocreate => format!(
            "{error}; it is not made because of datadir.autocreate=false: mount its volume, fix dataDir or dataLogDir, or make it"
        ),
        (DiskOperation::Lock, DiskErrorKind::AlreadyExists) => {
            format!("{error}: stop it first (`fuser {}` tells which it is)", error.path)
        }
        (_, DiskErrorKind::PermissionDenied) => with_access(&error.to_string(), Path::new(&error.path)),
        _ => error.to_string(),
    }
}

/// About data that can't be brought back.
pub(crate) fn about_recovery(error: &RecoveryError, storage: &StorageConfig) -> String {
    match error {
        RecoveryError::Disk(error) => about_disk(error, storage),
        RecoveryError::Uninitialized => format!(
            "the data directory is empty, and db.autocreate=false forbids a new database: mount its volume, or, if this is to be \
             a new database, say so by `touch {}`",
            storage.data_log_dir.join("initialize").display()
        ),
        // Nothing is wrong with what may not be read.
        RecoveryError::NoUsableSnapshot(snapshots) => {
            match snapshots.iter().find(|(_, reason)| is_about_access(reason)) {
                Some((name, reason)) => with_access(reason, &storage.data_dir.join("version-2").join(name)),
                None => error.to_string(),
            }
        }
        RecoveryError::LostWithNewestSnapshot { name, reason, .. } if is_about_access(reason) => {
            with_access(reason, &storage.data_dir.join("version-2").join(name))
        }
        _ => error.to_string(),
    }
}

/// About a port that can't be had; `key` is the setting that names it.
pub(crate) fn about_port(key: &str, address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(", and `ss -ltnp 'sport = :{}'` tells who has it", address.port())
        }
        io::ErrorKind::PermissionDenied => {
            ", and ports below 1024 need root or the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => ", and no interface of this machine has that address".to_owned(),
        _ => String::new(),
    };
    format!("cannot listen on {address}: {error}; {key} asks for it{advice}")
}

/// Nodes with a TTL that are read as ephemerals of sessions nobody has, and so will be deleted as ZooKeeper deletes them.
pub(crate) fn lost_ttl_nodes(database: &Database) -> Option<String> {
    let tree = &database.tree;
    let mut sessions = tree.sessions_with_ephemerals();
    let is_ttl = |session: SessionId| matches!(Owner::from_stored(session.0, true), Owner::Ttl(_));
    sessions.retain(|session| is_ttl(*session) && !database.sessions().contains_key(session));
    let count: usize = sessions.iter().map(|session| tree.ephemerals(*session).len()).sum();
    let first = tree.ephemerals(*sessions.first()?).into_iter().next()?;
    Some(format!(
        "nodes with a TTL are deleted at start ({count}, {first} among them): extendedTypesEnabled=false reads them as ephemerals \
         of sessions that are gone; set it to true to keep them"
    ))
}

fn is_about_access(reason: &str) -> bool {
    ["Permission denied", "Operation not permitted", "Read-only file system"]
        .iter()
        .any(|words| reason.contains(words))
}

/// The error, with who this is and who may.
pub(crate) fn with_access(error: &str, path: &Path) -> String {
    if error.contains("Read-only file system") {
        return format!("{error}: mount it so that it can be written");
    }
    let name = |uid: u32| user_name(uid).unwrap_or_else(|| uid.to_string());
    let me = name(rustix::process::geteuid().as_raw());
    // Of what is not there, or not shown, the nearest directory above decides.
    let seen = path.ancestors().find_map(|place| Some((place, fs::metadata(place).ok()?)));
    let Some((place, found)) = seen else { return format!("{error}; this is the user {me}") };
    format!(
        "{error}; this is the user {me}, and {} belongs to {} with mode {:04o}: start the server as that user, or change the owner",
        place.display(),
        name(found.uid()),
        found.mode() & 0o7777,
    )
}

/// The name of a user of this system.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    fs::read_to_string("/etc/passwd").ok()?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;
    use quorate_core::vocabulary::Zxid;

    fn storage() -> StorageConfig {
        ServerConfig::standalone("/".into(), 0).storage
    }

    fn denied(path: &str) -> DiskError {
        DiskError {
            operation: DiskOperation::Open,
            path: path.to_owned(),
            kind: DiskErrorKind::PermissionDenied,
            detail: "Permission denied (os error 13)".to_owned(),
        }
    }

    #[test]
    fn who_may_not_is_told_who_it_is_and_who_may() {
        let said = about_disk(&denied("/etc/passwd/nowhere"), &storage());
        let me = user_name(rustix::process::geteuid().as_raw()).unwrap();
        let expected = format!("; this is the user {me}, and /etc/passwd belongs to root with mode 0644");
        assert!(said.contains(&expected), "{said}");
    }

    #[test]
    fn a_snapshot_that_may_not_be_read_is_not_to_be_restored() {
        let named = |reason: &str| vec![("snapshot.0".to_owned(), reason.to_owned())];
        let unreadable = named("cannot open /version-2/snapshot.0: Permission denied (os error 13)");
        let said = about_recovery(&RecoveryError::NoUsableSnapshot(unreadable), &storage());
        assert!(said.contains("this is the user") && !said.contains("backup"), "{said}");
        let (name, reason) = named("cannot read it: Permission denied (os error 13)").remove(0);
        let newest = RecoveryError::LostWithNewestSnapshot { name, reason, last: Zxid::ZERO };
        let said = about_recovery(&newest, &storage());
        assert!(said.contains("this is the user") && !said.contains("backup"), "{said}");
        let damaged = about_recovery(&RecoveryError::NoUsableSnapshot(named("no seal")), &storage());
        assert!(damaged.contains("restore one from another server or a backup"), "{damaged}");
    }

    #[test]
    fn a_new_database_is_said_to_need_its_marker() {
        let said = about_recovery(&RecoveryError::Uninitialized, &storage());
        assert!(said.contains("db.autocreate=false") && said.ends_with("`touch /initialize`"), "{said}");
    }

    #[test]
    fn a_port_names_its_key() {
        let address = "127.0.0.1:7000".parse().unwrap();
        let said = about_port("metricsProvider.httpPort", address, &io::ErrorKind::AddrInUse.into());
        assert!(said.starts_with("cannot listen on 127.0.0.1:7000: "), "{said}");
        assert!(
            said.contains("; metricsProvider.httpPort asks for it, and `ss -ltnp 'sport = :7000'`"),
            "{said}"
        );
    }
}
