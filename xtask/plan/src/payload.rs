//! The files that an image carries so that its machine needs no network: an apt repository,
//! archives, models, images of containers, by digest. They are many gigabytes, so that only
//! their names, lengths and digests come by here; whoever writes the image adds the bytes.
//!
//! Below [`place::OFFLINE`] there are `digest` (which lock this is of), `blobs/SHA256`,
//! `apt/` (a signed flat repository) and `apt.asc` (its key).

use anyhow::{Context as _, Result, bail};
use lab_lock::{Lock, Sha256};

use crate::locked::digest_file;
use crate::place;

/// The permission bits of every file of a payload: there is no secret among them, and apt
/// reads them as another user than root.
pub(crate) const MODE: u32 = 0o644;

/// A file of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadFile {
    /// Its path below [`place::OFFLINE`].
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Everything that a machine needs from outside, as an image carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// Its files, each path once.
    pub files: Vec<PayloadFile>,
}

impl Payload {
    /// The list that `lay-down` copies files by: `file MODE:SHA256 PATH`, a line each, by path.
    #[must_use]
    pub fn list(&self) -> String {
        let mut files: Vec<&PayloadFile> = self.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let line = |one: &&PayloadFile| format!("file {MODE:04o}:{} {}\n", one.sha256, one.path);
        files.iter().map(line).collect()
    }

    /// The length of all files together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().map(|one| one.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Refuses what is no payload of this lock.
    ///
    /// # Errors
    ///
    /// When a path could lead elsewhere or comes twice, or when the file `digest` is missing
    /// or names another lock than this.
    pub(crate) fn check(&self, lock: Option<&Lock>) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for one in &self.files {
            if !is_plain(&one.path) {
                bail!(
                    "`{}` cannot be a path of a payload: relative, of letters, digits and `._@+~%-`",
                    one.path.escape_debug()
                );
            }
            if !seen.insert(&one.path) {
                bail!("the payload has {} twice", one.path);
            }
        }
        let lock = lock.context("a payload belongs to a lock, and there is none")?;
        let wanted = Sha256::of(digest_file(lock)?.as_bytes());
        let mut files = self.files.iter();
        match files.find(|one| one.path == place::OFFLINE_DIGEST) {
            Some(one) if one.sha256 == wanted => Ok(()),
            Some(_) => bail!("the payload is of another lock than this: make it again"),
            None => bail!("the payload has no file `{}`", place::OFFLINE_DIGEST),
        }
    }
}

/// Whether it stays below its folder and is one word to a shell. Packages have `~` in
/// their versions.
pub(crate) fn is_plain(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@+~%-".contains(c);
    let name =
        |name: &str| !name.is_empty() && !matches!(name, "." | "..") && name.chars().all(plain);
    path.split('/').all(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(snapshot: Option<&str>) -> Lock {
        let snapshot = snapshot.map_or(String::new(), |one| format!("snapshot = \"{one}\"\n"));
        let zero = "0".repeat(64);
        let text = format!(
            "format = 1\nresolved_for = \"{zero}\"\n{snapshot}[base]\nrelease = \"24.04.5\"\n\
             file = \"a.iso\"\npackages = \"{zero}\"\n"
        );
        Lock::parse(&text).unwrap()
    }

    fn file(path: &str, bytes: &[u8]) -> PayloadFile {
        PayloadFile {
            path: path.to_owned(),
            size: bytes.len() as u64,
            sha256: Sha256::of(bytes),
        }
    }

    fn payload(lock: &Lock) -> Payload {
        let digest = digest_file(lock).unwrap();
        Payload {
            files: vec![
                file("digest", digest.as_bytes()),
                file("apt/pool/a_1~2_all.deb", b"deb"),
            ],
        }
    }

    #[test]
    fn a_payload_is_of_one_lock() {
        let (one, other) = (lock(None), lock(Some("20261101T000000Z")));
        let payload = payload(&one);
        payload.check(Some(&one)).unwrap();
        let why = |lock| payload.check(lock).unwrap_err().to_string();
        assert!(why(Some(&other)).contains("another lock"));
        assert!(why(None).contains("there is none"));
        let none = Payload::default().check(Some(&one)).unwrap_err();
        assert!(none.to_string().contains("no file `digest`"));
    }

    #[test]
    fn paths_stay_below_and_come_once() {
        let lock = lock(None);
        for path in ["", "/a", "a//b", "../a", "a b", "a\nb", "a'", "$a", "a/."] {
            let mut payload = payload(&lock);
            payload.files.push(file(path, b"x"));
            assert!(payload.check(Some(&lock)).is_err(), "{path:?}");
        }
        let mut payload = payload(&lock);
        payload.files.push(payload.files[0].clone());
        let why = payload.check(Some(&lock)).unwrap_err().to_string();
        assert!(why.contains("twice"), "{why}");
    }

    #[test]
    fn the_list_is_sorted_and_the_bytes_are_summed() {
        let payload = payload(&lock(None));
        let list = payload.list();
        let paths: Vec<&str> = list
            .lines()
            .filter_map(|one| one.rsplit(' ').next())
            .collect();
        assert_eq!(paths, ["apt/pool/a_1~2_all.deb", "digest"]);
        assert!(list.starts_with("file 0644:"), "{list}");
        assert_eq!(payload.bytes(), 3 + 65);
    }
}
