//! The system underneath: kernel, time, logs, and what tells where the lab is.

use anyhow::{Context as _, Result, bail, ensure};
use lab_catalog::{Archive, Catalog};
use lab_lock::{Wanted as Outside, WantedBase, WantedRepository};
use lab_machine::Machine;
use lab_machine::section::ubuntu::Kernel as Wanted;
use lab_machine::types::NtpServer;
use tera::Context;

use super::Subject;
use crate::autoinstall::{Kernel, KernelPackage};
use crate::template::{render, verbatim};
use crate::unit::Unit;
use crate::wanted::digest;
use crate::{BaseFacts, TargetTree};

/// The installer's section `kernel`.
///
/// # Errors
///
/// When the base does not carry that kernel: the installer would want a network.
pub(crate) fn kernel(machine: &Machine, base: &BaseFacts) -> Result<Kernel> {
    let package = match machine.ubuntu.kernel {
        Wanted::Ga => KernelPackage::Ga,
        Wanted::Hwe if base.has_hwe_kernel => KernelPackage::Hwe,
        Wanted::Hwe => bail!(
            "`ubuntu.kernel` is \"hwe\", but {} has no /casper/hwe-vmlinuz: take a later point release as the base, or \"ga\"",
            base.base_name
        ),
    };
    Ok(Kernel { package })
}

/// The image that the machine is installed from, and the archive of its release.
pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Outside) -> Result<()> {
    let release = machine.ubuntu.release.as_str();
    let image = catalog
        .ubuntu_image(release)
        .with_context(|| format!("the catalog has no image of Ubuntu {release}"))?;
    wanted.base = WantedBase {
        release: release.to_owned(),
        file: image.file_name.clone(),
        sha256: Some(digest(image.sha256)),
    };
    let mut series = catalog.ubuntu_releases().iter();
    let series = series.find(|one| one.image(release).is_some());
    let archives = series.map(|one| catalog.archives_of(&one.version).map(own));
    wanted.repositories.extend(archives.into_iter().flatten());
    ensure!(
        wanted.repositories.iter().any(|one| one.own),
        "the catalog has no archive of Ubuntu {release}"
    );
    Ok(())
}

/// The system's own archive: its keys are on every Ubuntu, so that none is fetched.
fn own(archive: &Archive) -> WantedRepository {
    WantedRepository {
        name: archive.name.clone(),
        uri: archive.uri.clone(),
        snapshot_uri: archive.snapshot_uri.clone(),
        suites: archive.suites.clone(),
        components: archive.components.clone(),
        signed_by: archive.signed_by.iter().map(ToString::to_string).collect(),
        key: None,
        own: true,
    }
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let mut context = Context::new();
    context.insert("machine", machine.identity.name.as_str());
    context.insert("user", machine.access.user.as_str());
    let journald = "etc/systemd/journald.conf.d/10-lab.conf";
    tree.file(journald, 0o644, verbatim(journald)?)?;
    let issue = "etc/issue.d/lab.issue";
    tree.file(issue, 0o644, render(issue, &context)?)?;
    // What the units write when they get somewhere; agetty shows a missing file as none.
    tree.link("etc/issue.d/lab-status.issue", "/run/lab/issue")?;
    for name in ["usr/local/bin/lab", "etc/update-motd.d/90-lab"] {
        tree.file(name, 0o755, verbatim(name)?)?;
    }
    if !machine.ubuntu.ntp.is_empty() {
        let servers: Vec<&str> = machine.ubuntu.ntp.iter().map(NtpServer::as_str).collect();
        context.insert("servers", &servers.join(" "));
        let name = "etc/systemd/timesyncd.conf.d/10-lab.conf";
        tree.file(name, 0o644, render(name, &context)?)?;
    }
    let state = "usr/lib/lab/state.sh";
    tree.file(state, 0o644, verbatim(state)?)?;
    Ok(None)
}
