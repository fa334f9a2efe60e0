//! Changing the past, in its turn among the appends: a truncation, which reads everything anew when it is done, or a replacement.

use crate::disk::Disk;
use crate::options::RecoveryOptions;
use crate::recovery::{Recovery, RecoveryStep};
use crate::replace_job::ReplaceJob;
use crate::snapshot_job::JobStep;
use crate::truncate_job::TruncateJob;
use quorate_core::contract::History;
use quorate_core::tree::SnapshotImage;
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite<F> {
    options: RecoveryOptions,
    stage: Stage<F>,
}

#[derive(Clone, Debug)]
enum Stage<F> {
    Cut { job: TruncateJob<F>, to: Zxid },
    ReadAnew { recovery: Box<Recovery<F>>, to: Zxid },
    Replace { job: ReplaceJob<F>, to: Zxid },
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum RewriteStep {
    Progress,
    Truncated(Box<History>),
    /// The history ends here now.
    Replaced(Zxid),
    /// It can't be truncated like this, and nothing was changed.
    Refused(String),
    /// A truncation failed when some of it was done.
    BrokeOff(String),
    /// A replacement failed.
    Failed(String),
}

impl<F: Clone + std::fmt::Debug> Rewrite<F> {
    pub(crate) fn truncate(to: Zxid, options: &RecoveryOptions) -> Self {
        let job = TruncateJob::new(to, options.storage.chunk_bytes);
        Rewrite { options: options.clone(), stage: Stage::Cut { job, to } }
    }

    pub(crate) fn replace(image: SnapshotImage, options: &RecoveryOptions) -> Self {
        let to = image.zxid();
        let job = ReplaceJob::new(image, &options.storage);
        Rewrite { options: options.clone(), stage: Stage::Replace { job, to } }
    }

    /// Goes on by at most one call.
    pub(crate) fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> RewriteStep {
        match &mut self.stage {
            Stage::Cut { job, to } => match job.step(disk) {
                JobStep::Progress => RewriteStep::Progress,
                JobStep::Failed(reason) if job.has_changed_something() => RewriteStep::BrokeOff(reason),
                JobStep::Failed(reason) => RewriteStep::Refused(reason),
                JobStep::Done => {
                    let recovery = Box::new(Recovery::anew(self.options.clone()));
                    self.stage = Stage::ReadAnew { recovery, to: *to };
                    RewriteStep::Progress
                }
            },
            Stage::ReadAnew { recovery, to } => match recovery.step(disk) {
                Ok(RecoveryStep::Progress) => RewriteStep::Progress,
                Ok(RecoveryStep::Done(recovered)) => {
                    let history = recovered.into_history();
                    let last = history.database.last_zxid();
                    if last != *to {
                        return RewriteStep::BrokeOff(format!(
                            "truncated to {to}, the history ends at {last}"
                        ));
                    }
                    RewriteStep::Truncated(Box::new(history))
                }
                Err(error) => RewriteStep::BrokeOff(error.to_string()),
            },
            Stage::Replace { job, to } => match job.step(disk) {
                JobStep::Progress => RewriteStep::Progress,
                JobStep::Done => RewriteStep::Replaced(*to),
                JobStep::Failed(reason) => RewriteStep::Failed(reason),
            },
        }
    }
}
