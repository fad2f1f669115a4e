//! Fingerprints of the keys in a file, for comparison only: nothing is verified with them.
//!
//! RFC 9580: section 6 (ASCII armor), 4.2 (packet headers), 5.5.4 (fingerprints).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The packet of a key that stands for itself, and not below another.
const PUBLIC_KEY: u8 = 6;

/// The fingerprints of the keys in a file, with armor or without: 40 hex digits, capital.
pub(crate) fn fingerprints(file: &[u8]) -> Result<Vec<String>, String> {
    let binary = match file.trim_ascii_start().starts_with(b"-----BEGIN") {
        true => dearmored(&String::from_utf8_lossy(file))?,
        false => file.to_vec(),
    };
    let mut rest = binary.as_slice();
    let mut prints = Vec::new();
    while let Some(first) = rest.first() {
        if *first == 0 || prints.len() == 1000 {
            break;
        }
        let (tag, body, after) = packet(rest).ok_or("it is no file of OpenPGP keys, or broken")?;
        if tag == PUBLIC_KEY {
            prints.push(fingerprint(body)?);
        }
        rest = after;
    }
    match prints.is_empty() {
        true => Err("no OpenPGP key is in it".to_owned()),
        false => Ok(prints),
    }
}

/// The bytes of every armored block, one after another.
fn dearmored(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for block in text.split("-----BEGIN PGP PUBLIC KEY BLOCK-----").skip(1) {
        let block = block.split("-----END").next().unwrap_or_default();
        let mut lines = block.lines().map(str::trim).skip(1).peekable();
        // Headers such as `Version: …`, then an empty line.
        while lines
            .next_if(|line| line.contains(": ") || line.is_empty())
            .is_some()
        {}
        // A line that begins with `=` has the check sum, which nothing here depends on.
        let code: String = lines.filter(|line| !line.starts_with('=')).collect();
        let block = STANDARD
            .decode(code)
            .map_err(|error| format!("its armor is broken: {error}"))?;
        bytes.extend(block);
    }
    Ok(bytes)
}

/// The first packet: its kind, its body and what follows it.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (tag, length, rest) = match first & 0x40 {
        0 => {
            let (length, rest) = old_length(first & 3, rest)?;
            (first >> 2 & 0x0f, length, rest)
        }
        _ => {
            let (length, rest) = new_length(rest)?;
            (first & 0x3f, length, rest)
        }
    };
    let (body, after) = rest.split_at_checked(length)?;
    Some((tag, body, after))
}

fn old_length(kind: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    match kind {
        0..=2 => number(bytes, 1 << kind),
        _ => Some((bytes.len(), bytes)),
    }
}

/// Keys have no partial lengths.
fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        0..192 => Some((usize::from(*first), rest)),
        192..224 => {
            let (second, rest) = rest.split_first()?;
            Some((
                (usize::from(*first) - 192) * 256 + usize::from(*second) + 192,
                rest,
            ))
        }
        224..255 => None,
        255 => number(rest, 4),
    }
}

fn number(bytes: &[u8], length: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(length)?;
    let value = digits
        .iter()
        .fold(0, |value, byte| value << 8 | usize::from(*byte));
    Some((value, rest))
}

fn fingerprint(body: &[u8]) -> Result<String, String> {
    let (version, length) = (body.first(), u16::try_from(body.len()));
    match (version, length) {
        (Some(4), Ok(length)) => {
            let hasher = Sha1::new().chain_update([0x99]);
            let hasher = hasher.chain_update(length.to_be_bytes()).chain_update(body);
            Ok(hex::encode_upper(hasher.finalize()))
        }
        _ => Err("it has a key of another version than 4".to_owned()),
    }
}
