//! What stands before the command: zkCli's options with one dash, and Quorate's with two.

use super::failure::{Failure, Result};
use super::line::Word;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SERVER: &str = "localhost:2181";
const TIMEOUT: Duration = Duration::from_secs(30);
/// What asks for TLS, in a client's properties.
const SECURE: &str = "zookeeper.client.secure";

/// What a shell was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) server: String,
    pub(super) timeout: Duration,
    pub(super) read_only: bool,
    /// Nothing is done before there is a session.
    pub(super) wait_for_connection: bool,
    pub(super) json: bool,
    /// Lines are read from there.
    pub(super) file: Option<PathBuf>,
    pub(super) help: bool,
    /// Options that are none, which zkCli skips silently.
    pub(super) skipped: Vec<String>,
    /// The command and its words; without any, lines are read.
    pub(super) command: Vec<Word>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            server: SERVER.to_owned(),
            timeout: TIMEOUT,
            read_only: false,
            wait_for_connection: false,
            json: false,
            file: None,
            help: false,
            skipped: Vec::new(),
            command: Vec::new(),
        }
    }
}

impl Options {
    /// Takes the command line, without the program's name.
    ///
    /// # Errors
    /// An option has no value or a wrong one, or asks for a protection that is not built.
    pub(super) fn parse(arguments: Vec<OsString>) -> Result<Options> {
        let mut options = Options::default();
        let mut words = arguments.into_iter();
        while let Some(word) = words.next() {
            if !word.as_encoded_bytes().starts_with(b"-") {
                options.command = std::iter::once(word).chain(words).map(OsString::into_vec).collect();
                break;
            }
            let name = word.to_string_lossy().into_owned();
            let mut value = || {
                let missing = || Failure::usage(format!("Error: no argument found for option {name}"));
                words.next().ok_or_else(missing)
            };
            match name.as_str() {
                "-server" => options.server = value()?.to_string_lossy().into_owned(),
                "-timeout" => options.timeout = milliseconds(&value()?)?,
                "-r" => options.read_only = true,
                "-client-configuration" => check_configuration(Path::new(&value()?))?,
                "-waitforconnection" => options.wait_for_connection = true,
                "--json" => options.json = true,
                "--file" | "-f" => options.file = Some(PathBuf::from(value()?)),
                "--help" | "-help" | "-h" => options.help = true,
                _ => options.skipped.push(name),
            }
        }
        Ok(options)
    }
}

fn milliseconds(value: &OsStr) -> Result<Duration> {
    let value = value.to_string_lossy();
    let wrong = || Failure::usage(format!("-timeout {value}: expected milliseconds from 1 to {}", i32::MAX));
    let number = value.parse::<i32>().ok().and_then(|number| u64::try_from(number).ok());
    number.filter(|number| *number > 0).map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads a client's properties. Most tune Java's client; one asks for what is not built.
fn check_configuration(path: &Path) -> Result<()> {
    let text = std::fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let asks = text.lines().filter_map(|line| line.split_once(['=', ':'])).any(asks_for_tls);
    refuse_tls(asks, &path.display().to_string())
}

/// Refuses what CLIENT_JVMFLAGS asks for, as the file of properties would be.
///
/// # Errors
/// It asks for TLS.
pub(super) fn check_environment() -> Result<()> {
    let flags = std::env::var("CLIENT_JVMFLAGS").unwrap_or_default();
    let properties =
        flags.split_ascii_whitespace().filter_map(|flag| flag.strip_prefix("-D")?.split_once('='));
    refuse_tls(properties.into_iter().any(asks_for_tls), "CLIENT_JVMFLAGS")
}

fn asks_for_tls((key, value): (&str, &str)) -> bool {
    key.trim() == SECURE && value.trim().eq_ignore_ascii_case("true")
}

fn refuse_tls(asks: bool, place: &str) -> Result<()> {
    match asks {
        true => Err(Failure::new(format!(
            "{place}: {SECURE}=true asks for TLS, which is not built yet: nothing is sent"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn options_end_with_the_command() {
        let options = parse("-server h:1/c -timeout 5000 -r -x ls -R /").expect("it is right");
        assert_eq!(
            (options.server.as_str(), options.timeout.as_secs(), options.read_only),
            ("h:1/c", 5, true)
        );
        assert_eq!(options.skipped, ["-x"]);
        assert_eq!(options.command, [&b"ls"[..], b"-R", b"/"]);
        assert_eq!(parse("").map(|options| options.server).as_deref(), Ok("localhost:2181"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |line| parse(line).expect_err("it is wrong").message;
        assert_eq!(wrong("-server"), "Error: no argument found for option -server");
        assert_eq!(wrong("-timeout soon"), "-timeout soon: expected milliseconds from 1 to 2147483647");
        assert!(wrong("-client-configuration /does/not/exist").starts_with("/does/not/exist: "));
    }

    #[test]
    fn tls_is_asked_for_by_one_property() {
        assert!(asks_for_tls(("zookeeper.client.secure ", " TRUE")));
        assert!(!asks_for_tls(("zookeeper.client.secure", "false")));
        assert!(!asks_for_tls(("zookeeper.sasl.client", "true")));
    }
}
