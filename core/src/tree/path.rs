//! Paths of znodes (`client-protocol.md` §14): validation, and cutting them into parent and name.
//!
//! The root has two spellings, "" (as snapshots have it) and "/" (as clients do); both are understood everywhere. There is no
//! normalisation: a path is what its bytes say.

use crate::vocabulary::ErrorCode;

/// What lies below this is kept by the servers themselves and is left out of digests.
pub const SYSTEM_PREFIX: &str = "/zookeeper/";
/// The parent of the system nodes.
pub const SYSTEM: &str = "/zookeeper";
/// Where quotas are kept.
pub const QUOTA: &str = "/zookeeper/quota";
/// Where the ensemble's membership is kept.
pub const CONFIG: &str = "/zookeeper/config";

/// Checks `path` as creates, sets and checks do.
///
/// # Errors
/// `BadArguments`, whatever is wrong with it.
pub fn validate(path: &str) -> Result<(), ErrorCode> {
    if path == "/" {
        return Ok(());
    }
    let Some(rest) = path.strip_prefix('/') else { return Err(ErrorCode::BadArguments) };
    if rest.split('/').any(|name| name.is_empty() || name == "." || name == "..") {
        return Err(ErrorCode::BadArguments);
    }
    if path.chars().any(is_forbidden) { Err(ErrorCode::BadArguments) } else { Ok(()) }
}

/// Java looks at UTF-16 units, and surrogates are forbidden: so is everything beyond the basic plane.
fn is_forbidden(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' | '\u{10000}'..)
}

/// Whether `path` means the root.
pub fn is_root(path: &str) -> bool {
    path.is_empty() || path == "/"
}

/// The parent of `path`: "/" for a top-level node, none for the root and for what does not start with a slash.
pub fn parent(path: &str) -> Option<&str> {
    split(path).map(|(parent, _)| parent)
}

/// The last component of `path`.
pub fn name(path: &str) -> Option<&str> {
    split(path).map(|(_, name)| name)
}

/// Parent and last component; none for the root, and for paths that no node can have.
pub fn split(path: &str) -> Option<(&str, &str)> {
    if !path.starts_with('/') {
        return None;
    }
    let slash = path.rfind('/').expect("it starts with one");
    let name = &path[slash + 1..];
    if name.is_empty() {
        return None;
    }
    Some((if slash == 0 { "/" } else { &path[..slash] }, name))
}

/// The path of `name` below `parent`.
pub fn join(parent: &str, name: &str) -> String {
    let mut path = String::with_capacity(parent.len() + 1 + name.len());
    if !is_root(parent) {
        path.push_str(parent);
    }
    path.push('/');
    path.push_str(name);
    path
}

/// Whether `path` is one of the nodes that no client may delete.
pub fn is_undeletable(path: &str) -> bool {
    matches!(path, "/" | SYSTEM | QUOTA | CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_valid_exactly_as_java_has_it() {
        for good in [
            "/",
            "/a",
            "/a/b",
            "/...",
            "/a..b",
            "/.a",
            "/ä",
            "/\u{d7ff}",
            "/\u{f900}",
            "/\u{ffef}",
            "/ ",
            "/a%b",
        ] {
            assert_eq!(validate(good), Ok(()), "{good:?}");
        }
        let bad = [
            "",
            "a",
            "a/b",
            "/a/",
            "//",
            "//a",
            "/a//b",
            "/.",
            "/..",
            "/a/.",
            "/a/../b",
            "/\0",
            "/a\u{1}",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{fffd}",
            "/\u{ffff}",
            "/\u{1f600}",
        ];
        for bad in bad {
            assert_eq!(validate(bad), Err(ErrorCode::BadArguments), "{bad:?}");
        }
    }

    #[test]
    fn a_path_is_cut_at_its_last_slash() {
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        for none in ["", "/", "a", "a/b", "/a/"] {
            assert_eq!(split(none), None, "{none:?}");
        }
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }
}
