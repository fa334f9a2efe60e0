//! ACLs as zkCli reads and writes them: `scheme:id:perms,…`.

use quorate_client::{Acl, Id, Permissions};
use serde_json::{Value, json};

/// In the order in which they are printed.
const LETTERS: [(char, Permissions); 5] = [
    ('c', Permissions::CREATE),
    ('d', Permissions::DELETE),
    ('r', Permissions::READ),
    ('w', Permissions::WRITE),
    ('a', Permissions::ADMIN),
];

/// The entries of a text; the second are complaints about what was skipped.
pub(super) fn parse(text: &str) -> (Vec<Acl>, Vec<String>) {
    let (mut acl, mut complaints) = (Vec::new(), Vec::new());
    for entry in entries(text) {
        match (entry.find(':'), entry.rfind(':')) {
            (Some(first), Some(last)) if first != last => {
                let id = Id::new(&entry[..first], &entry[first + 1..last]);
                acl.push(Acl { perms: permissions(&entry[last + 1..], &mut complaints), id });
            }
            _ => complaints.push(format!("{entry} does not have the form scheme:id:perm")),
        }
    }
    (acl, complaints)
}

/// What lies between commas; empty ones at the end are none, as Java's `split` has it.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let kept = if text.is_empty() { text } else { text.trim_end_matches(',') };
    let none = kept.is_empty() && !text.is_empty();
    kept.split(',').filter(move |_| !none)
}

fn permissions(letters: &str, complaints: &mut Vec<String>) -> Permissions {
    let mut perms = Permissions(0);
    for letter in letters.chars() {
        match LETTERS.iter().find(|(known, _)| *known == letter) {
            Some((_, perm)) => perms.0 |= perm.0,
            None => complaints.push(format!("Unknown perm type: {letter}")),
        }
    }
    perms
}

/// The letters of permissions.
pub(super) fn letters(perms: Permissions) -> String {
    LETTERS.iter().filter(|(_, perm)| perms.overlaps(*perm)).map(|(letter, _)| letter).collect()
}

/// As `getAcl` prints an ACL: two lines an entry, since an identity ends with a line's end there.
pub(super) fn shown(acl: &[Acl]) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let entry = |entry: &Acl| {
        format!("'{},'{}\n: {}\n", part(&entry.id.scheme), part(&entry.id.id), letters(entry.perms))
    };
    acl.iter().map(entry).collect()
}

pub(super) fn as_json(acl: &[Acl]) -> Value {
    let entry =
        |entry: &Acl| json!({ "scheme": entry.id.scheme, "id": entry.id.id, "perms": letters(entry.perms) });
    acl.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_are_read_and_written() {
        let (acl, complaints) = parse("world:anyone:rw,digest:user:hash=:cdrwa");
        assert!(complaints.is_empty());
        assert_eq!(acl[1].id, Id::new("digest", "user:hash="));
        assert_eq!(shown(&acl), "'world,'anyone\n: rw\n'digest,'user:hash=\n: cdrwa\n");
    }

    #[test]
    fn what_is_wrong_is_skipped_and_told() {
        let (acl, complaints) = parse("nonsense,world:anyone:rx");
        assert_eq!(complaints, ["nonsense does not have the form scheme:id:perm", "Unknown perm type: x"]);
        assert_eq!(acl, [Acl { perms: Permissions::READ, id: Id::new("world", "anyone") }]);
        assert_eq!(parse("world:anyone:r,,").0.len(), 1);
        assert_eq!(parse(",").1.len(), 0);
        assert_eq!(parse("").1, [" does not have the form scheme:id:perm"]);
    }
}
