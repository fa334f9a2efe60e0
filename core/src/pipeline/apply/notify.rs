//! Changes on their way to watchers: who may read the node under its ACL now hears of it; a one-shot watch is spent either way.

use crate::auth::{AuthConfig, check_acl};
use crate::contract::Outbox;
use crate::jute::{Acl, Permissions};
use crate::metrics::{Basic, BasicSet, Counter, Metrics};
use crate::pipeline::connections::Connections;
use crate::tree::TreeObserver;
use crate::vocabulary::Zxid;
use crate::watch::{Notice, Watches, write_notification};

/// Listens to the tree while one txn is applied.
pub(super) struct Notifier<'a> {
    pub(super) watches: &'a mut Watches,
    pub(super) connections: &'a mut Connections,
    pub(super) metrics: &'a mut Metrics,
    pub(super) auth: &'a AuthConfig,
    pub(super) outbox: &'a mut Outbox,
}

/// Where one notice goes.
struct Delivery<'a> {
    zxid: Zxid,
    connections: &'a mut Connections,
    metrics: &'a mut Metrics,
    auth: &'a AuthConfig,
    outbox: &'a mut Outbox,
}

impl Delivery<'_> {
    fn deliver(&mut self, notice: Notice<'_>) {
        let connection =
            self.connections.get_mut(notice.conn).expect("the watches of a closed connection are removed");
        if !check_acl(self.auth, &connection.identities, notice.acl, Permissions::READ) {
            return;
        }
        connection.stats.sent += 1;
        self.metrics.server.packets_sent += 1;
        let mut size = 0;
        self.outbox.send(notice.conn, |out| {
            let start = out.len();
            write_notification(out, self.zxid, notice.kind, notice.path);
            size = out.len() - start;
        });
        self.metrics.count_by(Counter::WatchBytes, size.saturating_sub(4) as u64);
    }
}

impl Notifier<'_> {
    fn split(&mut self, zxid: Zxid) -> (&mut Watches, Delivery<'_>) {
        let delivery = Delivery {
            zxid,
            connections: self.connections,
            metrics: self.metrics,
            auth: self.auth,
            outbox: self.outbox,
        };
        (self.watches, delivery)
    }

    /// The summaries count lookups that selected anybody.
    fn record(&mut self, summary: Basic, selected: usize) {
        if selected > 0 {
            self.metrics.add(summary, selected as i64);
        }
    }
}

impl TreeObserver for Notifier<'_> {
    fn created(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]) {
        let (watches, mut delivery) = self.split(zxid);
        let selected = watches.created(path, acl, parent, parent_acl, &mut |notice| delivery.deliver(notice));
        self.record(Basic::NodeCreatedWatchCount, selected.data);
        self.record(Basic::NodeChildrenWatchCount, selected.parent);
    }

    fn deleted(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]) {
        self.metrics.add_path(BasicSet::WritePerNamespace, path, 0);
        let (watches, mut delivery) = self.split(zxid);
        let selected = watches.deleted(path, acl, parent, parent_acl, &mut |notice| delivery.deliver(notice));
        self.record(Basic::NodeDeletedWatchCount, selected.data);
        self.record(Basic::NodeDeletedWatchCount, selected.child);
        self.record(Basic::NodeChildrenWatchCount, selected.parent);
    }

    fn data_changed(&mut self, zxid: Zxid, path: &str, acl: &[Acl]) {
        let (watches, mut delivery) = self.split(zxid);
        let selected = watches.data_changed(path, acl, &mut |notice| delivery.deliver(notice));
        self.record(Basic::NodeChangedWatchCount, selected.data);
    }
}
