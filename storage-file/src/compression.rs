//! Compressed snapshots (`disk-format.md` §5.1), in pieces that carry no state across them, so that a job stays cloneable.
//!
//! gz: each piece is a member of its own; members that follow each other are one gzip file, for Java too. A gz file is decoded when
//! all of it has been read, because a decoder of half a member could not be cloned; what is kept meanwhile is the compressed form.
//! snappy: snappy-java's stream, whose blocks (at most 32 KiB) stand alone.

use crate::names::Compression;
use bytes::{Buf, BufMut, BytesMut};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// The header of snappy-java's stream: magic, version 1, compatible with 1.
const SNAPPY_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// What snappy-java puts into one block.
const SNAPPY_BLOCK: usize = 32 << 10;
/// A block longer than this is not believed: nothing that is written compresses to more.
const SNAPPY_BLOCK_LIMIT: usize = 1 << 20;

/// Compresses a snapshot piece by piece.
#[derive(Clone, Debug)]
pub struct Compressor {
    compression: Compression,
    started: bool,
}

impl Compressor {
    /// At the start of a file.
    pub fn new(compression: Compression) -> Self {
        Compressor { compression, started: false }
    }

    /// The bytes of the file that stand for `piece`.
    pub fn compress(&mut self, piece: BytesMut) -> BytesMut {
        match self.compression {
            Compression::None => piece,
            Compression::Gzip if piece.is_empty() => piece,
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&piece).expect("memory takes every write");
                BytesMut::from(&encoder.finish().expect("memory takes every write")[..])
            }
            Compression::Snappy => {
                let mut out = BytesMut::new();
                if !std::mem::replace(&mut self.started, true) {
                    out.put_slice(&SNAPPY_HEADER);
                }
                for block in piece.chunks(SNAPPY_BLOCK) {
                    let packed = snap::raw::Encoder::new()
                        .compress_vec(block)
                        .expect("a block is far below the limit");
                    out.put_u32(u32::try_from(packed.len()).expect("a block is far below the limit"));
                    out.put_slice(&packed);
                }
                out
            }
        }
    }
}

/// Turns a snapshot file's bytes into the snapshot's.
#[derive(Clone, Debug)]
pub struct Decompressor {
    compression: Compression,
    /// What could not be decoded yet.
    pending: BytesMut,
    started: bool,
}

/// Where decoded bytes go; an `Err` stops the decoding.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), String>;

impl Decompressor {
    /// At the start of a file.
    pub fn new(compression: Compression) -> Self {
        Decompressor { compression, pending: BytesMut::new(), started: false }
    }

    /// Takes the file's next bytes, gives what can be decoded to `sink`.
    ///
    /// # Errors
    /// When the bytes are not what the name says, or the sink refuses.
    pub fn push(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<(), String> {
        match self.compression {
            Compression::None => sink(bytes),
            Compression::Gzip => {
                self.pending.extend_from_slice(bytes);
                Ok(())
            }
            Compression::Snappy => {
                self.pending.extend_from_slice(bytes);
                self.decode_blocks(sink)
            }
        }
    }

    /// The file has ended.
    ///
    /// # Errors
    /// When it ends inside of something, or the sink refuses.
    pub fn finish(&mut self, sink: Sink<'_>) -> Result<(), String> {
        match self.compression {
            Compression::None => Ok(()),
            Compression::Snappy if self.pending.is_empty() => Ok(()),
            Compression::Snappy => Err("the file ends inside of a snappy block".to_owned()),
            Compression::Gzip => {
                let mut decoder = MultiGzDecoder::new(&self.pending[..]);
                let mut buffer = vec![0; 64 << 10];
                loop {
                    match decoder.read(&mut buffer) {
                        Ok(0) => return Ok(()),
                        Ok(count) => sink(&buffer[..count])?,
                        Err(error) => return Err(format!("gzip: {error}")),
                    }
                }
            }
        }
    }

    fn decode_blocks(&mut self, sink: Sink<'_>) -> Result<(), String> {
        if !self.started {
            if self.pending.len() < SNAPPY_HEADER.len() {
                return Ok(());
            }
            if self.pending[..8] != SNAPPY_HEADER[..8] {
                return Err("the file does not begin as a snappy stream does".to_owned());
            }
            self.pending.advance(SNAPPY_HEADER.len());
            self.started = true;
        }
        while self.pending.len() >= 4 {
            let length =
                u32::from_be_bytes(self.pending[..4].try_into().expect("four bytes were asked")) as usize;
            if length > SNAPPY_BLOCK_LIMIT {
                return Err(format!("a snappy block of {length} bytes"));
            }
            if self.pending.len() < 4 + length {
                break;
            }
            self.pending.advance(4);
            let packed = self.pending.split_to(length);
            let unpacked = snap::raw::decompress_len(&packed).map_err(|error| error.to_string())?;
            if unpacked > SNAPPY_BLOCK_LIMIT {
                return Err(format!("a snappy block of {unpacked} bytes"));
            }
            let block =
                snap::raw::Decoder::new().decompress_vec(&packed).map_err(|error| error.to_string())?;
            sink(&block)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_in_any_pieces_is_read_back_in_any_pieces() {
        let content: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(n) / 1000) as u8).collect();
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
            for size in [70_000, 200_000] {
                let mut compressor = Compressor::new(compression);
                let file: Vec<u8> = content
                    .chunks(size)
                    .flat_map(|piece| compressor.compress(BytesMut::from(piece)))
                    .collect();
                let mut read = Vec::new();
                let mut sink = |bytes: &[u8]| {
                    read.extend_from_slice(bytes);
                    Ok(())
                };
                let mut decompressor = Decompressor::new(compression);
                for piece in file.chunks(777) {
                    decompressor.push(piece, &mut sink).unwrap();
                }
                decompressor.finish(&mut sink).unwrap();
                assert!(read == content, "{compression:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn damaged_streams_are_errors() {
        let mut nowhere = |_: &[u8]| Ok(());
        let mut gzip = Decompressor::new(Compression::Gzip);
        gzip.push(&[0x1f, 0x8b, 8, 0, 0], &mut nowhere).unwrap();
        assert!(gzip.finish(&mut nowhere).is_err());
        assert!(Decompressor::new(Compression::Snappy).push(&[1; 16], &mut nowhere).is_err());
        let mut huge = Decompressor::new(Compression::Snappy);
        huge.push(&SNAPPY_HEADER, &mut nowhere).unwrap();
        assert!(huge.push(&[0x7f, 0, 0, 0], &mut nowhere).is_err());
    }
}
