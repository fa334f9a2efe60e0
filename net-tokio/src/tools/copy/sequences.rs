//! Where sequential nodes will be numbered otherwise than at the source.
//!
//! A server numbers by how many children a node has ever had. The target has seen as many as were copied: fewer, where some of the
//! source's are gone, or are left out.

use quorate_client::Stat;
use std::collections::BTreeMap;

/// Behind names of sequential nodes.
const DIGITS: usize = 10;

/// The nodes below which sequential ones stand, and whether the target numbers those otherwise.
#[derive(Debug, Default)]
pub(super) struct Sequences(BTreeMap<String, bool>);

impl Sequences {
    /// A node has these children.
    pub(super) fn see(&mut self, relative: &str, stat: &Stat, children: &[String]) {
        if children.iter().any(|name| is_sequential(name)) {
            let is_any_gone = usize::try_from(stat.cversion).is_ok_and(|changes| changes > children.len());
            self.0.insert(relative.to_owned(), is_any_gone);
        }
    }

    /// This node, of which the parent was seen, is not copied.
    pub(super) fn leave_out(&mut self, relative: &str) {
        let parent = relative.rsplit_once('/').map_or("", |(parent, _)| parent);
        if let Some(is_renumbered) = self.0.get_mut(parent) {
            *is_renumbered = true;
        }
    }

    /// Below how many nodes numbers go on otherwise.
    pub(super) fn renumbered(&self) -> usize {
        self.0.values().filter(|is_renumbered| **is_renumbered).count()
    }
}

fn is_sequential(name: &str) -> bool {
    name.bytes().rev().take(DIGITS).filter(u8::is_ascii_digit).count() == DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_otherwise_where_a_child_is_gone_or_left_out() {
        let mut sequences = Sequences::default();
        let stat = |cversion| Stat { cversion, ..Stat::default() };
        let children = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        sequences.see("", &stat(9), &children(&["a", "b"]));
        sequences.see("/a", &stat(2), &children(&["n-0000000000", "other"]));
        sequences.see("/b", &stat(1), &children(&["n-0000000000"]));
        assert_eq!(sequences.renumbered(), 0);
        sequences.leave_out("/a/other");
        sequences.leave_out("/c");
        assert_eq!(sequences.renumbered(), 1);
        sequences.leave_out("/b/n-0000000000");
        sequences.see("/d", &stat(3), &children(&["n-0000000001"]));
        assert_eq!(sequences.renumbered(), 3);
    }
}
