//! D6: from every snapshot that is kept, recovery comes to the same database.

use super::{Verdict, require, violated};
use crate::disk::SimDisk;
use crate::model::Model;
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::names::parse_snapshot_name;
use quorate_storage_file::{Directory, Disk, FileName, Recovery, RecoveryOptions};

/// Recovers from each snapshot on a copy of `disk`, as if the newer ones had never been; the model says what must come of it.
/// Those before `floor` were put out of use by a snapshot that took the whole history's place.
pub(crate) fn each_snapshot_suffices(
    disk: &SimDisk,
    options: &RecoveryOptions,
    (model, floor): (&Model, Zxid),
) -> Verdict {
    let mut copy = disk.clone();
    // What has rotted and was missed is no snapshot any more.
    copy.heal();
    let Ok(entries) = copy.list(Directory::Snap) else { return Ok(()) };
    let mut names: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| Some((parse_snapshot_name(&entry.name)?.0, entry.name)))
        .filter(|(zxid, name)| *zxid >= floor && !copy.is_rotten(&FileName::snap(name.clone())))
        .collect();
    names.sort();
    while names.len() > 1 {
        let (_, newest) = names.pop().expect("there are several");
        copy.uninstall(&FileName::snap(newest));
        match Recovery::new(options.clone()).run(&mut copy.clone()) {
            Err(error) => {
                return violated("purge", format!("from {:?} recovery says: {error}", names.last()));
            }
            Ok(recovered) => {
                let last = recovered.report.last_zxid;
                require("purge", last == model.zxid, || {
                    format!("from {:?} history ends at {last}, it should at {}", names.last(), model.zxid)
                })?;
                super::recovered_state::equals("purge", &recovered.database, model)?;
            }
        }
    }
    Ok(())
}
