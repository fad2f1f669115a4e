//! Bytes like those of a compressed file system: no two blocks alike, always the same.

use std::io::{self, Write};

/// How many bytes are made at a time.
const CHUNK: usize = 1 << 16;

/// Writes `length` pseudo-random bytes that only `seed` decides.
///
/// The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014), whose state is a counter: quick, and no block repeats.
pub(crate) fn write(mut to: impl Write, seed: u64, length: u64) -> io::Result<()> {
    let mut state = seed;
    let mut chunk = vec![0_u8; CHUNK];
    let mut left = length;
    while left > 0 {
        for word in chunk.chunks_exact_mut(8) {
            word.copy_from_slice(&next(&mut state).to_le_bytes());
        }
        let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        to.write_all(chunk.get(..now).unwrap_or(&chunk))?;
        left -= now as u64;
    }
    Ok(())
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u64, length: u64) -> Vec<u8> {
        let mut all = Vec::new();
        write(&mut all, seed, length).unwrap();
        all
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567, as published with the reference code.
        let mut state = 1_234_567;
        let got: Vec<_> = (0..3).map(|_| next(&mut state)).collect();
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn the_length_is_exact_and_the_seed_decides() {
        for length in [0, 1, 7, 8, 65_535, 65_536, 65_537, 200_001] {
            assert_eq!(bytes(1, length).len() as u64, length);
        }
        assert_eq!(bytes(1, 100_000), bytes(1, 100_000));
        assert_ne!(bytes(1, 100_000), bytes(2, 100_000));
        let long = bytes(1, 200_000);
        assert_ne!(long.get(..65_536), long.get(65_536..131_072));
    }
}
