//! Names of lists: UUIDs of version 8 (RFC 9562, section 5.8), made of a digest, so that one
//! list has one name.

use lab_lock::Sha256;

/// The UUID of the digest of these texts, in the form `8-4-4-4-12`.
pub(crate) fn of(texts: &[&str]) -> String {
    let mut all = String::new();
    for text in texts {
        // The length parts them: ["ab", "c"] is not ["a", "bc"].
        all.push_str(&format!("{}:{text}\n", text.len()));
    }
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(Sha256::of(all.as_bytes()).0) {
        *to = from;
    }
    let mut number = u128::from_be_bytes(bytes);
    // Version 8 in bits 48 to 51, variant 0b10 in bits 64 and 65.
    number = number & !(0xf << 76) | (0x8 << 76);
    number = number & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{number:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}
