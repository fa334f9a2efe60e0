//! `-DNAME=VALUE` out of the environment's SERVER_JVMFLAGS and JVMFLAGS, where today's deployments put system properties.
//!
//! Words are separated by blanks, as the unquoted variable is in `zkServer.sh`; JVMFLAGS stands behind SERVER_JVMFLAGS
//! there, so its properties win. What is meant for the virtual machine itself has no meaning here.

use super::settings::{self, From};

/// The environment variables that are read, in ascending precedence.
pub(super) const VARIABLES: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];

/// One word of the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JvmFlag {
    /// A property that sets this key.
    Sets {
        /// As zoo.cfg spells it.
        key: String,
        /// What it is set to; empty when nothing was written.
        value: String,
    },
    /// A property that looks like a setting of ZooKeeper, but is none; with what may have been meant.
    Misnamed {
        /// As it was written.
        name: String,
        /// The value.
        value: String,
        /// The name that would have had an effect.
        meant: Option<String>,
    },
    /// A flag for the virtual machine, or one of its properties.
    Foreign(String),
}

/// Reads the words of one variable.
pub(super) fn parse(flags: &str) -> Vec<JvmFlag> {
    flags.split_ascii_whitespace().map(classify).collect()
}

fn classify(word: &str) -> JvmFlag {
    let Some(property) = word.strip_prefix("-D") else { return JvmFlag::Foreign(word.to_owned()) };
    let (name, value) = property.split_once('=').unwrap_or((property, ""));
    let sets = |key: &str| JvmFlag::Sets { key: key.to_owned(), value: value.to_owned() };
    let misnamed =
        |meant: Option<String>| JvmFlag::Misnamed { name: name.to_owned(), value: value.to_owned(), meant };
    if let Some(key) = name.strip_prefix("zookeeper.") {
        return match settings::find(key).map(|row| row.from) {
            Some(From::Prefixed | From::Either) => sets(key),
            Some(From::Bare) => misnamed(Some(format!("-D{key}"))),
            Some(From::File) => misnamed(Some(format!("{key} in zoo.cfg"))),
            None => misnamed(settings::nearest(key).map(|near| format!("-Dzookeeper.{near}"))),
        };
    }
    match settings::find(name).map(|row| row.from) {
        Some(From::Bare | From::Either) => sets(name),
        Some(From::Prefixed) => misnamed(Some(format!("-Dzookeeper.{name}"))),
        Some(From::File) => misnamed(Some(format!("{name} in zoo.cfg"))),
        None => JvmFlag::Foreign(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_by_what_they_mean() {
        let said: Vec<String> = parse(
            " -Xmx1000m -XX:+UseG1GC -Djute.maxbuffer=4194304 -Dzookeeper.snapCount=10\t-Dfsync.warningthresholdms=5 \
             -Dzookeeper.fsync.warningthresholdms=6 -DsnapCount=7 -Dzookeeper.jute.maxbuffer=8 -Dzookeeper.dataDir=/x \
             -DtickTime=9 -Dzookeeper.snapCuont=1 -Dcom.sun.management.jmxremote -Dzookeeper.skipACL \
             -Djava.security.auth.login.config=/j -Dzookeeper.ssl.keyStore.location=/k -Dreadonlymode.enabled=true",
        )
        .into_iter()
        .map(|flag| match flag {
            JvmFlag::Sets { key, value } => format!("{key}={value}"),
            JvmFlag::Misnamed { name, meant, .. } => format!("{name}? {}", meant.unwrap_or_default()),
            JvmFlag::Foreign(word) => format!("jvm {word}"),
        })
        .collect();
        assert_eq!(
            said,
            [
                "jvm -Xmx1000m",
                "jvm -XX:+UseG1GC",
                "jute.maxbuffer=4194304",
                "snapCount=10",
                "fsync.warningthresholdms=5",
                "fsync.warningthresholdms=6",
                "snapCount? -Dzookeeper.snapCount",
                "zookeeper.jute.maxbuffer? -Djute.maxbuffer",
                "zookeeper.dataDir? dataDir in zoo.cfg",
                "tickTime? tickTime in zoo.cfg",
                "zookeeper.snapCuont? -Dzookeeper.snapCount",
                "jvm -Dcom.sun.management.jmxremote",
                "skipACL=",
                "java.security.auth.login.config=/j",
                "ssl.keyStore.location=/k",
                "readonlymode.enabled=true",
            ]
        );
    }
}
