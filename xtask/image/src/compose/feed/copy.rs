//! Letting the kernel copy, where it can.

use std::fs::File;

use anyhow::Result;

/// Copies bytes between files within the kernel; returns how many it did,
/// none where it cannot.
#[cfg(target_os = "linux")]
pub(super) fn range(from: &File, start: u64, to: &File, at: u64, len: u64) -> Result<u64> {
    use anyhow::Context as _;
    use rustix::io::Errno;

    /// What one call copies at most: a signal then waits for no longer.
    const STEP: u64 = 64 << 20;
    let (mut start, mut at, mut done) = (start, at, 0);
    while done < len {
        let step = usize::try_from((len - done).min(STEP)).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut start), to, Some(&mut at), step) {
            Ok(0) => break,
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                break;
            }
            Err(error) => return Err(std::io::Error::from(error)).context("writing the image"),
        }
    }
    Ok(done)
}

/// Copies nothing: there is no such call here.
#[cfg(not(target_os = "linux"))]
pub(super) fn range(_from: &File, _start: u64, _to: &File, _at: u64, _len: u64) -> Result<u64> {
    Ok(0)
}
