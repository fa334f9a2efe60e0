//! The log: one line an event, with a stable name and stable fields, as text or JSON, on standard error.
//!
//! An event's name is its callsite's (`info!(name: "session_created", session = %id, …)`); it is printed first, as
//! `event`. Fields keep their order. Nothing is logged per request at info.
//!
//! Invariants: whoever logs never waits for the disk or the terminal behind standard error (lines go through a bounded
//! queue, and what does not fit is counted); a flood of one kind of event is cut to [`RATE`] lines a second, and the rest
//! counted in a line of kind `suppressed`.
//!
//! Absent: files and their rotation, which are the business of whoever started the process.

mod limiter;
mod writer;

use crate::civil::Civil;
use crate::config::{LogConfig, LogFormat};
use limiter::Limiter;
use std::fmt::{self, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use writer::Queue;

/// Lines of one kind a second that are printed at most, on average; as many may come at once.
pub(crate) const RATE: u32 = 50;

static LOG: OnceLock<(Arc<Limiter>, Queue)> = OnceLock::new();

/// Starts the log of this process; a second call changes nothing.
pub(crate) fn start(config: &LogConfig) {
    let limiter = Arc::new(Limiter::new(RATE));
    let queue = Queue::to_stderr();
    if LOG.set((Arc::clone(&limiter), queue.clone())).is_err() {
        return;
    }
    // RUST_LOG is what people who know the library expect; a filter that can't be read must not cost the log.
    let asked = std::env::var("RUST_LOG").ok().and_then(|text| parse_filter(&text).ok());
    let filter = asked
        .or_else(|| parse_filter(&config.filter).ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { format: config.format })
        .with_writer(move || queue.clone())
        .with_filter(limiter::Limited(limiter));
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    // Somebody who embeds the server may have a subscriber of their own: then the events go there.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Reads what is to be logged. The library takes a word that is no level for the name of a module, of which there is none:
/// such a filter would silence the log.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse_filter(text: &str) -> Result<Targets, String> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let mut words = text.split(',').map(str::trim);
    if let Some(word) = words.find(|word| !word.contains('=') && !is_level(word)) {
        return Err(format!("{word:?} is no level"));
    }
    text.parse::<Targets>().map_err(|error| error.to_string())
}

/// Reports what was held back since the last time. To be called about once a second.
pub(crate) fn report_suppressed() {
    let Some((limiter, queue)) = LOG.get() else { return };
    for (kind, count) in limiter.take_suppressed() {
        tracing::warn!(name: "suppressed", kind, count, "events of one kind came too fast and were not logged");
    }
    let lost = queue.take_lost();
    if lost > 0 {
        tracing::warn!(name: "suppressed", kind = "any", count = lost, "standard error does not take lines fast enough");
    }
}

/// Waits until everything logged so far is written, but not for long.
pub(crate) fn flush() {
    if let Some((_, queue)) = LOG.get() {
        report_suppressed();
        queue.flush();
    }
}

/// The form of a line.
struct Lines {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut fields = Fields { json: self.format == LogFormat::Json, ..Fields::default() };
        event.record(&mut fields);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let time = Civil::from_unix_millis(now.map_or(0, |since| since.as_millis() as i64));
        // A callsite without a name of its own is named after its file and line, which says where it comes from.
        let (level, name) = (metadata.level(), metadata.name());
        if fields.json {
            write!(writer, r#"{{"time":"{time}","level":"{level}","event":{}{}"#, json(name), fields.text)?;
            if let Some(message) = &fields.message {
                write!(writer, r#","message":{}"#, json(message))?;
            }
            return writeln!(writer, "}}");
        }
        write!(writer, "{time} {level:<5} event={name}{}", fields.text)?;
        if let Some(message) = &fields.message {
            write!(writer, " {}", one_line(message))?;
        }
        writeln!(writer)
    }
}

/// Collects the fields of one event.
#[derive(Default)]
struct Fields {
    json: bool,
    text: String,
    message: Option<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, bare: bool, value: String) {
        if field.name() == "message" {
            self.message = Some(value);
        } else if self.json {
            let value = if bare { value } else { json(&value) };
            let _ = write!(self.text, ",{}:{value}", json(field.name()));
        } else if value.is_empty() || value.contains([' ', '"', '=', '\n', '\r', '\t']) {
            let _ = write!(self.text, " {}={}", field.name(), json(&value));
        } else {
            let _ = write!(self.text, " {}={value}", field.name());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, false, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, false, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, true, value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, true, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, true, value.to_string());
    }
}

/// A JSON string: also what a text field with blanks in it is written as, so that no client can forge a line.
fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string has a JSON form")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, events: impl FnOnce()) -> Vec<String> {
        let memory = Memory::default();
        let writer = memory.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Lines { format })
            .with_writer(move || writer.clone())
            .with_filter(limiter::Limited(Arc::new(Limiter::new(3))));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        // The time is not of this test's making.
        text.lines().map(after_time).collect()
    }

    fn after_time(line: &str) -> String {
        match line.split_once(r#"Z","#) {
            Some((_, rest)) => format!("{{{rest}"),
            None => line.split_once("Z ").unwrap().1.to_owned(),
        }
    }

    fn event() {
        tracing::warn!(name: "auth_failed", session = "0x1", bytes = 7u64, path = "/a\nevent=forged", "who is\nthis");
    }

    #[test]
    fn an_event_is_one_line_of_text_that_no_value_can_break() {
        let expected = r#"WARN  event=auth_failed session=0x1 bytes=7 path="/a\nevent=forged" who is this"#;
        assert_eq!(logged(LogFormat::Text, event), [expected]);
    }

    #[test]
    fn an_event_is_one_json_object_a_line() {
        let expected = r#"{"level":"WARN","event":"auth_failed","session":"0x1","bytes":7,"path":"/a\nevent=forged","message":"who is\nthis"}"#;
        assert_eq!(logged(LogFormat::Json, event), [expected]);
    }

    #[test]
    fn a_flood_of_one_kind_is_cut_while_others_pass() {
        let lines = logged(LogFormat::Text, || {
            (0..100).for_each(|_| event());
            tracing::info!(name: "other", "still heard");
        });
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[3], "INFO  event=other still heard");
    }
}
