//! What a command shows: text as zkCli prints it, or JSON, one object a line.
//!
//! Standard output has what was asked for, standard error what zkCli says there. That the reader has left is no error: commands
//! go on, and what only follows others ([`Output::is_closed`]) ends.

use super::failure::Failure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_client::Stat;
use rustyline::ExternalPrinter;
use serde_json::{Map, Value, json};
use std::io::Write;

use crate::civil::Civil;

/// Where a shell writes.
pub(super) struct Output {
    is_json: bool,
    is_closed: bool,
    /// Writes above the prompt at which somebody types.
    above_prompt: Option<Box<dyn ExternalPrinter + Send>>,
}

impl Output {
    pub(super) fn new(is_json: bool) -> Self {
        Output { is_json, is_closed: false, above_prompt: None }
    }

    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// From now on, what comes while somebody types is written above the line.
    pub(super) fn use_terminal(&mut self, printer: Box<dyn ExternalPrinter + Send>) {
        self.above_prompt = Some(printer);
    }

    /// One line of a result.
    pub(super) fn line(&mut self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Part of a result, as it is.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.is_closed {
            return;
        }
        let mut out = std::io::stdout().lock();
        self.is_closed = out.write_all(bytes).and_then(|()| out.flush()).is_err();
    }

    /// A result in both forms.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
        match self.is_json {
            true => self.object(&object()),
            false => self.bytes(text().as_bytes()),
        }
    }

    /// One line of JSON.
    pub(super) fn object(&mut self, object: &Value) {
        self.line(&object.to_string());
    }

    /// What zkCli says on standard output that is no result: JSON goes without it.
    pub(super) fn remark(&mut self, text: &str) {
        if !self.is_json {
            self.line(text);
        }
    }

    /// What zkCli says on standard error: JSON goes without it.
    pub(super) fn note(&mut self, text: &str) {
        if !self.is_json {
            complain(text);
        }
    }

    /// Why a command failed.
    pub(super) fn failure(&mut self, command: &str, failure: &Failure) {
        match self.is_json {
            true => self.object(&json!({
                "command": command,
                "error": failure.code,
                "message": failure.message,
                "exit": failure.exit,
            })),
            false => complain(&failure.message),
        }
    }

    /// What happened while something else was being waited for.
    pub(super) fn happened(&mut self, text: &str, object: impl FnOnce() -> Value) {
        let text = match self.is_json {
            true => object().to_string(),
            false => format!("\nWATCHER::\n\n{text}"),
        };
        match &mut self.above_prompt {
            // A terminal that is gone ends the reading of lines too.
            Some(printer) => self.is_closed |= printer.print(format!("{text}\n")).is_err(),
            None => self.line(&text),
        }
    }
}

/// A line on standard error; that nobody reads it is no error.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A node's numbers as zkCli prints them. Times are UTC.
pub(super) fn stat_as_text(stat: &Stat) -> String {
    let date = |ms| Civil::from_unix_millis(ms).java_date();
    format!(
        "cZxid = {}\nctime = {}\nmZxid = {}\nmtime = {}\npZxid = {}\ncversion = {}\ndataVersion = {}\naclVersion = {}\n\
         ephemeralOwner = 0x{:x}\ndataLength = {}\nnumChildren = {}\n",
        stat.czxid,
        date(stat.ctime),
        stat.mzxid,
        date(stat.mtime),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// Puts a node's data into an object: `data` in base64, `null` if there is none at all, and `text` if it is text.
pub(super) fn put_data(object: &mut Value, data: Option<&[u8]>) {
    let mut fields = Map::new();
    fields.insert("data".to_owned(), data.map(|data| STANDARD.encode(data)).into());
    if let Some(text) = data.and_then(|data| std::str::from_utf8(data).ok()) {
        fields.insert("text".to_owned(), text.into());
    }
    if let Value::Object(object) = object {
        object.extend(fields);
    }
}

/// Data as a table of hexadecimal and characters, sixteen bytes a row, in the form that zkCli has from Netty.
pub(super) fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let rule = format!("+--------+{}+{}+", "-".repeat(49), "-".repeat(16));
    let columns: String = (0..16).map(|column| format!("  {column:x}")).collect();
    let mut dump = format!("{:9}+{}+\n{:9}|{columns} |\n{rule}", "", "-".repeat(49), "");
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let legible = |byte: &u8| if (b' '..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let characters: String = bytes.iter().map(legible).collect();
        dump += &format!("\n|{:08x}|{hex:48} |{characters:16}|", row * 16);
    }
    dump + "\n" + &rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_dumped_in_rows_of_sixteen() {
        let dump = hex_dump(b"hello, w\xffrld\n and more");
        let expected = "         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
+--------+-------------------------------------------------+----------------+
|00000000| 68 65 6c 6c 6f 2c 20 77 ff 72 6c 64 0a 20 61 6e |hello, w.rld. an|
|00000010| 64 20 6d 6f 72 65                               |d more          |
+--------+-------------------------------------------------+----------------+";
        assert_eq!(dump, expected);
        assert_eq!(hex_dump(b""), "");
    }

    #[test]
    fn data_in_json_is_base64_and_text_where_it_is_text() {
        let put = |data: Option<&[u8]>| {
            let mut object = json!({});
            put_data(&mut object, data);
            object
        };
        assert_eq!(put(None), json!({ "data": null }));
        assert_eq!(put(Some(b"hi")), json!({ "data": "aGk=", "text": "hi" }));
        assert_eq!(put(Some(b"\xff")), json!({ "data": "/w==" }));
    }
}
