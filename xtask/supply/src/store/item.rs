//! What is wanted, how it is fetched, and how much of it is missing.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Mirrors, Store};
use crate::url::redact;
use crate::{Authority, Credentials, Digest, Limits};

/// A file that is wanted in the store.
#[derive(Clone)]
pub struct Wanted {
    /// What a person calls it. Names nothing on the disk.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its length in bytes, where it is known. More than that is never taken.
    pub size: Option<u64>,
    /// Where it may be, in order of preference.
    pub urls: Vec<String>,
    /// Has what the servers of `urls` (not of a mirror) ask for.
    pub authority: Option<Arc<dyn Authority>>,
}

/// A URL may hold a password.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| redact(url)).collect();
        f.debug_struct("Wanted")
            .field("name", &self.name)
            .field("sha256", &self.sha256)
            .field("size", &self.size)
            .field("urls", &urls)
            .field("authority", &self.authority.is_some())
            .finish()
    }
}

/// How to fetch.
#[derive(Debug, Clone)]
pub struct FetchAll {
    /// Touch no network: the store has it, or it is an error.
    pub frozen: bool,
    /// How many files come in at once.
    pub jobs: usize,
    /// How many of them from one host.
    pub per_host: usize,
    /// How long to wait and how much to take.
    pub limits: Limits,
    /// What is asked instead of the URLs.
    pub mirrors: Mirrors,
    /// What hosts want before they answer.
    pub credentials: Credentials,
}

impl Default for FetchAll {
    fn default() -> Self {
        Self {
            frozen: false,
            jobs: 4,
            per_host: 4,
            limits: Limits::default(),
            mirrors: Mirrors::default(),
            credentials: Credentials::default(),
        }
    }
}

/// How much is not in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missing {
    /// How many objects.
    pub count: usize,
    /// Their bytes that are still to come, as far as sizes are known.
    pub bytes: u64,
    /// Of how many the size is not known.
    pub of_unknown_size: usize,
}

/// How much of `wanted` would have to come over the network, equal digests counted
/// once. Nothing is hashed: what stands in the store with the right size counts.
pub fn missing(store: &Store, wanted: &[Wanted]) -> Missing {
    let there = |job: &Job| {
        let meta = std::fs::symlink_metadata(store.place(job.sha256)).ok();
        let meta = meta.filter(std::fs::Metadata::is_file);
        meta.is_some_and(|meta| job.size.is_none_or(|size| size == meta.len()))
    };
    let jobs = jobs(wanted, &FetchAll::default());
    count_missing(store, jobs.iter().filter(|job| !there(job)))
}

pub(super) fn count_missing<'a>(store: &Store, jobs: impl Iterator<Item = &'a Job<'a>>) -> Missing {
    jobs.fold(Missing::default(), |sum, job| Missing {
        count: sum.count + 1,
        bytes: sum.bytes.saturating_add(
            job.size
                .map_or(0, |size| size.saturating_sub(store.partial_len(job.sha256))),
        ),
        of_unknown_size: sum.of_unknown_size + usize::from(job.size.is_none()),
    })
}

/// A URL to try, and who has what its server asks for.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) url: String,
    pub(super) authority: Option<&'a dyn Authority>,
}

/// One object to bring in, for all who want it.
pub(super) struct Job<'a> {
    pub(super) sha256: Digest,
    pub(super) size: Option<u64>,
    pub(super) places: Vec<Place<'a>>,
    /// Who wants it; never empty.
    pub(super) wanted: Vec<&'a Wanted>,
}

impl Job<'_> {
    pub(super) fn name(&self) -> &str {
        self.wanted
            .first()
            .map_or("", |wanted| wanted.name.as_str())
    }
}

/// One job for each digest, the places of all who want it in their order.
pub(super) fn jobs<'a>(wanted: &'a [Wanted], how: &FetchAll) -> Vec<Job<'a>> {
    let mut jobs: Vec<Job<'a>> = Vec::new();
    let mut known: HashMap<Digest, usize> = HashMap::new();
    for one in wanted {
        let index = *known.entry(one.sha256).or_insert(jobs.len());
        if index == jobs.len() {
            jobs.push(Job {
                sha256: one.sha256,
                size: None,
                places: Vec::new(),
                wanted: Vec::new(),
            });
        }
        let Some(job) = jobs.get_mut(index) else {
            continue;
        };
        job.wanted.push(one);
        job.size = job.size.or(one.size);
        for place in places(one, &how.mirrors) {
            if !job.places.iter().any(|known| known.url == place.url) {
                job.places.push(place);
            }
        }
    }
    jobs
}

/// What is asked for one file: served stores, then for each URL its mirrors, then itself. An authority's
/// tokens are for the server itself, and not for a mirror.
fn places<'a>(wanted: &'a Wanted, mirrors: &Mirrors) -> Vec<Place<'a>> {
    let objects = mirrors.of_object(wanted.sha256).map(|url| Place {
        url,
        authority: None,
    });
    let mut places: Vec<_> = objects.collect();
    for url in &wanted.urls {
        let mirrored = mirrors.of(url);
        places.extend(mirrored.urls.into_iter().map(|url| Place {
            url,
            authority: None,
        }));
        if mirrored.itself {
            places.push(Place {
                url: url.clone(),
                authority: wanted.authority.as_deref(),
            });
        }
    }
    places
}
