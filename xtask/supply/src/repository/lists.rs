//! The lists that a verified `Release` announces: fetched by digest where the
//! repository offers that, verified packed and unpacked.

use crate::Digest;
use crate::error::Cause;
use crate::network::{Ask, refused_at};
use crate::refusal::{Refusal, ResolveError};

use super::release::{Announced, Release};
use super::unpack::Packing;
use super::{List, Reader, is_flat, join};

/// The longest list that is taken, packed or unpacked, in bytes. Ubuntu's universe
/// has some 75 MiB, Debian's main some 55 MiB.
const LONGEST_LIST: u64 = 512 << 20;

/// Why the lists could not be read.
pub(super) enum Failed {
    /// They do not fit the `Release`, which may have changed meanwhile.
    Unsettled(String),
    /// For another reason, which another read does not cure.
    For(ResolveError),
}

impl From<ResolveError> for Failed {
    fn from(error: ResolveError) -> Self {
        Self::For(error)
    }
}

/// A list in the packing in which it is to be fetched.
struct Chosen {
    packing: Packing,
    /// The packed file's path relative to `Release`.
    path: String,
    packed: Announced,
    /// What it unpacks to, where `Release` says so.
    plain: Option<Announced>,
}

impl Reader<'_> {
    pub(super) fn packages(&self, release: &Release) -> Result<Vec<List>, Failed> {
        let mut lists = Vec::new();
        for (component, path) in self.wanted(release) {
            let Some(chosen) = choose(release, &path) else {
                return Err(self.missing(release, &path).into());
            };
            let bytes = self.list(release, &chosen)?;
            lists.push(List {
                sha256: Digest::of(&bytes),
                path,
                component,
                bytes,
            });
        }
        Ok(lists)
    }

    /// Components and the paths of their lists.
    fn wanted(&self, release: &Release) -> Vec<(String, String)> {
        if is_flat(&self.repository.suite) {
            return vec![(String::new(), "Packages".to_owned())];
        }
        let mut wanted = Vec::new();
        for component in &self.repository.components {
            let path = |architecture: &str| format!("{component}/binary-{architecture}/Packages");
            wanted.push((component.clone(), path(&self.repository.architecture)));
            if release.separate_all() && choose(release, &path("all")).is_some() {
                wanted.push((component.clone(), path("all")));
            }
        }
        wanted
    }

    fn missing(&self, release: &Release, path: &str) -> ResolveError {
        let has = |name: &str| release.field(name).unwrap_or("not said").to_owned();
        let why = format!(
            "it announces no {path} with a SHA256; its components: {}; its architectures: {}",
            has("components"),
            has("architectures")
        );
        refused_at(self.what, &self.root, Refusal::Unsupported(why))
    }

    fn list(&self, release: &Release, chosen: &Chosen) -> Result<Vec<u8>, Failed> {
        let url = join(&self.root, &chosen.path);
        let refused = |refusal| Failed::For(refused_at(self.what, &url, refusal));
        let sizes = [Some(chosen.packed), chosen.plain];
        if let Some(large) = sizes.iter().flatten().find(|one| one.size > LONGEST_LIST) {
            return Err(refused(Refusal::Size {
                found: large.size,
                expected: LONGEST_LIST,
            }));
        }
        let packed = self.packed(release, chosen)?;
        let size = chosen.plain.map(|plain| plain.size);
        let bytes = chosen
            .packing
            .unpack(packed, size, LONGEST_LIST)
            .map_err(refused)?;
        if let Some(plain) = chosen.plain {
            fits(&bytes, plain).map_err(refused)?;
        }
        Ok(bytes)
    }

    /// Fetches the packed list: by its digest, else by its name.
    fn packed(&self, release: &Release, chosen: &Chosen) -> Result<Vec<u8>, Failed> {
        if release.by_hash() {
            let url = join(&self.root, &by_hash(&chosen.path, chosen.packed.sha256));
            match self.one(&url, chosen.packed) {
                Err(Failed::Unsettled(_)) => {}
                done => return done,
            }
        }
        self.one(&join(&self.root, &chosen.path), chosen.packed)
    }

    fn one(&self, url: &str, announced: Announced) -> Result<Vec<u8>, Failed> {
        let shown = crate::redact(url);
        let answer = self.network.get(&Ask::new(self.what, url, announced.size));
        let bytes = match answer {
            Ok(answer) => answer.bytes,
            Err(error) => match error.cause() {
                Some(cause @ (Cause::Absent(_) | Cause::Lied(_))) => {
                    return Err(Failed::Unsettled(format!("{shown}: {cause}")));
                }
                _ => return Err(error.into()),
            },
        };
        match fits(&bytes, announced) {
            Ok(()) => Ok(bytes),
            Err(refusal) => Err(Failed::Unsettled(format!("{shown}: {refusal}"))),
        }
    }
}

/// The best packing in which `Release` announces the list `path`.
fn choose(release: &Release, path: &str) -> Option<Chosen> {
    Packing::ALL.into_iter().find_map(|packing| {
        let packed_path = format!("{path}{}", packing.suffix());
        Some(Chosen {
            packing,
            packed: *release.files.get(&packed_path)?,
            plain: release.files.get(path).copied(),
            path: packed_path,
        })
    })
}

/// `main/binary-amd64/by-hash/SHA256/…` (Debian's repository format, section
/// "indices acquisition via hashsums").
fn by_hash(path: &str, sha256: Digest) -> String {
    match path.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/by-hash/SHA256/{sha256}"),
        None => format!("by-hash/SHA256/{sha256}"),
    }
}

fn fits(bytes: &[u8], announced: Announced) -> Result<(), Refusal> {
    let found = Digest::of(bytes);
    let bytes = bytes.len() as u64;
    match found == announced.sha256 && bytes == announced.size {
        true => Ok(()),
        false if found == announced.sha256 => Err(Refusal::Size {
            found: bytes,
            expected: announced.size,
        }),
        false => Err(Refusal::Digest {
            found,
            expected: announced.sha256,
            bytes,
        }),
    }
}
