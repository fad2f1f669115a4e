//! A medium in memory that lies and breaks to order, and notes every write. It proves what the
//! writing makes of what a medium does; what the kernel makes of real ones is in `tests/real`.

use std::io;
use std::sync::Mutex;

use lab_stick::{Condition, Medium};
use rustix::io::Errno;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Places are taken modulo this.
    pub(crate) wraps: Option<u64>,
    /// Writes from here on are lost.
    pub(crate) loses: Option<u64>,
    /// This byte cannot be written.
    pub(crate) bad_write: Option<u64>,
    /// This byte cannot be read.
    pub(crate) bad_read: Option<u64>,
    /// This byte keeps another value.
    pub(crate) flips: Option<u64>,
    /// So many writes are taken before it is gone.
    pub(crate) gone_after: Option<usize>,
    /// So many writes are taken before it turns read-only.
    pub(crate) read_only_after: Option<usize>,
    /// Only the first try of this write fails.
    pub(crate) hiccup: Option<usize>,
    /// Nothing is stored for good.
    pub(crate) no_flush: bool,
}

pub(crate) struct Fake {
    pub(crate) faults: Faults,
    sector: u64,
    state: Mutex<State>,
}

struct State {
    bytes: Vec<u8>,
    writes: Vec<(u64, usize)>,
    tries: usize,
}

impl Fake {
    pub(crate) fn new(size: usize) -> Self {
        // Not zeros: what a write has to leave alone, and what it has to write, shows.
        let state = State {
            bytes: vec![0xa5; size],
            writes: Vec::new(),
            tries: 0,
        };
        Self {
            faults: Faults::default(),
            sector: 512,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn with(size: usize, faults: Faults) -> Self {
        Self {
            faults,
            ..Self::new(size)
        }
    }

    pub(crate) fn sectors_of(self, sector: u64) -> Self {
        Self { sector, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().bytes.clone()
    }

    pub(crate) fn set(&self, at: usize, bytes: &[u8]) {
        self.state.lock().unwrap().bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Where and how much was written, in order.
    pub(crate) fn writes(&self) -> Vec<(u64, usize)> {
        self.state.lock().unwrap().writes.clone()
    }

    fn aligned(&self, buffer: &[u8], at: u64) {
        assert_eq!(at % self.sector, 0, "a place that direct I/O takes");
        assert_eq!(
            buffer.len() as u64 % self.sector,
            0,
            "a length that direct I/O takes"
        );
        assert_eq!(
            buffer.as_ptr() as usize % 4096,
            0,
            "memory that direct I/O takes"
        );
    }

    fn place(&self, at: u64) -> usize {
        self.faults.wraps.map_or(at, |real| at % real) as usize
    }
}

fn covers(at: u64, len: usize, place: Option<u64>) -> bool {
    place.is_some_and(|place| (at..at + len as u64).contains(&place))
}

impl Medium for Fake {
    fn name(&self) -> &str {
        "sdx"
    }

    fn size(&self) -> u64 {
        self.state.lock().unwrap().bytes.len() as u64
    }

    fn sector(&self) -> u64 {
        self.sector
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.aligned(buffer, at);
        if covers(at, buffer.len(), self.faults.bad_read) {
            return Err(Errno::IO.into());
        }
        let state = self.state.lock().unwrap();
        for (piece, place) in buffer.chunks_mut(512).zip((at..).step_by(512)) {
            let from = self.place(place);
            piece.copy_from_slice(&state.bytes[from..from + piece.len()]);
        }
        Ok(())
    }

    fn write_at(&self, buffer: &[u8], at: u64) -> io::Result<()> {
        self.aligned(buffer, at);
        let mut state = self.state.lock().unwrap();
        state.tries += 1;
        if covers(at, buffer.len(), self.faults.bad_write)
            || self.faults.hiccup == Some(state.tries)
        {
            return Err(Errno::IO.into());
        }
        if self
            .faults
            .gone_after
            .is_some_and(|most| state.writes.len() >= most)
        {
            return Err(Errno::IO.into());
        }
        if self
            .faults
            .read_only_after
            .is_some_and(|most| state.writes.len() >= most)
        {
            return Err(Errno::PERM.into());
        }
        for (piece, place) in buffer.chunks(512).zip((at..).step_by(512)) {
            if self.faults.loses.is_none_or(|from| place < from) {
                let to = self.place(place);
                state.bytes[to..to + piece.len()].copy_from_slice(piece);
            }
        }
        if let Some(place) = self
            .faults
            .flips
            .filter(|place| covers(at, buffer.len(), Some(*place)))
        {
            state.bytes[place as usize] ^= 0x10;
        }
        state.writes.push((at, buffer.len()));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        match self.faults.no_flush {
            true => Err(Errno::IO.into()),
            false => Ok(()),
        }
    }

    fn condition(&self) -> Condition {
        let writes = self.state.lock().unwrap().writes.len();
        match self.faults.gone_after.is_some_and(|most| writes >= most) {
            true => Condition::Gone,
            false => Condition::Present,
        }
    }
}
