//! The container's image: Debian with systemd and what an installed server has.
//!
//! It is made on the spot by mmdebstrap, from the mirror that apt uses here, and kept by
//! Docker under a tag with the digest of its recipe: only the first run pays for it.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::programs::run;

/// The image's name, without its tag.
const NAME: &str = "lab-container";

/// Debian 13.
const SUITE: &str = "trixie";

const PACKAGES: &[&str] = &[
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "gnupg",
    "iproute2",
    "kmod",
    "netplan.io",
    "nftables",
    "openssh-server",
    "pciutils",
    "procps",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "unattended-upgrades",
];

/// What nobody reads in a test makes up a third of the image.
const LEFT_OUT: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

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
        format!("--include={}", PACKAGES.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
    ];
    all.extend(without_reading_matter());
    all.push(SUITE.to_owned());
    all
}

/// Options of mmdebstrap that leave out what nobody reads in a test.
pub(crate) fn without_reading_matter() -> impl Iterator<Item = String> {
    let without = |what: &&str| format!("--dpkgopt=path-exclude={what}");
    LEFT_OUT.iter().map(without)
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

/// The mirror of Debian that apt uses here. Where there is none, as on Ubuntu, mmdebstrap
/// takes Debian's own.
///
/// # Errors
///
/// When apt cannot be asked.
pub fn mirror() -> Result<Option<String>> {
    let wanted = ["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"];
    let list = run("apt-get", &wanted)?;
    let mirror = list
        .lines()
        .find_map(|line| line.strip_prefix("Debian|Debian|"));
    Ok(mirror.map(str::to_owned))
}
