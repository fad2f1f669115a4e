//! The kernels of `kernels.ptx`: their names, and the same arithmetic for the host.

/// The text that the driver translates for the card.
pub(super) const PTX: &str = include_str!("kernels.ptx");

/// Computes [`hash`] for each index.
pub(super) const HASH: &str = "lab_hash";
/// Computes [`fma`] for each index.
pub(super) const FMA: &str = "lab_fma";
/// Writes [`word`] to each place.
pub(super) const FILL: &str = "lab_fill";
/// Counts the places that do not hold [`word`].
pub(super) const VERIFY: &str = "lab_verify";

/// Steps of [`fma`].
pub(super) const FMA_ROUNDS: u32 = 32;

/// The finalizer of MurmurHash3 (public domain, Austin Appleby) over index and seed: each
/// bit of them changes about half the bits of the result.
pub(super) const fn hash(index: u32, seed: u32) -> u32 {
    let mut h = index.wrapping_add(seed);
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// The bits of a chain of fused multiplications and additions. IEEE 754 rounds each once,
/// on the card (`fma.rn.f32`) as here, so not one bit may differ.
pub(super) fn fma(index: u32, seed: u32) -> u32 {
    const A: f32 = f32::from_bits(0x3F7F_BE77);
    const B: f32 = f32::from_bits(0x3F9E_3779);
    let start = index.wrapping_add(seed) as f32;
    (0..FMA_ROUNDS)
        .fold(start, |x, _| x.mul_add(A, B))
        .to_bits()
}

/// The word that belongs to a place, counted in words from the first one that was filled.
/// It depends on the place, so that two places that are one and the same in a broken card
/// show; and each bit of it is the other way round in the pattern's complement.
pub(super) const fn word(place: u64, pattern: u32) -> u32 {
    let (low, high) = (place as u32, (place >> 32) as u32);
    let mixed = low
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add(high.wrapping_mul(0x85EB_CA6B));
    mixed ^ (mixed >> 16) ^ pattern
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// Maxwell, Pascal, Turing, Ampere, Hopper. A newer assembler no longer knows the
    /// oldest ones; what it does not know is not run.
    const ARCHITECTURES: [&str; 5] = ["sm_50", "sm_61", "sm_75", "sm_86", "sm_90"];

    #[test]
    fn the_entries_are_those_that_are_launched() {
        let entries: Vec<&str> = PTX
            .lines()
            .filter_map(|line| line.strip_prefix(".visible .entry "))
            .map(|rest| rest.trim_end_matches('('))
            .collect();
        assert_eq!(entries, [HASH, FMA, FILL, VERIFY]);
        assert!(PTX.contains("\n.target sm_50\n"));
        assert!(!PTX.contains('\0'), "the driver takes it as a C string");
    }

    #[test]
    fn the_kernels_have_the_constants_of_the_host() {
        for constant in [
            "0x85EBCA6B",
            "0xC2B2AE35",
            "0x9E3779B1",
            "0f3F7FBE77",
            "0f3F9E3779",
        ] {
            assert!(PTX.contains(constant), "{constant}");
        }
    }

    #[test]
    fn known_values_of_the_hash() {
        // The published finalizer gives these for 1 and 0xDEADBEEF.
        assert_eq!(hash(0, 0), 0);
        assert_eq!(hash(1, 0), 0x514E_28B7);
        assert_eq!(hash(0xDEAD_BEEF, 0), 0x0DE5_C6A9);
        assert_eq!(hash(u32::MAX, 2), hash(1, 0));
    }

    #[test]
    fn a_chain_that_is_rounded_twice_shows() {
        let (a, b) = (f32::from_bits(0x3F7F_BE77), f32::from_bits(0x3F9E_3779));
        let twice = |start: u32| {
            (0..FMA_ROUNDS)
                .fold(start as f32, |x, _| x * a + b)
                .to_bits()
        };
        let differ = (0..1000).filter(|i| twice(*i) != fma(*i, 0)).count();
        assert!(differ > 500, "{differ} of 1000");
    }

    #[test]
    fn no_two_places_hold_the_same_word() {
        // The multiplication by an odd number and the xor can both be undone, so 2^32
        // places, 16 GiB, have as many words. A million of them are looked at.
        let words: std::collections::HashSet<u32> = (0..1 << 20).map(|at| word(at, 0)).collect();
        assert_eq!(words.len(), 1 << 20);
        assert_ne!(word(1, 0), word((1 << 32) + 1, 0));
        assert_eq!(word(12_345, !0), !word(12_345, 0));
    }

    #[test]
    fn the_assembler_takes_the_kernels() {
        let test = "probe: the_assembler_takes_the_kernels";
        let Some(ptxas) = ptxas() else {
            lab_not_run::not_run(test, "ptxas is neither in PATH nor named by PTXAS");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("kernels.ptx");
        std::fs::write(&source, PTX).unwrap();
        for architecture in ARCHITECTURES {
            let output = Command::new(&ptxas)
                .arg(format!("-arch={architecture}"))
                .args(["--warning-as-error", "-o"])
                .arg(folder.path().join("kernels.cubin"))
                .arg(&source)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("is not defined for option 'gpu-name'") {
                let reason = format!("{} does not know {architecture}", ptxas.display());
                lab_not_run::not_run(test, &reason);
                continue;
            }
            assert!(output.status.success(), "{architecture}: {said}");
        }
    }

    fn ptxas() -> Option<PathBuf> {
        let named = std::env::var_os("PTXAS").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = || {
            std::env::split_paths(&path)
                .map(|folder| folder.join("ptxas"))
                .find(|file| file.is_file())
        };
        named.or_else(found)
    }
}
