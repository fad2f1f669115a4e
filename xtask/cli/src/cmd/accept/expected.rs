//! What follows from a description and its lock, and is held against a machine.

use lab_accept::{
    Expected, ExpectedPackage, ExpectedUnit, Locked, LockedFile, LockedImage, LockedModel,
    LockedPackage,
};
use lab_lock::Lock;
use lab_machine::Machine;
use lab_plan::{Overlay, PlacedFile, PlacedImage, PlacedModel};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::locked;

/// What follows from the description and the secrets.
pub(super) fn expected(
    machine: &Machine,
    overlay: &Overlay,
    lock: Option<&Lock>,
) -> Result<Expected, Failure> {
    let unit = |unit: &lab_plan::LaidUnit| ExpectedUnit {
        name: unit.name.clone(),
        packages: unit
            .packages
            .iter()
            .map(|one| ExpectedPackage {
                name: one.name.clone(),
                version: one.version.clone(),
            })
            .collect(),
        held: unit.held,
    };
    Ok(Expected {
        description: machine.digest(),
        manifest: hex::encode(Sha256::digest(overlay.list())),
        units: overlay.units.iter().map(unit).collect(),
        locked: lock
            .map(|lock| locked_of(machine, overlay, lock))
            .transpose()?,
    })
}

/// Whether a lock has all that the description asks for.
pub(super) fn fits(machine: &Machine, lock: &Lock) -> bool {
    locked::wanted(machine).is_ok_and(|wanted| lab_lock::missing(&wanted, lock).is_empty())
}

/// What a lock names, where it lies on a machine, and which of its packages stay as they are.
fn locked_of(machine: &Machine, overlay: &Overlay, lock: &Lock) -> Result<Locked, Failure> {
    let digest = lab_plan::digest_file(lock)?;
    let wanted = locked::wanted(machine)?;
    let fixed = lab_plan::fixed(lock, &wanted, &overlay.units);
    let package = |one: &lab_lock::Package| LockedPackage {
        name: one.name.clone(),
        version: one.version.clone(),
        held: fixed.contains(&one.name),
    };
    let placed = lab_plan::placed(lock);
    let lacks = lab_lock::missing(&wanted, lock);
    Ok(Locked {
        digest: digest.trim_end().to_owned(),
        lacks: lacks.iter().map(ToString::to_string).collect(),
        packages: lock.packages.iter().map(package).collect(),
        keys: placed.keys.iter().map(file).collect(),
        files: placed.files.iter().map(file).collect(),
        models: placed.models.iter().map(model).collect(),
        images: placed.images.iter().map(image).collect(),
    })
}

fn file(one: &PlacedFile) -> LockedFile {
    LockedFile {
        name: one.name.clone(),
        path: one.path.clone(),
        sha256: one.sha256.to_string(),
        bytes: one.size,
    }
}

fn model(one: &PlacedModel) -> LockedModel {
    LockedModel {
        name: one.name.clone(),
        manifest: one.manifest.to_string(),
        files: one.files.iter().map(file).collect(),
    }
}

fn image(one: &PlacedImage) -> LockedImage {
    LockedImage {
        reference: one.reference.clone(),
        tag: one.tag.clone(),
        ids: one.ids.iter().map(|id| format!("sha256:{id}")).collect(),
    }
}
