//! The base image: from the cache, or from the first of several places that has
//! it, vouched for by a pinned digest, the vendor's signed list, or both.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cache::write_atomically;
use crate::download::{self, Failure};
use crate::error::{Cause, Tried};
use crate::http::Client;
use crate::partial::Partial;
use crate::signature::check_key;
use crate::stamp::{Identity, Watch, identify};
use crate::url::{Source, redact};
use crate::{
    Cache, Digest, FetchError, Limits, Phase, Progress, SignatureError, SignedBy, SigningKey, sums,
    verify_detached,
};

/// The vendor's list of digests and its signature, beside each image.
const LIST: &str = "SHA256SUMS";
const LIST_SIGNATURE: &str = "SHA256SUMS.gpg";

/// Longer lists and signatures are none. Ubuntu's are below 2 KiB.
const LONGEST_LIST: u64 = 1 << 20;
const LONGEST_SIGNATURE: u64 = 64 << 10;

/// What to get: all that is known of a base image.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// The release it belongs to, for messages: `24.04.5`.
    pub release: String,
    /// Its file name, in the cache and in the vendor's list.
    pub file_name: String,
    /// Where it may be, in order of preference.
    pub urls: Vec<String>,
    /// Its digest, where it is pinned. A release without a pin is accepted by the
    /// signed list alone.
    pub sha256: Option<Digest>,
    /// The key that signs the vendor's list.
    pub signing_key: SigningKey,
}

/// How to get it.
#[derive(Clone, Default)]
pub struct FetchOptions {
    /// A directory's URL to take the file from, instead of the image's own URLs.
    pub mirror: Option<String>,
    /// Touch no network: the cache has it, or it is an error.
    pub frozen: bool,
    /// How long to wait and how much to take.
    pub limits: Limits,
}

/// A mirror's URL may hold a password.
impl fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchOptions")
            .field("mirror", &self.mirror.as_deref().map(redact))
            .field("frozen", &self.frozen)
            .field("limits", &self.limits)
            .finish()
    }
}

/// Where the bytes came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file was in the cache.
    Cache,
    /// The file was fetched.
    Downloaded {
        /// From where, without credentials.
        url: String,
        /// How many bytes came over the network in this run.
        bytes: u64,
    },
}

/// Whether the vendor's signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureState {
    /// A list that gives this file's digest is signed by the pinned key.
    Verified(SignedBy),
    /// The pinned digest alone vouches for the file, for this reason.
    NotChecked(String),
}

/// A base image in the cache, vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes came from.
    pub origin: Origin,
    /// Whether the vendor's signature was checked.
    pub signature: SignatureState,
}

/// Gets `image` into the cache, or finds it there.
///
/// A file that someone copied into the cache under the image's name is verified and
/// adopted. A pinned image that is in the cache costs no network.
///
/// # Errors
///
/// See [`FetchError`]. Whatever goes wrong, nothing but the image stands under its
/// name, what came in and fits is kept for the next run, and a file that was there
/// before stays until the right one replaces it.
pub fn fetch_base(
    cache: &Cache,
    image: &BaseImage,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, FetchError> {
    let place = cache.place(&image.file_name)?;
    check_key(&image.signing_key).map_err(FetchError::BadKey)?;
    let sources = sources(image, options)?;
    let _lock = cache.lock(&image.file_name, options.limits.lock_wait, progress)?;
    let mut fetch = Fetch {
        cache,
        image,
        place,
        here: None,
        progress,
        tried: Vec::new(),
        unlisted: Vec::new(),
    };
    if let Some(found) = fetch.in_cache()? {
        return Ok(found);
    }
    if options.frozen {
        return Err(fetch.frozen());
    }
    fetch.search(&sources, &Client::new(options.limits.clone()))
}

fn sources(image: &BaseImage, options: &FetchOptions) -> Result<Vec<Source>, FetchError> {
    match &options.mirror {
        Some(mirror) => Ok(vec![Source::parse(mirror)?.below(&image.file_name)]),
        None => image.urls.iter().map(|url| Source::parse(url)).collect(),
    }
}

/// What a place's signed list says.
enum Listed {
    /// The list is good and gives this digest.
    Digest {
        digest: Digest,
        by: SignedBy,
        list: Vec<u8>,
        signature: Vec<u8>,
    },
    /// Nothing that counts, for this reason.
    Nothing(String),
    /// The place does not answer at all.
    NoAnswer(Cause),
}

struct Fetch<'a> {
    cache: &'a Cache,
    image: &'a BaseImage,
    place: PathBuf,
    /// What stands in the cache under the image's name.
    here: Option<Identity>,
    progress: &'a mut dyn FnMut(Progress),
    tried: Vec<Tried>,
    /// Why no list vouches for an image without a pin.
    unlisted: Vec<String>,
}

impl Fetch<'_> {
    /// The image, if the cache holds it and something vouches for it.
    fn in_cache(&mut self) -> Result<Option<Fetched>, FetchError> {
        if fs::symlink_metadata(&self.place).is_err() {
            return Ok(None);
        }
        let here = identify(&self.place, self.cache, self.progress)?;
        self.here = Some(here);
        let listed = self.cached_list()?;
        let (expected, signature) = match listed {
            Some((digest, by)) => (Some(digest), SignatureState::Verified(by)),
            None => (self.image.sha256, not_asked()),
        };
        let fits = expected == Some(here.sha256);
        Ok(fits.then(|| self.fetched(here, Origin::Cache, signature)))
    }

    /// What the signed list in the cache says, if it holds. One that does not hold is
    /// as good as none, and replaced by the next.
    fn cached_list(&self) -> Result<Option<(Digest, SignedBy)>, FetchError> {
        let path = self.cache.beside(&self.image.file_name, LIST);
        let read = |suffix| read_small(&self.cache.beside(&self.image.file_name, suffix));
        let (Some(list), Some(signature)) = (read(LIST), read(LIST_SIGNATURE)) else {
            return Ok(None);
        };
        let Ok(by) = self.verified(&list, &signature) else {
            return Ok(None);
        };
        let Ok(Some(digest)) = sums::lookup(&list, &self.image.file_name) else {
            return Ok(None);
        };
        self.agrees_with_pin(digest, &path.display().to_string())?;
        Ok(Some((digest, by)))
    }

    fn verified(&self, list: &[u8], signature: &[u8]) -> Result<SignedBy, SignatureError> {
        verify_detached(&self.image.signing_key, list, signature, SystemTime::now())
    }

    fn agrees_with_pin(&self, signed: Digest, url: &str) -> Result<(), FetchError> {
        match self.image.sha256 {
            Some(pinned) if pinned != signed => Err(FetchError::PinDisagrees {
                file: self.image.file_name.clone(),
                url: url.to_owned(),
                pinned,
                signed,
            }),
            _ => Ok(()),
        }
    }

    fn frozen(&self) -> FetchError {
        let found = match &self.here {
            Some(here) => Cause::CachedOther {
                found: here.sha256,
                expected: self.image.sha256,
            }
            .to_string(),
            None => "nothing stands there".to_owned(),
        };
        FetchError::Frozen {
            file: self.image.file_name.clone(),
            place: self.place.clone(),
            found,
        }
    }

    fn search(mut self, sources: &[Source], client: &Client) -> Result<Fetched, FetchError> {
        if let Some(here) = &self.here {
            let cause = Cause::CachedOther {
                found: here.sha256,
                expected: self.image.sha256,
            };
            self.tried.push(Tried {
                url: self.place.display().to_string(),
                cause,
            });
        }
        for source in sources {
            if let Some(fetched) = self.try_place(source, client)? {
                return Ok(fetched);
            }
        }
        if self.unlisted.is_empty() {
            return Err(FetchError::from_tried(
                &self.image.file_name,
                &self.place,
                self.tried,
            ));
        }
        let other = self.tried.iter().map(|one| format!("  {one}"));
        Err(FetchError::Unverifiable {
            file: self.image.file_name.clone(),
            reason: self
                .unlisted
                .iter()
                .cloned()
                .chain(other)
                .collect::<Vec<_>>()
                .join("\n"),
            list: self
                .cache
                .beside(&self.image.file_name, LIST)
                .display()
                .to_string(),
        })
    }

    /// Tries one place. `None` where it will not do and the next is to be tried.
    fn try_place(
        &mut self,
        source: &Source,
        client: &Client,
    ) -> Result<Option<Fetched>, FetchError> {
        let listed = self.listed(source, client)?;
        let (expected, signature) = match (&listed, self.image.sha256) {
            (Listed::NoAnswer(_), _) => (None, not_asked()),
            (Listed::Digest { digest, by, .. }, _) => {
                (Some(*digest), SignatureState::Verified(by.clone()))
            }
            (Listed::Nothing(why), Some(pin)) => {
                (Some(pin), SignatureState::NotChecked(why.clone()))
            }
            (Listed::Nothing(why), None) => {
                self.unlisted.push(format!("  {why}"));
                (None, not_asked())
            }
        };
        let Some(expected) = expected else {
            if let Listed::NoAnswer(cause) = listed {
                self.tried.push(Tried {
                    url: source.shown(),
                    cause,
                });
            }
            return Ok(None);
        };
        let origin = match self.here.filter(|here| here.sha256 == expected) {
            Some(_) => Origin::Cache,
            None => match self.download(source, client, expected)? {
                Some(origin) => origin,
                None => return Ok(None),
            },
        };
        if let Listed::Digest {
            list, signature, ..
        } = &listed
        {
            write_atomically(&self.cache.beside(&self.image.file_name, LIST), list)?;
            write_atomically(
                &self.cache.beside(&self.image.file_name, LIST_SIGNATURE),
                signature,
            )?;
        }
        let here = identify(&self.place, self.cache, self.progress)?;
        Ok(Some(self.fetched(here, origin, signature)))
    }

    /// Fetches and checks the signed list beside the image.
    fn listed(&self, source: &Source, client: &Client) -> Result<Listed, FetchError> {
        let (list_source, signature_source) = (source.beside(LIST), source.beside(LIST_SIGNATURE));
        let get = |source: &Source, most| {
            client
                .small(source, most)
                .map_err(|cause| (source.shown(), cause))
        };
        let list = get(&list_source, LONGEST_LIST);
        let both = list.and_then(|list| Ok((list, get(&signature_source, LONGEST_SIGNATURE)?)));
        let (list, signature) = match both {
            Ok(both) => both,
            Err((_, cause @ Cause::NoAnswer(_))) => return Ok(Listed::NoAnswer(cause)),
            Err((url, cause)) => return Ok(Listed::Nothing(format!("{url}: {cause}"))),
        };
        let by = self
            .verified(&list, &signature)
            .map_err(|reason| FetchError::BadSignature {
                url: signature_source.shown(),
                reason,
            })?;
        let url = list_source.shown();
        match sums::lookup(&list, &self.image.file_name) {
            Ok(Some(digest)) => {
                self.agrees_with_pin(digest, &url)?;
                Ok(Listed::Digest {
                    digest,
                    by,
                    list,
                    signature,
                })
            }
            Ok(None) => Ok(Listed::Nothing(format!(
                "{url}: it does not name {}",
                self.image.file_name
            ))),
            Err(why) => Ok(Listed::Nothing(format!("{url}: {why}"))),
        }
    }

    fn download(
        &mut self,
        source: &Source,
        client: &Client,
        expected: Digest,
    ) -> Result<Option<Origin>, FetchError> {
        let mut partial =
            Partial::open(self.cache, &self.image.file_name, expected, self.progress)?;
        match download::transfer(client, source, &mut partial, self.progress) {
            Ok(bytes) => {
                (self.progress)(Progress::new(
                    Phase::Storing,
                    partial.len(),
                    partial.total(),
                ));
                partial.adopt(&self.place)?;
                let watch = Watch::begin(&self.place)?;
                watch.finish(self.cache, expected)?;
                Ok(Some(Origin::Downloaded {
                    url: source.shown(),
                    bytes,
                }))
            }
            Err(Failure::Here(cause)) => {
                if partial.len() == 0 {
                    partial.abandon()?;
                }
                self.tried.push(Tried {
                    url: source.shown(),
                    cause,
                });
                Ok(None)
            }
            Err(Failure::Fatal(error)) => Err(error),
        }
    }

    fn fetched(&self, here: Identity, origin: Origin, signature: SignatureState) -> Fetched {
        Fetched {
            path: self.place.clone(),
            sha256: here.sha256,
            size: here.size,
            origin,
            signature,
        }
    }
}

fn not_asked() -> SignatureState {
    SignatureState::NotChecked("the image was in the cache and its pinned sha256 fits".to_owned())
}

fn read_small(path: &Path) -> Option<Vec<u8>> {
    let meta = fs::metadata(path).ok()?;
    let small = meta.is_file() && meta.len() <= LONGEST_LIST;
    small.then(|| fs::read(path).ok()).flatten()
}
