//! `toolkit`: NVIDIA's container toolkit, its version and its known holes.

use lab_catalog::DottedVersion;
use lab_facts::Package;

use super::docker::toolkit_wanted;
use super::find::listed;
use super::{Group, package};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "toolkit",
    about: "NVIDIA's container toolkit, which runs as root whenever a container with a card starts.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "toolkit.source",
        effort: Effort::Quick,
        title: "the toolkit comes from NVIDIA's repository, signed by the pinned key",
        story: "One source, the lab's, and in its key file the one key whose fingerprint the catalog has. NVIDIA's instructions add another source with another key file.",
        cause: "The lab's source is missing, or somebody replaced it.",
        remedy: "`sudo lab retry toolkit` puts source and key in their places.",
        reference: "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html",
        claims: |subject, claims| {
            if toolkit_wanted(subject) {
                claims.claim(
                    "toolkit.enabled",
                    "one signed source brings the toolkit",
                    || {
                        package::source(
                            subject,
                            subject.catalog.apt_repository("nvidia-container-toolkit"),
                        )
                    },
                );
            }
        },
    },
    Check {
        id: "toolkit.packages",
        effort: Effort::Quick,
        title: "the toolkit's four packages are installed, all of the described version",
        story: "They work together only in one version; apt would take the newest of those that nobody named.",
        cause: "One was upgraded or installed by hand.",
        remedy: "`sudo lab retry toolkit` installs the described version of all four.",
        reference: "docs/src/reference/machine.md",
        claims: |subject, claims| {
            if toolkit_wanted(subject) {
                package::each_package(subject, claims, "toolkit", "toolkit.version");
            }
        },
    },
    Check {
        id: "toolkit.held",
        effort: Effort::Quick,
        title: "no upgrade moves the toolkit's packages",
        story: "A toolkit that changes under a running Docker leaves a runtime and a specification of two versions.",
        cause: "Somebody ran `apt-mark unhold`, or installed the packages by hand.",
        remedy: "`sudo lab retry toolkit` holds them again.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            if toolkit_wanted(subject) {
                claims.claim("toolkit.version", "the toolkit's packages are held", || {
                    package::held(subject, "toolkit")
                });
            }
        },
    },
    Check {
        id: "toolkit.version",
        effort: Effort::Quick,
        title: "the toolkit's program is of the described version",
        story: "`nvidia-ctk --version` itself: a program from another place may stand before the package's in the path.",
        cause: "Another nvidia-ctk was installed by hand, below /usr/local for example.",
        remedy: "`type -a nvidia-ctk` shows all of them: remove the one that is not from the package.",
        reference: "docs/src/reference/machine.md",
        claims: version,
    },
    Check {
        id: "toolkit.cve",
        effort: Effort::Quick,
        title: "no hole is known of the toolkit that is installed",
        story: "The installed packages, not the described version, are held against the list of holes in the catalog. Some of them give any image root rights on the machine.",
        cause: "The machine has an older toolkit than the description asks for, or the catalog learned of a hole since.",
        remedy: "Take a safe version: leave `toolkit.version` out or raise it, then `cargo xtask apply`. Start no images that you do not trust until then.",
        reference: "https://www.nvidia.com/en-us/security/",
        claims: holes,
    },
];

fn version(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !toolkit_wanted(subject) {
        return;
    }
    let wanted = subject.machine.toolkit.version;
    claims.claim("toolkit.version", format!("nvidia-ctk is {wanted}"), || {
        let found = subject.software()?.nvidia_ctk.get()?;
        Ok(Seen::when(
            found.parse() == Ok(wanted),
            format!("nvidia-ctk says {found}"),
        ))
    });
}

fn holes(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if toolkit_wanted(subject) {
        claims.claim("toolkit.version", "no known hole is in it", || {
            no_hole(subject)
        });
    }
}

/// Upstream's version in one of Debian's: `1.20.1` of `1.20.1-1`.
fn upstream(package: &Package) -> Result<DottedVersion, NotRun> {
    let text = package.version.split('-').next().unwrap_or_default();
    text.parse()
        .map_err(|_| NotRun(format!("{} is no version of the toolkit", package.version)))
}

fn no_hole(subject: &Subject<'_>) -> Judgement {
    let packages = subject.software()?.packages.get()?;
    let names = subject.catalog.toolkit_packages().iter();
    let found = names.filter_map(|name| packages.get(name)).map(upstream);
    let found: Vec<DottedVersion> = found.collect::<Result<_, _>>()?;
    let oldest = found
        .iter()
        .min()
        .ok_or("no package of the toolkit is installed")?;
    let holes = subject.catalog.toolkit_vulnerabilities_of(*oldest);
    let words = holes.map(|hole| match &hole.summary {
        Some(summary) => format!("{} ({summary}; closed in {})", hole.id, hole.fixed_in),
        None => format!("{} (closed in {})", hole.id, hole.fixed_in),
    });
    let words: Vec<String> = words.collect();
    Ok(match words.is_empty() {
        true => Seen::good(format!("{oldest} is installed, of which no hole is known")),
        false => Seen::bad(format!("{oldest} is installed: {}", listed(words))),
    })
}
