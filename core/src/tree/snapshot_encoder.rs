//! A snapshot file's bytes (`disk-format.md` §5), made piece by piece from a frozen database.
//!
//! Sections: header, sessions, ACLs, nodes (parents first), end; a seal; digest and seal, last zxid and seal where the options
//! have them. A seal is the Adler-32 of every byte before it. Compression is the storage's business. On its way to a learner
//! (`quorum-protocol.md` §4) the same has neither header nor seals, and ends with a signature.

use super::acl_cache::stored_list;
use super::digest::DIGEST_VERSION;
use super::frozen::Walk;
use super::image::SnapshotImage;
use super::snapshot_stream::SIGNATURE;
use crate::jute::{Encode, Writer};
use bytes::BytesMut;
use simd_adler32::Adler32;

/// "ZKSN".
pub(super) const MAGIC: i32 = 0x5A4B_534E;
/// The version of the file's format.
pub(super) const FORMAT_VERSION: i32 = 2;
/// What every snapshot has for a database id.
const DBID: i64 = -1;
/// How much one call makes, about: it stops behind the item that reaches this.
const CHUNK: usize = 64 * 1024;

/// What comes next.
#[derive(Clone, Debug)]
enum Step {
    Header,
    /// The session at this position.
    Sessions(usize),
    /// The ACL list at this position.
    Lists(usize),
    Nodes(Walk),
    Seals,
    Signature,
    Finished,
}

/// See the module's words.
#[derive(Clone)]
pub struct SnapshotEncoder {
    image: SnapshotImage,
    step: Step,
    /// None where nothing is sealed.
    checksum: Option<Adler32>,
}

impl SnapshotEncoder {
    /// Of a file.
    pub(super) fn new(image: SnapshotImage) -> Self {
        SnapshotEncoder { image, step: Step::Header, checksum: Some(Adler32::new()) }
    }

    /// Of what follows a SNAP packet.
    pub(super) fn inline(image: SnapshotImage) -> Self {
        SnapshotEncoder { image, step: Step::Header, checksum: None }
    }

    /// Appends the next piece to `out`: about 64 KiB, more only by the length of one session, ACL or node. False when the snapshot
    /// is complete and nothing was appended.
    pub fn next_chunk(&mut self, out: &mut BytesMut) -> bool {
        if matches!(self.step, Step::Finished) {
            return false;
        }
        let start = out.len();
        let mut summed = start;
        while out.len() - start < CHUNK && !matches!(self.step, Step::Finished) {
            if matches!(self.step, Step::Seals) {
                self.write_seals(out, &mut summed);
                self.step = Step::Finished;
            } else {
                self.write_item(&mut Writer::new(out));
            }
        }
        self.absorb(out, &mut summed);
        true
    }

    fn write_item(&mut self, out: &mut Writer<'_>) {
        let image = &self.image;
        match &mut self.step {
            Step::Header => {
                if self.checksum.is_some() {
                    out.int(MAGIC);
                    out.int(FORMAT_VERSION);
                    out.long(DBID);
                }
                out.count(image.sessions.len());
                self.step = Step::Sessions(0);
            }
            Step::Sessions(at) => {
                if let Some((session, timeout)) = image.sessions.get(*at) {
                    out.long(session.0);
                    out.int(*timeout);
                    *at += 1;
                } else {
                    let lists = &image.tree.lists;
                    out.count((1..lists.len()).filter(|at| stored_list(lists, *at).is_some()).count());
                    self.step = Step::Lists(1);
                }
            }
            Step::Lists(at) => {
                if *at == image.tree.lists.len() {
                    self.step = Step::Nodes(Walk::new());
                    return;
                }
                if let Some((id, list)) = stored_list(&image.tree.lists, *at) {
                    out.long(id);
                    out.vector(list);
                }
                *at += 1;
            }
            Step::Nodes(walk) => {
                let pages = &image.tree.pages;
                if let Some((id, path)) = walk.node() {
                    out.string(path);
                    out.buffer(pages.data(id));
                    out.long(pages.node(id).acl.to_stored());
                    pages.stored(id).encode(out);
                    walk.advance(pages);
                } else {
                    out.string("/");
                    self.step = if self.checksum.is_some() { Step::Seals } else { Step::Signature };
                }
            }
            Step::Signature => {
                out.string(SIGNATURE);
                self.step = Step::Finished;
            }
            Step::Seals | Step::Finished => unreachable!("not an item"),
        }
    }

    fn write_seals(&mut self, out: &mut BytesMut, summed: &mut usize) {
        self.seal(out, summed);
        if self.image.options.digest {
            let mut writer = Writer::new(out);
            writer.long(self.image.zxid.0);
            writer.int(DIGEST_VERSION);
            writer.long(self.image.digest as i64);
            self.seal(out, summed);
        }
        if self.image.options.serialize_last_zxid {
            Writer::new(out).long(self.image.zxid.0);
            self.seal(out, summed);
        }
    }

    fn seal(&mut self, out: &mut BytesMut, summed: &mut usize) {
        self.absorb(out, summed);
        let checksum = self.checksum.as_ref().expect("only what is summed up is sealed");
        let mut writer = Writer::new(out);
        writer.long(i64::from(checksum.finish()));
        writer.string("/");
    }

    /// Brings the checksum up to the end of `out`.
    fn absorb(&mut self, out: &BytesMut, summed: &mut usize) {
        if let Some(checksum) = &mut self.checksum {
            checksum.write(&out[*summed..]);
        }
        *summed = out.len();
    }
}

impl std::fmt::Debug for SnapshotEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotEncoder").field("image", &self.image).finish_non_exhaustive()
    }
}
