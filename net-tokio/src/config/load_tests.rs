//! What zoo.cfg files, JVM flags and flags of the command line come to; the rows of `operations.md` §1.1.

use super::*;
use crate::config::{FourLetterWhitelist, LogFormat, MetricsProvider, SnapshotCompression};
use quorate_core::quorum::Role;
use quorate_core::vocabulary::{Millis, ServerId};
use std::fs;
use tempfile::TempDir;

/// A file in a directory of its own; `DIR` stands for that directory.
struct World {
    dir: TempDir,
    given: Given,
}

impl World {
    fn new(text: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("zoo.cfg");
        fs::write(&path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
        World { dir, given: Given { file: Some(path), ..Given::default() } }
    }

    fn variable(mut self, name: &str, flags: &str) -> Self {
        self.given.environment.push((name.to_owned(), flags.to_owned()));
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.given.flags.push((flag.to_owned(), key.to_owned(), value.to_owned()));
        self
    }

    fn write(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn config(&self) -> ServerConfig {
        evaluate(&self.given).unwrap().accept().unwrap()
    }

    /// Why it is refused, without the head line and with the directory taken out.
    fn refusal(&self) -> String {
        let invalid = evaluate(&self.given).and_then(Evaluation::accept).expect_err("it is accepted");
        assert_eq!(
            invalid.0[0],
            format!("ConfigException: Error processing {}", self.given.file.as_ref().unwrap().display())
        );
        invalid.0[1..].join("\n").replace(&format!("{}/", self.dir.path().display()), "")
    }

    fn notices(&self) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        self.config()
            .notices
            .into_iter()
            .map(|n| format!("{:?} {}", n.level, n.text.replace(&dir, "")))
            .collect()
    }
}

#[test]
fn a_minimal_file_gives_zookeepers_defaults() {
    let world = World::new("dataDir=DIR/data\nclientPort=2181\n");
    let mut expected = ServerConfig::standalone(world.dir.path().join("data"), 2181);
    expected.listen.address = None;
    let config = world.config();
    expected.source = config.source.clone();
    assert_eq!(config, expected);
    assert_eq!(config.source.text.lines().count(), 2);
}

#[test]
fn without_a_file_the_server_is_durable_local_and_says_so() {
    let config = evaluate(&Given::default()).unwrap().accept().unwrap();
    let dir = std::env::current_dir().unwrap().join("quorate-data");
    assert_eq!(config.storage.data_dir, dir);
    assert_eq!(config.storage.data_log_dir, dir);
    assert!(config.storage.force_sync);
    assert_eq!(config.listen.socket_address().unwrap().to_string(), "127.0.0.1:2181");
    assert_eq!(config.source.file, None);
    let first = format!("no configuration was given: data in {}, clients on 127.0.0.1:2181", dir.display());
    assert_eq!(config.notices.len(), 1);
    assert_eq!(config.notices[0].text, first);
}

#[test]
fn a_full_file_reaches_every_part() {
    let config = World::new(
        "tickTime=2000\ndataDir=DIR/data\ndataLogDir=DIR/log\nclientPort:21811\nclientPortAddress=127.0.0.1\n\
         clientPortListenBacklog=128\nmaxClientCnxns=0\nminSessionTimeout=1000\nmaxSessionTimeout=90000\n\
         autopurge.snapRetainCount=5\nautopurge.purgeInterval=24\n4lw.commands.whitelist=mntr, ruok,\n\
         metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         metricsProvider.httpPort=7001\nmetricsProvider.httpHost=127.0.0.1\nsnapCount=10\npreAllocSize=64\n\
         snapSizeLimitInKb=0\nforceSync=no\nfsync.warningthresholdms=20\nsnapshot.compression.method=gz\n\
         extendedTypesEnabled=true\nenforceQuota=TRUE\nskipACL=yes\njute.maxbuffer=4194304\nglobalOutstandingLimit=5\n\
         maxCnxns=7\nDigestAuthenticationProvider.superDigest=super:abc=\nreadonlymode.enabled=true\n\
         znode.container.checkIntervalMs=100\nznode.container.maxPerMinute=6000\nreconfigEnabled=true\n\
         digest.enabled=false\nserializeLastProcessedZxid.enabled=false\nlog.format=json\nfreeSpace.lowMb=1\n",
    )
    .config();
    let (peer, storage) = (&config.peer, &config.storage);
    assert_eq!(
        (peer.tick_time, peer.min_session_timeout, peer.max_session_timeout),
        (Millis(2000), Millis(1000), Millis(90_000))
    );
    assert!(storage.data_dir.ends_with("data") && storage.data_log_dir.ends_with("log"));
    assert_eq!(config.listen.socket_address().unwrap().to_string(), "127.0.0.1:21811");
    assert_eq!(config.listen.backlog, Some(128));
    assert_eq!((peer.limits.connections_per_address, peer.limits.connections), (0, 7));
    assert_eq!(peer.sequences.retain_snapshots, 5);
    let FourLetterWhitelist::Only(words) = &config.four_letter else { panic!("not a list") };
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), ["isro", "mntr", "ruok", "srvr"]);
    assert_eq!((config.metrics.provider, config.metrics.port), (MetricsProvider::Prometheus, 7001));
    assert_eq!((peer.sequences.snap_count, peer.sequences.snap_size), (10, 0));
    assert_eq!((storage.preallocate, storage.force_sync, storage.fsync_warning), (65_536, false, Millis(20)));
    assert_eq!(storage.compression, SnapshotCompression::Gzip);
    assert!(
        peer.switches.extended_types
            && peer.switches.enforce_quota
            && peer.switches.skip_acl
            && peer.switches.reconfig
    );
    assert!(!peer.switches.digest && !peer.switches.serialize_last_zxid);
    assert_eq!(
        (peer.limits.max_frame, peer.limits.extra_size, peer.limits.outstanding_requests),
        (4_194_304, 4_194_304, 5)
    );
    assert_eq!(peer.super_digest.as_deref(), Some("super:abc="));
    assert_eq!(
        (peer.sequences.container_check_interval, peer.sequences.container_max_per_minute),
        (Millis(100), 6000)
    );
    assert_eq!((config.log.format, peer.limits.free_space_low), (LogFormat::Json, 1 << 20));
}

#[test]
fn what_is_wrong_is_refused_in_zookeepers_words() {
    let base = "dataDir=DIR/data\nclientPort=2181\n";
    let number = "NumberFormatException: For input string:";
    let cases: &[(&str, &str)] = &[
        ("tickTime=0", "zoo.cfg:3: tickTime=0: tickTime is not set"),
        ("tickTime=abc", &format!("zoo.cfg:3: tickTime=abc: {number} \"abc\"")),
        ("autopurge.purgeInterval=1h", &format!("zoo.cfg:3: autopurge.purgeInterval=1h: {number} \"1h\"")),
        ("maxClientCnxns=", &format!("zoo.cfg:3: maxClientCnxns=: {number} \"\"")),
        (
            "server.1=zk1:2888",
            "zoo.cfg:3: server.1=zk1:2888: zk1:2888 does not have the form server_config or server_config;client_config where",
        ),
        (
            "server.255=zk1:2888:3888",
            "zoo.cfg:3: server.255=zk1:2888:3888: 255 can't be the top byte of session ids, and 255 marks the owners of nodes with a TTL",
        ),
        (
            "server.-1=zk1:2888:3888",
            "zoo.cfg:3: server.-1=zk1:2888:3888: -1 can't be the top byte of session ids",
        ),
        (
            "server.1=zk1:2888:3888:boss",
            "zoo.cfg:3: server.1=zk1:2888:3888:boss: Unrecognised peertype: boss",
        ),
        ("peerType=boss", "zoo.cfg:3: peerType=boss: Unrecognised peertype: boss"),
        ("server.x=zk1:2888:3888", &format!("zoo.cfg:3: server.x=zk1:2888:3888: {number} \"x\"")),
        (
            "server.1=zk1:2888:2888",
            "zoo.cfg:3: server.1=zk1:2888:2888: Client and election port must be different! Please update the configuration file on server.1",
        ),
        ("electionAlg=1", "zoo.cfg:3: electionAlg=1: Invalid electionAlg value. Only 3 is supported."),
        (
            "reconfigEnabled=maybe",
            "zoo.cfg:3: reconfigEnabled=maybe: Invalid option maybe for reconfigEnabled. Choose 'true' or 'false.'",
        ),
        (
            "minSessionTimeout=9\nmaxSessionTimeout=8",
            "zoo.cfg:3: minSessionTimeout=9: minSessionTimeout must not be larger than maxSessionTimeout",
        ),
        ("clientPort=99999", "zoo.cfg:3: clientPort=99999: port out of range:99999"),
        (
            "clientPort=0\nclientPortAddress=127.0.0.1",
            "zoo.cfg:4: clientPortAddress=127.0.0.1: clientPortAddress is set but clientPort is not set",
        ),
        (
            "standaloneEnabled=false",
            "zoo.cfg:3: standaloneEnabled=false: standaloneEnabled = false then number of participants should be >0",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2:observer",
            "zoo.cfg:3: server.1=a:1:2: Observers w/o quorum is an invalid configuration",
        ),
        (
            "server.2=b:1:2:observer",
            "zoo.cfg:3: server.2=b:1:2:observer: Observers w/o participants is an invalid configuration",
        ),
        (
            "metricsProvider.className=Foo",
            "zoo.cfg:3: metricsProvider.className=Foo: metrics provider class was not found",
        ),
        (
            "snapshot.compression.method=zip",
            "zoo.cfg:3: snapshot.compression.method=zip: Invalid value zip; expected one of nothing, gz, snappy",
        ),
        ("skipACL=true", "zoo.cfg:3: skipACL=true: Invalid option true for skipACL; expected yes or no"),
        ("dynamicConfigFile=DIR/gone", "zoo.cfg:3: dynamicConfigFile=gone: gone file is missing"),
        ("freeSpace.resumeMb=1", "zoo.cfg:3: freeSpace.resumeMb=1: smaller than freeSpace.lowMb"),
        ("log.filter=foo=bar", "zoo.cfg:3: log.filter=foo=bar: error parsing level filter"),
        (
            "log.filter=nonsense",
            "zoo.cfg:3: log.filter=nonsense: \"nonsense\" is no level; expected error, warn",
        ),
        ("log.filter=info,quorate", "zoo.cfg:3: log.filter=info,quorate: \"quorate\" is no level"),
        ("log.filter=", "zoo.cfg:3: log.filter=: \"\" is no level"),
        ("a=\\u00g", "zoo.cfg:3: Malformed \\uxxxx encoding."),
    ];
    for (lines, expected) in cases {
        let refusal = World::new(&format!("{base}{lines}\n")).refusal();
        assert!(refusal.starts_with(expected), "{lines}: {refusal}");
    }
    assert!(
        World::new("clientPort=2181\n")
            .refusal()
            .starts_with("dataDir is not set; expected dataDir=<directory>")
    );
}

#[test]
fn a_missing_file_is_named() {
    let given = Given { file: Some(PathBuf::from("/nowhere/zoo.cfg")), ..Given::default() };
    let invalid = evaluate(&given).unwrap_err();
    assert_eq!(
        invalid.0,
        ["ConfigException: Error processing /nowhere/zoo.cfg", "/nowhere/zoo.cfg file is missing"]
    );
}

#[test]
fn a_bad_myid_is_refused() {
    for (text, expected) in [("abc\n", "serverid abc is not a number"), ("", "serverid null is not a number")]
    {
        let refusal = World::new("dataDir=DIR\nclientPort=2181\n").write("myid", text).refusal();
        assert!(refusal.contains(expected), "{refusal}");
    }
    World::new("dataDir=DIR\nclientPort=2181\n").write("myid", "3\n").config();
}

#[test]
fn protection_that_is_not_built_is_refused_wherever_it_is_asked_for() {
    let lines = [
        "secureClientPort=2281",
        "ssl.keyStore.location=/k",
        "ssl.quorum.trustStore.location=/t",
        "sslQuorum=true",
        "portUnification=true",
        "client.portUnification=true",
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "sessionRequireClientSASLAuth=true",
        "enforce.auth.enabled=true",
        "quorum.auth.enableSasl=true",
        "quorum.auth.learnerRequireSasl=true",
        "quorum.auth.serverRequireSasl=true",
        "java.security.auth.login.config=/jaas.conf",
        "audit.enable=true",
        "ensembleAuthName=a,b",
        "DigestAuthenticationProvider.digestAlg=SHA-256",
        "metricsProvider.httpsPort=7443",
        "metricsProvider.ssl.keyStore.location=/k",
        "emulate353TTLNodes=true",
    ];
    for line in lines {
        let refusal = World::new(&format!("dataDir=DIR/data\nclientPort=2181\n\n{line}\n")).refusal();
        assert!(refusal.starts_with(&format!("zoo.cfg:4: {line}: ")), "{line}: {refusal}");
        assert!(refusal.len() > line.len() + 40, "no consequence is named: {refusal}");
    }
    let world = World::new("dataDir=DIR/data\nclientPort=2181\n")
        .variable("JVMFLAGS", "-Dzookeeper.ssl.keyStore.location=/k");
    assert!(world.refusal().starts_with("JVMFLAGS: ssl.keyStore.location=/k: TLS is not built yet"));
}

#[test]
fn protection_that_is_switched_off_is_no_obstacle() {
    let lines = "sslQuorum=false\nportUnification=false\nsessionRequireClientSASLAuth=false\nenforce.auth.enabled=false\n\
                 quorum.auth.enableSasl=false\naudit.enable=false\nsecureClientPort=0\nfips-mode=false\n\
                 metricsProvider.httpsPort=-1\nDigestAuthenticationProvider.digestAlg=SHA1\nadmin.enableServer=true\n";
    World::new(&format!("dataDir=DIR/data\nclientPort=2181\n{lines}")).config();
}

#[test]
fn several_server_lines_make_a_member_of_an_ensemble() {
    let three = "server.1=a:2888:3888;2182\nserver.2=b:2888:3888\nserver.3=[::1]:2888:3888:observer\n";
    let limits = "initLimit=10\nsyncLimit=5\n";
    let world = World::new(&format!("dataDir=DIR\n{limits}{three}leaderServes=no\ncnxTimeout=0\n"));
    let config = world.write("myid", "1\n").config();
    let member = config.member.unwrap();
    assert_eq!((config.peer.server_id, config.listen.port), (ServerId(1), Some(2182)));
    assert_eq!((member.ensemble.init_limit, member.ensemble.sync_limit), (10, 5));
    assert_eq!((member.ensemble.membership.voters().len(), member.ensemble.role), (2, Role::Participant));
    assert!(!member.ensemble.leader_serves && !member.listen_on_all_ips && member.bind_attempts == 3);
    assert_eq!(member.ensemble.membership.server(ServerId(3)).unwrap().addresses[0].host, "::1");

    let refusal = World::new(&format!("dataDir=DIR\nclientPort=2181\n{three}")).refusal();
    for missing in ["initLimit is not set", "syncLimit is not set", "myid file is missing"] {
        assert!(refusal.contains(missing), "{refusal}");
    }
    let observer = World::new(&format!("dataDir=DIR\nclientPort=2181\n{limits}{three}")).write("myid", "3");
    let notices = observer.notices();
    assert!(notices.iter().any(|text| text.contains("the line counts")), "{notices:?}");
    assert_eq!(observer.config().member.unwrap().ensemble.role, Role::Observer);
    let grouped = format!("dataDir=DIR\nclientPort=2181\n{limits}{three}group.1=1\n");
    let refusal = World::new(&grouped).write("myid", "1").refusal();
    assert!(refusal.contains("Server 2 is not in any group"), "{refusal}");
}

#[test]
fn a_single_server_line_stands_alone_unless_that_is_forbidden() {
    // What the official image writes: the client port stands behind the semicolon.
    let world = World::new("dataDir=DIR/data\nstandaloneEnabled=true\nserver.1=localhost:2888:3888;2181\n")
        .write("myid", "1");
    assert_eq!(world.config().listen.socket_address().unwrap().to_string(), "0.0.0.0:2181");
    assert_eq!(world.notices(), ["Error Invalid configuration, only one server specified (ignoring)"]);

    let alone = "dataDir=DIR\nclientPort=2181\nserver.1=localhost:2888:3888\nstandaloneEnabled=false\n";
    assert!(World::new(alone).refusal().contains("initLimit is not set"));
    let alone = format!("{alone}initLimit=5\nsyncLimit=2\n");
    assert!(World::new(&alone).write("myid", "1").config().member.is_some());

    // Without a myid ZooKeeper does not know that the line is its own, and takes the port that is stated.
    let both = "dataDir=DIR\nclientPort=2182\nserver.1=localhost:2888:3888;2181\n";
    assert_eq!(World::new(both).config().listen.port, Some(2182));
    let differ = World::new(both).write("myid", "1\n").refusal();
    assert!(
        differ.contains("client address for this server (id = 1) in static config file is 0.0.0.0:2182"),
        "{differ}"
    );
}

#[test]
fn the_membership_may_stand_in_a_file_of_its_own() {
    let main = "dataDir=DIR/data\ndynamicConfigFile=DIR/zoo.cfg.dynamic\n";
    let single =
        World::new(main).write("zoo.cfg.dynamic", "server.1=localhost:2888:3888:participant;127.0.0.1:2181");
    assert_eq!(single.config().listen.socket_address().unwrap().to_string(), "127.0.0.1:2181");
    let versioned = World::new(main).write("zoo.cfg.dynamic", "server.1=a:1:2\nversion=100000000\n");
    assert!(
        versioned
            .refusal()
            .contains("zoo.cfg.dynamic:2: version=100000000: dynamic file shouldn't have version inside")
    );
    for text in [format!("server.1=a:1:2;3\n{main}"), format!("{main}server.1=a:1:2;3\n")] {
        let both = World::new(&text).write("zoo.cfg.dynamic", "server.1=a:1:2;3\n").refusal();
        assert!(both.contains("parameter: server.1 must be in a separate dynamic config file"), "{both}");
    }
}

#[test]
fn the_command_line_beats_the_file_and_the_file_beats_properties() {
    let world = World::new("dataDir=DIR/data\nclientPort=2181\nsnapCount=20\nsnapCount=30\n")
        .variable(
            "SERVER_JVMFLAGS",
            "-Xmx1000m -Dzookeeper.snapCount=10 -Dzookeeper.preAllocSize=1 -Dzookeeper.maxCnxns=4",
        )
        .variable(
            "JVMFLAGS",
            "-Dzookeeper.preAllocSize=2 -Djute.maxbuffer=2000000 -DsnapCount=1 -XX:+UseG1GC",
        )
        .flag("--port", "clientPort", "2182");
    let config = world.config();
    assert_eq!(config.peer.sequences.snap_count, 30);
    assert_eq!((config.storage.preallocate, config.peer.limits.connections), (2048, 4));
    assert_eq!((config.peer.limits.max_frame, config.listen.port), (2_000_000, Some(2182)));
    assert_eq!(
        world.notices(),
        [
            "Warn JVMFLAGS: -DsnapCount=1: not read by ZooKeeper either; -Dzookeeper.snapCount would be",
            "Info SERVER_JVMFLAGS: snapCount=10: zoo.cfg:4 counts",
            "Info SERVER_JVMFLAGS: preAllocSize=1: JVMFLAGS counts",
            "Info zoo.cfg:2: clientPort=2181: --port counts",
            "Info zoo.cfg:3: snapCount=20: zoo.cfg:4 counts",
            "Info meant for a Java virtual machine, ignored: -Xmx1000m -XX:+UseG1GC",
        ]
    );
}

/// ZooKeeper never takes these from zoo.cfg; a `-D` that was copied along must not lose against a line Java ignores.
#[test]
fn a_property_without_a_prefix_beats_the_file() {
    let world = World::new("dataDir=DIR/data\nclientPort=2181\njute.maxbuffer=50\n");
    assert_eq!(world.config().peer.limits.max_frame, 50);
    let world = world.variable("JVMFLAGS", "-Djute.maxbuffer=0x1fffff");
    assert_eq!(world.config().peer.limits.max_frame, 0x1f_ffff);
    assert_eq!(world.notices(), ["Info zoo.cfg:3: jute.maxbuffer=50: JVMFLAGS counts"]);
    let world = world.flag("--set", "jute.maxbuffer", "70");
    assert_eq!(world.config().peer.limits.max_frame, 70);
}

#[test]
fn numbers_are_read_as_java_reads_each() {
    let base = "dataDir=DIR/data\nclientPort=2181\n";
    let snap_count =
        |text: &str| World::new(&format!("{base}snapCount={text}\n")).config().peer.sequences.snap_count;
    let cases = [("0x100", 256), ("0XfF", 255), ("#10", 16), ("010", 8), ("+12", 12), ("-0x5", 2), ("0", 2)];
    for (text, expected) in cases {
        assert_eq!(snap_count(text), expected, "of {text}");
    }
    let refused = [
        "snapCount=0x",
        "snapCount=0x-5",
        "snapCount=08",
        "snapCount=",
        "tickTime=0x100",
        "preAllocSize=0x40",
    ];
    for line in refused {
        let refusal = World::new(&format!("{base}{line}\n")).refusal();
        assert!(refusal.contains("NumberFormatException"), "{line}: {refusal}");
    }
}

#[test]
fn a_negative_limit_is_none_where_java_has_it_so() {
    let config = World::new(
        "dataDir=DIR/data\nclientPort=2181\npreAllocSize=-1\nsnapSizeLimitInKb=-5\ntxnLogSizeLimitInKb=-5\n\
         autopurge.purgeInterval=-1\nmaxCnxns=-1\n",
    )
    .config();
    assert_eq!((config.storage.preallocate, config.storage.log_size_limit), (0, 0));
    let sequences = &config.peer.sequences;
    assert_eq!((sequences.snap_size, sequences.retain_snapshots, config.peer.limits.connections), (0, 0, 0));
}

#[test]
fn each_oddity_is_said_once() {
    let world = World::new(
        "dataDir=DIR/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\nadmin.enableServer=true\nmaxClientCnxn=5\n\
         zookeeper.snapCount=5\nwhatever=1\nautopurge.snapRetainCount=1\nrequest_throttle_max_requests=10\nforceSync=no\n",
    );
    assert_eq!(
        world.notices(),
        [
            "Warn zoo.cfg:6: maxClientCnxn=5: unknown, ignored; did you mean maxClientCnxns?",
            "Warn zoo.cfg:7: zookeeper.snapCount=5: unknown: ZooKeeper itself puts zookeeper. before a key; write snapCount",
            "Warn zoo.cfg:8: whatever=1: unknown, ignored",
            "Warn zoo.cfg:10: request_throttle_max_requests=10: it shapes load and keeps nobody out; what is in process is bounded by globalOutstandingLimit only",
            "Info without effect here (quorate check says why): admin.enableServer",
            "Warn Invalid autopurge.snapRetainCount: 1. Defaulting to 3",
            "Warn forceSync=no: a power loss takes acknowledged writes with it",
        ]
    );
    assert_eq!(world.config().peer.sequences.retain_snapshots, 3);
}

#[test]
fn a_server_without_a_client_port_is_warned_of() {
    let world = World::new("dataDir=DIR/data\n");
    assert_eq!(world.config().listen.socket_address(), None);
    assert_eq!(world.notices(), ["Warn clientPort is not set: the server will run, but serve nobody"]);
}

#[test]
fn purging_is_on_unless_it_was_switched_off() {
    let retained = |lines: &str| {
        World::new(&format!("dataDir=DIR/data\nclientPort=2181\n{lines}")).config().peer.sequences
    };
    let count = |lines: &str| retained(lines).retain_snapshots;
    assert_eq!(count(""), 3);
    assert_eq!(count("autopurge.snapRetainCount=10\n"), 10);
    assert_eq!(count("autopurge.snapRetainCount=10\nautopurge.purgeInterval=24\n"), 10);
    assert_eq!(count("autopurge.purgeInterval=0\nautopurge.snapRetainCount=10\n"), 0);
    let bytes = |lines: &str| retained(lines).retain_bytes;
    assert_eq!(bytes(""), 16384 << 20);
    assert_eq!(bytes("autopurge.purgeInterval=24\n"), 16384 << 20);
    assert_eq!(bytes("autopurge.snapRetainCount=3\n"), 0, "a count that was asked for is kept");
    assert_eq!(bytes("autopurge.snapRetainCount=3\nretention.maxMb=100\n"), 100 << 20);
    assert_eq!(bytes("retention.maxMb=0\n"), 0);
}
