//! Whether a lock still has everything that a description asks for.

use std::fmt;

use crate::{Image, Lock, Model, Wanted, WantedImage, WantedModel};

/// What a lock lacks, or has otherwise than it is asked for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The packages were resolved for something else.
    Packages,
    /// A file.
    File(String),
    /// A model.
    Model(String),
    /// An image.
    Image(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages => out.write_str("the packages were resolved for another description"),
            Self::File(name) => write!(out, "the file {name} is not locked as it is described"),
            Self::Model(name) => write!(out, "the model {name} is not locked as it is described"),
            Self::Image(name) => write!(out, "the image {name} is not locked as it is described"),
        }
    }
}

/// Everything that a lock lacks for this; nothing where it fits.
#[must_use]
pub fn missing(wanted: &Wanted, lock: &Lock) -> Vec<Missing> {
    let mut lacks = Vec::new();
    if lock.resolved_for != wanted.packages_digest() {
        lacks.push(Missing::Packages);
    }
    for file in &wanted.files {
        let fits = lock.file(&file.name).is_some_and(|one| {
            one.sha256 == file.sha256 && one.url == file.url && one.version == file.version
        });
        if !fits {
            lacks.push(Missing::File(file.name.clone()));
        }
    }
    for model in &wanted.models {
        if !lock
            .model(&model.name)
            .is_some_and(|one| fits_model(one, model))
        {
            lacks.push(Missing::Model(model.name.clone()));
        }
    }
    for image in &wanted.images {
        if !lock
            .image(&image.reference)
            .is_some_and(|one| fits_image(one, image))
        {
            lacks.push(Missing::Image(image.reference.clone()));
        }
    }
    lacks
}

fn fits_model(locked: &Model, wanted: &WantedModel) -> bool {
    locked.url == wanted.url
        && wanted
            .manifest
            .is_none_or(|digest| digest == locked.manifest)
}

fn fits_image(locked: &Image, wanted: &WantedImage) -> bool {
    wanted
        .digest
        .is_none_or(|digest| digest == locked.digest || digest == locked.manifest.sha256)
}

impl Lock {
    /// Takes out what nothing asks for any more. Packages stay: they are one closure.
    pub fn retain_wanted(&mut self, wanted: &Wanted) {
        self.files
            .retain(|one| wanted.files.iter().any(|file| file.name == one.name));
        self.models
            .retain(|one| wanted.models.iter().any(|model| model.name == one.name));
        self.images.retain(|one| {
            wanted
                .images
                .iter()
                .any(|image| image.reference == one.reference)
        });
    }

    /// The packages that a unit installs, and everything that they need, by name.
    #[must_use]
    pub fn packages_of(&self, wanted: &Wanted, unit: &str) -> Vec<&crate::Package> {
        let roots: Vec<&str> = wanted
            .packages
            .iter()
            .filter(|one| one.unit == unit)
            .map(|one| one.name.as_str())
            .collect();
        let names = crate::graph::closure(self, &roots);
        self.packages
            .iter()
            .filter(|one| names.contains(one.name.as_str()))
            .collect()
    }

    /// Every object that the lock names besides the base image, as digest, size in bytes
    /// and what it is, each digest once.
    #[must_use]
    pub fn objects(&self) -> Vec<(crate::Sha256, u64, String)> {
        let mut all = Vec::new();
        let blob = |of: &str, one: &crate::Blob| (one.sha256, one.size, of.to_owned());
        all.extend(
            self.keys
                .iter()
                .map(|one| (one.sha256, one.size, format!("the key of {}", one.name))),
        );
        all.extend(self.packages.iter().map(|one| {
            (
                one.sha256,
                one.size,
                format!("{} {}", one.name, one.version),
            )
        }));
        all.extend(
            self.files
                .iter()
                .map(|one| (one.sha256, one.size, one.name.clone())),
        );
        for model in &self.models {
            all.push((model.manifest, model.manifest_size, model.name.clone()));
            all.extend(model.blobs.iter().map(|one| blob(&model.name, one)));
        }
        for image in &self.images {
            let own = [&image.manifest, &image.config];
            all.extend(
                own.into_iter()
                    .chain(&image.layers)
                    .map(|one| blob(&image.reference, one)),
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|(digest, _, _)| seen.insert(*digest));
        all
    }
}
