//! Java's properties format, as `java.util.Properties.load(InputStream)` reads it (`operations.md` §1).
//!
//! Bytes are ISO-8859-1; `\uXXXX` gives the rest of Unicode. Every assignment is kept with the number of the line it
//! starts on, duplicates too: who reads them decides that the last one counts. Keys and values are trimmed, as ZooKeeper
//! trims them.

/// One `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// The key, unescaped and trimmed.
    pub(super) key: String,
    /// The value, unescaped and trimmed.
    pub(super) value: String,
    /// The line it starts on, counted from 1.
    pub(super) line: usize,
}

/// The text is not a properties file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Malformed \\uxxxx encoding.")]
pub(super) struct MalformedEscape {
    /// The line it stands on, counted from 1.
    pub(super) line: usize,
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Property>, MalformedEscape> {
    let mut properties = Vec::new();
    for (line, text) in logical_lines(bytes) {
        let (key, value) = split(&text);
        let malformed = || MalformedEscape { line };
        properties.push(Property {
            key: java_trim(&unescape(&text[key]).ok_or_else(malformed)?).to_owned(),
            value: java_trim(&unescape(&text[value]).ok_or_else(malformed)?).to_owned(),
            line,
        });
    }
    Ok(properties)
}

/// Lines with their continuations joined, still escaped; comments and blank lines are gone.
fn logical_lines(bytes: &[u8]) -> Vec<(usize, Vec<char>)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, Vec<char>)> = None;
    for (index, natural) in natural_lines(bytes).into_iter().enumerate() {
        let text: Vec<char> = natural.iter().copied().skip_while(|&c| is_blank(c)).collect();
        let is_comment = matches!(text.first(), Some('#' | '!'));
        let (first, mut joined) = match open.take() {
            // Behind a lone backslash a line begins like any other.
            Some((_, begun)) if begun.is_empty() && is_comment => continue,
            Some(begun) => begun,
            None if text.is_empty() || is_comment => continue,
            None => (index + 1, Vec::new()),
        };
        joined.extend(text);
        if ends_in_odd_backslashes(&joined) {
            joined.pop();
            open = Some((first, joined));
        } else if !joined.is_empty() {
            lines.push((first, joined));
        }
    }
    // A backslash that ends the file continues into nothing; alone, it is an empty key, as it is for Java.
    lines.extend(open);
    lines
}

fn natural_lines(bytes: &[u8]) -> Vec<Vec<char>> {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    let text = text.replace("\r\n", "\n");
    // What ends with a line's end has no further, empty line behind it.
    text.split_terminator(['\n', '\r']).map(|line| line.chars().collect()).collect()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn ends_in_odd_backslashes(text: &[char]) -> bool {
    text.iter().rev().take_while(|&&c| c == '\\').count() % 2 == 1
}

/// The ranges of key and value: the key ends at the first unescaped separator or blank; blanks and one separator follow.
fn split(text: &[char]) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let mut end = 0;
    while end < text.len() && !matches!(text[end], '=' | ':') && !is_blank(text[end]) {
        end += if text[end] == '\\' { 2 } else { 1 };
    }
    let end = end.min(text.len());
    let skip_blanks = |from: usize| from + text[from..].iter().take_while(|&&c| is_blank(c)).count();
    let mut start = skip_blanks(end);
    if start < text.len() && matches!(text[start], '=' | ':') {
        start = skip_blanks(start + 1);
    }
    (0..end, start..text.len())
}

/// `None` for a `\u` without four hexadecimal digits.
fn unescape(text: &[char]) -> Option<String> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(c) = rest.next() {
        let c = match c {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    let all_hex = digits.len() == 4 && digits.chars().all(|d| d.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| all_hex)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => continue,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

/// Java's `String.trim`: everything up to the blank, control characters included.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case: the file, and what it says, one `line key=[value]` a property.
    #[test]
    fn properties_are_read_as_java_reads_them() {
        let cases: &[(&str, &str)] = &[
            ("a=1\nb = 2\nc:3\nd 4\n", "1 a=[1] 2 b=[2] 3 c=[3] 4 d=[4]"),
            ("# no\n  ! nor this\n\n \t\na=1", "5 a=[1]"),
            ("a=1\na=2\n", "1 a=[1] 2 a=[2]"),
            ("a=b=c\na==b\na:=b\n", "1 a=[b=c] 2 a=[=b] 3 a=[=b]"),
            ("a=x\\\n   y\\\n#z\nb=1", "1 a=[xy#z] 4 b=[1]"),
            ("a=x\\\\\nb=1", "1 a=[x\\] 2 b=[1]"),
            ("a=x\\\n\nb=1", "1 a=[x] 3 b=[1]"),
            ("# comment \\\na=1", "2 a=[1]"),
            ("\\\n#a=1\nb=1", "3 b=[1]"),
            ("a=1\n\\", "1 a=[1] 2 =[]"),
            ("a=1\n\\\n", "1 a=[1] 2 =[]"),
            ("a=x\\", "1 a=[x]"),
            ("a\\=b\\:c\\ d=1", "1 a=b:c d=[1]"),
            ("a=C:\\\\data\\tq", "1 a=[C:\\data\tq]"),
            ("a=\\u00e9\\ud83d\\ude00", "1 a=[é😀]"),
            ("a=1\r\nb=2\rc=3", "1 a=[1] 2 b=[2] 3 c=[3]"),
            ("key\n=v\n", "1 key=[] 2 =[v]"),
            ("a = 1 \t \n", "1 a=[1]"),
            ("a=\\ 1", "1 a=[1]"),
            ("a=60 # sixty", "1 a=[60 # sixty]"),
            ("\x0ca=1", "1 a=[1]"),
            ("", ""),
        ];
        for (text, expected) in cases {
            let read = parse(text.as_bytes()).unwrap();
            let said: Vec<String> =
                read.iter().map(|p| format!("{} {}=[{}]", p.line, p.key, p.value)).collect();
            assert_eq!(said.join(" "), *expected, "of {text:?}");
        }
    }

    #[test]
    fn bytes_are_latin_1() {
        assert_eq!(parse(b"a=\xe9\xff").unwrap()[0].value, "éÿ");
        assert_eq!(parse("a=é".as_bytes()).unwrap()[0].value, "Ã©");
    }

    #[test]
    fn a_broken_unicode_escape_names_its_line() {
        for text in ["x=1\na=\\u12", "x=1\na=\\u12g4", "x=1\n\\u+123=1"] {
            assert_eq!(parse(text.as_bytes()), Err(MalformedEscape { line: 2 }), "of {text:?}");
        }
    }
}
