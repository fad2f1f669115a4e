//! A network of Docker's for one run, with the machine in it and the servers at its
//! gateway.

use std::net::IpAddr;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::programs::run;

/// It is removed when this value goes, and the containers in it have gone.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) name: String,
    /// This machine's own address in it.
    pub(crate) gateway: IpAddr,
}

impl Network {
    pub(crate) fn make() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab-upstreams-{}-{count}", process::id());
        run("docker", &["network", "create", &name])
            .with_context(|| format!("making the network {name}"))?;
        let form = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = run("docker", &["network", "inspect", "--format", form, &name])?;
        let gateway = gateway.trim();
        Ok(Self {
            gateway: gateway
                .parse()
                .with_context(|| format!("reading the gateway {gateway} of {name}"))?,
            name,
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = run("docker", &["network", "rm", &self.name]) {
            eprintln!("the network {} is left over: {error:#}", self.name);
        }
    }
}
