//! Whether an image fits a stick, and what takes the room where it does not.

use std::path::Path;

use anyhow::Context as _;
use lab_lock::Lock;

use crate::Done;
use crate::failure::Failure;
use crate::payload::Packed;
use crate::ui;

/// A size as it stands on a stick's package: thousands, not 1024s.
pub(super) fn stick_size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("expected a size such as 16GB, 15.6GB or a number of bytes, found {text:?}");
    let text_end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(text_end.len());
    let factor = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1.0,
        "MB" => 1e6,
        "GB" | "G" => 1e9,
        "GIB" => 1_073_741_824.0,
        "TB" | "T" => 1e12,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * factor;
    if !(1.0..9e18).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range just asked for"
    )]
    Ok(bytes as u64)
}

/// Says what takes the room, where an image would not fit.
pub(super) fn refuse_too_big(
    base: &Path,
    lock: Option<&Lock>,
    packed: Option<&Packed>,
    most: u64,
) -> Done {
    let own = std::fs::metadata(base)
        .with_context(|| format!("looking at {}", base.display()))?
        .len();
    let carried = packed.map_or(0, Packed::size);
    if own.saturating_add(carried).saturating_add(OVERHEAD) <= most {
        return Ok(());
    }
    let mut rooms = vec![("the base image".to_owned(), own)];
    if packed.is_some()
        && let Some(lock) = lock
    {
        rooms.extend(largest(lock));
    }
    rooms.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let rooms: Vec<String> = rooms
        .iter()
        .take(6)
        .map(|(name, size)| format!("\n  {:>9}  {name}", ui::bytes(*size)))
        .collect();
    Err(Failure::input(format!(
        "the image needs {} and the stick has {}; what takes the room:{}",
        ui::bytes(own + carried),
        ui::bytes(most),
        rooms.concat()
    )))
}

/// Directories, boot records and the machine's own files.
const OVERHEAD: u64 = 32 << 20;

/// What the parts of a payload take, models and images whole.
fn largest(lock: &Lock) -> Vec<(String, u64)> {
    let mut rooms = std::collections::BTreeMap::new();
    for one in lab_resolve::objects(lock) {
        *rooms.entry(one.name).or_insert(0) += one.size;
    }
    rooms.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::stick_size;

    #[test]
    fn sizes_are_read_as_sticks_are_sold() {
        for (text, bytes) in [
            ("16GB", 16_000_000_000),
            ("15.6 gb", 15_600_000_000),
            ("1GiB", 1 << 30),
            ("512", 512),
            ("2T", 2_000_000_000_000),
        ] {
            assert_eq!(stick_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "", "GB", "-1GB", "0", "1e99GB", "NaN", "inf", "16 XB", "1.5.2GB",
        ] {
            assert!(stick_size(text).is_err(), "{text}");
        }
    }
}
