//! What the vendors' packages hold: the same names, versions, needs and paths, with
//! programs of these tests in place of the vendors'.
//!
//! What it does not prove: that the vendors' own maintainer scripts work.

use std::fs;

use anyhow::{Context, Result};

use super::package::{Content, Package};

/// The driver's version in Ubuntu's archive, without Ubuntu's revision.
pub const DRIVER: &str = "580.178.04";
/// The version that [`super::Upstreams::publish_new_driver`] publishes.
pub const NEW_DRIVER: &str = "580.179.01";
/// Ubuntu's revision.
const REVISION: &str = "-0ubuntu0.24.04.1";
/// The branch as it stands in the packages' names.
const BRANCH: &str = "580-server";

/// The vendors' programs, built once.
pub(crate) struct Programs {
    smi: Vec<u8>,
    ctk: Vec<u8>,
    persistenced: Vec<u8>,
    pub(crate) ollama: Vec<u8>,
    nvml: Vec<u8>,
    cuda: Vec<u8>,
}

impl Programs {
    /// Builds and reads them.
    pub(crate) fn build() -> Result<Self> {
        let nvml = lab_vendors::nvml_library()?;
        let cuda = lab_vendors::cuda_library()?;
        Ok(Self {
            smi: program("nvidia-smi")?,
            ctk: program("nvidia-ctk")?,
            persistenced: program("nvidia-persistenced")?,
            ollama: program("ollama")?,
            cuda: fs::read(&cuda).with_context(|| format!("reading {}", cuda.display()))?,
            nvml: fs::read(&nvml).with_context(|| format!("reading {}", nvml.display()))?,
        })
    }
}

fn program(name: &str) -> Result<Vec<u8>> {
    let place = lab_vendors::program(name)?;
    fs::read(&place).with_context(|| format!("reading {}", place.display()))
}

/// The container toolkit's four packages.
pub(crate) fn toolkit(version: &str, programs: &Programs) -> Vec<Package> {
    let runtime = b"#!/bin/sh\nexec runc \"$@\"\n".to_vec();
    let exact = |name: &str| format!("{name} (= {version})");
    let release = version.split('-').next().unwrap_or_default();
    vec![
        Package::new("libnvidia-container1", version),
        Package::new("libnvidia-container-tools", version).needs(&exact("libnvidia-container1")),
        Package::new("nvidia-container-toolkit-base", version)
            .has("usr/bin/nvidia-ctk", Content::Program(programs.ctk.clone()))
            .has(
                "usr/share/mock-toolkit/version",
                Content::Data(release.into()),
            ),
        Package::new("nvidia-container-toolkit", version)
            .needs(&exact("nvidia-container-toolkit-base"))
            .needs(&exact("libnvidia-container-tools"))
            .has(
                "usr/bin/nvidia-container-runtime",
                Content::Program(runtime),
            ),
    ]
}

/// The driver's packages in one version, as Ubuntu splits them.
pub(crate) fn driver(version: &str, programs: &Programs) -> Vec<Package> {
    let full = format!("{version}{REVISION}");
    let new = |name: &str| Package::new(name, &full);
    let exact = |name: &str| format!("{name} (= {full})");
    let library = format!("libnvidia-compute-{BRANCH}");
    let daemon = format!("nvidia-compute-utils-{BRANCH}");
    let modules = format!("linux-modules-nvidia-{BRANCH}-6.8.0-142-generic");
    let flavour =
        |name: &str| new(&format!("linux-modules-nvidia-{BRANCH}-{name}")).needs(&exact(&modules));
    vec![
        kernel_modules(new(&modules), version),
        flavour("generic"),
        flavour("generic-hwe-24.04"),
        libraries(new(&library), version, programs),
        new(&format!("nvidia-utils-{BRANCH}"))
            .needs(&exact(&library))
            .has("usr/bin/nvidia-smi", Content::Program(programs.smi.clone())),
        persistence(new(&daemon).needs(&exact(&library)), programs),
        new(&format!("nvidia-headless-no-dkms-{BRANCH}"))
            .needs(&exact(&library))
            .needs(&exact(&daemon)),
    ]
}

/// Modules as text: the stand-in for modprobe reads their version from it.
fn kernel_modules(package: Package, version: &str) -> Package {
    let text = || Content::Data(format!("version={version}\n").into());
    let folder = "lib/modules/6.8.0-142-generic/kernel/nvidia-580srv";
    package
        .has(&format!("usr/{folder}/nvidia.ko"), text())
        .has(&format!("usr/{folder}/nvidia-uvm.ko"), text())
}

fn libraries(package: Package, version: &str, programs: &Programs) -> Package {
    let folder = "usr/lib/x86_64-linux-gnu";
    let all = [
        ("libnvidia-ml.so", &programs.nvml),
        ("libcuda.so", &programs.cuda),
    ];
    all.into_iter().fold(package, |package, (name, bytes)| {
        let file = format!("{name}.{version}");
        package
            .has(&format!("{folder}/{file}"), Content::Data(bytes.clone()))
            .has(&format!("{folder}/{name}.1"), Content::Link(file))
    })
}

fn persistence(package: Package, programs: &Programs) -> Package {
    let unit = "[Unit]\nDescription=NVIDIA Persistence Daemon\n\n[Service]\nType=notify\n\
        RuntimeDirectory=nvidia-persistenced\n\
        ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose\n\n\
        [Install]\nWantedBy=multi-user.target\n";
    let account = "getent passwd nvidia-persistenced >/dev/null || useradd --system \
        --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin nvidia-persistenced";
    package
        .has(
            "usr/bin/nvidia-persistenced",
            Content::Program(programs.persistenced.clone()),
        )
        .has(
            "usr/lib/systemd/system/nvidia-persistenced.service",
            Content::Data(unit.into()),
        )
        .with_unit("nvidia-persistenced.service", account)
}
