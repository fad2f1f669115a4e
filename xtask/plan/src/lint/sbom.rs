//! A question about the list of what is locked: whether it is there, and of this lock.

use serde_json::Value;

use super::{Answer, image::Image};
use crate::place;

/// What the overlay says of its lock.
const DIGEST: &str = "lab/overlay/etc/lab/lock/digest";
/// The property by which the list names its lock (`xtask/sbom`).
const PROPERTY: &str = "lab:lock";

pub(super) fn of_the_lock(image: &Image<'_>) -> Answer {
    let lock = image.files.get(DIGEST);
    let list = image.files.get(place::SBOM);
    match (lock, list) {
        (None, None) if image.has(DIGEST) => Answer::NotRun(format!("/{DIGEST} cannot be read")),
        (None, None) => Answer::Pass("nothing is locked".to_owned()),
        (None, Some(_)) => Answer::Fail(format!(
            "/{} is of a lock, and none is carried",
            place::SBOM
        )),
        (Some(_), None) => Answer::Fail(format!("/{} is not on the image", place::SBOM)),
        (Some(lock), Some(list)) => same(&String::from_utf8_lossy(lock), list),
    }
}

fn same(lock: &str, list: &[u8]) -> Answer {
    let lock = lock.trim_end();
    let list: Value = match serde_json::from_slice(list) {
        Ok(list) => list,
        Err(why) => return Answer::Fail(format!("reading /{}: {why}", place::SBOM)),
    };
    match named(&list) {
        Some(found) if found == lock => Answer::Pass(format!("both are of {lock}")),
        Some(found) => Answer::Fail(format!("it is of the lock {found}, carried is {lock}")),
        None => Answer::Fail("it does not say which lock it is of".to_owned()),
    }
}

/// The digest of the lock that a list in CycloneDX's form is of.
fn named(list: &Value) -> Option<&str> {
    let properties = list.pointer("/metadata/component/properties")?.as_array()?;
    let lock = properties.iter().find(|one| one["name"] == PROPERTY)?;
    lock["value"].as_str()?.strip_prefix("sha256:")
}
