//! Sessions' passwords (`client-protocol.md` §4.2).

use quorate_core::vocabulary::SessionId;

/// The password of a session: four draws of Java's generator, seeded with the id.
pub(crate) fn password(session: SessionId) -> Vec<u8> {
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((session.0 as u64 ^ 0xB341_5C00) ^ 0x5_DEEC_E66D) & MASK;
    let mut password = Vec::with_capacity(16);
    for _ in 0..4 {
        state = state.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & MASK;
        password.extend(((state >> 16) as u32).to_le_bytes());
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_those_of_the_specification() {
        let hex =
            |id: i64| password(SessionId(id)).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(0x0100_0000_0000_0001), "054cc74a37327db215e702e20c73f005");
        assert_eq!(hex(0x0100_0068_2196_0002), "423fee1795236b6a9c302eb7ff519773");
    }
}
