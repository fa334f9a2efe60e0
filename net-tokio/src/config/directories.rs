//! The data directories before anything is opened in them: made if they may be, and refused in ZooKeeper's words if they
//! can't be used (`operations.md` §1.1, exit code 3).

use super::StorageConfig;
use std::fs;
use std::path::{Path, PathBuf};

/// A data directory can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct InaccessibleDirectory {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Makes `version-2` below both directories unless they exist, and makes sure that files can be made there.
pub fn prepare_directories(storage: &StorageConfig) -> Result<(), InaccessibleDirectory> {
    prepare(&storage.data_dir, storage.datadir_autocreate)?;
    prepare(&storage.data_log_dir, storage.datadir_autocreate)
}

fn prepare(dir: &Path, may_create: bool) -> Result<(), InaccessibleDirectory> {
    let path = dir.join("version-2");
    let inaccessible = |reason: String| InaccessibleDirectory { path: path.clone(), reason };
    match fs::metadata(&path) {
        Ok(found) if !found.is_dir() => return Err(inaccessible("is not a directory".to_owned())),
        Ok(_) => {}
        Err(_) if !may_create => {
            return Err(inaccessible(
                "does not exist, and datadir.autocreate=false forbids to make it".to_owned(),
            ));
        }
        Err(_) => {
            fs::create_dir_all(&path).map_err(|error| inaccessible(format!("can't be made: {error}")))?
        }
    }
    rustix::fs::access(&path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|error| inaccessible(format!("can't be written: {error}")))
}
