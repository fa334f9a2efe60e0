//! A number that many change.
//!
//! Everybody reads it and writes the next under the condition of its version. Invariant: an addition is done once or not at all.
//! A lost answer is cleared up by what the node holds then; where that proves nothing, because somebody may have written the
//! same, the outcome is reported as unknown (Curator's and kazoo's counters add again). Absent: a lock for crowds.

use super::persist::{again, is_passing};
use super::shared_value::{get_or_create, replace};
use crate::client::{Cause, Client, Error, Result, Runtime, Value};
use crate::vocabulary::Version;
use bytes::Bytes;

/// How a counter's node holds its number. Empty data is 0 in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Eight bytes, big endian: Curator's `DistributedAtomicLong`.
    #[default]
    Long,
    /// Four bytes, big endian: Curator's `SharedCount` and `DistributedAtomicInteger`, kazoo's `Counter` with `support_curator`.
    Int,
    /// Decimal digits: kazoo's `Counter`, as far as it holds whole numbers.
    Text,
}

impl Encoding {
    fn write(self, number: i64) -> Option<Bytes> {
        Some(match self {
            Encoding::Long => Bytes::copy_from_slice(&number.to_be_bytes()),
            Encoding::Int => Bytes::copy_from_slice(&i32::try_from(number).ok()?.to_be_bytes()),
            Encoding::Text => number.to_string().into(),
        })
    }

    fn read(self, bytes: &[u8]) -> Option<i64> {
        if bytes.is_empty() {
            return Some(0);
        }
        match self {
            Encoding::Long => bytes.try_into().ok().map(i64::from_be_bytes),
            Encoding::Int => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
            Encoding::Text => str::from_utf8(bytes).ok()?.trim_ascii().parse().ok(),
        }
    }
}

/// A counter; Curator's `DistributedAtomicLong`, kazoo's `Counter`.
///
/// It is a persistent node and has no use for its session: when that ends, calls fail, and the number stays. Whoever deletes the
/// node sets it to 0, and takes the proofs away from who counts at that moment.
#[derive(Clone, Debug)]
#[doc(alias = "DistributedAtomicLong")]
#[doc(alias = "DistributedAtomicInteger")]
pub struct Counter<R: Runtime> {
    client: Client<R>,
    path: String,
    encoding: Encoding,
}

impl<R: Runtime> Counter<R> {
    /// The counter of the node `path`, which is made when it is needed.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        Counter::with_encoding(client, path, Encoding::default())
    }

    /// The same, of a node that holds its number otherwise.
    pub fn with_encoding(client: &Client<R>, path: &str, encoding: Encoding) -> Self {
        Counter { client: client.clone(), path: path.to_owned(), encoding }
    }

    /// The number, as this client's server knows it; after a [`sync`](Client::sync) nobody has seen a later one before that.
    ///
    /// # Errors
    /// The session's end, those of [`Client::get`], and [`Cause::Data`] when the node holds no number.
    pub async fn get(&self) -> Result<i64> {
        self.read().await.map(|(number, _)| number)
    }

    /// Adds to the number, once; answers what it is then.
    ///
    /// # Errors
    /// Those of [`get`](Self::get) and [`Client::set`]; [`Cause::Data`] when there is no room for the sum. With an unknown outcome
    /// it may have been added.
    #[doc(alias = "increment")]
    pub async fn add(&self, by: i64) -> Result<i64> {
        loop {
            let (number, seen) = self.read().await?;
            let sum = number.checked_add(by).ok_or_else(|| self.no_room())?;
            if replace(&self.client, &self.path, &seen, &self.encode(sum)?).await? {
                return Ok(sum);
            }
        }
    }

    /// Sets the number to `new` if it is `expected`; says whether it was.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn compare_and_set(&self, expected: i64, new: i64) -> Result<bool> {
        let new = self.encode(new)?;
        loop {
            let (number, seen) = self.read().await?;
            if number != expected {
                return Ok(false);
            }
            if replace(&self.client, &self.path, &seen, &new).await? {
                return Ok(true);
            }
        }
    }

    /// Sets the number, whatever it is. It is asked for once.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    #[doc(alias = "forceSet")]
    pub async fn set(&self, number: i64) -> Result<()> {
        let data = self.encode(number)?;
        get_or_create(&self.client, &self.path, &data).await?;
        self.client.set(&self.path, data, Version::ANY).await.map(drop)
    }

    async fn read(&self) -> Result<(i64, Value)> {
        const NONE: &str = "it holds no number of this encoding: is it another kind of counter?";
        let value = get_or_create(&self.client, &self.path, &self.encode(0)?).await?;
        match self.encoding.read(value.bytes()) {
            Some(number) => Ok((number, value)),
            None => Err(self.error(NONE)),
        }
    }

    fn encode(&self, number: i64) -> Result<Bytes> {
        self.encoding.write(number).ok_or_else(|| self.no_room())
    }

    fn no_room(&self) -> Error {
        self.error("not set: there is no room for so large a number")
    }

    pub(super) fn error(&self, what: &'static str) -> Error {
        Error::new("count", self.path.clone(), Cause::Data(what))
    }

    /// Ready when the same may succeed.
    ///
    /// # Errors
    /// The error, if it never will.
    pub(super) async fn outlast(&self, error: Error) -> Result<()> {
        if !is_passing(&self.client, &error) {
            return Err(error);
        }
        again(&self.client).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_curator_and_kazoo_write_them() {
        let written = |encoding: Encoding, number| encoding.write(number).map(|bytes| bytes.to_vec());
        assert_eq!(written(Encoding::Long, -2), Some(vec![255, 255, 255, 255, 255, 255, 255, 254]));
        assert_eq!(written(Encoding::Int, 258), Some(vec![0, 0, 1, 2]));
        assert_eq!(written(Encoding::Int, 1 << 31), None);
        assert_eq!(written(Encoding::Text, -17), Some(b"-17".to_vec()));
        for encoding in [Encoding::Long, Encoding::Int, Encoding::Text] {
            let number = -1_000_003;
            assert_eq!(encoding.read(&encoding.write(number).expect("there is room")), Some(number));
            assert_eq!(encoding.read(b""), Some(0));
        }
    }

    #[test]
    fn what_is_no_number_is_not_taken_for_one() {
        assert_eq!(Encoding::Long.read(&[0; 4]), None);
        assert_eq!(Encoding::Int.read(&[0; 8]), None);
        assert_eq!(Encoding::Text.read(b"1.5"), None);
        assert_eq!(Encoding::Text.read(b"\xff"), None);
    }
}
