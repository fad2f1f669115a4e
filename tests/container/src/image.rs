//! The container's image: Debian with systemd and what an installed server has.
//!
//! It is made on the spot by mmdebstrap, from the mirror that apt uses here, and kept by
//! Docker under a tag with the digest of its recipe: only the first run pays for it.

use anyhow::{Context, Result};
use lab_standin::live::{READING_MATTER, SERVER, SUITE, mirror};
use sha2::{Digest, Sha256};

use crate::programs::run;

/// The image's name, without its tag.
const NAME: &str = "lab-container";

/// The image's name and tag, made first where Docker does not have it yet (some minutes
/// and 250 MB, by the network).
///
/// # Errors
///
/// When mmdebstrap or Docker fails; the end of what they said is in the error.
pub fn ready() -> Result<(String, String)> {
    let tag = tag();
    let image = format!("{NAME}:{tag}");
    if run("docker", &["image", "inspect", &image]).is_err() {
        build(&image).with_context(|| format!("making the container image {image}"))?;
    }
    Ok((NAME.to_owned(), tag))
}

/// A digest of everything that the image is made by, but not of where from.
fn tag() -> String {
    let recipe = arguments().join("\n");
    let digest = hex::encode(Sha256::digest(recipe.as_bytes()));
    digest.chars().take(16).collect()
}

fn arguments() -> Vec<String> {
    let mut all = vec![
        "--quiet".to_owned(),
        "--variant=apt".to_owned(),
        format!("--include={}", SERVER.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
    ];
    all.extend(without_reading_matter());
    all.push(SUITE.to_owned());
    all
}

/// Options of mmdebstrap that leave out what nobody reads in a test.
pub(crate) fn without_reading_matter() -> impl Iterator<Item = String> {
    let without = |what: &&str| format!("--dpkgopt=path-exclude={what}");
    READING_MATTER.iter().map(without)
}

fn build(image: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("making a scratch folder")?;
    let archive = folder.path().join("root.tar");
    let archive = archive.to_str().context("the scratch folder is no UTF-8")?;
    let mut all = arguments();
    all.push(archive.to_owned());
    all.extend(mirror()?);
    let words: Vec<_> = all.iter().map(String::as_str).collect();
    run("mmdebstrap", &words)?;
    run("docker", &["import", archive, image])?;
    Ok(())
}
