// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What payloads consist of, appended to one.

/// Appends a `str`: texts over 65,535 bytes are cut, at a character's edge.
pub(crate) fn push_text(payload: &mut Vec<u8>, text: &str) {
    let mut length = text.len().min(u16::MAX.into());
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    push_bytes(payload, &text.as_bytes()[..length]);
}

/// Appends a `str` of any bytes, of which those from 65,535 on are cut off.
pub(crate) fn push_bytes(payload: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(&bytes[..length.into()]);
}

/// Appends a u32 length and that many bytes. A payload has less than 4 GiB.
pub(crate) fn push_long(payload: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(bytes);
}

/// Appends a u16 field, a u32 length and the value.
pub(crate) fn push_field(payload: &mut Vec<u8>, number: u16, value: &[u8]) {
    payload.extend_from_slice(&number.to_be_bytes());
    push_long(payload, value);
}

/// A pid or an errno, neither of which is ever negative.
pub(crate) fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut payload = Vec::new();
        push_text(&mut payload, &"é".repeat(40_000));
        assert_eq!(payload.len(), 2 + 65_534);
    }
}
