//! Every metric of a server, by ZooKeeper's names, in the order of `operations.md` §6.
//!
//! Java registers all of them at start, whether or not its role uses them; dashboards find each key from the first scrape.

/// An enum whose discriminants index a table, with the names that scrapes show.
macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        #[expect(missing_docs, reason = "each is named as ZooKeeper names it")]
        pub enum $kind {
            $($variant,)*
        }

        impl $kind {
            /// All of them, in order.
            pub const ALL: &'static [$kind] = &[$($kind::$variant,)*];

            /// The name that scrapes show.
            pub fn name(self) -> &'static str {
                const NAMES: &[&str] = &[$($name,)*];
                NAMES[self as usize]
            }
        }
    };
}

names! {
    /// A number that only rises (until `srst`). The `op_count_` ones came with 3.10.
    Counter {
        AddDeadWatcherStallTime = "add_dead_watcher_stall_time",
        BytesReceivedCount = "bytes_received_count",
        CnxnClosedWithoutZkServerRunning = "cnxn_closed_without_zk_server_running",
        CommitCount = "commit_count",
        ConnectionDropCount = "connection_drop_count",
        ConnectionRejected = "connection_rejected",
        ConnectionRequestCount = "connection_request_count",
        ConnectionRevalidateCount = "connection_revalidate_count",
        DeadWatchersCleared = "dead_watchers_cleared",
        DeadWatchersQueued = "dead_watchers_queued",
        DiffCount = "diff_count",
        DigestMismatchesCount = "digest_mismatches_count",
        EnsembleAuthFail = "ensemble_auth_fail",
        EnsembleAuthSkip = "ensemble_auth_skip",
        EnsembleAuthSuccess = "ensemble_auth_success",
        InsecureAdminCount = "insecure_admin_count",
        LargeRequestsRejected = "large_requests_rejected",
        LearnerCommitReceivedCount = "learner_commit_received_count",
        LearnerProposalReceivedCount = "learner_proposal_received_count",
        LookingCount = "looking_count",
        OutstandingChangesQueued = "outstanding_changes_queued",
        OutstandingChangesRemoved = "outstanding_changes_removed",
        PrepProcessorRequestQueued = "prep_processor_request_queued",
        ProposalCount = "proposal_count",
        QuitLeadingDueToDisloyalVoter = "quit_leading_due_to_disloyal_voter",
        RequestCommitQueued = "request_commit_queued",
        RequestThrottleWaitCount = "request_throttle_wait_count",
        RequestsNotForwardedToCommitProcessor = "requests_not_forwarded_to_commit_processor",
        ResponseBytes = "response_bytes",
        ResponsePacketCacheHits = "response_packet_cache_hits",
        ResponsePacketCacheMisses = "response_packet_cache_misses",
        ResponsePacketGetChildrenCacheHits = "response_packet_get_children_cache_hits",
        ResponsePacketGetChildrenCacheMisses = "response_packet_get_children_cache_misses",
        RestoreErrorCount = "restore_error_count",
        RestoreRateLimitedCount = "restore_rate_limited_count",
        RevalidateCount = "revalidate_count",
        SessionlessConnectionsExpired = "sessionless_connections_expired",
        SkipLearnerRequestToNextProcessorCount = "skip_learner_request_to_next_processor_count",
        SnapCount = "snap_count",
        SnapshotErrorCount = "snapshot_error_count",
        SnapshotRateLimitedCount = "snapshot_rate_limited_count",
        StaleReplies = "stale_replies",
        StaleRequests = "stale_requests",
        StaleRequestsDropped = "stale_requests_dropped",
        StaleSessionsExpired = "stale_sessions_expired",
        SyncProcessorRequestQueued = "sync_processor_request_queued",
        ThrottledOps = "throttled_ops",
        TlsHandshakeExceeded = "tls_handshake_exceeded",
        TtlNodeCreatedCount = "ttl_node_created_count",
        TtlNodeDeletedCount = "ttl_node_deleted_count",
        UnrecoverableErrorCount = "unrecoverable_error_count",
        UnsuccessfulHandshake = "unsuccessful_handshake",
        WatchBytes = "watch_bytes",
        OpCountTotal = "op_count_total",
        OpCountAddWatch = "op_count_add_watch",
        OpCountCheck = "op_count_check",
        OpCountCheckWatches = "op_count_check_watches",
        OpCountCloseSession = "op_count_close_session",
        OpCountCreate = "op_count_create",
        OpCountCreateSession = "op_count_create_session",
        OpCountDelete = "op_count_delete",
        OpCountExists = "op_count_exists",
        OpCountGetAcl = "op_count_get_acl",
        OpCountGetAllChildrenNumber = "op_count_get_all_children_number",
        OpCountGetChildren = "op_count_get_children",
        OpCountGetData = "op_count_get_data",
        OpCountGetEphemerals = "op_count_get_ephemerals",
        OpCountMulti = "op_count_multi",
        OpCountMultiRead = "op_count_multi_read",
        OpCountPing = "op_count_ping",
        OpCountReconfig = "op_count_reconfig",
        OpCountRemoveWatches = "op_count_remove_watches",
        OpCountSetAcl = "op_count_set_acl",
        OpCountSetData = "op_count_set_data",
        OpCountSetWatches = "op_count_set_watches",
        OpCountSync = "op_count_sync",
        OpCountWhoAmI = "op_count_who_am_i",
    }
}

names! {
    /// A summary with average, minimum, maximum, count and sum.
    Basic {
        CommitCommitProcReqQueued = "commit_commit_proc_req_queued",
        CommitProcessTime = "commit_process_time",
        ConcurrentRequestProcessingInCommitProcessor = "concurrent_request_processing_in_commit_processor",
        ConnectionTokenDeficit = "connection_token_deficit",
        DbInitTime = "dbinittime",
        ElectionTime = "election_time",
        FollowerSyncTime = "follower_sync_time",
        FsyncTime = "fsynctime",
        InflightDiffCount = "inflight_diff_count",
        InflightSnapCount = "inflight_snap_count",
        LeaderUnavailableTime = "leader_unavailable_time",
        LearnerRequestProcessorQueueSize = "learner_request_processor_queue_size",
        NettyQueuedBufferCapacity = "netty_queued_buffer_capacity",
        NodeChangedWatchCount = "node_changed_watch_count",
        NodeChildrenWatchCount = "node_children_watch_count",
        NodeCreatedWatchCount = "node_created_watch_count",
        NodeDeletedWatchCount = "node_deleted_watch_count",
        ObserverSyncTime = "observer_sync_time",
        PendingSessionQueueSize = "pending_session_queue_size",
        PrepProcessTime = "prep_process_time",
        PrepProcessorQueueSize = "prep_processor_queue_size",
        ProposalProcessTime = "proposal_process_time",
        ReadCommitProcIssued = "read_commit_proc_issued",
        ReadCommitProcReqQueued = "read_commit_proc_req_queued",
        ReadsAfterWriteInSessionQueue = "reads_after_write_in_session_queue",
        ReadsIssuedFromSessionQueue = "reads_issued_from_session_queue",
        RequestsInSessionQueue = "requests_in_session_queue",
        RestoreTime = "restore_time",
        SessionQueuesDrained = "session_queues_drained",
        SnapshotTime = "snapshottime",
        SocketClosingTime = "socket_closing_time",
        StartupSnapLoadTime = "startup_snap_load_time",
        StartupTxnsLoadTime = "startup_txns_load_time",
        StartupTxnsLoaded = "startup_txns_loaded",
        SyncProcessTime = "sync_process_time",
        SyncProcessorBatchSize = "sync_processor_batch_size",
        SyncProcessorQueueSize = "sync_processor_queue_size",
        TimeWaitingEmptyPoolInCommitProcessorReadMs = "time_waiting_empty_pool_in_commit_processor_read_ms",
        UnavailableTime = "unavailable_time",
        WriteBatchTimeInCommitProcessor = "write_batch_time_in_commit_processor",
        WriteCommitProcIssued = "write_commit_proc_issued",
        WriteCommitProcReqQueued = "write_commit_proc_req_queued",
    }
}

names! {
    /// A summary with percentiles on top. Times in ms.
    Advanced {
        CloseSessionPrepTime = "close_session_prep_time",
        CommitPropagationLatency = "commit_propagation_latency",
        DeadWatchersCleanerLatency = "dead_watchers_cleaner_latency",
        JvmPauseTimeMs = "jvm_pause_time_ms",
        LocalWriteCommittedTimeMs = "local_write_committed_time_ms",
        OmCommitProcessTimeMs = "om_commit_process_time_ms",
        OmProposalProcessTimeMs = "om_proposal_process_time_ms",
        PrepProcessorQueueTimeMs = "prep_processor_queue_time_ms",
        PropagationLatency = "propagation_latency",
        ProposalAckCreationLatency = "proposal_ack_creation_latency",
        ProposalLatency = "proposal_latency",
        QuorumAckLatency = "quorum_ack_latency",
        ReadCommitprocTimeMs = "read_commitproc_time_ms",
        ReadFinalProcTimeMs = "read_final_proc_time_ms",
        ReadLatency = "readlatency",
        RequestThrottleQueueTimeMs = "request_throttle_queue_time_ms",
        ServerWriteCommittedTimeMs = "server_write_committed_time_ms",
        SyncProcessorQueueAndFlushTimeMs = "sync_processor_queue_and_flush_time_ms",
        SyncProcessorQueueFlushTimeMs = "sync_processor_queue_flush_time_ms",
        SyncProcessorQueueTimeMs = "sync_processor_queue_time_ms",
        UpdateLatency = "updatelatency",
        WriteCommitprocTimeMs = "write_commitproc_time_ms",
        WriteFinalProcTimeMs = "write_final_proc_time_ms",
    }
}

names! {
    /// A value that the renderer reads from the status when asked (those of every server).
    Gauge {
        AvgLatency = "avg_latency",
        MaxLatency = "max_latency",
        MinLatency = "min_latency",
        PacketsReceived = "packets_received",
        PacketsSent = "packets_sent",
        NumAliveConnections = "num_alive_connections",
        OutstandingRequests = "outstanding_requests",
        Uptime = "uptime",
        ZnodeCount = "znode_count",
        WatchCount = "watch_count",
        EphemeralsCount = "ephemerals_count",
        ApproximateDataSize = "approximate_data_size",
        GlobalSessions = "global_sessions",
        LocalSessions = "local_sessions",
        OpenFileDescriptorCount = "open_file_descriptor_count",
        MaxFileDescriptorCount = "max_file_descriptor_count",
        ConnectionDropProbability = "connection_drop_probability",
        LastClientResponseSize = "last_client_response_size",
        MaxClientResponseSize = "max_client_response_size",
        MinClientResponseSize = "min_client_response_size",
        OutstandingTlsHandshake = "outstanding_tls_handshake",
        AuthFailedCount = "auth_failed_count",
        NonMtlsRemoteConnCount = "non_mtls_remote_conn_count",
        NonMtlsLocalConnCount = "non_mtls_local_conn_count",
    }
}

names! {
    /// Counters by the first component of a path.
    CounterSet {
        QuotaExceededErrorPerNamespace = "quota_exceeded_error_per_namespace",
    }
}

names! {
    /// Basic summaries by the first component of a path: bytes read and written.
    BasicSet {
        ReadPerNamespace = "read_per_namespace",
        WritePerNamespace = "write_per_namespace",
    }
}
