//! What was found out about a configuration: setting by setting, and as a whole.

use super::membership::Membership;
use super::settings::Refusal;
use super::{Notice, NoticeLevel, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where an assignment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file, on a line.
    File(PathBuf, usize),
    /// In the embedded default.
    Embedded,
    /// In a variable of the environment.
    Variable(String),
    /// On the command line.
    Flag(String),
    /// Nowhere: the table's default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Embedded => f.write_str("built-in"),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => f.write_str(name),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// One setting, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key as zoo.cfg spells it.
    pub key: String,
    /// The value as it was written, or the default.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What ZooKeeper does with it.
    Same,
    /// Nothing, and nothing is lost; the text says why.
    NoEffect(String),
    /// Something else than in ZooKeeper.
    Differs(String),
    /// No such setting, here or there.
    Unknown(String),
    /// Another assignment of the same key counts.
    Overridden(String),
    /// The server does not start.
    Refused(Refusal),
}

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Every setting: those that were set in the order they stand, then the defaults in the table's.
    pub findings: Vec<Finding>,
    /// Flags meant for a virtual machine.
    pub foreign: Vec<String>,
    pub(super) membership: Membership,
    /// Whole only when nothing was refused.
    pub(super) config: ServerConfig,
}

/// The configuration can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidConfig(pub Vec<String>);

/// The first line of `myid`, when it is a number.
pub(super) fn myid(data_dir: &Path) -> Option<i64> {
    std::fs::read_to_string(data_dir.join("myid")).ok()?.lines().next()?.parse().ok()
}

impl Evaluation {
    /// The value of a key that counts, empty when it is unset; `None` for a key that nothing knows.
    pub fn effective(&self, key: &str) -> Option<&str> {
        let counts =
            |finding: &&Finding| finding.key == key && !matches!(finding.verdict, Verdict::Overridden(_));
        self.findings.iter().find(counts).map(|finding| finding.value.as_str())
    }

    /// The first line of `myid`, when it is a number.
    pub fn myid(&self) -> Option<i64> {
        myid(&self.config.storage.data_dir)
    }

    /// Where this server's clients connect, by its line of the membership.
    pub fn member_client_address(&self) -> Option<(&str, u16)> {
        self.membership.client_address(self.myid()?)
    }

    /// Where data lies as far as it could be read, refused or not.
    pub fn storage(&self) -> &super::StorageConfig {
        &self.config.storage
    }

    /// Whether the server would start.
    pub fn is_accepted(&self) -> bool {
        !self.findings.iter().any(|finding| matches!(finding.verdict, Verdict::Refused(_)))
    }

    /// The configuration, if nothing was refused.
    pub fn accept(self) -> Result<ServerConfig, InvalidConfig> {
        let refused = |finding: &Finding| match &finding.verdict {
            Verdict::Refused(refusal) if finding.origin == Origin::Default => Some(refusal.to_string()),
            Verdict::Refused(refusal) => {
                Some(format!("{}: {}={}: {refusal}", finding.origin, finding.key, finding.value))
            }
            _ => None,
        };
        let mut reasons: Vec<String> = self.findings.iter().filter_map(refused).collect();
        if !reasons.is_empty() {
            if let Some(path) = &self.config.source.file {
                reasons.insert(0, format!("ConfigException: Error processing {}", path.display()));
            }
            return Err(InvalidConfig(reasons));
        }
        let notices = self.notices();
        let mut config = self.config;
        config.notices.splice(0..0, notices);
        Ok(config)
    }

    /// What was found, as the operator should hear it.
    fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut say = |level, text: String| notices.push(Notice { level, text });
        if self.config.source.file.is_none() {
            let (dir, listen) = (self.config.storage.data_dir.display(), self.config.listen.socket_address());
            let clients = match listen {
                Some(address) if address.port() == 0 => {
                    format!("clients on {}, on a port that the system chooses", address.ip())
                }
                Some(address) => format!("clients on {address}"),
                None => "no clients".to_owned(),
            };
            say(NoticeLevel::Info, format!("no configuration was given: data in {dir}, {clients}"));
        }
        let mut without_effect = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.origin != Origin::Default) {
            let place = format!("{}: {}={}", finding.origin, finding.key, finding.value);
            match &finding.verdict {
                Verdict::Same | Verdict::Refused(_) => {}
                // Nobody wrote what is overridden here.
                Verdict::Overridden(_) if finding.origin == Origin::Embedded => {}
                Verdict::NoEffect(_) => without_effect.push(finding.key.as_str()),
                Verdict::Differs(text) | Verdict::Unknown(text) => {
                    say(NoticeLevel::Warn, format!("{place}: {text}"))
                }
                Verdict::Overridden(by) => say(NoticeLevel::Info, format!("{place}: {by}")),
            }
        }
        if !without_effect.is_empty() {
            say(
                NoticeLevel::Info,
                format!("without effect here (quorate check says why): {}", without_effect.join(", ")),
            );
        }
        if !self.foreign.is_empty() {
            say(
                NoticeLevel::Info,
                format!("meant for a Java virtual machine, ignored: {}", self.foreign.join(" ")),
            );
        }
        notices
    }
}
