//! The memory that is fitted, from the memory that the kernel has.

/// How finely fitted memory is told apart, in GiB: up to the first figure in steps of the
/// second. Modules are sold in powers of two and three halves of them, so larger sums come in
/// larger steps; and what firmware and kernel keep (1 to 3 %) stays below each step.
const STEPS: [(u64, u64); 6] = [(8, 1), (16, 2), (64, 4), (128, 8), (256, 16), (1024, 32)];

/// The step beyond the last of [`STEPS`], in GiB.
const LAST_STEP: u64 = 64;

/// The memory that is fitted, in GiB, where the kernel has `kib` (`MemTotal`, always a
/// little less). None for no memory, and for more than a description can say.
pub(super) fn fitted_gib(kib: u64) -> Option<u32> {
    let gib = kib.div_ceil(1 << 20);
    let step = STEPS.iter().find(|(up_to, _)| gib <= *up_to);
    let step = step.map_or(LAST_STEP, |(_, step)| *step);
    let fitted = gib.div_ceil(step).checked_mul(step)?;
    u32::try_from(fitted).ok().filter(|fitted| *fitted > 0)
}

#[cfg(test)]
mod tests {
    use super::fitted_gib;

    /// What `MemTotal` says where so much is fitted, in MiB.
    #[test]
    fn memory_is_rounded_up_to_what_is_fitted() {
        for (mib, gib) in [
            (3_900, 4),
            (7_800, 8),
            (11_870, 12),
            (15_870, 16),
            (23_990, 24),
            (32_020, 32),
            (36_100, 36),
            (48_140, 48),
            (64_220, 64),
            (96_500, 96),
            (128_700, 128),
            (192_900, 192),
            (257_500, 256),
            (386_700, 384),
            (515_800, 512),
            (1_031_700, 1024),
            (2_063_800, 2048),
        ] {
            assert_eq!(fitted_gib(mib << 10), Some(gib), "{mib} MiB");
        }
        assert_eq!(fitted_gib(32 << 20), Some(32));
        assert_eq!(fitted_gib(0), None);
        assert_eq!(fitted_gib(u64::MAX), None);
    }
}
