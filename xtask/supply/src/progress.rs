//! What is told to the caller while something takes its time.

/// What is being done right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Bytes come in over the network.
    Downloading,
    /// Bytes on the disk are being hashed.
    Hashing,
    /// All bytes came and are right; the system brings the last of them onto the disk.
    Storing,
    /// Another process holds the lock on the same file.
    Waiting,
    /// The transfer failed and is tried again after a pause.
    Retrying,
}

/// One report of progress. `done` and `total` are bytes in
/// [`Phase::Downloading`], [`Phase::Hashing`] and [`Phase::Storing`], seconds in
/// [`Phase::Waiting`] and [`Phase::Retrying`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// How much of it is done, the part resumed from an earlier run included.
    pub done: u64,
    /// How much there is to do, where that is known.
    pub total: Option<u64>,
}

impl Progress {
    pub(crate) fn new(phase: Phase, done: u64, total: Option<u64>) -> Self {
        Self { phase, done, total }
    }
}
