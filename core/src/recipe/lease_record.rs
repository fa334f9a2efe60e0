//! What kazoo's lease nodes hold: a small JSON object, `{"version": 1, "holder": "…", "end": "2026-01-31T12:34:56"}`, in UTC.
//!
//! It is written to the byte as Python's `json.dumps` does; of what is read, spaces and order are free. Absent: JSON beyond that.

use crate::vocabulary::Wall;
use std::iter::Peekable;
use std::str::Chars;

/// Days between the first of March of the year 0 and the epoch.
const EPOCH_DAYS: i64 = 719_468;
/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;

/// Who has a lease until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeaseRecord {
    Held {
        holder: String,
        end: Wall,
    },
    /// Of a version that only others understand.
    Unknown,
}

impl LeaseRecord {
    /// The data. What is none of ours is not written.
    pub(super) fn write(&self) -> String {
        let LeaseRecord::Held { holder, end } = self else { return String::new() };
        format!("{{\"version\": 1, \"holder\": \"{}\", \"end\": \"{}\"}}", escape(holder), date(*end))
    }

    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let fields = read_object(str::from_utf8(data).ok()?)?;
        let field = |name| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("version")? != "1" {
            return Some(LeaseRecord::Unknown);
        }
        Some(LeaseRecord::Held { holder: field("holder")?.to_owned(), end: read_date(field("end")?)? })
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            '"' | '\\' => escaped.extend(['\\', char]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            ' '..='~' => escaped.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped
}

/// An object of texts and numbers, with their texts.
fn read_object(text: &str) -> Option<Vec<(String, String)>> {
    let mut chars = text.chars().peekable();
    let mut fields = Vec::new();
    expect(&mut chars, '{')?;
    if skip_space(&mut chars) == Some('}') {
        return Some(fields);
    }
    loop {
        let key = read_text(&mut chars)?;
        expect(&mut chars, ':')?;
        let value = match skip_space(&mut chars)? {
            '"' => read_text(&mut chars)?,
            _ => read_bare(&mut chars)?,
        };
        fields.push((key, value));
        skip_space(&mut chars);
        match chars.next()? {
            ',' => {}
            '}' if skip_space(&mut chars).is_none() => return Some(fields),
            _ => return None,
        }
    }
}

/// The next that is no space.
fn skip_space(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    while chars.next_if(char::is_ascii_whitespace).is_some() {}
    chars.peek().copied()
}

fn expect(chars: &mut Peekable<Chars<'_>>, wanted: char) -> Option<()> {
    skip_space(chars);
    (chars.next()? == wanted).then_some(())
}

/// A number or a word.
fn read_bare(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let is_bare = |char: &char| char.is_ascii_alphanumeric() || "+-.".contains(*char);
    let bare: String = std::iter::from_fn(|| chars.next_if(is_bare)).collect();
    (!bare.is_empty()).then_some(bare)
}

fn read_text(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    expect(chars, '"')?;
    let mut units = Vec::new();
    loop {
        let char = match chars.next()? {
            '"' => return String::from_utf16(&units).ok(),
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let is_hex = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?);
                    continue;
                }
                other => other,
            },
            char => char,
        };
        units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
    }
}

/// A time in UTC, whole seconds.
fn date(wall: Wall) -> String {
    let seconds = wall.0.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400) + EPOCH_DAYS, seconds.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Years begin in March here, so that the day that some lack is the last.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, (month + 2) % 12 + 1);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

fn read_date(text: &str) -> Option<Wall> {
    let mut numbers = [0_i64; 6];
    let mut rest = text;
    for (number, end) in numbers.iter_mut().zip(["-", "-", "T", ":", ":", ""]) {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        *number = rest[..digits].parse().ok().filter(|_| digits <= 4)?;
        rest = rest[digits..].strip_prefix(end)?;
    }
    let [year, month, day, hour, minute, second] = numbers;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !rest.is_empty() || !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (year, month) = (year - i64::from(month < 3), (month + 9) % 12);
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - EPOCH_DAYS;
    Some(Wall((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(holder: &str, end: i64) -> LeaseRecord {
        LeaseRecord::Held { holder: holder.to_owned(), end: Wall(end) }
    }

    #[test]
    fn a_lease_is_written_as_python_does() {
        let lease = held("a \"host\" Ω🦀\u{7f}", 1_769_862_896_000);
        let written = lease.write();
        let text = r#"{"version": 1, "holder": "a \"host\" \u03a9\ud83e\udd80\u007f", "end": "2026-01-31T12:34:56"}"#;
        assert_eq!(written, text);
        assert_eq!(LeaseRecord::read(written.as_bytes()), Some(lease));
    }

    #[test]
    fn spaces_and_order_are_free() {
        let text =
            "{\n \"end\":\"1972-02-29T00:00:01\", \"more\":null,\"holder\" :\"h\\u00e9\",\"version\":1 } ";
        assert_eq!(LeaseRecord::read(text.as_bytes()), Some(held("hé", 68_169_601_000)));
        assert_eq!(LeaseRecord::read(br#"{"version": 2}"#), Some(LeaseRecord::Unknown));
    }

    #[test]
    fn what_is_no_lease_is_not_taken_for_one() {
        let texts = [
            "",
            "{}",
            "[]",
            "{\"version\": 1}",
            "{\"version\": 1, \"holder\": \"h\", \"end\": \"soon\"}",
            "{\"version\": 1, \"holder\": \"h\", \"end\": \"2026-13-01T00:00:00\"}",
            "{\"version\": 1, \"holder\": \"\\ud800\", \"end\": \"2026-01-01T00:00:00\"}",
            "{\"version\": 1, \"holder\": \"h\", \"end\": \"2026-01-01T00:00:00\"} x",
            "{\"version\": 1, \"holder\": {}, \"end\": \"2026-01-01T00:00:00\"}",
        ];
        for text in texts {
            assert_eq!(LeaseRecord::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dates_are_read_as_written() {
        let day = 86_400_000;
        for days in [-719_468, -1, 0, 58, 59, 60, 11_016, 11_017, 20_484, 47_541, 2_932_896] {
            let wall = Wall(days * day + 45_296_000);
            assert_eq!(read_date(&date(wall)), Some(wall), "{days}");
        }
        assert_eq!(date(Wall(0)), "1970-01-01T00:00:00");
        assert_eq!(date(Wall(951_782_400_000)), "2000-02-29T00:00:00");
    }
}
