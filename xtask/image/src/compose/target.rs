//! The file being written: `.NAME.partial` beside the output, locked, renamed
//! when whole, removed when not.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::identity::Identity;
use crate::ComposeError;

/// How often the partial file may change its identity while it is opened:
/// each time another run has just finished.
const MAX_TRIES: usize = 16;

/// An image being written.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) file: File,
    pub(super) out: PathBuf,
    partial: PathBuf,
    finished: bool,
    /// Whether a killed run's leftover was found.
    pub(super) leftover: bool,
}

impl Target {
    /// Opens and locks an empty partial file.
    pub(super) fn create(out: &Path, mode: u32) -> Result<Self, ComposeError> {
        let partial = partial_path(out);
        let (file, leftover) = lock_partial(out, &partial, mode)?;
        let target = Self {
            file,
            out: out.to_path_buf(),
            partial,
            finished: false,
            leftover,
        };
        target.prepare(mode).map_err(ComposeError::Output)?;
        Ok(target)
    }

    fn prepare(&self, mode: u32) -> Result<()> {
        let place = || format!("preparing {}", self.partial.display());
        // Before the first byte: it may be a secret's.
        set_mode(&self.file, mode).with_context(place)?;
        self.file.set_len(0).with_context(place)
    }

    /// Takes an existing output to be edited, if it is still the one that
    /// `expected` describes; it loses its name until it is whole again.
    pub(super) fn adopt(
        out: &Path,
        expected: &Identity,
        mode: u32,
    ) -> Result<Option<Self>, ComposeError> {
        // Holds the name against other runs until the output has it.
        let mut target = Self::create(out, mode)?;
        match target.take_over(expected, mode) {
            Ok(true) => Ok(Some(target)),
            Ok(false) => Ok(None),
            Err(error) => Err(ComposeError::Output(error)),
        }
    }

    fn take_over(&mut self, expected: &Identity, mode: u32) -> Result<bool> {
        let place = || format!("opening {} to edit it", self.out.display());
        let opened = OpenOptions::new().read(true).write(true).open(&self.out);
        let Ok(file) = opened else {
            return Ok(false);
        };
        let meta = file.metadata().with_context(place)?;
        // With a second name elsewhere, editing would change that file, too.
        if Identity::of(&meta) != *expected || meta.nlink() != 1 || file.try_lock().is_err() {
            return Ok(false);
        }
        set_mode(&file, mode).with_context(place)?;
        std::fs::rename(&self.out, &self.partial).with_context(|| {
            format!(
                "renaming {} to {}",
                self.out.display(),
                self.partial.display()
            )
        })?;
        self.file = file;
        Ok(true)
    }

    /// Makes the file share all of the base's blocks, where the file system
    /// can; false where it cannot.
    #[cfg(target_os = "linux")]
    pub(super) fn share(&self, base: &File) -> bool {
        rustix::fs::ioctl_ficlone(&self.file, base).is_ok()
    }

    /// Shares nothing: there is no clone into an open file here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn share(&self, _base: &File) -> bool {
        false
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<Identity> {
        if super::identity::boot_id().is_none() {
            // Nothing tells one boot from another here, so a record of this
            // image must be true whatever happens to the machine.
            self.file.sync_all().context("syncing the image")?;
        }
        std::fs::rename(&self.partial, &self.out).with_context(|| {
            format!(
                "renaming {} to {}",
                self.partial.display(),
                self.out.display()
            )
        })?;
        self.finished = true;
        let meta = self.file.metadata().context("looking at the image")?;
        Ok(Identity::of(&meta))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.finished {
            // It is no image. Where it cannot be removed, the next run will.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

fn partial_path(out: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(out.file_name().unwrap_or_default());
    name.push(".partial");
    out.with_file_name(name)
}

/// Sets a file's mode where it differs.
pub(super) fn set_mode(file: &File, mode: u32) -> Result<()> {
    let now = file.metadata()?.permissions().mode() & 0o7777;
    if now != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Opens the partial file, locked, with whether it held a leftover.
fn lock_partial(out: &Path, partial: &Path, mode: u32) -> Result<(File, bool), ComposeError> {
    for _ in 0..MAX_TRIES {
        let file = open_partial(partial, mode).map_err(ComposeError::Output)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ComposeError::Busy {
                    out: out.to_path_buf(),
                    partial: partial.to_path_buf(),
                });
            }
            Err(TryLockError::Error(error)) => {
                let error = anyhow::Error::new(error);
                let what = format!("locking {}", partial.display());
                return Err(ComposeError::Output(error.context(what)));
            }
        }
        // The run that held it may have renamed it since.
        if let Ok(there) = std::fs::symlink_metadata(partial)
            && let Ok(here) = file.metadata()
            && (there.dev(), there.ino()) == (here.dev(), here.ino())
        {
            let leftover = here.len() > 0;
            return Ok((file, leftover));
        }
    }
    Err(ComposeError::Busy {
        out: out.to_path_buf(),
        partial: partial.to_path_buf(),
    })
}

fn open_partial(partial: &Path, mode: u32) -> Result<File> {
    if partial.is_symlink() {
        bail!("{} is a link: remove it", partial.display());
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .open(partial)
        .with_context(|| format!("creating {}", partial.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_and_the_name_stays_free() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.iso");
        let first = Target::create(&out, 0o600).unwrap();
        let mode = first.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(
            Target::create(&out, 0o600),
            Err(ComposeError::Busy { .. })
        ));
        assert!(!out.exists());
        drop(first);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_the_expected_file_is_adopted() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.iso");
        std::fs::write(&out, "image").unwrap();
        let identity = Identity::of(&out.metadata().unwrap());
        std::fs::hard_link(&out, dir.path().join("second")).unwrap();
        assert!(Target::adopt(&out, &identity, 0o644).unwrap().is_none());
        std::fs::remove_file(dir.path().join("second")).unwrap();
        let identity = Identity::of(&out.metadata().unwrap());
        let target = Target::adopt(&out, &identity, 0o644).unwrap().unwrap();
        assert!(!out.exists());
        assert!(matches!(
            Target::create(&out, 0o600),
            Err(ComposeError::Busy { .. })
        ));
        target.finish().unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), b"image");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
