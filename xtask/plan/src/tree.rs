//! Files by where they land.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// One thing of a [`TargetTree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// A regular file with these permission bits; the owner is root.
    File {
        /// What it holds.
        bytes: Vec<u8>,
        /// The permission bits.
        mode: u32,
    },
    /// A symbolic link to this target.
    Link(String),
}

/// What lands on the installed system, by its path without the leading `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetTree {
    entries: BTreeMap<String, Landing>,
}

impl TargetTree {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// When the path is taken or is none.
    pub fn file(
        &mut self,
        path: impl Into<String>,
        mode: u32,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<()> {
        self.insert(
            path.into(),
            Landing::File {
                bytes: bytes.into(),
                mode,
            },
        )
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    ///
    /// When the path is taken or is none.
    pub fn link(&mut self, path: impl Into<String>, target: impl Into<String>) -> Result<()> {
        self.insert(path.into(), Landing::Link(target.into()))
    }

    fn insert(&mut self, path: String, landing: Landing) -> Result<()> {
        check_path(&path)?;
        if self.entries.contains_key(&path) {
            bail!("two parts of the machine want to lay down /{path}");
        }
        self.entries.insert(path, landing);
        Ok(())
    }

    /// Everything, in the order of the paths.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &Landing)> {
        self.entries
            .iter()
            .map(|(path, landing)| (path.as_str(), landing))
    }

    /// What lands at a path.
    pub fn get(&self, path: &str) -> Option<&Landing> {
        self.entries.get(path)
    }
}

/// One file of the image; the owner is root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The permission bits.
    pub mode: u32,
}

/// What the lab puts on the image, by path without the leading `/`. Regular files
/// only: links would not survive a stick that is written file by file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFiles {
    files: BTreeMap<String, File>,
}

impl ImageFiles {
    pub(crate) fn insert(
        &mut self,
        path: impl Into<String>,
        mode: u32,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<()> {
        let path = path.into();
        check_path(&path)?;
        if self.files.contains_key(&path) {
            bail!("two files of the image are called /{path}");
        }
        self.files.insert(
            path,
            File {
                bytes: bytes.into(),
                mode,
            },
        );
        Ok(())
    }

    /// All files, in the order of the paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Refuses what could leave the tree or be read as two words by a shell.
fn check_path(path: &str) -> Result<()> {
    let plain = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._@+-".contains(c))
    };
    if !path.split('/').all(plain) {
        bail!(
            "`{}` cannot be a path of the lab: relative, of letters, digits and `._@+-`",
            path.escape_debug()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_could_leave_the_tree_are_refused() {
        let mut tree = TargetTree::default();
        for path in [
            "", "/etc/a", "etc//a", "../a", "etc/../a", "a b", "a\nb", "etc/", "a'b", "a$b",
        ] {
            assert!(tree.file(path, 0o644, "").is_err(), "{path:?}");
        }
        tree.file("etc/a", 0o644, "").unwrap();
        assert!(tree.link("etc/a", "b").is_err(), "the path is taken");
    }
}
