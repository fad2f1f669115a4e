//! A list of what is locked that is spoilt.

use lab_lock::Lock;
use lab_plan::place;

use super::{Case, hidden};

/// The list of that lock, as far as it is looked at.
pub(super) fn of(lock: &Lock) -> String {
    let digest = lab_plan::digest_file(lock).unwrap();
    let digest = digest.trim_end();
    format!(
        "{{\"metadata\": {{\"component\": {{\"properties\": [\n\
         {{\"name\": \"other\", \"value\": \"x\"}},\n\
         {{\"name\": \"lab:lock\", \"value\": \"sha256:{digest}\"}}]}}}}}}\n"
    )
}

pub(super) const CASES: &[Case] = &[
    hidden(
        "no list of what is locked",
        |i| i.remove(place::SBOM),
        &["sbom-lock"],
    ),
    hidden(
        "the list of another lock",
        |i| {
            let text = i.text(place::SBOM);
            let start = text.find("sha256:").unwrap() + "sha256:".len();
            let other = format!(
                "{}{}{}",
                &text[..start],
                "0".repeat(64),
                &text[start + 64..]
            );
            i.put(place::SBOM, other);
        },
        &["sbom-lock"],
    ),
    hidden(
        "a list that names no lock",
        |i| i.edit(place::SBOM, "lab:lock", "lab:look"),
        &["sbom-lock"],
    ),
    hidden(
        "a list that is none",
        |i| i.put(place::SBOM, "{"),
        &["sbom-lock"],
    ),
    hidden(
        "a list without a lock",
        |i| i.remove("lab/overlay/etc/lab/lock/digest"),
        &["sbom-lock", "overlay-list"],
    ),
];
