//! What a sweep that proves something has to have seen, by scenario: each reply code, fault and rare branch at least once, and of
//! ensembles that nearly all got something done before they were healed.

use quorate_sim::{Counters, Scenario};

/// Of a thousand runs of ensembles so many may commit next to nothing before the liveness phase.
const THIN_PERMILLE: u64 = 20;
/// Of a thousand runs that end with a server that is heard and can't be followed so many may be left without a leader by it. Stricter
/// than one in a hundred of all runs, so that a few hundred seeds tell.
const EXCUSED_PERMILLE: u64 = 20;

const CODES: [i32; 15] = [0, -5, -6, -8, -101, -102, -103, -108, -110, -111, -114, -115, -121, -123, -125];

/// Faults and branches that every scenario meets.
const FAULTS: [&str; 12] = [
    "cut",
    "disk_errors",
    "disk_full",
    "half_open",
    "kill",
    "pause",
    "power_loss",
    "reset",
    "shutdown",
    "slow_disk",
    "stall",
    "wall_jump",
];
const PROBES: [&str; 26] = [
    "acl_version_ends",
    "asked_behind_close",
    "client_gives_up",
    "crash_log_empty",
    "crash_log_entry_with_hole",
    "crash_log_header_cut",
    "crash_log_header_zeroed",
    "free_space_low",
    "handshake_refused",
    "image",
    "machine_expired",
    "machine_reattached",
    "machine_reregistered_watches",
    "old_session_expired",
    "pause_read",
    "process_exit",
    "recovery_mended",
    "reply_in_pieces",
    "sequence_number_ends",
    "session_expired",
    "session_reattached",
    "snapshot_durable",
    "version_ends",
    "version_that_means_any_left_out",
    "watch_event",
    "xids_restarted",
];

const ALONE_FAULTS: [&str; 2] = ["fuzzy_snapshot", "lying_disk"];
const ALONE_PROBES: [&str; 5] = [
    "fuzzy_half_multi",
    "hard_quota_exceeded",
    "lie_ends_in_refusal",
    "lie_loses_acknowledged",
    "recovery_failed",
];

const ENSEMBLE_FAULTS: [&str; 23] = [
    "bit_rot",
    "break_links",
    "break_sync",
    "bridge",
    "cut_pair",
    "empty_disk",
    "fail_elected",
    "fail_truncation",
    "half_open_links",
    "halves",
    "isolate",
    "lossy_links",
    "lying_disk",
    "mono_drift",
    "mono_freeze",
    "mono_jump",
    "old_disk",
    "refuse_clients",
    "refuse_links",
    "rolling_restart",
    "slow_links",
    "wall_drift",
    "wall_freeze",
];
const ENSEMBLE_CODES: [i32; 3] = [-112, -119, -120];
const ENSEMBLE_PROBES: [&str; 62] = [
    "closed_during_upgrade",
    "deposed_leader_proposes",
    "dial_failed",
    "diff_sent",
    "disk_kept_for_the_quorum",
    "election_over",
    "empty_disk_refused",
    "follower_serves",
    "groups_decide",
    "informed",
    "informed_by_master",
    "leader_gone_by_itself",
    "leader_serves",
    "learner_gone",
    "lie_kept_for_the_quorum",
    "lie_lost_in_ensemble",
    "lie_refused_in_ensemble",
    "link_backlog",
    "link_gave_up",
    "local_session",
    "local_session_expired",
    "looking",
    "member_came_back",
    "minority_commits",
    "observer_serves",
    "old_txns_loaded",
    "proposals_lost",
    "read_behind_master",
    "read_only_left",
    "read_only_over",
    "read_only_reads",
    "read_only_serves",
    "read_only_session",
    "read_only_shows_uncommitted",
    "request_forwarded",
    "request_refused",
    "request_through_master",
    "rest_cut_off",
    "rest_dead",
    "rest_half_broken_deaf",
    "rest_half_broken_mute",
    "rest_half_broken_refuses",
    "rest_healed",
    "rest_paused",
    "rot_harmless",
    "rot_kept_for_the_quorum",
    "rot_recovered_less",
    "rot_refused",
    "session_moved_to_another_server",
    "session_revalidated",
    "session_revalidated_through_master",
    "session_upgraded",
    "snap_sent",
    "sync_answered",
    "sync_through_master",
    "touched_through_master",
    "trunc_sent",
    "truncation_failed",
    "weightless_voter_serves",
    "write_behind_master",
    "xid_used_again_in_flight",
    "zxids_used_up",
];

/// What befalls the machines of applications.
const MACHINE_FAULTS: [&str; 2] = ["machine_drift", "machine_pause"];

/// From this many seeds on, whatever exists must have happened at least once.
pub(super) fn seeds(scenario: Scenario) -> u64 {
    match scenario {
        Scenario::R0 | Scenario::R1 | Scenario::Rj | Scenario::Rr(Some(_)) => 300,
        // Each of the workloads gets its part of them.
        Scenario::Rr(None) => 3000,
        // A run of it takes ten times as long, and more happens in it.
        Scenario::R2 => 100,
    }
}

/// What Java leaders are to have done to learners and Java learners to leaders, and what became of those.
const ACCENT_FAULTS: [&str; 2] = ["kill", "power_loss"];
const ACCENT_PROBES: [&str; 37] = [
    "java_asked_for_its_database",
    "java_commit_before_uptodate",
    "java_connection_broken",
    "java_crash_during_sync",
    "java_crash_points",
    "java_diff",
    "java_elects_again",
    "java_fuzzy_snap",
    "java_fuzzy_snap_without_acls",
    "java_learner_acks_early",
    "java_learner_commit_before_uptodate",
    "java_learner_died",
    "java_learner_diff",
    "java_learner_hung_up",
    "java_learner_leaves_by_itself",
    "java_learner_logs_again",
    "java_learner_loses_its_tail",
    "java_learner_pinged",
    "java_learner_pinged_early",
    "java_learner_promised_beyond",
    "java_learner_serves_3_8_0",
    "java_learner_serves_3_8_5",
    "java_learner_serves_3_9_4",
    "java_learner_snap",
    "java_learner_stood_still",
    "java_learner_synced",
    "java_learner_vanished",
    "java_learners_alike",
    "java_observer_proposals",
    "java_observer_serves",
    "java_ping_before_uptodate",
    "java_reconfig_left",
    "java_session_invalid",
    "java_session_valid",
    "java_snap_holds_what_follows",
    "java_trunc",
    "java_trunc_across_epochs",
];

/// What is missing.
pub(super) fn missing(scenario: Scenario, seeds: u64, counters: &Counters) -> Vec<String> {
    if let Scenario::Rr(workload) = scenario {
        let mut probes = quorate_sim::app::probes(workload);
        probes.retain(|name| !counters.probes.contains_key(name));
        let probes = probes.into_iter().map(|name| format!("probe {name}"));
        let faults = MACHINE_FAULTS.iter().filter(|name| !counters.faults.contains_key(*name));
        return faults.map(|name| format!("fault {name}")).chain(probes).collect();
    }
    if scenario == Scenario::Rj {
        let faults = ACCENT_FAULTS.iter().filter(|name| !counters.faults.contains_key(*name));
        let probes = ACCENT_PROBES.iter().filter(|name| !counters.probes.contains_key(*name));
        return faults.chain(probes).map(|name| format!("accent {name}")).collect();
    }
    let (codes, faults, probes): (&[i32], &[&str], &[&str]) = match scenario {
        Scenario::R0 => (&[], &ALONE_FAULTS, &ALONE_PROBES),
        Scenario::R1 | Scenario::R2 | Scenario::Rj | Scenario::Rr(_) => {
            (&ENSEMBLE_CODES, &ENSEMBLE_FAULTS, &ENSEMBLE_PROBES)
        }
    };
    let codes = CODES.iter().chain(codes).filter(|code| !counters.replies.contains_key(code));
    let faults = FAULTS.iter().chain(faults).filter(|name| !counters.faults.contains_key(*name));
    let probes = PROBES.iter().chain(probes).filter(|name| !counters.probes.contains_key(*name));
    let thin = (counters.thin_runs * 1000 > seeds * THIN_PERMILLE)
        .then(|| format!("enough: {} runs committed next to nothing", counters.thin_runs));
    let count = |probe: &str| counters.probes.get(probe).copied().unwrap_or(0);
    let (excused, of) = (count("liveness_excused"), count("rest_half_broken"));
    let excused = (excused * 1000 > of * EXCUSED_PERMILLE)
        .then(|| format!("a leader: {excused} of {of} runs were excused"));
    codes
        .map(|code| format!("reply {code}"))
        .chain(faults.map(|name| format!("fault {name}")))
        .chain(probes.map(|name| format!("probe {name}")))
        .chain(thin)
        .chain(excused)
        .collect()
}
