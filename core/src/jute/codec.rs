//! Jute primitives (`client-protocol.md` §2): big-endian integers, length-prefixed strings, buffers and vectors, null as -1.

use bytes::{BufMut, Bytes, BytesMut};
use std::borrow::Cow;

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The record goes on where the bytes end.
    #[error("the record ends early")]
    Truncated,
    /// A length below -1 or above the field limit.
    #[error("unreasonable length {0}")]
    UnreasonableLength(i32),
    /// A value that the record can't have, where Java throws something unchecked.
    #[error("{0}")]
    Invalid(&'static str),
}

/// Bytes from which on a field gets exactly the room that it needs,
const LONG: usize = 16 << 10;
/// and what mostly follows one, a Stat among it: so that the next field does not have all of it copied.
const BEHIND_LONG: usize = 256;

/// The longest string or buffer a reader accepts, bytes: `jute.maxbuffer` plus its extra size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLimit(pub u32);

impl Default for FieldLimit {
    fn default() -> Self {
        FieldLimit(2_097_150)
    }
}

/// A cursor over one record's bytes. Buffers it returns share the bytes, they are not copied.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    position: usize,
    limit: FieldLimit,
}

/// What can be written as jute.
pub trait Encode {
    /// Appends the record.
    fn encode(&self, out: &mut Writer<'_>);

    /// The record as bytes of its own.
    fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        self.encode(&mut Writer::new(&mut bytes));
        bytes.freeze()
    }
}

/// What can be read as jute.
pub trait Decode: Sized {
    /// Reads the record at the cursor.
    ///
    /// # Errors
    /// When the bytes are no such record; the cursor is then somewhere inside.
    fn decode(input: &mut Reader) -> Result<Self, DecodeError>;
}

impl Reader {
    /// A cursor at the start of `bytes` with the default field limit.
    pub fn new(bytes: Bytes) -> Self {
        Self::with_limit(bytes, FieldLimit::default())
    }

    /// A cursor at the start of `bytes`.
    pub fn with_limit(bytes: Bytes, limit: FieldLimit) -> Self {
        Reader { bytes, position: 0, limit }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The bytes not read yet, to look at.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    fn take(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        if self.remaining() < length {
            return Err(DecodeError::Truncated);
        }
        let start = self.position;
        self.position += length;
        Ok(&self.bytes[start..self.position])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("take returns what was asked"))
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// A boolean: any byte but 0 is true.
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        Ok(self.byte()? != 0)
    }

    /// A 32-bit integer.
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A 64-bit integer.
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.int()? {
            -1 => Ok(None),
            length => match u32::try_from(length) {
                Ok(length) if length <= self.limit.0 => Ok(Some(length as usize)),
                _ => Err(DecodeError::UnreasonableLength(length)),
            },
        }
    }

    /// A buffer, or null. Shares the reader's bytes.
    pub fn buffer(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(length) = self.length()? else { return Ok(None) };
        let start = self.position;
        self.take(length)?;
        Ok(Some(self.bytes.slice(start..start + length)))
    }

    /// A string, or null. Malformed UTF-8 becomes U+FFFD, as Java has it.
    pub fn string(&mut self) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.length()? else { return Ok(None) };
        Ok(Some(java_string(self.take(length)?).into_owned()))
    }

    /// A vector's elements, or null (count -1). Any other count that is not positive is an empty vector.
    pub fn vector<T: Decode>(&mut self) -> Result<Option<Vec<T>>, DecodeError> {
        let count = self.int()?;
        if count == -1 {
            return Ok(None);
        }
        // Elements take a byte or more, so a count beyond the bytes left is a lie: reserve for what can be there.
        let count = usize::try_from(count).unwrap_or(0);
        let mut elements = Vec::with_capacity(count.min(self.remaining() / 4));
        for _ in 0..count {
            elements.push(T::decode(self)?);
        }
        Ok(Some(elements))
    }

    /// A vector, with null read as empty.
    pub fn list<T: Decode>(&mut self) -> Result<Vec<T>, DecodeError> {
        Ok(self.vector()?.unwrap_or_default())
    }
}

/// Bytes that belong into a frame and were not copied there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inset {
    /// They stand before this place of the buffer.
    pub at: usize,
    /// What stands there.
    pub bytes: Bytes,
}

/// Where a writer leaves what it does not copy.
#[derive(Debug)]
pub struct Insets {
    /// Bytes that are shared and at least as long are not copied.
    pub from: usize,
    /// In their order.
    pub list: Vec<Inset>,
}

/// Appends jute primitives to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
    /// Where the buffer may end.
    end: usize,
    is_full: bool,
    insets: Option<&'a mut Insets>,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut BytesMut) -> Self {
        Writer { out, end: usize::MAX, is_full: false, insets: None }
    }

    /// Whether something did not fit, so that whatever follows is of no use. Strings, buffers and counts are asked; what has no
    /// length of its own is taken in any case.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) {
        self.out.put_u8(u8::from(value));
    }

    /// A 32-bit integer.
    pub fn int(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// A 64-bit integer.
    pub fn long(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// A count or a length.
    ///
    /// # Panics
    /// When it does not fit an i32 and the writer is not that of a frame: nothing that large is admitted to a log.
    pub fn count(&mut self, value: usize) {
        match i32::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) if self.end < usize::MAX => self.is_full = true,
            Err(_) => panic!("lengths are limited at admission"),
        }
    }

    /// A buffer, or null.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.count(bytes.len());
                self.raw(bytes);
            }
        }
    }

    /// A buffer of bytes that are shared: where that is wanted, they are not copied when they are many.
    pub fn shared(&mut self, bytes: &Bytes) {
        let room = self.end.saturating_sub(self.out.len() + 4);
        match &mut self.insets {
            Some(insets) if (insets.from..=room).contains(&bytes.len()) => {
                self.end -= bytes.len();
                self.out.put_i32(bytes.len() as i32);
                insets.list.push(Inset { at: self.out.len(), bytes: bytes.clone() });
            }
            _ => self.buffer(Some(bytes)),
        }
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// A string, or null.
    pub fn nullable(&mut self, value: Option<&str>) {
        self.buffer(value.map(str::as_bytes));
    }

    /// A string made of pieces, written without joining them first.
    pub fn pieces(&mut self, pieces: &[&str]) {
        self.count(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            self.raw(piece.as_bytes());
        }
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        if bytes.len() > self.end.saturating_sub(self.out.len()) {
            self.is_full = true;
        } else {
            if bytes.len() >= LONG {
                self.out.reserve(bytes.len() + BEHIND_LONG);
            }
            self.out.put_slice(bytes);
        }
    }

    /// A vector.
    pub fn vector<T: Encode>(&mut self, elements: &[T]) {
        self.count(elements.len());
        for element in elements {
            if self.is_full {
                return;
            }
            element.encode(self);
        }
    }

    /// A vector, or null.
    pub fn nullable_vector<T: Encode>(&mut self, elements: Option<&[T]>) {
        match elements {
            None => self.int(-1),
            Some(elements) => self.vector(elements),
        }
    }
}

/// A frame that would be longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of more than {0} bytes")]
pub struct FrameTooLong(pub usize);

/// Appends one frame to `out`: a length, then what `body` writes.
///
/// # Panics
/// When that is more than a frame can hold: for what is no longer than a request may be.
pub fn write_frame(out: &mut BytesMut, body: impl FnOnce(&mut Writer<'_>)) {
    write_frame_within(out, usize::MAX, body).expect("what is written here is limited at admission");
}

/// Most frames are no longer, and are not moved while they are written.
const SHORT_FRAME: usize = 64;

/// Appends one frame to `out` that may turn out to be too long.
///
/// # Errors
/// When what `body` writes comes to more than `limit` bytes; nothing of it is left in `out` then, and not much more than `limit` bytes were
/// taken for it, provided that `body` stops once its writer is full.
pub fn write_frame_within(
    out: &mut BytesMut,
    limit: usize,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<(), FrameTooLong> {
    write_frame_around(out, &mut Insets { from: usize::MAX, list: Vec::new() }, limit, body).map(|_| ())
}

/// The same, around what `body` shares: that is left in `insets`, which has nothing before. Returns the length of the whole frame.
///
/// # Errors
/// As [`write_frame_within`]; nothing is left in `insets` then.
pub fn write_frame_around(
    out: &mut BytesMut,
    insets: &mut Insets,
    limit: usize,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<usize, FrameTooLong> {
    let start = out.len();
    let limit = limit.min(i32::MAX as usize);
    out.reserve(SHORT_FRAME);
    out.put_i32(0);
    let mut writer = Writer { end: start + 4 + limit, out, is_full: false, insets: Some(insets) };
    body(&mut writer);
    let is_full = writer.is_full;
    let shared = insets.list.iter().map(|inset| inset.bytes.len()).sum::<usize>();
    let length = out.len() - start - 4 + shared;
    if is_full || length > limit {
        out.truncate(start);
        insets.list.clear();
        return Err(FrameTooLong(limit));
    }
    out[start..start + 4].copy_from_slice(&(length as i32).to_be_bytes());
    Ok(4 + length)
}

/// Text as Java's decoder has it: each malformed part becomes one U+FFFD, and a surrogate's three bytes, or the two of them
/// that are there, are one part.
pub fn java_string(bytes: &[u8]) -> Cow<'_, str> {
    let mut rest = bytes;
    let mut text = String::new();
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(valid) if text.is_empty() => return Cow::Borrowed(valid),
            Ok(valid) => return Cow::Owned(text + valid),
            Err(error) => error,
        };
        let (valid, malformed) = rest.split_at(error.valid_up_to());
        text.push_str(std::str::from_utf8(valid).expect("it is valid up to there"));
        text.push(char::REPLACEMENT_CHARACTER);
        let taken = match malformed {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(malformed.len()),
        };
        rest = &malformed[taken..];
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(self);
    }
}

impl Encode for &str {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(self);
    }
}

impl Decode for String {
    /// A string; null is read as empty.
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(input.string()?.unwrap_or_default())
    }
}

impl Encode for Option<String> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.nullable(self.as_deref());
    }
}

impl Decode for Option<String> {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        input.string()
    }
}
