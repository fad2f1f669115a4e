//! What one card is asked: whether it is the card that was meant, whether its kernels
//! compute what the host computes, how fast its memory is, and whether that gives back
//! what was written to it.
//!
//! By the CUDA driver API. Nothing here trusts a success: what a kernel should write is
//! zero before it runs, what is read back goes over a pattern of its own, and the kernel
//! that counts wrong words must find them where all of them are wrong.

mod launch;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cudarc::driver::sys::{CUdevice_attribute, CUevent_flags, CUuuid};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DriverError, result,
};
use lab_facts::Proof;

use super::kernels;
use super::words::{self, Memory};

const MIB: u64 = 1 << 20;

/// The driver's library, as the loader knows it.
const LIBRARY: &str = "libcuda.so.1";

/// Numbers that are computed in integers, and in floats. Of those the host needs longer.
const HASHES: usize = 1 << 20;
const CHAINS: usize = 1 << 18;
/// What the quick proof fills.
const QUICK_FILL: u64 = 64 * MIB;
/// Memory is taken in pieces of this size: a kernel over one is done in well under a
/// second on the slowest card, also where a screen's watchdog looks on.
const PIECE: u64 = 256 * MIB;
/// A piece is not made smaller than this where memory is short.
const SMALLEST_PIECE: u64 = 4 * MIB;
/// Memory that is not taken: at least this and a twentieth, for the driver and whoever
/// else computes.
const MARGIN: u64 = 128 * MIB;
/// The patterns of the quick proof: every bit is held both ways.
const QUICK_PATTERNS: &[u32] = &[0, !0];
/// The patterns of the whole proof.
const WHOLE_PATTERNS: &[u32] = &[0, !0, 0x5555_5555, 0xAAAA_AAAA];
/// Words that the host reads back itself from each piece.
const SAMPLE: usize = 16 * 1024;
/// Bytes of one buffer between two of which is copied, and the least for a figure at all.
const COPIED: u64 = 96 * MIB;
const LEAST_COPIED: u64 = 8 * MIB;
/// How often bandwidth is measured; the best counts.
const MEASURED: u32 = 5;
/// Copies in one measurement, so that it is long beside the clock's half microsecond.
const COPIES: u32 = 4;

/// Asks the first card that CUDA shows, which must have this UUID.
///
/// # Errors
///
/// What CUDA said, in its words and plain ones.
pub(super) fn proof(uuid: &str, whole: bool) -> Result<Proof, String> {
    let began = Instant::now();
    let card = Card::open(uuid)?;
    let wrong = card.compute()?;
    let bandwidth_mb_s = card.bandwidth()?;
    let (filled_bytes, wrong_words) = card.fill(whole)?;
    Ok(Proof {
        computed: (HASHES + CHAINS) as u64,
        wrong,
        filled_bytes,
        wrong_words,
        bandwidth_mb_s,
        took_ms: milliseconds(began.elapsed()),
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A card with the kernels on it.
struct Card {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    hash: CudaFunction,
    fma: CudaFunction,
    fill: CudaFunction,
    verify: CudaFunction,
}

impl Card {
    fn open(uuid: &str) -> Result<Self, String> {
        load_library()?;
        said("initialising CUDA", result::init())?;
        let shown = said(
            "asking for the UUID",
            result::device::get(0).and_then(result::device::get_uuid),
        )?;
        meant(uuid, &text(&shown))?;
        let context = said("opening the card", CudaContext::new(0))?;
        let module = said(
            "loading the kernels",
            context.load_module(kernels::PTX.into()),
        )?;
        let function = |name| load_function(&module, name);
        Ok(Self {
            stream: context.default_stream(),
            hash: function(kernels::HASH)?,
            fma: function(kernels::FMA)?,
            fill: function(kernels::FILL)?,
            verify: function(kernels::VERIFY)?,
            context,
        })
    }

    /// What CUDA said while this was done; where it was memory that lacked, who has it.
    fn said<T>(&self, doing: &str, result: Result<T, DriverError>) -> Result<T, String> {
        result.map_err(|error| {
            let memory = words::is_out_of_memory(error).then(|| self.memory().ok());
            words::told(doing, error, memory.flatten())
        })
    }

    fn memory(&self) -> Result<Memory, String> {
        let (free, total) = said("asking for free memory", self.context.mem_get_info())?;
        Ok(Memory {
            free: free as u64,
            total: total as u64,
        })
    }

    /// Waits for the card. Errors of what it was given before come out here.
    fn wait(&self, doing: &str) -> Result<(), String> {
        self.said(doing, self.context.synchronize())
    }

    /// Memory on the card, all zero.
    fn zeros(&self, bytes: u64) -> Result<CudaSlice<u32>, DriverError> {
        self.stream.alloc_zeros(words_of(bytes))
    }

    /// Computes two functions of the index, and counts what differs from the host.
    fn compute(&self) -> Result<u64, String> {
        const DOING: &str = "computing";
        // Another one each time, so that what an earlier run left in memory is wrong.
        let seed = seed();
        let mut hashes = self.said(DOING, self.stream.alloc_zeros(HASHES))?;
        self.said(DOING, self.launch_hash(&mut hashes, seed))?;
        let wrong = self.differing(&hashes, |index| kernels::hash(index, seed))?;
        let mut chains = self.said(DOING, self.stream.alloc_zeros(CHAINS))?;
        self.said(DOING, self.launch_fma(&mut chains, seed))?;
        Ok(wrong + self.differing(&chains, |index| kernels::fma(index, seed))?)
    }

    /// How many words of a buffer are not what they should be.
    fn differing(
        &self,
        buffer: &CudaSlice<u32>,
        right: impl Fn(u32) -> u32,
    ) -> Result<u64, String> {
        let seen = self.read_back(buffer, buffer.len())?;
        let wrong = (0..)
            .zip(&seen)
            .filter(|(index, seen)| right(*index) != **seen);
        Ok(wrong.count() as u64)
    }

    /// The last words of a buffer, read back to the host.
    fn read_back(&self, buffer: &CudaSlice<u32>, count: usize) -> Result<Vec<u32>, String> {
        const DOING: &str = "reading a result back";
        let count = count.min(buffer.len());
        let mut host = vec![0xDEAD_BEEF; count];
        let part = buffer.slice(buffer.len() - count..);
        self.said(DOING, self.stream.memcpy_dtoh(&part, &mut host))?;
        self.wait(DOING)?;
        Ok(host)
    }

    /// The memory's bandwidth in MB/s (10^6), reading and writing together: copies from
    /// one buffer to another, both far larger than the cache, timed by the card's clock.
    fn bandwidth(&self) -> Result<u64, String> {
        const DOING: &str = "measuring the memory's bandwidth";
        let bytes = self.copied_bytes(DOING)?;
        let from = self.said(DOING, self.zeros(bytes))?;
        let mut to = self.said(DOING, self.zeros(bytes))?;
        self.said(DOING, self.stream.memcpy_dtod(&from, &mut to))?;
        self.wait(DOING)?;
        let mut best = f64::INFINITY;
        for _ in 0..MEASURED {
            let took = self.said(DOING, self.timed_copies(&from, &mut to))?;
            best = best.min(f64::from(took));
        }
        // Bytes in a millisecond are kB/s.
        let moved = (2 * bytes * u64::from(COPIES)) as f64;
        let rate = moved / best / 1000.0;
        match rate.is_finite() && rate >= 1.0 {
            true => Ok(rate as u64),
            false => Err(format!("{DOING}: copying {moved} bytes took {best} ms")),
        }
    }

    /// How large the buffers may be that are copied: four times the cache at least, and two
    /// thirds of the free memory at most.
    fn copied_bytes(&self, doing: &str) -> Result<u64, String> {
        let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
        let cache = self.said(doing, self.context.attribute(attribute))?;
        let beyond_cache = 4 * u64::try_from(cache).unwrap_or(0);
        let memory = self.memory()?;
        let bytes = COPIED.max(beyond_cache).min(memory.free / 3);
        match bytes < LEAST_COPIED.max(beyond_cache) {
            true => Err(format!("{doing}: {}", words::short_of(memory))),
            false => Ok(bytes),
        }
    }

    /// Milliseconds that some copies took.
    fn timed_copies(
        &self,
        from: &CudaSlice<u32>,
        to: &mut CudaSlice<u32>,
    ) -> Result<f32, DriverError> {
        let timed = Some(CUevent_flags::CU_EVENT_DEFAULT);
        let begin = self.stream.record_event(timed)?;
        for _ in 0..COPIES {
            self.stream.memcpy_dtod(from, to)?;
        }
        let end = self.stream.record_event(timed)?;
        begin.elapsed_ms(&end)
    }

    /// Fills memory with each pattern in turn and reads it back; bytes, and wrong words of
    /// all patterns together.
    fn fill(&self, whole: bool) -> Result<(u64, u64), String> {
        const DOING: &str = "filling the memory";
        // What was given back is free only when the card has come to that point.
        self.wait(DOING)?;
        let memory = self.memory()?;
        let margin = MARGIN.max(memory.free / 20).min(memory.free / 2);
        let wanted = match whole {
            true => memory.free - margin,
            false => QUICK_FILL.min(memory.free - margin),
        };
        let pieces = self.pieces(wanted, memory)?;
        let patterns = if whole {
            WHOLE_PATTERNS
        } else {
            QUICK_PATTERNS
        };
        let mut wrong = 0;
        for pattern in patterns {
            wrong += self.pass(&pieces, *pattern)?;
        }
        if wrong == 0 {
            self.counts_wrong_words(&pieces, patterns)?;
        }
        let bytes = pieces.iter().map(|piece| piece.num_bytes() as u64).sum();
        Ok((bytes, wrong))
    }

    /// Takes memory in pieces, smaller ones where large ones do not fit.
    fn pieces(&self, wanted: u64, memory: Memory) -> Result<Vec<CudaSlice<u32>>, String> {
        let (mut pieces, mut left, mut size) = (Vec::new(), wanted, PIECE);
        while left >= SMALLEST_PIECE {
            match self.zeros(size.min(left)) {
                Ok(piece) => {
                    left -= piece.num_bytes() as u64;
                    pieces.push(piece);
                }
                Err(error) if words::is_out_of_memory(error) && size > SMALLEST_PIECE => size /= 2,
                Err(error) if words::is_out_of_memory(error) => break,
                Err(error) => return self.said("taking the memory", Err(error)),
            }
        }
        match left <= wanted / 2 && !pieces.is_empty() {
            true => Ok(pieces),
            false => Err(format!(
                "filling the memory: {} of {} MiB could be had: {}",
                (wanted - left) / MIB,
                wanted / MIB,
                words::short_of(memory)
            )),
        }
    }

    /// Writes a pattern to all pieces, and only then reads them: a place that is another
    /// one's too was overwritten meanwhile.
    fn pass(&self, pieces: &[CudaSlice<u32>], pattern: u32) -> Result<u64, String> {
        let mut first = 0;
        for piece in pieces {
            self.said("filling", self.launch_fill(piece, first, pattern))?;
            first += piece.len() as u64;
        }
        self.wait("filling")?;
        let wrong = self.wrong_words(pieces, pattern)?;
        // The host's own look at some of it; what it sees is in the count already, unless
        // the count is wrong.
        match wrong {
            0 => self.sample(pieces, pattern).map(|()| 0),
            wrong => Ok(wrong),
        }
    }

    /// Counts the words that are not of this pattern.
    fn wrong_words(&self, pieces: &[CudaSlice<u32>], pattern: u32) -> Result<u64, String> {
        const DOING: &str = "reading the memory";
        let mut count = self.said(DOING, self.stream.alloc_zeros::<u64>(1))?;
        let mut first = 0;
        for piece in pieces {
            let launched = self.launch_verify(piece, first, pattern, &mut count);
            self.said(DOING, launched)?;
            first += piece.len() as u64;
        }
        self.wait(DOING)?;
        let mut host = [u64::MAX];
        self.said(DOING, self.stream.memcpy_dtoh(&count, &mut host))?;
        self.wait(DOING)?;
        Ok(host[0])
    }

    /// Compares the end of each piece on the host.
    fn sample(&self, pieces: &[CudaSlice<u32>], pattern: u32) -> Result<(), String> {
        let mut behind = 0;
        for piece in pieces {
            behind += piece.len() as u64;
            let seen = self.read_back(piece, SAMPLE)?;
            let places = behind - seen.len() as u64..;
            let right = |(place, seen): (u64, &u32)| kernels::word(place, pattern) == *seen;
            if !places.zip(&seen).all(right) {
                return Err(
                    "reading the memory: the card counts no wrong word where the host \
                     sees some"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// That the kernel which counts wrong words finds each word of a pattern that is not
    /// there; else its zero would be worth nothing.
    fn counts_wrong_words(
        &self,
        pieces: &[CudaSlice<u32>],
        patterns: &[u32],
    ) -> Result<(), String> {
        let last = patterns.last().copied().unwrap_or_default();
        let one = &pieces[..pieces.len().min(1)];
        let all: u64 = one.iter().map(|piece| piece.len() as u64).sum();
        match self.wrong_words(one, last ^ 1)? {
            counted if counted == all => Ok(()),
            counted => Err(format!(
                "reading the memory: of {all} words that are all wrong the card counts {counted}"
            )),
        }
    }
}

fn words_of(bytes: u64) -> usize {
    usize::try_from(bytes / 4).unwrap_or(usize::MAX / 4)
}

/// What CUDA said while this was done.
fn said<T>(doing: &str, result: Result<T, DriverError>) -> Result<T, String> {
    result.map_err(|error| words::told(doing, error, None))
}

fn load_function(module: &Arc<CudaModule>, name: &str) -> Result<CudaFunction, String> {
    said("loading the kernels", module.load_function(name))
}

/// A number that was not there at the last run.
fn seed() -> u32 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    kernels::hash(now.subsec_nanos(), std::process::id())
}

/// Loads the driver's library for good. `cudarc` panics where there is none.
#[expect(
    unsafe_code,
    reason = "loading a library runs what it does when it is loaded"
)]
fn load_library() -> Result<(), String> {
    // SAFETY: it is the driver's library by the name that every CUDA program loads it by,
    // and nothing of it runs in this process yet.
    match unsafe { libloading::Library::new(LIBRARY) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(format!(
            "loading {LIBRARY}: {error}: the driver's library for CUDA is not installed \
             (package libnvidia-compute-…), or not for this kind of program"
        )),
    }
}

/// A UUID as `nvidia-smi` writes it.
fn text(uuid: &CUuuid) -> String {
    let mut text = "GPU".to_owned();
    for (place, byte) in uuid.bytes.iter().enumerate() {
        if matches!(place, 0 | 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", byte.cast_unsigned()));
    }
    text
}

/// Whether it is the card that was meant: the proof is worth nothing for another one.
fn meant(asked: &str, shown: &str) -> Result<(), String> {
    match asked.eq_ignore_ascii_case(shown) {
        true => Ok(()),
        false => Err(format!(
            "CUDA gave the card {shown}, and not {asked}: the driver did not heed \
             CUDA_VISIBLE_DEVICES"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_nvidia_smi_writes_it() {
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = (0xF0_u8 + place as u8).cast_signed();
        }
        let uuid = text(&CUuuid { bytes });
        assert_eq!(uuid, "GPU-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff");
        assert_eq!(
            meant("GPU-F0F1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff", &uuid),
            Ok(())
        );
        let other = meant("GPU-00f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff", &uuid).unwrap_err();
        assert!(other.contains(&uuid), "{other}");
    }
}
