//! Room on the disk: asked before a transfer, so that it does not fail at its end.

use std::io;
use std::path::Path;

use crate::FetchError;

/// Left free for sidecars, stamps and whatever else the system writes.
const RESERVE: u64 = 1 << 20;

/// Bytes that this user may still write where `dir` is (statvfs: `f_bavail` × `f_frsize`).
pub(crate) fn free(dir: &Path) -> Result<u64, FetchError> {
    let found = rustix::fs::statvfs(dir)
        .map_err(|error| FetchError::io("asking for the free space of", dir, error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Fails where `needed` more bytes would not fit into `dir`.
pub(crate) fn ensure(dir: &Path, what: &str, needed: u64) -> Result<(), FetchError> {
    let free = free(dir)?;
    if needed.saturating_add(RESERVE) <= free {
        return Ok(());
    }
    Err(FetchError::DiskFull {
        dir: dir.to_owned(),
        what: what.to_owned(),
        needed,
        free,
    })
}

/// The error of a write to `path` that failed, full disks told apart.
pub(crate) fn write_failed(path: &Path, needed: u64, error: io::Error) -> FetchError {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    if !full {
        return FetchError::io("writing", path, error);
    }
    let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
    let free = free(&dir).unwrap_or(0);
    let what = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    FetchError::DiskFull {
        dir,
        what,
        needed,
        free,
    }
}
