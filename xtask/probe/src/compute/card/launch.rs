//! The launches of the kernels, and how many threads they get.

use cudarc::driver::{CudaSlice, DriverError, LaunchConfig, PushKernelArg as _};

use super::Card;
use crate::compute::kernels;

/// Threads of a block, and the most blocks of a kernel that goes over memory.
const BLOCK: u32 = 256;
const MOST_BLOCKS: u64 = 4096;

/// The launches. A kernel is given raw memory, which no type guards.
#[expect(unsafe_code, reason = "a launch hands raw memory to the card")]
impl Card {
    pub(super) fn launch_hash(
        &self,
        out: &mut CudaSlice<u32>,
        seed: u32,
    ) -> Result<(), DriverError> {
        let count = out.len() as u32;
        let mut launch = self.stream.launch_builder(&self.hash);
        launch.arg(out).arg(&count).arg(&seed);
        // SAFETY: the arguments are those of `lab_hash`, which writes to `count` words of
        // `out` and to nothing else; `out` has as many.
        unsafe { launch.launch(one_each(count)) }.map(|_| ())
    }

    pub(super) fn launch_fma(
        &self,
        out: &mut CudaSlice<u32>,
        seed: u32,
    ) -> Result<(), DriverError> {
        let count = out.len() as u32;
        let mut launch = self.stream.launch_builder(&self.fma);
        launch
            .arg(out)
            .arg(&count)
            .arg(&seed)
            .arg(&kernels::FMA_ROUNDS);
        // SAFETY: the arguments are those of `lab_fma`, which writes to `count` words of
        // `out` and to nothing else; `out` has as many.
        unsafe { launch.launch(one_each(count)) }.map(|_| ())
    }

    pub(super) fn launch_fill(
        &self,
        piece: &CudaSlice<u32>,
        first: u64,
        pattern: u32,
    ) -> Result<(), DriverError> {
        let words = piece.len() as u64;
        let mut launch = self.stream.launch_builder(&self.fill);
        launch.arg(piece).arg(&words).arg(&first).arg(&pattern);
        // SAFETY: the arguments are those of `lab_fill`, which writes to `words` words of
        // the piece and to nothing else; the piece has as many. All is done on one stream,
        // so nothing reads the piece meanwhile.
        unsafe { launch.launch(all_over(words)) }.map(|_| ())
    }

    pub(super) fn launch_verify(
        &self,
        piece: &CudaSlice<u32>,
        first: u64,
        pattern: u32,
        wrong: &mut CudaSlice<u64>,
    ) -> Result<(), DriverError> {
        let words = piece.len() as u64;
        let mut launch = self.stream.launch_builder(&self.verify);
        launch
            .arg(piece)
            .arg(&words)
            .arg(&first)
            .arg(&pattern)
            .arg(wrong);
        // SAFETY: the arguments are those of `lab_verify`, which reads `words` words of the
        // piece, as many as it has, and adds to the one word of eight bytes in `wrong`.
        unsafe { launch.launch(all_over(words)) }.map(|_| ())
    }
}

/// A thread for each number.
fn one_each(count: u32) -> LaunchConfig {
    grid(u64::from(count.div_ceil(BLOCK)))
}

/// Enough threads for the whole card, each of which goes over many words.
fn all_over(words: u64) -> LaunchConfig {
    grid(words.div_ceil(u64::from(BLOCK)).min(MOST_BLOCKS))
}

fn grid(blocks: u64) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (u32::try_from(blocks).unwrap_or(u32::MAX), 1, 1),
        block_dim: (BLOCK, 1, 1),
        shared_mem_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_over_memory_has_a_thread_at_least_and_no_endless_grid() {
        assert_eq!(all_over(1).grid_dim, (1, 1, 1));
        assert_eq!(all_over(257).grid_dim, (2, 1, 1));
        assert_eq!(all_over(1 << 40).grid_dim, (4096, 1, 1));
        assert_eq!(one_each(1 << 20).grid_dim, (4096, 1, 1));
    }
}
