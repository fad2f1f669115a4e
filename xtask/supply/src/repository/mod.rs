//! The lists of an apt repository, verified (Debian's repository format; apt-secure(8)).
//!
//! What vouches for what: a pinned key for the signature, the signature for the
//! text of `InRelease`, the text for the digest of each list. Dates in the text
//! bound how old it may be. Nothing is parsed before what vouches for it was checked,
//! but the frame around the signed text and the packets of the signature.

mod certificate;
mod clear;
mod date;
mod key;
mod lists;
mod release;
mod unpack;

pub use key::fetch_key;

use crate::error::Cause;
use crate::network::{Ask, Network, refused_at};
use crate::refusal::{Refusal, ResolveError};
use crate::{Digest, SignedBy, SigningKey};

use certificate::Certificate;
use release::{Release, inside};

/// The longest `InRelease` that is taken, in bytes. Ubuntu's has some 250 KiB.
const LONGEST_RELEASE: u64 = 16 << 20;
/// The longest `Release.gpg`.
const LONGEST_SIGNATURE: u64 = 64 << 10;
/// How often a repository is read that changes meanwhile.
const READS: u32 = 3;
/// How far the clocks of a repository and of this computer may lie apart, in seconds.
const LEEWAY: u64 = 24 * 3600;
/// How much later than its name a snapshot's `Release` may be, in seconds.
const SNAPSHOT_LEEWAY: u64 = 3600;

/// An apt repository, and what of it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name in the description, for messages.
    pub name: String,
    /// Its URI as in sources.list(5).
    pub uri: String,
    /// The suite; one that ends in `/`, such as `/`, names the directory of a flat
    /// repository, relative to the URI.
    pub suite: String,
    /// The components; none for a flat repository.
    pub components: Vec<String>,
    /// The architecture: `amd64`.
    pub architecture: String,
    /// The keys of which one must have signed. [`SigningKey::packet`] is to be the whole
    /// transferable public key: expiry, revocation and subkeys are read from it.
    pub keys: Vec<SigningKey>,
    /// The snapshot to read, `YYYYMMDDTHHMMSSZ`, instead of what stands there today.
    pub snapshot: Option<String>,
    /// Where snapshots stand: a URI with `{snapshot}` in it, such as
    /// `https://snapshot.ubuntu.com/ubuntu/{snapshot}` or
    /// `https://snapshot.debian.org/archive/debian/{snapshot}`.
    pub snapshot_uri: Option<String>,
}

/// The verified lists of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// The text of `InRelease` or `Release`, exactly what was signed.
    pub release: String,
    /// Who signed it.
    pub signed_by: SignedBy,
    /// When it was made by its own word, in seconds since 1970.
    pub date: u64,
    /// How long it is valid by its own word, in seconds since 1970.
    pub valid_until: Option<u64>,
    /// Whether its lists can be asked for by their digests.
    pub by_hash: bool,
    /// The URI that a package's `Filename` is relative to: the repository's, or the
    /// snapshot's; never a mirror's, and without a `/` at its end.
    pub url: String,
    /// Where it was read: [`Lists::url`] or a mirror of it, without credentials.
    pub place: String,
    /// The lists of packages, in the order of the components.
    pub packages: Vec<List>,
}

/// One list of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its path relative to the `Release`, without the ending of a compression:
    /// `main/binary-amd64/Packages`.
    pub path: String,
    /// The component that it is of; empty for a flat repository.
    pub component: String,
    /// The digest of `bytes`.
    pub sha256: Digest,
    /// The list itself, decompressed.
    pub bytes: Vec<u8>,
}

/// Reads and verifies the lists of `repository` at the time `now`, in seconds since
/// 1970. `seen` is the [`Lists::date`] of an earlier run, if there was one: nothing
/// older is taken.
///
/// # Errors
///
/// [`ResolveError::Input`] where `repository` cannot be one, [`ResolveError::Refused`]
/// where what came does not count; with mirrors, one error for each place.
pub fn read_lists(
    network: &Network<'_>,
    repository: &Repository,
    now: u64,
    seen: Option<u64>,
) -> Result<Lists, ResolveError> {
    let what = format!("the repository {}", repository.name);
    let keys = checked(repository).and_then(|()| Pinned::read(&repository.keys));
    let keys = keys.map_err(|why| ResolveError::Input {
        what: what.clone(),
        why,
    })?;
    let url = base(repository);
    network.at_places(&what, &url, |place| {
        let reader = Reader {
            network,
            repository,
            keys: &keys,
            what: &what,
            now,
            seen,
            root: join(place, &release_directory(&repository.suite)),
        };
        let mut lists = reader.settled()?;
        url.trim_end_matches('/').clone_into(&mut lists.url);
        lists.place = crate::redact(place.trim_end_matches('/'));
        Ok(lists)
    })
}

/// Keys that were read and hold, for what is signed elsewhere than in a repository.
pub(crate) struct Pinned(Vec<Certificate>);

impl Pinned {
    pub(crate) fn read(keys: &[SigningKey]) -> Result<Self, String> {
        let read = |key| Certificate::read(key).map_err(|error| error.to_string());
        keys.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Checks that one of the signatures over `data` is a good one by one of the keys.
    pub(crate) fn verify(
        &self,
        data: &[u8],
        signatures: &[u8],
        now: u64,
    ) -> Result<SignedBy, Refusal> {
        certificate::verify(&self.0, data, signatures, now)
    }
}

/// Refuses names that would lead elsewhere in a URL.
fn checked(repository: &Repository) -> Result<(), String> {
    let names = repository
        .components
        .iter()
        .chain([&repository.architecture]);
    let flat = is_flat(&repository.suite);
    let suite = directory(&repository.suite);
    let bad = names.map(String::as_str).find(|name| !inside(name));
    let good = inside(suite) || (flat && suite.is_empty());
    let bad = bad.or((!good).then_some(suite));
    match bad {
        Some(bad) => Err(format!(
            "{bad:?} is no name of a suite, component or architecture"
        )),
        None if flat && !repository.components.is_empty() => {
            Err("a flat repository (its suite ends in /) has no components".to_owned())
        }
        None if !flat && repository.components.is_empty() => {
            Err("it has no components; a flat repository's suite ends in /".to_owned())
        }
        None if repository.keys.is_empty() => Err("no key is pinned for it".to_owned()),
        None => snapshot_checked(repository),
    }
}

fn snapshot_checked(repository: &Repository) -> Result<(), String> {
    let Some(snapshot) = &repository.snapshot else {
        return Ok(());
    };
    if date::parse_snapshot(snapshot).is_none() {
        return Err(format!(
            "{snapshot:?} is no snapshot; expected YYYYMMDDTHHMMSSZ"
        ));
    }
    match &repository.snapshot_uri {
        Some(uri) if uri.contains("{snapshot}") => Ok(()),
        Some(uri) => Err(format!(
            "{:?} has no {{snapshot}} in it",
            crate::redact(uri)
        )),
        None => Err("a snapshot is asked for, and no place for snapshots is given".to_owned()),
    }
}

fn base(repository: &Repository) -> String {
    match (&repository.snapshot, &repository.snapshot_uri) {
        (Some(snapshot), Some(uri)) => uri.replace("{snapshot}", snapshot),
        _ => repository.uri.clone(),
    }
}

fn is_flat(suite: &str) -> bool {
    suite.ends_with('/')
}

/// `./` and `/` are two ways to write that there is none.
fn directory(suite: &str) -> &str {
    let suite = suite.trim_matches('/');
    match suite.strip_prefix("./") {
        Some(below) => below,
        None if suite == "." => "",
        None => suite,
    }
}

/// Where `Release` stands, relative to the URI.
fn release_directory(suite: &str) -> String {
    match is_flat(suite) {
        true => directory(suite).to_owned(),
        false => format!("dists/{}", directory(suite)),
    }
}

fn join(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    match path.is_empty() {
        true => base.to_owned(),
        false => format!("{base}/{path}"),
    }
}

/// One repository at one place.
struct Reader<'a> {
    network: &'a Network<'a>,
    repository: &'a Repository,
    keys: &'a Pinned,
    what: &'a str,
    now: u64,
    seen: Option<u64>,
    /// The URL of the directory that holds `Release`.
    root: String,
}

/// A verified `Release`.
struct Verified {
    url: String,
    text: String,
    signed_by: SignedBy,
    release: Release,
}

impl Reader<'_> {
    /// Reads until `Release` and lists fit together.
    fn settled(&self) -> Result<Lists, ResolveError> {
        let mut reads = 0;
        loop {
            let verified = self.verified()?;
            let url = verified.url.clone();
            let last = match self.lists(verified) {
                Err(lists::Failed::Unsettled(last)) => last,
                Err(lists::Failed::For(error)) => return Err(error),
                Ok(lists) => return Ok(lists),
            };
            reads += 1;
            if reads == READS {
                return Err(refused_at(
                    self.what,
                    &url,
                    Refusal::Changed { reads, last },
                ));
            }
            std::thread::sleep(self.network.limits().pause(reads + 1));
        }
    }

    fn lists(&self, verified: Verified) -> Result<Lists, lists::Failed> {
        let packages = self.packages(&verified.release)?;
        Ok(Lists {
            release: verified.text,
            signed_by: verified.signed_by,
            date: verified.release.date,
            valid_until: verified.release.valid_until,
            by_hash: verified.release.by_hash(),
            url: String::new(),
            place: String::new(),
            packages,
        })
    }

    /// Fetches `InRelease`, or where there is none `Release` and `Release.gpg`, and
    /// checks all that is to be checked before a list is asked for.
    fn verified(&self) -> Result<Verified, ResolveError> {
        let url = join(&self.root, "InRelease");
        let (url, text, signed_by) = match self.fetch(&url, LONGEST_RELEASE) {
            Ok(bytes) => {
                let (text, by) = self
                    .clear_signed(&bytes)
                    .map_err(|refusal| refused_at(self.what, &url, refusal))?;
                (url, text, by)
            }
            Err(error) if matches!(error.cause(), Some(Cause::Absent(_))) => self.detached()?,
            Err(error) => return Err(error),
        };
        let release = Release::parse(&text).and_then(|release| {
            self.timely(&release)?;
            match is_flat(&self.repository.suite) {
                true => Ok(()),
                false => release.check_suite(&self.repository.suite),
            }?;
            Ok(release)
        });
        let release = release.map_err(|refusal| refused_at(self.what, &url, refusal))?;
        Ok(Verified {
            url,
            text,
            signed_by,
            release,
        })
    }

    fn fetch(&self, url: &str, most: u64) -> Result<Vec<u8>, ResolveError> {
        Ok(self.network.get(&Ask::new(self.what, url, most))?.bytes)
    }

    fn clear_signed(&self, bytes: &[u8]) -> Result<(String, SignedBy), Refusal> {
        let read = clear::parse(bytes).map_err(Refusal::Malformed)?;
        let by = self
            .keys
            .verify(&read.signed, read.signatures.as_bytes(), self.now)?;
        Ok((read.text, by))
    }

    fn detached(&self) -> Result<(String, String, SignedBy), ResolveError> {
        let url = join(&self.root, "Release");
        let bytes = self.fetch(&url, LONGEST_RELEASE)?;
        let signature_url = join(&self.root, "Release.gpg");
        let signatures = self.fetch(&signature_url, LONGEST_SIGNATURE)?;
        let by = self
            .keys
            .verify(&bytes, &signatures, self.now)
            .map_err(|refusal| refused_at(self.what, &signature_url, refusal))?;
        let not = |_| {
            refused_at(
                self.what,
                &url,
                Refusal::Malformed("it is not UTF-8".to_owned()),
            )
        };
        Ok((url.clone(), String::from_utf8(bytes).map_err(not)?, by))
    }

    /// Holds the dates against the clock, the snapshot and what was seen before.
    fn timely(&self, release: &Release) -> Result<(), Refusal> {
        let snapshot = self
            .repository
            .snapshot
            .as_deref()
            .and_then(date::parse_snapshot);
        let (now, found) = (self.now, release.date);
        if found > now.saturating_add(LEEWAY) {
            return Err(Refusal::Clock { ahead: found - now });
        }
        match (snapshot, release.valid_until) {
            (None, Some(valid_until)) if valid_until <= now => {
                return Err(Refusal::Stale { valid_until, now });
            }
            (Some(at), _) if found > at.saturating_add(SNAPSHOT_LEEWAY) => {
                return Err(Refusal::Unsupported(format!(
                    "it was made {} s after the snapshot that was asked for: it is another one",
                    found - at
                )));
            }
            _ => {}
        }
        match self.seen {
            Some(seen) if found < seen => Err(Refusal::Rollback { found, seen }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(suite: &str, components: &[&str]) -> Repository {
        Repository {
            name: "x".to_owned(),
            uri: "https://example.org/ubuntu/".to_owned(),
            suite: suite.to_owned(),
            components: components.iter().map(|name| (*name).to_owned()).collect(),
            architecture: "amd64".to_owned(),
            keys: vec![SigningKey {
                fingerprint: [0; 20],
                packet: Vec::new(),
            }],
            snapshot: None,
            snapshot_uri: Some("https://s.example.org/{snapshot}/".to_owned()),
        }
    }

    #[test]
    fn a_suite_names_a_directory() {
        let at = |suite| join("https://h/u/", &release_directory(suite));
        assert_eq!(at("noble"), "https://h/u/dists/noble");
        assert_eq!(at("/"), "https://h/u");
        assert_eq!(at("./"), "https://h/u");
        assert_eq!(at("./x/"), "https://h/u/x");
        assert_eq!(at("amd64/"), "https://h/u/amd64");
    }

    #[test]
    fn what_can_be_no_repository_is_refused() {
        checked(&repository("noble", &["main", "updates/main"])).unwrap();
        checked(&repository("/", &[])).unwrap();
        for (suite, components) in [
            ("../noble", &["main"][..]),
            ("noble", &["../main"]),
            ("noble", &[]),
            ("/", &["main"]),
            ("a/../../", &[]),
            ("", &["main"]),
        ] {
            assert!(checked(&repository(suite, components)).is_err(), "{suite}");
        }
    }

    #[test]
    fn a_snapshot_takes_the_place_of_the_uri() {
        let mut asked = repository("noble", &["main"]);
        asked.snapshot = Some("20260801T000000Z".to_owned());
        checked(&asked).unwrap();
        assert_eq!(base(&asked), "https://s.example.org/20260801T000000Z/");
        asked.snapshot = Some("../x".to_owned());
        assert!(checked(&asked).is_err());
        asked.snapshot = Some("20260801T000000Z".to_owned());
        asked.snapshot_uri = None;
        assert!(checked(&asked).is_err());
    }
}
