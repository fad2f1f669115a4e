//! Many files into the store at once.
//!
//! First what is there is looked at (hashed where its stamp does not hold), then room
//! is asked for, then a few threads bring in the rest. Each object is brought in under
//! its lock; what another process is bringing in is left to it and looked at again
//! when nothing else is to do.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use super::Store;
use super::each::{each, locked};
use super::item::{FetchAll, Job, Place, Wanted, count_missing, jobs};
use super::lock::{ObjectLock, POLL};
use super::object::Presence;
use super::queue::{Queue, Slot};
use super::report::{FetchFailed, FetchedAll, FetchedItem, ItemFailed, Why};
use super::tally::{ItemProgress, ItemState, Tally};
use crate::download::{self, Failure};
use crate::error::{Cause, Tried};
use crate::http::Client;
use crate::partial::Partial;
use crate::url::{Source, redact};
use crate::{Credentials, FetchError, Limits, Origin, Phase, Progress, space};

/// Where an object came from, and its length.
type Got = (Origin, u64);

/// Brings all of `wanted` into the store, or says all that cannot be had. Equal digests
/// are fetched once.
///
/// # Errors
///
/// [`FetchFailed`] names every object that could not be had, and why. The others are in
/// the store, and what came in right of the failed ones is kept for the next run. Where
/// the disk has no room for all, nothing is fetched.
pub fn fetch_all(
    store: &Store,
    wanted: &[Wanted],
    how: &FetchAll,
    progress: &(dyn Fn(ItemProgress<'_>) + Sync),
) -> Result<FetchedAll, FetchFailed> {
    let jobs = jobs(wanted, how);
    let _hold = store
        .hold(how.limits.lock_wait)
        .map_err(FetchFailed::stopped)?;
    let run = Run {
        store,
        how,
        jobs: &jobs,
        tally: Tally::new(&jobs, progress),
        client: Client::new(how.limits.clone()),
        got: Mutex::new(jobs.iter().map(|_| None).collect()),
        silent: Mutex::default(),
    };
    let absent = run.look();
    let mut not_begun = 0;
    if how.frozen {
        for index in absent {
            run.end(index, Err(Why::Frozen));
        }
    } else if let Err(error) = run.ensure_room(&absent) {
        let mut failed = FetchFailed::stopped(error);
        failed.not_begun = absent.len();
        failed.fetched = run.sorted().fetched;
        return Err(failed);
    } else {
        not_begun = run.bring(&absent);
    }
    let mut all = run.sorted();
    all.not_begun = not_begun;
    if all.failed.is_empty() && not_begun == 0 {
        return Ok(all.fetched);
    }
    Err(all)
}

struct Run<'a> {
    store: &'a Store,
    how: &'a FetchAll,
    jobs: &'a [Job<'a>],
    tally: Tally<'a>,
    client: Client,
    /// What came of each job so far.
    got: Mutex<Vec<Option<Result<Got, Why>>>>,
    /// Hosts that did not answer in this run. A mirror that is down must not cost each
    /// file the time that a connection may take.
    silent: Mutex<BTreeSet<String>>,
}

impl Run<'_> {
    fn limits(&self) -> &Limits {
        &self.how.limits
    }

    fn end(&self, index: usize, result: Result<Got, Why>) {
        let (state, bytes) = match &result {
            Ok((Origin::Cache, bytes)) => (ItemState::Present, *bytes),
            Ok((Origin::Downloaded { .. }, bytes)) => (ItemState::Stored, *bytes),
            Err(_) => (ItemState::Failed, 0),
        };
        if let Some(place) = locked(&self.got).get_mut(index) {
            *place = Some(result);
        }
        self.tally.ended(index, state, bytes);
    }

    /// Ends what is there; what is not comes back, the largest first. What a size is not
    /// known of may be larger still.
    fn look(&self) -> Vec<usize> {
        let indexes: Vec<usize> = (0..self.jobs.len()).collect();
        let absent = each(&indexes, self.how.jobs, |index| {
            let there = self.jobs.get(*index).map(|job| self.there(*index, job))?;
            let there = there.transpose();
            there.is_none().then_some(*index).or_else(|| {
                self.end(*index, there?);
                None
            })
        });
        let mut absent: Vec<usize> = absent.into_iter().flatten().collect();
        let size = |index: &usize| self.jobs.get(*index).and_then(|job| job.size);
        absent.sort_by_key(|index| std::cmp::Reverse(size(index).unwrap_or(u64::MAX)));
        absent
    }

    /// The object, if it is in the store.
    fn there(&self, index: usize, job: &Job<'_>) -> Result<Option<Got>, Why> {
        let mut progress = |progress| self.tally.working(index, progress);
        match self.store.presence(job.sha256, &mut progress) {
            Ok(Presence::Good(size)) => self.of_size(job, (Origin::Cache, size)).map(Some),
            Ok(Presence::Absent | Presence::Bad) => Ok(None),
            Err(error) => Err(Why::Failed(error)),
        }
    }

    fn of_size(&self, job: &Job<'_>, got: Got) -> Result<Got, Why> {
        let found = got.1;
        let other = |size: &u64| *size != found;
        match job.wanted.iter().filter_map(|one| one.size).find(other) {
            Some(expected) => Err(Why::OtherSize { found, expected }),
            None => Ok(got),
        }
    }

    /// Fails where what is missing does not fit onto the disk.
    fn ensure_room(&self, absent: &[usize]) -> Result<(), FetchError> {
        let absent = absent.iter().filter_map(|index| self.jobs.get(*index));
        let missing = count_missing(self.store, absent);
        let what = format!("{} missing files", missing.count);
        space::ensure(&self.store.root, &what, missing.bytes)
    }

    /// Brings in what is not there. Says how many were not begun.
    fn bring(&self, absent: &[usize]) -> usize {
        let host = |index: &usize| {
            let place = self.jobs.get(*index)?.places.first()?;
            Some(Source::parse(&place.url).ok()?.host())
        };
        let pending: VecDeque<_> = absent
            .iter()
            .map(|index| (*index, host(index).unwrap_or_default()))
            .collect();
        let threads = self.how.jobs.clamp(1, pending.len().max(1));
        let queue = Queue::new(pending, self.how.per_host);
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&queue, start));
            }
        });
        queue.left()
    }

    fn work(&self, queue: &Queue, start: Instant) {
        while let Some(turn) = queue.next() {
            let Some(job) = self.jobs.get(turn.index) else {
                continue;
            };
            let locked = match self.store.try_lock(job.sha256) {
                Ok(locked) => locked,
                Err(error) => {
                    self.end(turn.index, Err(Why::Failed(error)));
                    continue;
                }
            };
            match locked {
                Some(lock) => self.one(queue, turn.index, job, turn.slot, lock),
                None => self.elsewhere(queue, turn.index, job, turn.slot.is_none(), start),
            }
        }
    }

    /// Another process brings it in: later it will be there, or its lock be free.
    fn elsewhere(&self, queue: &Queue, index: usize, job: &Job<'_>, again: bool, start: Instant) {
        let waited = start.elapsed();
        if waited >= self.limits().lock_wait {
            let lock = self.store.lock_path(job.sha256);
            return self.end(index, Err(Why::Failed(FetchError::Busy { lock, waited })));
        }
        if again {
            let wait = self.limits().lock_wait.as_secs();
            let progress = Progress::new(Phase::Waiting, waited.as_secs(), Some(wait));
            self.tally.working(index, progress);
            thread::sleep(POLL);
        }
        queue.put_back(index);
    }

    fn one<'q>(
        &self,
        queue: &'q Queue,
        index: usize,
        job: &Job<'_>,
        slot: Option<Slot<'q>>,
        lock: ObjectLock,
    ) {
        let got = match self.there(index, job) {
            Ok(None) => self.download(queue, index, job, slot),
            Ok(Some(got)) => Ok(got),
            Err(why) => Err(why),
        };
        if matches!(got, Err(Why::Failed(FetchError::DiskFull { .. }))) {
            queue.stop();
        }
        // A lock's file that stays is only litter.
        let _ = lock.remove();
        self.end(index, got);
    }

    /// Tries the places in their order.
    fn download<'q>(
        &self,
        queue: &'q Queue,
        index: usize,
        job: &Job<'_>,
        mut slot: Option<Slot<'q>>,
    ) -> Result<Got, Why> {
        let mut progress = |progress| self.tally.working(index, progress);
        let name = job.sha256.to_string();
        let mut partial = Partial::open(&self.store.partial, &name, job.sha256, &mut progress)
            .and_then(|partial| partial.of_size(job.size))
            .map_err(Why::Failed)?;
        let mut tried = Vec::new();
        for (left, place) in job.places.iter().rev().enumerate().rev() {
            let done = self.source(place).and_then(|source| {
                self.heard_of(&source.host(), left)?;
                slot = Some(queue.slot(slot.take(), &source.host()));
                let authority = place.authority.filter(|_| source.authorization().is_none());
                download::transfer_with(
                    &self.client,
                    &source,
                    authority,
                    &mut partial,
                    &mut progress,
                )
            });
            let url = redact(&place.url);
            match done {
                Ok(bytes) => {
                    let size = self.store_it(job, partial, &mut progress)?;
                    return self.of_size(job, (Origin::Downloaded { url, bytes }, size));
                }
                Err(Failure::Here(cause)) => {
                    self.remember(&url, &cause);
                    tried.push(explained(url, cause));
                }
                Err(Failure::Fatal(error)) => return Err(Why::Failed(error)),
            }
        }
        if partial.len() == 0 {
            partial.abandon().map_err(Why::Failed)?;
        }
        Err(Why::Tried(tried))
    }

    /// Passes over a host that did not answer before, while others are left to ask.
    fn heard_of(&self, host: &str, left: usize) -> Result<(), Cause> {
        if left > 0 && locked(&self.silent).contains(host) {
            return Err(Cause::NoAnswer("nor was there one before".to_owned()));
        }
        Ok(())
    }

    fn remember(&self, url: &str, cause: &Cause) {
        if let (Cause::NoAnswer(_), Ok(source)) = (cause, Source::parse(url)) {
            locked(&self.silent).insert(source.host());
        }
    }

    /// A place as a source, with what the caller has for its host where nobody else can
    /// read it.
    fn source(&self, place: &Place<'_>) -> Result<Source, Failure> {
        let mut source = Source::parse(&place.url).map_err(|error| match error {
            FetchError::BadUrl { why, .. } => Failure::Here(Cause::Unusable(why)),
            other => Failure::Fatal(other),
        })?;
        if source.authorization().is_none() && source.keeps_secrets() {
            let found = self.how.credentials.find(&source.host());
            if let Some(authorization) = found.filter(|_| place.authority.is_none()) {
                source.authorize(authorization);
            }
        }
        Ok(source)
    }

    fn store_it(
        &self,
        job: &Job<'_>,
        partial: Partial,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, Why> {
        let size = partial.len();
        progress(Progress::new(Phase::Storing, size, Some(size)));
        let stored = || {
            self.store.set_bad_aside(job.sha256)?;
            partial.adopt(&self.store.ready_place(job.sha256)?)
        };
        stored().map_err(Why::Failed)?;
        self.store.stamp_own(job.sha256);
        Ok(size)
    }

    /// What came of all, in the order of who asked.
    fn sorted(&self) -> FetchFailed {
        let mut all = FetchFailed {
            failed: Vec::new(),
            stopped: None,
            not_begun: 0,
            fetched: FetchedAll::default(),
        };
        let got = std::mem::take(&mut *locked(&self.got));
        for (job, got) in self.jobs.iter().zip(got) {
            match got {
                None => {}
                Some(Ok((origin, size))) => all.fetched.add(job, &origin, size),
                Some(Err(why)) => all.failed.push(ItemFailed {
                    name: job.name().to_owned(),
                    sha256: job.sha256,
                    why,
                }),
            }
        }
        all
    }
}

/// Says where a login is taken from, where one is wanted.
fn explained(url: String, cause: Cause) -> Tried {
    let cause = match (cause, Source::parse(&url)) {
        (Cause::Unauthorized(why), Ok(source)) => {
            let variable = Credentials::variable(&source.host());
            let only = if source.keeps_secrets() {
                ""
            } else {
                " and sent over https:// alone"
            };
            Cause::Unauthorized(format!("{why}; it is taken from {variable}{only}"))
        }
        (cause, _) => cause,
    };
    Tried { url, cause }
}

impl FetchedAll {
    fn add(&mut self, job: &Job<'_>, origin: &Origin, size: u64) {
        match origin {
            Origin::Cache => self.present += 1,
            Origin::Downloaded { bytes, .. } => {
                self.downloaded += 1;
                self.received += bytes;
            }
        }
        self.items.extend(job.wanted.iter().map(|one| FetchedItem {
            name: one.name.clone(),
            sha256: one.sha256,
            size,
            origin: origin.clone(),
        }));
    }
}
