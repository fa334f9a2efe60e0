//! What a path may look like (`client-protocol.md` §14).

/// Whether a path is valid for a write that validates it fully.
pub(super) fn is_valid(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let Some(names) = path.strip_prefix('/') else { return false };
    names.split('/').all(|name| !name.is_empty() && name != "." && name != "..")
        && !path.chars().any(is_forbidden)
}

fn is_forbidden(char: char) -> bool {
    // Beyond the first plane a character is two surrogates to Java.
    matches!(u32::from(char), 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff | 0x1_0000..)
}

/// What create and delete ask of a path before anything else.
pub(super) fn is_splittable(path: &str) -> bool {
    path.contains('/') && !path.contains('\0')
}
