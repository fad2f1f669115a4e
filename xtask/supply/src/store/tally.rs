//! Progress of each and of all.

use std::sync::Mutex;

use super::each::locked;
use super::item::Job;
use crate::{Phase, Progress};

/// What goes on with one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// It is under way.
    Working(Progress),
    /// It was in the store.
    Present,
    /// It came, was verified and is in the store.
    Stored,
    /// It could not be had.
    Failed,
}

/// How far all of it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overall {
    /// Objects in the store or failed.
    pub ended: usize,
    /// Of these, failed.
    pub failed: usize,
    /// All objects.
    pub count: usize,
    /// Bytes that are here, of objects under way too.
    pub bytes: u64,
    /// All bytes, as far as sizes are known by now.
    pub total: u64,
    /// Of how many objects the size is not known yet.
    pub of_unknown_size: usize,
}

/// One report of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemProgress<'a> {
    /// Which object: counts from 0 to [`Overall::count`] less one, in the order in which digests are first asked for.
    pub index: usize,
    /// What its first asker calls it.
    pub name: &'a str,
    /// What goes on with it.
    pub state: ItemState,
    /// How far all of it is.
    pub all: Overall,
}

/// Adds up what the threads report.
pub(super) struct Tally<'a> {
    jobs: &'a [Job<'a>],
    report: &'a (dyn Fn(ItemProgress<'_>) + Sync),
    sums: Mutex<Sums>,
}

struct Sums {
    all: Overall,
    /// Of each job, the bytes that are here and the length as far as it is known.
    each: Vec<(u64, Option<u64>)>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(jobs: &'a [Job<'a>], report: &'a (dyn Fn(ItemProgress<'_>) + Sync)) -> Self {
        let each: Vec<_> = jobs.iter().map(|job| (0, job.size)).collect();
        let all = Overall {
            count: jobs.len(),
            total: each.iter().filter_map(|(_, size)| *size).sum(),
            of_unknown_size: each.iter().filter(|(_, size)| size.is_none()).count(),
            ..Overall::default()
        };
        let sums = Mutex::new(Sums { all, each });
        Self { jobs, report, sums }
    }

    /// Reports that one is under way.
    pub(super) fn working(&self, index: usize, progress: Progress) {
        if matches!(progress.phase, Phase::Downloading | Phase::Hashing) {
            locked(&self.sums).set(index, progress.done, progress.total);
        }
        self.tell(index, ItemState::Working(progress));
    }

    /// Reports how one ended, with its bytes in the store.
    pub(super) fn ended(&self, index: usize, state: ItemState, bytes: u64) {
        {
            let mut sums = locked(&self.sums);
            let failed = state == ItemState::Failed;
            sums.set(index, bytes, (!failed).then_some(bytes));
            sums.all.ended += 1;
            sums.all.failed += usize::from(failed);
        }
        self.tell(index, state);
    }

    fn tell(&self, index: usize, state: ItemState) {
        let Some(job) = self.jobs.get(index) else {
            return;
        };
        // Told without the lock: who is told may take its time.
        let all = locked(&self.sums).all;
        (self.report)(ItemProgress {
            index,
            name: job.name(),
            state,
            all,
        });
    }
}

impl Sums {
    fn set(&mut self, index: usize, bytes: u64, total: Option<u64>) {
        let Some(one) = self.each.get_mut(index) else {
            return;
        };
        let all = &mut self.all;
        all.bytes = all.bytes.saturating_sub(one.0).saturating_add(bytes);
        one.0 = bytes;
        if let (Some(total), before) = (total, one.1) {
            all.of_unknown_size -= usize::from(before.is_none());
            all.total = all
                .total
                .saturating_sub(before.unwrap_or(0))
                .saturating_add(total);
            one.1 = Some(total);
        }
    }
}
