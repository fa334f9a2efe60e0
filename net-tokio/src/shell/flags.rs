//! Options of commands, taken as zkCli takes them (commons-cli's rules), down to what is said of wrong ones.
//!
//! Options stand anywhere; those without a value may be written together (`-sw`); a value follows as the next word, at once
//! (`-v5`) or behind `=`; `--` ends them. A word that begins like an option and is none is an error, unless an option waits
//! for its value. Quorate's own options with long names begin with two dashes.

use super::failure::{Failure, Result};
use super::line::{Word, text};

/// An option that a command takes.
#[derive(Debug)]
pub(super) struct Flag {
    /// As it is written, without its first dash.
    pub(super) name: &'static str,
    pub(super) takes_value: bool,
    /// What zkCli says of it; None for what it has not.
    pub(super) about: Option<&'static str>,
}

/// What a command takes.
#[derive(Debug)]
pub(super) struct Flags {
    pub(super) flags: &'static [Flag],
    /// Whether the options exclude each other, and whether one has to be there.
    pub(super) choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Free,
    AtMostOne,
    ExactlyOne,
}

/// An option of zkCli's without a value.
pub(super) const fn flag(name: &'static str, about: &'static str) -> Flag {
    Flag { name, takes_value: false, about: Some(about) }
}

/// An option of zkCli's with a value.
pub(super) const fn value(name: &'static str, about: &'static str) -> Flag {
    Flag { name, takes_value: true, about: Some(about) }
}

/// An option that zkCli has not.
pub(super) const fn own(name: &'static str, takes_value: bool) -> Flag {
    Flag { name, takes_value, about: None }
}

/// Options that may stand beside each other.
pub(super) const fn free(flags: &'static [Flag]) -> Flags {
    Flags { flags, choice: Choice::Free }
}

/// The words of a command, parted into options and others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The others; the command's name is the first.
    pub(super) words: Vec<Word>,
    found: Vec<(&'static str, Option<Word>)>,
}

impl Parsed {
    pub(super) fn has(&self, name: &str) -> bool {
        self.found.iter().any(|(found, _)| *found == name)
    }

    /// The value of the first option of this name.
    pub(super) fn value(&self, name: &str) -> Option<&Word> {
        self.found.iter().find(|(found, _)| *found == name)?.1.as_ref()
    }

    /// The value of the option as a number; `None` where it is not given.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        text(value)
            .parse()
            .map(Some)
            .map_err(|_| Failure::usage(format!("-{name}: {} is no number", text(value))))
    }
}

impl Flags {
    /// Parts the words of a command.
    ///
    /// # Errors
    /// What commons-cli says.
    pub(super) fn parse(&'static self, words: &[Word]) -> Result<Parsed> {
        let mut parser = Parser { flags: self, parsed: Parsed::default(), waiting: None };
        let mut words = words.iter();
        for word in words.by_ref() {
            if word == b"--" {
                break;
            }
            parser.take(word)?;
        }
        parser.parsed.words.extend(words.cloned());
        parser.value_is_there()?;
        if self.choice == Choice::ExactlyOne && parser.parsed.found.is_empty() {
            return Err(complaint("MissingOption", &format!("Missing required option: [{}]", self.list())));
        }
        Ok(parser.parsed)
    }

    fn find(&self, name: &[u8]) -> Option<&'static Flag> {
        self.flags.iter().find(|flag| flag.name.as_bytes() == name)
    }

    /// Whether a word may not be the value of an option because it is one itself.
    fn is_option(&self, word: &[u8]) -> bool {
        let Some(rest) = word.strip_prefix(b"-").filter(|rest| !rest.is_empty()) else { return false };
        let name = rest.split(|&byte| byte == b'=').next().unwrap_or_default();
        let is_number = text(word).parse::<f64>().is_ok();
        !is_number && (self.find(name).is_some() || self.find(&name[..name.len().min(1)]).is_some())
    }

    fn list(&self) -> String {
        let flags = self.flags.iter().filter_map(|flag| Some(format!("-{} {}", flag.name, flag.about?)));
        flags.collect::<Vec<_>>().join(", ")
    }

    /// A line for each option, as zkCli lists them under a command's usage.
    pub(super) fn help(&self) -> String {
        let written = |flag: &Flag| format!("-{}{}", flag.name, if flag.takes_value { " <arg>" } else { "" });
        let mut known: Vec<_> =
            self.flags.iter().filter_map(|flag| Some((written(flag), flag.about?))).collect();
        known.sort_by_key(|(written, _)| written.to_lowercase());
        let width = known.iter().map(|(written, _)| written.len()).max().unwrap_or(0);
        known.iter().map(|(written, about)| format!(" {written:width$}   {about}\n")).collect()
    }
}

struct Parser {
    flags: &'static Flags,
    parsed: Parsed,
    /// The option that the next word is the value of.
    waiting: Option<&'static Flag>,
}

impl Parser {
    fn take(&mut self, word: &Word) -> Result<()> {
        if let Some(flag) = self.waiting
            && !self.flags.is_option(word)
        {
            self.waiting = None;
            return self.found(flag, Some(unquoted(word)));
        }
        match word.strip_prefix(b"-") {
            Some(rest) if !rest.is_empty() => self.option(word, rest),
            _ => {
                self.parsed.words.push(word.clone());
                Ok(())
            }
        }
    }

    fn option(&mut self, word: &Word, rest: &[u8]) -> Result<()> {
        if let Some(flag) = self.flags.find(rest) {
            return self.begin(flag);
        }
        let unknown =
            || Err(complaint("UnrecognizedOption", &format!("Unrecognized option: {}", text(word))));
        if let Some(equals) = rest.iter().position(|&byte| byte == b'=') {
            let (name, value) = (&rest[..equals], &rest[equals + 1..]);
            return match self.flags.find(name).filter(|flag| flag.takes_value) {
                Some(flag) if name.len() == 1 || name.starts_with(b"-") => {
                    self.begin(flag)?;
                    self.waiting = None;
                    self.found(flag, Some(value.to_vec()))
                }
                _ => unknown(),
            };
        }
        for (index, name) in rest.iter().enumerate() {
            let Some(flag) = self.flags.find(std::slice::from_ref(name)) else { return unknown() };
            self.begin(flag)?;
            let behind = &rest[index + 1..];
            if flag.takes_value && !behind.is_empty() {
                self.waiting = None;
                return self.found(flag, Some(behind.to_vec()));
            }
        }
        Ok(())
    }

    /// The option stands there; its value, if it takes one, is still to come.
    fn begin(&mut self, flag: &'static Flag) -> Result<()> {
        self.value_is_there()?;
        let other = self.parsed.found.iter().find(|(name, _)| *name != flag.name);
        if let (Some((other, _)), true) = (other, self.flags.choice != Choice::Free) {
            let text = format!(
                "The option '{}' was specified but an option from this group has already been selected: '{other}'",
                flag.name
            );
            return Err(complaint("AlreadySelected", &text));
        }
        match flag.takes_value {
            true => self.waiting = Some(flag),
            false => self.found(flag, None)?,
        }
        Ok(())
    }

    fn found(&mut self, flag: &'static Flag, value: Option<Word>) -> Result<()> {
        self.parsed.found.push((flag.name, value));
        Ok(())
    }

    fn value_is_there(&self) -> Result<()> {
        match self.waiting {
            Some(flag) => {
                let text = format!("Missing argument for option: {}", flag.name);
                Err(complaint("MissingArgument", &text))
            }
            None => Ok(()),
        }
    }
}

/// A value in double quotes loses them.
fn unquoted(word: &[u8]) -> Word {
    match word {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'"') => inner.to_vec(),
        _ => word.to_vec(),
    }
}

fn complaint(kind: &str, text: &str) -> Failure {
    Failure::usage(format!("org.apache.commons.cli.{kind}Exception: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::line::words;

    static SET: Flags = free(&[flag("s", "stats"), value("v", "version"), own("-file", true)]);
    static QUOTA: Flags =
        Flags { flags: &[value("n", "num"), value("b", "bytes")], choice: Choice::ExactlyOne };

    fn parse(flags: &'static Flags, line: &str) -> std::result::Result<Parsed, String> {
        flags.parse(&words(line.as_bytes())).map_err(|failure| failure.message)
    }

    fn shown(line: &str) -> String {
        match parse(&SET, line) {
            Ok(parsed) => {
                let words: Vec<_> = parsed.words.iter().map(|word| text(word)).collect();
                let version = parsed.value("v").map(|value| text(value)).unwrap_or_default();
                format!("{} s={} v={version}", words.join(" "), parsed.has("s"))
            }
            Err(message) => message.replace("org.apache.commons.cli.", ""),
        }
    }

    #[test]
    fn options_stand_anywhere_in_every_way_of_writing_them() {
        for line in
            ["set -s -v 5 /a x", "set /a -sv 5 x", "set /a x -v5 -s", "set /a x -sv5", "set -s /a -v=5 x"]
        {
            assert_eq!(shown(line), "set /a x s=true v=5", "{line}");
        }
        assert_eq!(shown("set -v -1 /a x"), "set /a x s=false v=-1");
        assert_eq!(shown("set /a -- -v"), "set /a -v s=false v=");
        assert_eq!(shown("set /a -"), "set /a - s=false v=");
    }

    #[test]
    fn wrong_options_are_told_as_commons_cli_tells_them() {
        assert_eq!(shown("set /a -5"), "UnrecognizedOptionException: Unrecognized option: -5");
        assert_eq!(shown("set -sx /a"), "UnrecognizedOptionException: Unrecognized option: -sx");
        assert_eq!(shown("set --version /a"), "UnrecognizedOptionException: Unrecognized option: --version");
        assert_eq!(shown("set /a x -v"), "MissingArgumentException: Missing argument for option: v");
        assert_eq!(shown("set /a x -v -s"), "MissingArgumentException: Missing argument for option: v");
    }

    #[test]
    fn of_a_choice_one_is_taken() {
        let wrong =
            |line| parse(&QUOTA, line).expect_err("it is wrong").replace("org.apache.commons.cli.", "");
        assert_eq!(
            wrong("setquota /a"),
            "MissingOptionException: Missing required option: [-n num, -b bytes]"
        );
        assert_eq!(
            wrong("setquota -n 1 -b 2 /a"),
            "AlreadySelectedException: The option 'b' was specified but an option from this group has already been \
             selected: 'n'"
        );
        assert_eq!(
            parse(&QUOTA, "setquota -n 1 /a").map(|parsed| parsed.value("n").cloned()),
            Ok(Some(b"1".to_vec()))
        );
    }

    #[test]
    fn own_options_have_long_names() {
        let parsed = parse(&SET, "set /a --file=x").expect("it is right");
        assert_eq!(parsed.value("-file"), Some(&b"x".to_vec()));
        let parsed = parse(&SET, "set /a --file -").expect("it is right");
        assert_eq!(parsed.value("-file"), Some(&b"-".to_vec()));
    }
}
