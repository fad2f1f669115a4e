//! known_hosts files, as sshd(8) describes them under SSH_KNOWN_HOSTS FILE FORMAT.
//!
//! Certificate authorities are not followed, because libssh2 asks no server for a
//! host certificate; that a line names one is kept, so that a message can say it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::key::PublicKey;
use crate::pattern::list_fits;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Known,
    Revoked,
    CertAuthority,
}

/// A line that speaks of the host that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    pub(crate) key: PublicKey,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// The lines of `files` that speak of `host`. A file that is missing has none.
pub(crate) fn lookup(files: &[PathBuf], host: &str) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in files {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let message = format!("reading known hosts from {}: {error}", file.display());
                return Err(io::Error::new(error.kind(), message));
            }
        };
        let text = String::from_utf8_lossy(&text);
        entries.extend(lines_about(&text, file, host));
    }
    Ok(entries)
}

fn lines_about(text: &str, file: &Path, host: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some((mark, key)) = parse_line(line, host) {
            entries.push(Entry {
                mark,
                key,
                file: file.to_owned(),
                line: index + 1,
            });
        }
    }
    entries
}

/// A line that cannot be read is passed over, as ssh does it: it then gives no trust.
fn parse_line(line: &str, host: &str) -> Option<(Mark, PublicKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_whitespace();
    let mut names = words.next()?;
    let mark = match names {
        "@revoked" => Mark::Revoked,
        "@cert-authority" => Mark::CertAuthority,
        _ => Mark::Known,
    };
    if mark != Mark::Known {
        names = words.next()?;
    }
    let named = match names.strip_prefix("|1|") {
        Some(hashed) => hash_fits(hashed, host),
        None => list_fits(names.split(','), host),
    };
    if !named {
        return None;
    }
    let key = PublicKey::from_words(words.next()?, words.next()?).ok()?;
    Some((mark, key))
}

/// `SALT|HASH`, where HASH is HMAC-SHA1 of the name under SALT.
fn hash_fits(hashed: &str, host: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else {
        return false;
    };
    mac.update(host.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// Adds a key that the user took.
pub(crate) fn remember(file: &Path, host: &str, key: &PublicKey) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let text = fs::read(file).unwrap_or_default();
    let gap = if text.is_empty() || text.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let mut out = options.create(true).append(true).mode(0o600).open(file)?;
    out.write_all(format!("{gap}{host} {}\n", key.line()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{Mark, lines_about};
    use std::path::Path;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn marks(text: &str, host: &str) -> Vec<(usize, Mark)> {
        let entries = lines_about(text, Path::new("known_hosts"), host);
        entries
            .iter()
            .map(|entry| (entry.line, entry.mark))
            .collect()
    }

    #[test]
    fn names_ports_and_marks() {
        let text = format!(
            "# comment\n\ngpu,10.0.0.7 {KEY} me\n[gpu]:2222 {KEY}\n*.lab,!old.lab {KEY}\n@revoked * {KEY}\n@cert-authority *.lab {KEY}\nbroken\ngpu ssh-rsa !!!\n"
        );
        assert_eq!(marks(&text, "gpu"), [(3, Mark::Known), (6, Mark::Revoked)]);
        assert_eq!(
            marks(&text, "[gpu]:2222"),
            [(4, Mark::Known), (6, Mark::Revoked)]
        );
        assert_eq!(
            marks(&text, "a.lab"),
            [
                (5, Mark::Known),
                (6, Mark::Revoked),
                (7, Mark::CertAuthority)
            ]
        );
    }

    #[test]
    fn a_hashed_name() {
        // Made by `ssh-keygen -H` of a line for "192.168.1.61".
        let text = format!("|1|JhKTP+iQ9o9i8lK/0bYebz4p3IM=|6YtuIBK9BalvMSjU/BZnIzA2Si0= {KEY}\n");
        assert_eq!(marks(&text, "192.168.1.61"), [(1, Mark::Known)]);
        assert_eq!(marks(&text, "192.168.1.62"), []);
    }
}
