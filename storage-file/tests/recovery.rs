//! Recovery as transcripts: every kind of damage of `disk-format.md` §2.4, §5, §6.4, §12, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use support::script::run;

macro_rules! transcript {
    ($name:ident, $script:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), run($script));
        }
    };
}

transcript!(
    an_empty_directory_becomes_a_database_and_stays_one,
    "recover
     ls
     recover"
);

transcript!(
    an_empty_directory_is_refused_unless_it_is_marked,
    "recover no-autocreate
     touch initialize
     recover no-autocreate
     ls
     recover no-autocreate"
);

transcript!(
    snapshot_and_logs_are_replayed,
    "snapshot
     log log.1 3
     log log.4 2
     pad log.4 4000
     epoch 2
     log log.200000001 2
     recover
     ls"
);

transcript!(
    only_logs_from_the_straddling_one_are_read,
    "snapshot
     log log.1 3
     log log.4 1
     snapshot
     skip 0
     log log.5 2
     # Damage below the snapshot is not even looked at.
     cut log.1 20
     recover"
);

transcript!(
    a_file_that_ends_inside_an_entry_is_cut,
    "snapshot
     log log.1 3
     cut log.1 -1
     recover
     ls
     recover
     # Fewer bytes than an entry begins with.
     append log.1 0000
     append log.1 00017f
     recover
     recover"
);

transcript!(
    a_missing_end_mark_is_a_torn_tail,
    "snapshot
     log log.1 3
     flip log.1 -1
     pad log.1 4000
     recover
     recover"
);

transcript!(
    a_wrong_checksum_in_the_last_entry_is_a_torn_tail,
    "snapshot
     log log.1 3
     flip log.1 -20
     pad log.1 4000
     recover
     recover"
);

transcript!(
    a_wrong_checksum_with_a_txn_behind_it_is_damage,
    "snapshot
     log log.1 4
     flip log.1 150
     recover
     # Nothing was changed.
     ls"
);

transcript!(
    a_lost_sector_of_the_last_write_is_a_torn_tail_though_txns_follow,
    "snapshot
     log log.1 12
     zero log.1 512 512
     recover
     # What is whole behind the tear is not thrown away.
     ls
     recover"
);

transcript!(
    a_length_that_grew_in_front_of_whole_txns_is_damage,
    "snapshot
     log log.1 12
     write log.1 24 7fffffff
     recover
     write log.1 24 002dc6c0
     recover
     write log.1 24 00010060
     recover
     # Nothing was changed.
     ls"
);

transcript!(
    a_txn_over_the_limit_is_refused_and_stays,
    "snapshot
     log log.1 3
     recover limit=60
     ls
     recover"
);

transcript!(
    an_unreasonable_length_is_a_torn_tail_only_at_the_end,
    "snapshot
     log log.1 2
     append log.1 00000000deadbeefffffffff0000
     recover
     append log.1 00000000deadbeef7fffffff0000
     recover
     append log.1 00000000deadbeefffffffff0000
     log log.3 1
     recover
     append log.3 00000000deadbeefffffffff0000
     skip 1
     log log.5 1
     recover"
);

transcript!(
    logs_without_a_txn_are_removed_whatever_is_left_of_their_header,
    "snapshot
     log log.1 2
     log log.3
     recover
     log log.3
     cut log.3 7
     recover
     touch log.3
     recover
     touch log.3
     pad log.3 600
     recover
     log log.3
     pad log.3 600
     recover
     log log.3
     cut log.3 3
     pad log.3 600
     recover
     ls"
);

transcript!(
    a_file_that_is_no_log_is_refused,
    "snapshot
     log log.1 2
     copy snapshot.0 log.3
     recover
     ls
     log log.3 2
     zero log.3 0 4
     recover
     # The sector of the header was lost, so nothing of the file was ever acknowledged.
     zero log.3 0 218
     recover"
);

transcript!(
    a_torn_tail_in_front_of_its_successor_is_forgiven,
    "snapshot
     log log.1 3
     append log.1 00000000deadbeef0000000a112233
     log log.4 1
     recover
     recover"
);

transcript!(
    a_torn_tail_in_front_of_a_hole_is_not,
    "snapshot
     log log.1 3
     cut log.1 -5
     log log.4 1
     recover
     ls"
);

transcript!(
    a_torn_tail_in_front_of_an_epoch_is_forgiven,
    "snapshot
     log log.1 3
     append log.1 00000000deadbeef0000000a112233
     epoch 2
     log log.200000001 1
     recover"
);

transcript!(
    what_was_whole_and_is_wrong_in_front_of_an_epoch_is_damage,
    "snapshot
     log log.1 3
     epoch 2
     log log.200000001 1
     copy log.1 whole
     # A payload.
     flip log.1 -5
     recover
     # An end mark.
     copy whole log.1
     flip log.1 -1
     recover
     # Lengths that grew, shrank and make no sense.
     copy whole log.1
     write log.1 229 ff
     recover
     copy whole log.1
     write log.1 229 21
     recover
     copy whole log.1
     flip log.1 226
     recover
     ls"
);

transcript!(
    a_snapshot_that_held_the_end_of_an_epoch_is_missed,
    "snapshot
     log log.1 3
     skip 2
     snapshot
     epoch 2
     log log.200000001 1
     flip snapshot.5 60
     recover"
);

transcript!(
    a_snapshot_ahead_of_the_log_is_missed,
    "snapshot
     log log.1 3
     skip 2
     snapshot
     recover
     copy snapshot.5 whole
     flip snapshot.5 60
     recover
     ls
     # Java was writing it, or it was torn with the power: nobody was promised anything on its strength.
     cut snapshot.5 -20
     recover
     # Its end stays what tells that, whatever is wrong before it.
     copy whole snapshot.5
     zero snapshot.5 0 32
     recover
     cut snapshot.5 0
     recover"
);

transcript!(
    a_missing_log_is_a_hole,
    "snapshot
     log log.1 2
     skip 2
     log log.5 1
     recover"
);

transcript!(
    an_epoch_that_does_not_begin_at_its_beginning_is_a_hole,
    "snapshot
     log log.1 2
     epoch 1
     skip 1
     log log.100000002 1
     recover"
);

transcript!(
    txns_that_go_back_are_left_out,
    "snapshot
     log log.1 2
     log log.3 2
     copy log.1 log.2
     recover"
);

transcript!(
    a_broken_snapshot_is_passed_over_while_the_logs_reach_back,
    "snapshot
     log log.1 3
     snapshot
     log log.4 2
     flip snapshot.3 60
     recover
     cut snapshot.3 -20
     recover
     # Without the older one there is nothing to begin with.
     flip snapshot.0 60
     recover"
);

transcript!(
    a_snapshot_that_does_not_end_as_one_is_none,
    "touch snapshot.0
     recover
     log log.1 1
     recover"
);

transcript!(
    a_snapshot_of_something_without_its_logs_is_no_new_database,
    "skip 3
     snapshot
     cut snapshot.3 -20
     recover
     ls"
);

transcript!(
    trust_needs_logs_from_the_beginning,
    "skip 2
     log log.3 2
     recover trust-empty
     ls"
);

transcript!(
    compressed_snapshots_are_read_by_their_suffix,
    "log log.1 3
     snapshot gz
     log log.4 3
     snapshot snappy
     log log.7 1
     recover
     ls
     flip snapshot.6.snappy 60
     recover
     flip snapshot.3.gz 60
     recover"
);

transcript!(
    txns_without_a_snapshot_need_trust,
    "log log.1 2
     recover
     touch initialize
     recover trust-empty
     ls
     recover"
);

transcript!(
    leftovers_are_removed,
    "snapshot
     log log.1 2
     touch snapshot.2.tmp
     touch currentEpoch.tmp
     touch notes.tmp
     touch log.1.bak
     recover
     ls"
);

transcript!(
    a_purge_keeps_the_log_that_straddles_the_oldest_snapshot,
    "snapshot
     log log.1 3
     log log.4 3
     snapshot
     log log.7 1
     snapshot
     skip 0
     log log.8 2
     snapshot
     purge 4
     purge 3
     ls
     # A snapshot that can't be read does not count.
     flip snapshot.9 60
     purge 3
     purge 2
     purge 1
     ls
     recover"
);

transcript!(
    a_purge_keeps_fewer_snapshots_than_asked_for_when_they_take_too_much,
    "snapshot
     log log.1 3
     log log.4 3
     snapshot
     log log.7 1
     snapshot
     log log.8 2
     snapshot
     ls
     purge 4 1000000
     # What log.4, snapshot.6 and all that follow take: the log holds the txn behind the snapshot, and counts.
     purge 4 3848
     purge 4 3848
     purge 4 3847
     recover
     # However little is allowed, one stays, and the log that straddles it.
     purge 4 1
     ls
     recover"
);

transcript!(
    a_purge_that_keeps_little_keeps_what_can_be_read,
    "snapshot
     log log.1 3
     log log.4 3
     snapshot
     log log.7 1
     snapshot
     log log.8 2
     snapshot
     flip snapshot.9 60
     purge 4 1
     ls
     recover
     flip snapshot.7 60
     purge 4 1
     ls"
);

transcript!(
    a_purge_removes_logs_below_the_only_snapshot_when_they_take_too_much,
    "log log.1 3
     log log.4 3
     log log.7 1
     snapshot
     purge 3 1793
     purge 3 1792
     ls
     recover"
);
