//! Breaking a line into words, as zkCli does.
//!
//! A word in quotes, single or double, loses them and may hold blanks and the other quotes; there are no escapes, and quotes
//! within a word are its own. A quote without its other half is skipped. Words are bytes: what is no UTF-8 arrives whole.

/// A word of a command.
pub(super) type Word = Vec<u8>;

/// The words of a line, the command's name first; none in a line without any.
pub(super) fn words(line: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some((word, end)) = (at..line.len()).find_map(|start| word_at(line, start)) {
        words.push(word);
        at = end;
    }
    words
}

/// The word that begins at `start` or behind blanks there, and where the next is to be sought. Where nothing else is left, a
/// blank itself begins one: that is how a line of blanks has a word.
fn word_at(line: &[u8], start: usize) -> Option<(Word, usize)> {
    let blanks = count_blanks(&line[start..]);
    (0..=blanks).rev().find_map(|skipped| {
        let first = start + skipped;
        let (word, end) = match *line.get(first)? {
            quote @ (b'"' | b'\'') => {
                let inner = &line[first + 1..];
                let length = inner.iter().position(|&byte| byte == quote)?;
                (&inner[..length], first + length + 2)
            }
            _ => {
                let more = line[first + 1..].iter().take_while(|&&byte| !is_blank(byte)).count();
                (&line[first..=first + more], first + more + 1)
            }
        };
        Some((word.to_vec(), end + count_blanks(&line[end..])))
    })
}

fn count_blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| is_blank(byte)).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// A word as text, for people and for paths; bytes that are no UTF-8 are replaced.
pub(super) fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        words(line.as_bytes()).iter().map(|word| text(word)).collect()
    }

    #[test]
    fn words_are_parted_by_blanks() {
        assert_eq!(split("ls /"), ["ls", "/"]);
        assert_eq!(split("  create\t/a   b  "), ["create", "/a", "b"]);
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split("   "), [" "]);
    }

    #[test]
    fn quotes_hold_blanks_and_other_quotes() {
        assert_eq!(split(r#"set /a "one two""#), ["set", "/a", "one two"]);
        assert_eq!(split(r#"set /a 'say "so"'"#), ["set", "/a", r#"say "so""#]);
        assert_eq!(split(r#"set /a """#), ["set", "/a", ""]);
        assert_eq!(split(r#""a"b 'c'"d""#), ["a", "b", "c", "d"]);
    }

    #[test]
    fn quotes_within_a_word_and_lone_ones_are_as_in_zk_cli() {
        assert_eq!(split(r#"set /a it's"#), ["set", "/a", "it's"]);
        assert_eq!(split(r#"set /a x"y z""#), ["set", "/a", r#"x"y"#, "z\""]);
        assert_eq!(split(r#"set /a "open"#), ["set", "/a", "open"]);
        assert_eq!(split(r#" "open x"#), [r#" "open"#, "x"]);
        assert_eq!(split("\""), [""; 0]);
        assert_eq!(split(r#"set /a \"x\""#), ["set", "/a", r#"\"x\""#]);
    }

    #[test]
    fn bytes_that_are_no_text_arrive_whole() {
        assert_eq!(words(b"set /a \xff\x00\x80"), [&b"set"[..], b"/a", b"\xff\x00\x80"]);
    }
}
