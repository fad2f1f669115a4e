//! Who comes next: the largest first, no more than a few from one host at once, and
//! what another process is bringing in last.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};

use super::each::locked;

/// The jobs that are still to be begun.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    per_host: usize,
}

struct State {
    /// Jobs and the host that is asked first.
    pending: VecDeque<(usize, String)>,
    /// Jobs that another process had when they were looked at.
    elsewhere: VecDeque<usize>,
    /// How many transfers there are from each host.
    hosts: HashMap<String, usize>,
    stopped: bool,
}

/// The right to one transfer from a host, until it is dropped.
pub(super) struct Slot<'a> {
    queue: &'a Queue,
    host: String,
}

/// A job to be done.
pub(super) struct Turn<'a> {
    pub(super) index: usize,
    /// The first host's slot. `None` for what is looked at again, and may have to wait.
    pub(super) slot: Option<Slot<'a>>,
}

impl Queue {
    pub(super) fn new(pending: VecDeque<(usize, String)>, per_host: usize) -> Self {
        Self {
            state: Mutex::new(State {
                pending,
                elsewhere: VecDeque::new(),
                hosts: HashMap::new(),
                stopped: false,
            }),
            changed: Condvar::new(),
            per_host: per_host.max(1),
        }
    }

    /// The next job, once its host has room. `None` when there is none.
    pub(super) fn next(&self) -> Option<Turn<'_>> {
        let mut state = locked(&self.state);
        loop {
            if state.stopped {
                return None;
            }
            let room = |(_, host): &(usize, String)| state.taken(host) < self.per_host;
            if let Some(at) = state.pending.iter().position(room) {
                let (index, host) = state.pending.remove(at)?;
                *state.hosts.entry(host.clone()).or_default() += 1;
                let slot = Some(Slot { queue: self, host });
                return Some(Turn { index, slot });
            }
            if state.pending.is_empty() {
                let index = state.elsewhere.pop_front()?;
                return Some(Turn { index, slot: None });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a job back that another process works on.
    pub(super) fn put_back(&self, index: usize) {
        locked(&self.state).elsewhere.push_back(index);
        self.changed.notify_all();
    }

    /// Begins no more jobs.
    pub(super) fn stop(&self) {
        locked(&self.state).stopped = true;
        self.changed.notify_all();
    }

    /// How many jobs were never begun.
    pub(super) fn left(&self) -> usize {
        let state = locked(&self.state);
        state.pending.len() + state.elsewhere.len()
    }

    /// A slot of `host`: the one in hand, or another once there is room.
    pub(super) fn slot<'a>(&'a self, held: Option<Slot<'a>>, host: &str) -> Slot<'a> {
        if let Some(slot) = held.filter(|slot| slot.host == host) {
            return slot;
        }
        let mut state = locked(&self.state);
        while state.taken(host) >= self.per_host {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *state.hosts.entry(host.to_owned()).or_default() += 1;
        Slot {
            queue: self,
            host: host.to_owned(),
        }
    }
}

impl State {
    fn taken(&self, host: &str) -> usize {
        self.hosts.get(host).copied().unwrap_or(0)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(taken) = locked(&self.queue.state).hosts.get_mut(&self.host) {
            *taken -= 1;
        }
        self.queue.changed.notify_all();
    }
}
