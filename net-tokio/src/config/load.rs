//! From what was given — a file or none, the environment's JVM flags, the command line's — to a configuration, or to the
//! reasons why there is none (`operations.md` §1, §1.1).
//!
//! The command line beats zoo.cfg, and zoo.cfg beats system properties, as ZooKeeper has it; but a system property whose
//! name does not begin with `zookeeper.` beats zoo.cfg, because ZooKeeper never takes it from there. Within one place the
//! last assignment counts. All that is wrong is found at once; nothing is started by halves.

use super::ServerConfig;
use super::draft::Draft;
use super::evaluation::{Evaluation, Finding, InvalidConfig, Origin, Verdict};
use super::jvm_flags::{self, JvmFlag};
use super::membership::Membership;
use super::properties::{self, Property};
use super::settings::{self, Effect, From, Refusal, Setting};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a server does that is told nothing: it keeps its data, and only this machine can reach it.
pub const EMBEDDED: &str = "\
tickTime=2000
dataDir=quorate-data
clientPort=2181
clientPortAddress=127.0.0.1
";

/// What was given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The configuration file; `None` for the embedded default.
    pub file: Option<PathBuf>,
    /// Variables of the environment that hold JVM flags, in ascending precedence.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line: how it was called, the key it sets, the value.
    pub flags: Vec<(String, String, String)>,
    /// The system is to choose the client port: in zoo.cfg 0 means none, but on the command line nobody asks for that.
    pub any_port: bool,
}

impl Given {
    /// `file`, with the flags that the process's environment holds.
    pub fn with_environment(file: Option<PathBuf>) -> Self {
        let variable = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
        Given {
            file,
            environment: jvm_flags::VARIABLES.iter().filter_map(variable).collect(),
            flags: Vec::new(),
            any_port: false,
        }
    }
}

struct Assignment {
    key: String,
    value: String,
    origin: Origin,
}

impl Assignment {
    /// How much the place weighs where it stands; of equal ones, the last counts.
    fn weight(&self) -> u8 {
        let bare = settings::find(&self.key).is_some_and(|row| row.from == From::Bare);
        match self.origin {
            Origin::Default => 0,
            Origin::Variable(_) if !bare => 1,
            Origin::File(..) | Origin::Embedded => 2,
            Origin::Variable(_) => 3,
            Origin::Flag(_) => 4,
        }
    }
}

/// Reads what was given and judges every setting. An error means that the file can't even be read.
pub fn evaluate(given: &Given) -> Result<Evaluation, InvalidConfig> {
    let text = match &given.file {
        Some(path) => read_file(path)?,
        None => EMBEDDED.as_bytes().to_vec(),
    };
    let mut reading = Reading::default();
    for (variable, flags) in &given.environment {
        reading.take_jvm_flags(variable, flags);
    }
    let origin = |line| given.file.as_ref().map_or(Origin::Embedded, |path| Origin::File(path.clone(), line));
    for Property { key, value, line } in parse(given.file.as_deref(), &text)? {
        reading.assignments.push(Assignment { key, value, origin: origin(line) });
    }
    for (flag, key, value) in &given.flags {
        let origin = Origin::Flag(flag.clone());
        reading.assignments.push(Assignment { key: key.clone(), value: value.clone(), origin });
    }
    let mut draft = Draft::new();
    draft.config.source.file = given.file.clone();
    draft.config.source.text = text.iter().map(|&byte| char::from(byte)).collect();
    reading.judge(&mut draft);
    if given.any_port {
        draft.config.listen.port = Some(0);
    }
    let Reading { findings, foreign, membership, .. } = reading;
    Ok(Evaluation { findings, foreign, membership, config: draft.config })
}

fn read_file(path: &Path) -> Result<Vec<u8>, InvalidConfig> {
    let invalid = |text: String| {
        InvalidConfig(vec![format!("ConfigException: Error processing {}", path.display()), text])
    };
    if !path.exists() {
        return Err(invalid(format!("{} file is missing", path.display())));
    }
    std::fs::read(path).map_err(|error| invalid(format!("{} can't be read: {error}", path.display())))
}

fn parse(path: Option<&Path>, text: &[u8]) -> Result<Vec<Property>, InvalidConfig> {
    properties::parse(text).map_err(|error| {
        let path = path.map_or("the embedded default".into(), |path| path.display().to_string());
        InvalidConfig(vec![
            format!("ConfigException: Error processing {path}"),
            format!("{path}:{}: {error}", error.line),
        ])
    })
}

/// The state of reading.
#[derive(Default)]
struct Reading {
    /// In the order they were read.
    assignments: Vec<Assignment>,
    findings: Vec<Finding>,
    foreign: Vec<String>,
    membership: Membership,
    /// Whether the membership stands in a file of its own; then it may not stand here too.
    dynamic: bool,
}

impl Reading {
    fn take_jvm_flags(&mut self, variable: &str, flags: &str) {
        for flag in jvm_flags::parse(flags) {
            let origin = Origin::Variable(variable.to_owned());
            match flag {
                JvmFlag::Sets { key, value } => self.assignments.push(Assignment { key, value, origin }),
                JvmFlag::Foreign(word) => self.foreign.push(word),
                JvmFlag::Misnamed { name, value, meant } => {
                    let hint = meant.map_or(String::new(), |meant| format!("; {meant} would be"));
                    let verdict = Verdict::Unknown(format!("not read by ZooKeeper either{hint}"));
                    self.findings.push(Finding { key: format!("-D{name}"), value, origin, verdict });
                }
            }
        }
    }

    fn judge(&mut self, draft: &mut Draft) {
        let counting = self.take_overridden();
        self.dynamic = counting.contains_key("dynamicConfigFile");
        draft.snap_retain_count_is_set = counting.contains_key("autopurge.snapRetainCount");
        for row in settings::all().filter(|row| !row.default.is_empty() && !counting.contains_key(row.key)) {
            let verdict = self.apply(row, row.key, row.default, draft);
            assert!(!matches!(verdict, Verdict::Refused(_)), "the default of {} is refused", row.key);
        }
        for assignment in std::mem::take(&mut self.assignments) {
            let verdict = self.judge_assignment(&assignment, draft);
            let Assignment { key, value, origin } = assignment;
            let dynamic = key == "dynamicConfigFile" && verdict == Verdict::Same;
            self.findings.push(Finding { key, value: value.clone(), origin, verdict });
            if dynamic {
                self.take_dynamic_file(&value);
            }
        }
        for (key, refusal) in draft.judge(&self.membership) {
            self.attach(key, refusal);
        }
        if let Some(refusal) = bad_myid(&draft.config) {
            self.attach("dataDir", refusal);
        }
        self.findings.extend(
            settings::all().filter(|row| row.prefix().is_none() && !counting.contains_key(row.key)).map(
                |row| Finding {
                    key: row.key.to_owned(),
                    value: row.default.to_owned(),
                    origin: Origin::Default,
                    verdict: default_verdict(row),
                },
            ),
        );
    }

    /// Removes every assignment that another one overrides; returns the keys that are left.
    fn take_overridden(&mut self) -> BTreeMap<String, Origin> {
        let mut heaviest: BTreeMap<String, (u8, usize, Origin)> = BTreeMap::new();
        for (index, assignment) in self.assignments.iter().enumerate() {
            let weight = assignment.weight();
            if heaviest.get(&assignment.key).is_none_or(|(most, ..)| *most <= weight) {
                heaviest.insert(assignment.key.clone(), (weight, index, assignment.origin.clone()));
            }
        }
        for (index, assignment) in std::mem::take(&mut self.assignments).into_iter().enumerate() {
            let (_, counting, by) = &heaviest[&assignment.key];
            if *counting == index {
                self.assignments.push(assignment);
            } else {
                let verdict = Verdict::Overridden(format!("{by} counts"));
                let Assignment { key, value, origin } = assignment;
                self.findings.push(Finding { key, value, origin, verdict });
            }
        }
        heaviest.into_iter().map(|(key, (_, _, origin))| (key, origin)).collect()
    }

    fn judge_assignment(&mut self, assignment: &Assignment, draft: &mut Draft) -> Verdict {
        let Assignment { key, value, origin } = assignment;
        let Some(row) = settings::find(key) else { return Verdict::Unknown(unknown(key)) };
        match self.apply(row, key, value, draft) {
            Verdict::Same if row.from == From::Bare && matches!(origin, Origin::File(..)) => {
                Verdict::Differs(format!("ZooKeeper takes it from the command line only, as -D{key}"))
            }
            verdict => verdict,
        }
    }

    /// Reads a value by its row and lets it have its effect.
    fn apply(&mut self, row: &'static Setting, key: &str, text: &str, draft: &mut Draft) -> Verdict {
        let value = match row.kind.read(key, text) {
            Ok(value) => value,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        let refused = |result: Result<(), Refusal>| result.map_or_else(Verdict::Refused, |()| Verdict::Same);
        match row.effect {
            Effect::Sets(set) | Effect::OwnDefault(set, _) => {
                set(draft, &value);
                Verdict::Same
            }
            Effect::Differs(set, text) => {
                set(draft, &value);
                Verdict::Differs(text.to_owned())
            }
            Effect::Checks(check) | Effect::Own(check) => refused(check(draft, &value)),
            Effect::Inert(why) => Verdict::NoEffect(why.to_owned()),
            Effect::Absent(asks, text) if asks(&value) => Verdict::Differs(text.to_owned()),
            Effect::Protects(asks, text) if asks(&value) => Verdict::Refused(Refusal::new(text)),
            Effect::Absent(..) | Effect::Protects(..) => Verdict::Same,
            Effect::Membership if key == "dynamicConfigFile" => Verdict::Same,
            Effect::Membership if self.dynamic => Verdict::Refused(Refusal::new(format!(
                "parameter: {key} must be in a separate dynamic config file"
            ))),
            Effect::Membership => refused(self.membership.take(key, text)),
        }
    }

    /// Lines of the file that `dynamicConfigFile` names.
    fn take_dynamic_file(&mut self, name: &str) {
        let path = PathBuf::from(name);
        let lines = match read_file(&path).and_then(|text| parse(Some(&path), &text)) {
            Ok(lines) => lines,
            Err(invalid) => {
                let reason = invalid.0.last().cloned().unwrap_or_default();
                return self.attach("dynamicConfigFile", Refusal::new(reason));
            }
        };
        for Property { key, value, line } in lines {
            let verdict =
                self.membership.take(&key, &value).map_or_else(Verdict::Refused, |()| Verdict::Same);
            self.findings.push(Finding { key, value, origin: Origin::File(path.clone(), line), verdict });
        }
        self.membership.take_version_of(name);
    }

    /// Puts a refusal where its key was set; without such a place it stands for itself.
    fn attach(&mut self, key: &str, refusal: Refusal) {
        let row = settings::all().find(|row| row.key == key);
        let is_about = |finding: &&mut Finding| match row.and_then(Setting::prefix) {
            Some(prefix) => finding.key.starts_with(prefix),
            None => finding.key == key,
        };
        let counts = |finding: &&mut Finding| !matches!(finding.verdict, Verdict::Overridden(_));
        match self.findings.iter_mut().filter(counts).find(is_about) {
            Some(finding) => finding.verdict = Verdict::Refused(refusal),
            None => self.findings.push(Finding {
                key: key.to_owned(),
                value: String::new(),
                origin: Origin::Default,
                verdict: Verdict::Refused(refusal),
            }),
        }
    }
}

fn unknown(key: &str) -> String {
    if let Some(bare) = key.strip_prefix("zookeeper.") {
        return format!("unknown: ZooKeeper itself puts zookeeper. before a key; write {bare}");
    }
    let hint = settings::nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
    format!("unknown, ignored{hint}")
}

fn default_verdict(row: &Setting) -> Verdict {
    match row.effect {
        Effect::OwnDefault(_, text) => Verdict::Differs(text.to_owned()),
        Effect::Inert(text) => Verdict::NoEffect(text.to_owned()),
        _ => Verdict::Same,
    }
}

/// A standalone server needs no `myid`, but one that can't be read is refused as ZooKeeper refuses it.
fn bad_myid(config: &ServerConfig) -> Option<Refusal> {
    let path = config.storage.data_dir.join("myid");
    if config.storage.data_dir.as_os_str().is_empty() || !path.is_file() {
        return None;
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Some(Refusal::new(format!("{} can't be read: {error}", path.display()))),
    };
    let first = text.lines().next().unwrap_or("null");
    let refusal = || {
        Refusal::new(format!("serverid {first} is not a number"))
            .expected(format!("a number in {}", path.display()))
    };
    first.parse::<i64>().err().map(|_| refusal())
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
