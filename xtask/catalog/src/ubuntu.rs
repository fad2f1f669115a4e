//! Ubuntu's releases: the server images, their digests, the key that signs
//! them, and the kernels (`data/ubuntu.toml`).

use crate::{Catalog, Date, DottedVersion, Fingerprint, Meta, Sha256};
use serde::{Deserialize, Serialize};

/// Which of Ubuntu's kernels a machine follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelFlavour {
    /// The kernel that the release came out with, for all its life (6.8 in 24.04).
    Ga,
    /// Hardware enablement: a newer kernel every half year.
    Hwe,
}

impl KernelFlavour {
    /// How the packages of this kernel end in Ubuntu 24.04, like `generic-hwe-24.04`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Ga => "generic",
            Self::Hwe => "generic-hwe-24.04",
        }
    }

    /// The package that follows this kernel in Ubuntu 24.04, like `linux-generic-hwe-24.04`.
    #[must_use]
    pub fn package(self) -> String {
        format!("linux-{}", self.suffix())
    }
}

/// A release of Ubuntu with all its point releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UbuntuRelease {
    /// Its number, like `24.04`: text, since versions as numbers have no leading zero.
    pub version: String,
    /// Its short name, like `noble`.
    pub codename: String,
    /// The version of the GA kernel.
    pub kernel_ga: DottedVersion,
    /// The newest package version of the GA kernel that was seen.
    pub kernel_ga_package: String,
    /// The last day of standard support; where only the month is named, that month's last day.
    pub end_of_standard_support: Date,
    /// The server images, oldest first.
    pub images: Vec<UbuntuImage>,
    /// The key that signs `SHA256SUMS`.
    pub signing_key: Fingerprint,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

impl UbuntuRelease {
    /// The image of a point release like `24.04.5`.
    #[must_use]
    pub fn image(&self, release: &str) -> Option<&UbuntuImage> {
        self.images.iter().find(|image| image.release == release)
    }

    /// The newest image.
    #[must_use]
    pub fn newest(&self) -> Option<&UbuntuImage> {
        self.images.last()
    }
}

/// The server image of a point release, for amd64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UbuntuImage {
    /// The point release, like `24.04.5`.
    pub release: String,
    /// Its file name.
    pub file_name: String,
    /// Where it is while it is the newest.
    pub url: String,
    /// Where it is once it is not.
    pub superseded_url: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// An OpenPGP key, as much of it as checking a signature needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    /// Its fingerprint, which the bytes hash to (a test checks it).
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub owner: String,
    /// A transferable public key (RFC 9580, 10.1), cut down to its public-key
    /// packet, a user id and that id's self-signature.
    pub bytes: Vec<u8>,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

/// `data/ubuntu.toml`.
#[derive(Debug)]
pub(crate) struct UbuntuFile {
    releases: Vec<UbuntuRelease>,
    keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    meta: Meta,
    release: Vec<RawRelease>,
    key: Vec<RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelease {
    version: String,
    codename: String,
    kernel_ga: DottedVersion,
    kernel_ga_package: String,
    end_of_standard_support: Date,
    signing_key: Fingerprint,
    file_name: String,
    url: String,
    superseded_url: String,
    image: Vec<RawImage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    release: String,
    sha256: Sha256,
}

/// A key as the files have it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKey {
    fingerprint: Fingerprint,
    owner: String,
    base64: String,
    source: String,
    date: Date,
}

impl RawRelease {
    fn resolve(self, meta: &Meta) -> UbuntuRelease {
        let fill = |pattern: &str, release: &str| pattern.replace("{release}", release);
        let image = |raw: &RawImage| UbuntuImage {
            release: raw.release.clone(),
            file_name: fill(&self.file_name, &raw.release),
            url: fill(&self.url, &raw.release) + &fill(&self.file_name, &raw.release),
            superseded_url: fill(&self.superseded_url, &raw.release)
                + &fill(&self.file_name, &raw.release),
            sha256: raw.sha256,
        };
        UbuntuRelease {
            images: self.image.iter().map(image).collect(),
            version: self.version,
            codename: self.codename,
            kernel_ga: self.kernel_ga,
            kernel_ga_package: self.kernel_ga_package,
            end_of_standard_support: self.end_of_standard_support,
            signing_key: self.signing_key,
            source: meta.source.clone(),
            date: meta.date,
        }
    }
}

impl RawKey {
    /// The key; none where its bytes are no Base64.
    pub(crate) fn resolve(self) -> Option<PublicKey> {
        Some(PublicKey {
            bytes: base64(&self.base64)?,
            fingerprint: self.fingerprint,
            owner: self.owner,
            source: self.source,
            date: self.date,
        })
    }
}

/// Decodes Base64 (RFC 4648, section 4) with line breaks in it; none where it is anything else.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.collect();
    let padding = digits
        .iter()
        .rev()
        .take_while(|byte| **byte == b'=')
        .count();
    let body = digits.get(..digits.len() - padding)?;
    if padding > 2 || !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in body {
        let value = ALPHABET.iter().position(|one| one == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

impl<'de> Deserialize<'de> for UbuntuFile {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawFile { meta, release, key } = RawFile::deserialize(from)?;
        let keys: Option<Vec<PublicKey>> = key.into_iter().map(RawKey::resolve).collect();
        Ok(Self {
            releases: release.into_iter().map(|raw| raw.resolve(&meta)).collect(),
            keys: keys.ok_or_else(|| serde::de::Error::custom("a key is not Base64"))?,
        })
    }
}

impl Catalog {
    /// Ubuntu's releases that are known.
    #[must_use]
    pub fn ubuntu_releases(&self) -> &[UbuntuRelease] {
        &self.ubuntu_file().releases
    }

    /// The release with that number, like `24.04`.
    #[must_use]
    pub fn ubuntu_release(&self, version: &str) -> Option<&UbuntuRelease> {
        self.ubuntu_releases()
            .iter()
            .find(|one| one.version == version)
    }

    /// The image of a point release, like `24.04.5`.
    #[must_use]
    pub fn ubuntu_image(&self, release: &str) -> Option<&UbuntuImage> {
        self.ubuntu_releases()
            .iter()
            .find_map(|one| one.image(release))
    }

    /// Which image has that digest.
    #[must_use]
    pub fn ubuntu_image_by_sha256(&self, sha256: Sha256) -> Option<&UbuntuImage> {
        let mut images = self.ubuntu_releases().iter().flat_map(|one| &one.images);
        images.find(|image| image.sha256 == sha256)
    }

    /// The public key with that fingerprint, of images or of archives.
    #[must_use]
    pub fn public_key(&self, fingerprint: Fingerprint) -> Option<&PublicKey> {
        let mut keys = self.ubuntu_file().keys.iter().chain(self.archive_keys());
        keys.find(|key| key.fingerprint == fingerprint)
    }
}
