//! Whether a card computes: only a kernel that was launched and whose result was checked
//! proves that. `nvidia-smi` can be well while CUDA is dead.
//!
//! Each card is asked by a process of its own, so that a driver that hangs or crashes takes
//! nobody along: [`prove`] and [`fill`] start them, and [`one`] is what they do. What is
//! asked of the card stands in `card`, its kernels in `kernels.ptx`.

mod card;
mod child;
mod kernels;
mod words;

use std::path::Path;
use std::time::Duration;

use lab_facts::{Compute, Fact, Proof};

pub(crate) use child::{Asking, ask_each};

/// The longest that a card may take for the quick proof: a cold driver needs seconds to
/// wake a card, and nobody wants to wait longer for one that hangs.
const QUICK_LIMIT: Duration = Duration::from_secs(15);

/// The running program, also where its file was replaced or removed meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Gives each card a small task, all at once, and takes at most some 16 seconds.
pub(crate) fn prove(uuids: &[String]) -> Fact<Vec<Compute>> {
    let proofs = ask_each(&asking(false, QUICK_LIMIT), uuids);
    let compute = |(uuid, proof)| Compute { uuid, proof };
    Fact::Is(proofs.into_iter().map(compute).collect())
}

/// Fills all memory of each card that is free, but for a margin, and reads it back; all
/// cards at once. Whoever needs longer than the limit is stopped.
pub(crate) fn fill(uuids: &[String], limit: Duration) -> Vec<(String, Fact<Proof>)> {
    ask_each(&asking(true, limit), uuids)
}

fn asking(whole: bool, limit: Duration) -> Asking<'static> {
    Asking {
        program: Path::new(THIS_PROGRAM),
        environment: &[],
        whole,
        limit,
    }
}

/// The work of a process that asks one card: prints a `Fact<Proof>` as one line of JSON.
/// The exit status is 0 where the card answered, right or wrong, and 1 where it did not.
pub(crate) fn one(uuid: &str, whole: bool) -> i32 {
    child::answer(|| card::proof(uuid, whole))
}
