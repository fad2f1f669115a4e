//! What only root sees.

mod accounts;
mod docker;
mod firewall;
mod kernel_log;
mod secrets;
mod sshd;
#[cfg(test)]
mod tests;

use std::time::Instant;

use lab_facts::{FORMAT, Fact, HttpAnswer, Request, RootFacts};

use crate::http;
use crate::part::part;
use crate::root::Root;
use crate::software::NOT_ASKED;
use crate::system::sockets::listeners_with_programs;
use crate::system::{by_path, digests, objects};

/// Where the machine keeps JupyterLab's token.
const TOKEN: &str = "/etc/lab/secrets/jupyter-token";

/// What only root sees, by then.
pub(crate) fn look(root: &Root, request: &Request, deadline: Instant) -> RootFacts {
    let here = || root.clone();
    let (log, people, secret, sockets, token) = (here(), here(), here(), here(), here());
    let (containers, images) = (request.containers.clone(), request.images.clone());
    let port = request.jupyter_port;
    let docker = part("Docker", move || docker::look(&containers, &images));
    let sshd = part("sshd's settings", sshd::settings);
    let kernel_log = part("the kernel's log", move || kernel_log::look(&log));
    let firewall = part("nftables", firewall::tables);
    let jupyter = part("JupyterLab", move || jupyter_with_token(&token, port));
    let listeners = part("the listening sockets", move || {
        listeners_with_programs(&sockets)
    });
    let accounts = part("the accounts", move || accounts::all(&people));
    let open_secrets = part("the secrets", move || secrets::open(&secret, 0));
    let files = digests(root, &request.files);
    let objects = objects(root, &request.objects);
    RootFacts {
        format: FORMAT,
        sshd: sshd.by(deadline),
        accounts: accounts.by(deadline),
        kernel_log: kernel_log.by(deadline),
        docker: docker.by(deadline),
        jupyter_with_token: jupyter.by(deadline),
        listeners: listeners.by(deadline),
        firewall: firewall.by(deadline),
        open_secrets: open_secrets.by(deadline),
        files: by_path(files, deadline)
            .into_iter()
            .filter(|(path, fact)| !missing(root, path, fact))
            .collect(),
        objects: by_path(objects, deadline),
    }
}

fn missing(root: &Root, path: &str, fact: &Fact<String>) -> bool {
    fact.known().is_none() && path.starts_with('/') && !root.exists(path)
}

/// What JupyterLab answers to who has the machine's own token. The token goes into a header
/// and nowhere else.
fn jupyter_with_token(root: &Root, port: Option<u16>) -> Result<HttpAnswer, String> {
    let port = port.ok_or(NOT_ASKED)?;
    let token = root.line(TOKEN)?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{TOKEN} holds no token"));
    }
    let mut answer = http::page(port, "/api/status", Some(&format!("token {token}")))?;
    // A server that says it back does not get it into a report.
    answer.body = answer.body.replace(&token, "(the token)");
    Ok(answer)
}
