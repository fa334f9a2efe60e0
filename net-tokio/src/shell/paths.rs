//! Whether a word is a path of a znode, and what is wrong with it in zkCli's words.

use super::failure::{Failure, Result};
use super::line::text;

/// The path that a word is.
///
/// # Errors
/// It is none, for this reason.
pub(super) fn path(word: &[u8]) -> Result<String> {
    let path = text(word);
    check(&path)?;
    Ok(path)
}

/// The same for the beginning of a path that a sequence number is put behind.
pub(super) fn sequential(word: &[u8]) -> Result<String> {
    let path = text(word);
    check(&format!("{path}1"))?;
    Ok(path)
}

fn check(path: &str) -> Result<()> {
    let wrong = |reason: &str| Err(Failure::path(reason));
    match path {
        "" => return wrong("Path length must be > 0"),
        "/" => return Ok(()),
        _ if !path.starts_with('/') => return wrong("Path must start with / character"),
        _ if path.ends_with('/') => return wrong("Path must not end with / character"),
        _ => {}
    }
    match trouble(path) {
        Some((reason, at)) => wrong(&format!("Invalid path string \"{path}\" caused by {reason} @{at}")),
        None => Ok(()),
    }
}

/// The first thing that no path may have, and at which UTF-16 unit.
fn trouble(path: &str) -> Option<(&'static str, usize)> {
    let units: Vec<u16> = path.encode_utf16().collect();
    let at = |index: usize| {
        units.get(index).copied().map_or('/', |unit| char::from_u32(unit.into()).unwrap_or('\u{fffd}'))
    };
    (1..units.len()).find_map(|index| {
        let (last, this) = (at(index - 1), at(index));
        let ends_name = at(index + 1) == '/';
        let reason = match this {
            '\0' => "null character not allowed",
            '/' if last == '/' => "empty node name specified",
            '.' if last == '.' && index > 1 && at(index - 2) == '/' && ends_name => {
                "relative paths not allowed"
            }
            '.' if last == '/' && ends_name => "relative paths not allowed",
            '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' => {
                "invalid character"
            }
            _ => return None,
        };
        Some((reason, index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(word: &str) -> String {
        path(word.as_bytes()).expect_err("it is no path").message
    }

    #[test]
    fn what_is_wrong_with_a_path_is_said_as_zk_cli_says_it() {
        assert_eq!(wrong(""), "Path length must be > 0");
        assert_eq!(wrong("a/b"), "Path must start with / character");
        assert_eq!(wrong("/a/"), "Path must not end with / character");
        assert_eq!(wrong("/a//b"), r#"Invalid path string "/a//b" caused by empty node name specified @3"#);
        assert_eq!(
            wrong("/a/../b"),
            r#"Invalid path string "/a/../b" caused by relative paths not allowed @4"#
        );
        assert_eq!(wrong("/."), r#"Invalid path string "/." caused by relative paths not allowed @1"#);
        assert_eq!(wrong("/a\u{7}"), "Invalid path string \"/a\u{7}\" caused by invalid character @2");
        assert_eq!(wrong("/😀"), r#"Invalid path string "/😀" caused by invalid character @1"#);
    }

    #[test]
    fn paths_are_paths() {
        for good in ["/", "/a", "/a.b/..c", "/ä/日本"] {
            assert_eq!(path(good.as_bytes()).as_deref(), Ok(good));
        }
        assert_eq!(sequential(b"/a/").as_deref(), Ok("/a/"));
    }
}
