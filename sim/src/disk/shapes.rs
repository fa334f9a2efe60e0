//! What a power loss has made of the logs: the shapes that recovery was written for, so that a sweep can say whether it met them
//! (ZOOKEEPER-1621, ZOOKEEPER-2560).

use super::SimDisk;
use crate::checkers::java_opens_it::adler32;
use quorate_storage_file::Directory;

/// Bytes of a log's header, and of an entry's.
const HEADER: usize = 16;
const ENTRY_HEAD: usize = 12;
const END_OF_RECORD: u8 = b'B';

impl SimDisk {
    /// The shape of each log that recovery has to mend, by the name of its probe.
    pub(crate) fn torn_logs(&self) -> Vec<&'static str> {
        let logs = self.names.get(&Directory::Log).into_iter().flat_map(|names| names.current.values());
        logs.filter_map(|file| shape(&self.files.get(file)?.content())).collect()
    }
}

fn shape(log: &[u8]) -> Option<&'static str> {
    let Some((header, entries)) = log.split_at_checked(HEADER) else {
        return Some(if log.is_empty() { "crash_log_empty" } else { "crash_log_header_cut" });
    };
    if header.iter().all(|byte| *byte == 0) {
        return Some("crash_log_header_zeroed");
    }
    let mut rest = entries;
    loop {
        let head = rest.get(..ENTRY_HEAD)?;
        let stored = u64::from_be_bytes(head[..8].try_into().expect("eight bytes were taken"));
        let length = i32::from_be_bytes(head[8..].try_into().expect("four bytes are left"));
        let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
        let payload = rest.get(ENTRY_HEAD..ENTRY_HEAD + length)?;
        if rest.get(ENTRY_HEAD + length) != Some(&END_OF_RECORD) {
            return None;
        }
        if u64::from(adler32(payload)) != stored {
            return Some("crash_log_entry_with_hole");
        }
        rest = &rest[ENTRY_HEAD + length + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::{adler32, shape};

    fn log(payload: &[u8]) -> Vec<u8> {
        let mut log = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
        log.extend(u64::from(adler32(payload)).to_be_bytes());
        log.extend((payload.len() as i32).to_be_bytes());
        log.extend(payload);
        log.push(b'B');
        log
    }

    #[test]
    fn a_shape_is_named_for_what_is_missing() {
        let whole = log(&[7; 2000]);
        assert_eq!(shape(&whole), None);
        assert_eq!(shape(&[]), Some("crash_log_empty"));
        assert_eq!(shape(&whole[..9]), Some("crash_log_header_cut"));
        assert_eq!(shape(&[0; 300]), Some("crash_log_header_zeroed"));
        let mut holed = whole.clone();
        holed[512..1024].fill(0);
        assert_eq!(shape(&holed), Some("crash_log_entry_with_hole"));
        assert_eq!(shape(&whole[..1500]), None, "what is cut short has no end mark");
    }
}
