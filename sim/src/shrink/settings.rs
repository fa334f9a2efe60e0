//! Settings, and the plain values of each: ZooKeeper's defaults, a network and disks that always take as long.
//!
//! What is counted until something happens, as txns are until a snapshot or an epoch's end, is made small where it can't be plain: fewer
//! operations do then.
//!
//! Not among them: what a client is, which session it asks for, and what a machine is never wrong about.

use super::search::Search;
use crate::plan::{ClientPlan, EnsemblePlan, Plan, Rest};
use quorate_core::vocabulary::LAST_COUNTER;

const PLAIN_SNAP_COUNT: u32 = 100_000;
const LEAST_SNAP_COUNT: u32 = 2;
const LEAST_LAST_COUNTER: u32 = 10;

struct Setting {
    name: &'static str,
    make_plain: fn(&mut Plan),
}

const fn setting(name: &'static str, make_plain: fn(&mut Plan)) -> Setting {
    Setting { name, make_plain }
}

const SETTINGS: [Setting; 38] = [
    setting("network jitter", |plan| plan.network.jitter_us = 0),
    setting("network splits", |plan| plan.network.split_permille = 0),
    setting("network latency", |plan| plan.network.latency_us = 100),
    setting("disk calls", |plan| plan.disk.call_us = 1),
    setting("disk syncs", |plan| plan.disk.sync_us = 10),
    setting("fuzzy snapshots", |plan| plan.disk.fuzzy_permille = 0),
    setting("tickTime", |plan| plan.server.tick_time_ms = 2000),
    setting("snapCount", |plan| plan.server.snap_count = PLAIN_SNAP_COUNT),
    setting("preallocation", |plan| plan.server.preallocate = 0),
    setting("log size limit", |plan| plan.server.log_size_limit = 0),
    setting("extended types", |plan| plan.server.extended_types = false),
    setting("enforced quotas", |plan| plan.server.enforce_quota = false),
    setting("closeSession txns", |plan| plan.server.close_session_txn = true),
    setting("digests", |plan| plan.server.digest = true),
    setting("container checks", |plan| plan.server.container_check_ms = 60_000),
    setting("unused containers", |plan| plan.server.container_max_never_used_ms = 0),
    setting("largest frame", |plan| plan.server.max_frame = 0xf_ffff),
    setting("outstanding requests", |plan| plan.server.outstanding_requests = 1000),
    setting("super", |plan| plan.server.super_password = None),
    setting("local sessions", |plan| plan.server.local_sessions = false),
    setting("upgraded sessions", |plan| plan.server.local_sessions_upgrading = false),
    setting("users", |plan| of_clients(plan, |client| client.user = None)),
    setting("given up sessions", |plan| of_clients(plan, |client| client.keeps_session_permille = 1000)),
    setting("old handshakes", |plan| of_clients(plan, |client| client.read_only_byte = true)),
    setting("read-only clients", |plan| of_clients(plan, |client| client.accepts_read_only = false)),
    setting("xids from 1", |plan| of_clients(plan, |client| client.restarts_xids = false)),
    setting("observer masters", |plan| of_ensemble(plan, |ensemble| ensemble.observer_masters = false)),
    setting("groups", |plan| {
        of_ensemble(plan, |ensemble| (ensemble.groups, ensemble.weights) = (Vec::new(), Vec::new()));
    }),
    setting("initLimit", |plan| of_ensemble(plan, |ensemble| ensemble.init_limit = 10)),
    setting("syncLimit", |plan| of_ensemble(plan, |ensemble| ensemble.sync_limit = 5)),
    setting("notifications", |plan| {
        of_ensemble(plan, |ensemble| ensemble.max_notification_ms = 60_000);
    }),
    setting("finalizeWait", |plan| of_ensemble(plan, |ensemble| ensemble.finalize_wait_ms = 200)),
    setting("commitLogCount", |plan| of_ensemble(plan, |ensemble| ensemble.commit_log_count = 500)),
    setting("short epochs", |plan| of_ensemble(plan, |ensemble| ensemble.last_counter = LAST_COUNTER)),
    setting("missing disks", |plan| of_ensemble(plan, |ensemble| ensemble.db_autocreate = true)),
    setting("read-only servers", |plan| of_ensemble(plan, |ensemble| ensemble.read_only.clear())),
    setting("the rest", |plan| of_ensemble(plan, |ensemble| ensemble.rest = Rest::Healed)),
    setting("machines' clocks", |plan| plan.apps.iter_mut().for_each(|app| app.speed_permille = 1000)),
];

fn of_clients(plan: &mut Plan, make_plain: fn(&mut ClientPlan)) {
    plan.clients.iter_mut().for_each(make_plain);
}

fn of_ensemble(plan: &mut Plan, make_plain: fn(&mut EnsemblePlan)) {
    plan.ensemble.iter_mut().for_each(make_plain);
}

fn is_odd(plan: &Plan, setting: &Setting) -> bool {
    let mut plain = plan.clone();
    (setting.make_plain)(&mut plain);
    plain != *plan
}

/// Everything that a setting may be in, so that looking at them copies little.
fn bare(plan: &Plan) -> Plan {
    Plan { operations: Vec::new(), faults: Vec::new(), image: None, ..plan.clone() }
}

/// The names of those that are not plain.
pub(super) fn odd(plan: &Plan) -> Vec<&'static str> {
    let plan = bare(plan);
    SETTINGS.iter().filter(|setting| is_odd(&plan, setting)).map(|setting| setting.name).collect()
}

/// Makes as many plain as can be.
pub(super) fn make_plain(search: &mut Search<'_>) {
    let plan = bare(&search.best);
    let odd: Vec<usize> = (0..SETTINGS.len()).filter(|index| is_odd(&plan, &SETTINGS[*index])).collect();
    let all = odd.clone();
    search.thin(odd, |base, kept| {
        let mut plan = base.clone();
        for index in all.iter().filter(|index| !kept.contains(index)) {
            (SETTINGS[*index].make_plain)(&mut plan);
        }
        plan
    });
    make_small(search);
}

fn make_small(search: &mut Search<'_>) {
    let count = search.best.server.snap_count;
    if count < PLAIN_SNAP_COUNT {
        let more = u64::from(count.saturating_sub(LEAST_SNAP_COUNT));
        search.lower(more, |plan, more| {
            let mut plan = plan.clone();
            plan.server.snap_count = LEAST_SNAP_COUNT + more as u32;
            plan
        });
    }
    let last = search.best.ensemble.as_ref().map_or(LAST_COUNTER, |ensemble| ensemble.last_counter);
    if last < LAST_COUNTER {
        search.lower(u64::from(last.saturating_sub(LEAST_LAST_COUNTER)), |plan, more| {
            let mut plan = plan.clone();
            if let Some(ensemble) = &mut plan.ensemble {
                ensemble.last_counter = LEAST_LAST_COUNTER + more as u32;
            }
            plan
        });
    }
}
