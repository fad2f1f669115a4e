//! What was installed, and how it answers.

mod apt;
mod dpkg;
mod lab;
pub(crate) mod ollama;
mod openpgp;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use lab_facts::{AptSource, HttpAnswer, Ollama, Package, Request, Software, UnitStatus};

use crate::http;
use crate::part::{Part, part};
use crate::program::Program;
use crate::root::{Root, short};

/// What is under way.
pub(crate) struct Parts {
    root: Root,
    packages: Part<BTreeMap<String, Package>>,
    held: Part<Vec<String>>,
    apt_sources: Part<Vec<AptSource>>,
    apt_config: Part<BTreeMap<String, Vec<String>>>,
    lab_status: Part<Vec<UnitStatus>>,
    ollama: Part<Ollama>,
    jupyter: Part<HttpAnswer>,
    dcgan_page: Part<HttpAnswer>,
    exporter: Part<HttpAnswer>,
    nvtop: Part<String>,
    nvidia_ctk: Part<String>,
}

impl Parts {
    /// Begins to look.
    pub(crate) fn start(root: &Root, request: &Request) -> Self {
        let (packages, held) = installed(root, request);
        let here = root.clone();
        let ollama = request.ollama.clone();
        Self {
            root: root.clone(),
            packages,
            held,
            apt_sources: part("apt's sources", move || apt::sources(&here)),
            apt_config: part("apt's settings", apt::config),
            lab_status: part("`lab status`", lab::status),
            ollama: part("Ollama", move || match ollama {
                Some(address) => ollama::look(&address),
                None => Err(NOT_ASKED.to_owned()),
            }),
            jupyter: page("JupyterLab", request.jupyter_port, "/api/status"),
            dcgan_page: page("the DCGAN page", request.dcgan_port, "/"),
            exporter: page("the exporter", request.exporter_port, "/metrics"),
            nvtop: part("nvtop", nvtop),
            nvidia_ctk: part("nvidia-ctk", nvidia_ctk),
        }
    }

    /// What was found out by then.
    pub(crate) fn by(self, deadline: Instant) -> Software {
        Software {
            release: lab::release(&self.root).into(),
            lab_gpus: lab::gpus(&self.root).into(),
            packages: self.packages.by(deadline),
            held: self.held.by(deadline),
            apt_sources: self.apt_sources.by(deadline),
            apt_config: self.apt_config.by(deadline),
            lab_status: self.lab_status.by(deadline),
            ollama: self.ollama.by(deadline),
            jupyter_without_token: self.jupyter.by(deadline),
            dcgan_page: self.dcgan_page.by(deadline),
            exporter: self.exporter.by(deadline),
            nvtop: self.nvtop.by(deadline),
            nvidia_ctk: self.nvidia_ctk.by(deadline),
        }
    }
}

/// What stands where something was left out of the request.
pub(crate) const NOT_ASKED: &str = "it was not asked for";

/// The packages that were asked for, and all that are held: from one reading of dpkg's list.
fn installed(
    root: &Root,
    request: &Request,
) -> (Part<BTreeMap<String, Package>>, Part<Vec<String>>) {
    let (here, wanted) = (root.clone(), request.packages.clone());
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let packages = part("dpkg's list", move || {
        let read = dpkg::read(&here, &wanted);
        let held = read.as_ref().map(|read| read.held.clone());
        // Its listener is the part below, which lives as long as this.
        let _ = send.send(held.map_err(Clone::clone));
        read.map(|read| read.packages)
    });
    let held = part("dpkg's list", move || match receive.recv() {
        Ok(held) => held,
        Err(_) => Err("dpkg's list could not be read".to_owned()),
    });
    (packages, held)
}

fn page(what: &'static str, port: Option<u16>, path: &'static str) -> Part<HttpAnswer> {
    part(what, move || match port {
        Some(port) => http::page(port, path, None),
        None => Err(NOT_ASKED.to_owned()),
    })
}

fn nvtop() -> Result<String, String> {
    let text = Program::new("nvtop", ["--version"]).text()?;
    Ok(short(&text))
}

/// `NVIDIA Container Toolkit CLI version 1.20.0`.
fn nvidia_ctk() -> Result<String, String> {
    let text = Program::new("nvidia-ctk", ["--version"]).text()?;
    version_of_ctk(&text)
        .ok_or_else(|| format!("nvidia-ctk says of its version `{}`", short(&text)))
}

fn version_of_ctk(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("version ")?;
    let version = rest.split_whitespace().next()?;
    let starts_well = version.starts_with(|c: char| c.is_ascii_digit());
    starts_well.then(|| version.to_owned())
}
