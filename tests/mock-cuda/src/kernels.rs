//! What the probe's kernels do, done by the host. They are known by their names; their PTX
//! is not looked at.

use crate::cards::CudaFault;
use crate::memory::Memory;
use crate::status::Status;

/// A kernel of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// `lab_hash(out, count, seed)`
    Hash,
    /// `lab_fma(out, count, seed, rounds)`
    Fma,
    /// `lab_fill(buffer, words, first, pattern)`
    Fill,
    /// `lab_verify(buffer, words, first, pattern, wrong)`
    Verify,
}

/// One argument of a kernel has eight bytes, or four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// `.u64`
    Eight,
    /// `.u32`
    Four,
}

use Width::{Eight, Four};

impl Kernel {
    const ALL: [(Kernel, &'static str, &'static [Width]); 4] = [
        (Kernel::Hash, "lab_hash", &[Eight, Four, Four]),
        (Kernel::Fma, "lab_fma", &[Eight, Four, Four, Four]),
        (Kernel::Fill, "lab_fill", &[Eight, Eight, Eight, Four]),
        (
            Kernel::Verify,
            "lab_verify",
            &[Eight, Eight, Eight, Four, Eight],
        ),
    ];

    /// The kernel of this name, as a handle that is not null.
    pub(crate) fn handle(name: &str) -> Option<usize> {
        let place = Self::ALL.iter().position(|(_, known, _)| *known == name)?;
        Some(place + 1)
    }

    /// The kernel of a handle, and what its arguments are.
    pub(crate) fn of(handle: usize) -> Option<(Kernel, &'static [Width])> {
        let (kernel, _, widths) = Self::ALL.get(handle.checked_sub(1)?)?;
        Some((*kernel, widths))
    }

    /// Does the kernel's work with so many threads.
    pub(crate) fn run(
        self,
        memory: &mut Memory,
        threads: u64,
        arguments: &[u64],
        fault: Option<CudaFault>,
    ) -> Result<(), Status> {
        match (self, arguments) {
            (Kernel::Hash, &[out, count, seed]) => {
                let wrong = fault == Some(CudaFault::WrongResult);
                each(memory, out, count, threads, |index| {
                    let right = hash(index.wrapping_add(seed as u32));
                    right ^ u32::from(wrong && index % 1000 == 999)
                })
            }
            (Kernel::Fma, &[out, count, seed, rounds]) => {
                each(memory, out, count, threads, |index| {
                    fma(index.wrapping_add(seed as u32), rounds as u32)
                })
            }
            (Kernel::Fill, &[buffer, words, first, pattern]) => {
                let words = all(memory, buffer, words)?;
                for (place, word) in (first..).zip(words.iter_mut()) {
                    *word = at(place, pattern as u32);
                }
                if fault == Some(CudaFault::BadMemory)
                    && let Some(stuck) = words.get_mut(4099)
                {
                    *stuck |= 1 << 5;
                }
                Ok(())
            }
            (Kernel::Verify, &[buffer, words, first, pattern, wrong]) => {
                let right = |(place, word): &(u64, &mut u32)| at(*place, pattern as u32) == **word;
                let words = all(memory, buffer, words)?.iter_mut();
                let counted = (first..).zip(words).filter(|word| !right(word)).count();
                add(memory, wrong, counted as u64)
            }
            _ => Err(Status::InvalidValue),
        }
    }
}

/// A range of bytes that a kernel goes over; past the end it is an illegal address, and
/// not an invalid value as in a call.
fn all(memory: &mut Memory, address: u64, words: u64) -> Result<&mut [u32], Status> {
    let bytes = words
        .checked_mul(4)
        .and_then(|bytes| usize::try_from(bytes).ok());
    let words = bytes.map(|bytes| memory.words_mut(address, bytes));
    words
        .ok_or(Status::IllegalAddress)?
        .map_err(|_| Status::IllegalAddress)
}

/// A word from each index; what no thread comes to stays as it is.
fn each(
    memory: &mut Memory,
    out: u64,
    count: u64,
    threads: u64,
    number: impl Fn(u32) -> u32,
) -> Result<(), Status> {
    let words = all(memory, out, count.min(threads))?;
    for (index, word) in (0..).zip(words) {
        *word = number(index);
    }
    Ok(())
}

fn add(memory: &mut Memory, address: u64, more: u64) -> Result<(), Status> {
    let words = all(memory, address, 2)?;
    if let [low, high] = words {
        let sum = (u64::from(*high) << 32 | u64::from(*low)).wrapping_add(more);
        (*low, *high) = (sum as u32, (sum >> 32) as u32);
    }
    Ok(())
}

/// The finalizer of MurmurHash3.
const fn hash(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

fn fma(start: u32, rounds: u32) -> u32 {
    let (a, b) = (f32::from_bits(0x3F7F_BE77), f32::from_bits(0x3F9E_3779));
    (0..rounds)
        .fold(start as f32, |x, _| x.mul_add(a, b))
        .to_bits()
}

const fn at(place: u64, pattern: u32) -> u32 {
    let mixed = (place as u32)
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add(((place >> 32) as u32).wrapping_mul(0x85EB_CA6B));
    mixed ^ (mixed >> 16) ^ pattern
}
