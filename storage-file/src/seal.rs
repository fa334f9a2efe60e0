//! The check of a snapshot by its last seal alone (`disk-format.md` §5): no tree is built, no record parsed.
//!
//! Whatever sections a snapshot has, its last 13 bytes are the Adler-32 of everything before them and the string "/". So a
//! file is whole exactly when that sum is right, and one pass over it says so.

/// Bytes of a seal: the sum, and "/" with its length.
const SEAL: usize = 13;
/// The string "/", which ends every snapshot.
const MARK: [u8; 5] = [0, 0, 0, 1, b'/'];

/// Sums a snapshot's (uncompressed) bytes, thirteen behind what was pushed.
#[derive(Clone)]
pub struct SealCheck {
    sum: simd_adler32::Adler32,
    /// The last bytes pushed, behind zeros while fewer than a seal's have come.
    tail: [u8; SEAL],
    length: u64,
}

impl Default for SealCheck {
    fn default() -> Self {
        SealCheck { sum: simd_adler32::Adler32::new(), tail: [0; SEAL], length: 0 }
    }
}

impl std::fmt::Debug for SealCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealCheck({} bytes)", self.length)
    }
}

impl SealCheck {
    /// The bytes that follow those before.
    pub fn push(&mut self, bytes: &[u8]) {
        // What leaves the tail is settled; the zeros that stand in front of the file never count.
        let padding = SEAL.saturating_sub(usize::try_from(self.length).unwrap_or(SEAL));
        self.length += bytes.len() as u64;
        let leaving = bytes.len().min(SEAL);
        self.sum.write(&self.tail[padding.min(leaving)..leaving]);
        self.tail.copy_within(leaving.., 0);
        let (settled, tail) = bytes.split_at(bytes.len() - leaving);
        self.sum.write(settled);
        self.tail[SEAL - leaving..].copy_from_slice(tail);
    }

    /// How many bytes were pushed.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the bytes end as a snapshot does. Java takes a file for a snapshot when they do (§5.2).
    pub fn ends_with_mark(&self) -> bool {
        self.length >= 10 && self.tail.ends_with(&MARK)
    }

    /// Whether the bytes are a whole snapshot.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self) -> Result<(), String> {
        if self.length < SEAL as u64 || !self.ends_with_mark() {
            return Err(format!("it does not end as a snapshot does ({} bytes)", self.length));
        }
        let stored = u64::from_be_bytes(self.tail[..8].try_into().expect("a seal is longer"));
        let computed = u64::from(self.sum.finish());
        if stored == computed {
            Ok(())
        } else {
            Err(format!("its last seal does not match (stored 0x{stored:x}, computed 0x{computed:x})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_bytes_that_were_sealed_pass() {
        let mut file = b"ZKSN and whatever follows".to_vec();
        let sum = u64::from(simd_adler32::adler32(&&file[..]));
        file.extend_from_slice(&sum.to_be_bytes());
        file.extend_from_slice(&MARK);
        let verdict = |bytes: &[u8]| {
            let mut check = SealCheck::default();
            for piece in bytes.chunks(3) {
                check.push(piece);
            }
            check.verify()
        };
        assert_eq!(verdict(&file), Ok(()));
        for position in 0..file.len() {
            let mut damaged = file.clone();
            damaged[position] ^= 0x10;
            assert!(verdict(&damaged).is_err(), "byte {position}");
            assert!(verdict(&file[..position]).is_err(), "cut at {position}");
        }
    }
}
