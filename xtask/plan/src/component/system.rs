//! The system underneath: kernel, time, logs, and the target that everything else
//! comes below.

use anyhow::{Result, bail};
use lab_machine::Machine;
use lab_machine::section::ubuntu::Kernel as Wanted;
use lab_machine::types::NtpServer;
use tera::Context;

use super::Subject;
use crate::autoinstall::{Kernel, KernelPackage};
use crate::template::{render, verbatim};
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

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<()> {
    let machine = subject.machine;
    let mut context = Context::new();
    context.insert("machine", machine.identity.name.as_str());
    context.insert("user", machine.access.user.as_str());
    let journald = "etc/systemd/journald.conf.d/10-lab.conf";
    tree.file(journald, 0o644, verbatim(journald)?)?;
    for name in ["etc/systemd/system/lab.target", "etc/issue.d/lab.issue"] {
        tree.file(name, 0o644, render(name, &context)?)?;
    }
    tree.link(
        "etc/systemd/system/multi-user.target.wants/lab.target",
        "../lab.target",
    )?;
    if !machine.ubuntu.ntp.is_empty() {
        let servers: Vec<&str> = machine.ubuntu.ntp.iter().map(NtpServer::as_str).collect();
        context.insert("servers", &servers.join(" "));
        let name = "etc/systemd/timesyncd.conf.d/10-lab.conf";
        tree.file(name, 0o644, render(name, &context)?)?;
    }
    Ok(())
}
