//! The network of the live system, and whether an archive is in reach of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::autoinstall::{Fallback, Network};
use crate::cloud;
use crate::events::Stage;
use crate::live::Live;

/// How long a route is waited for, in seconds.
const PATIENCE: u64 = 10;

/// How long the archive is left alone between two attempts, in seconds.
const BETWEEN: u64 = 10;

/// Gives the network's description to the live system. That netplan understands it is a
/// condition; that a cable is in is not.
pub(crate) fn apply(live: &Live, network: Option<&Network>) -> Result<()> {
    let Some(network) = network else {
        return Ok(());
    };
    if !live.succeeds(&["netplan", "info"]) {
        live.events.warn(
            Stage::Network,
            "the live system has no netplan: its network stays as it is",
        );
        return Ok(());
    }
    let text = cloud::netplan(network);
    let trial = "/run/lab-installer/netplan";
    live.write(
        &live.path(trial).join("etc/netplan/50-cloud-init.yaml"),
        &text,
        0o600,
    )?;
    live.run(&["netplan", "generate", "--root-dir", &live.word(trial)])
        .context("autoinstall.network: found what netplan refuses, expected its format")?;
    live.write(&live.path("/etc/netplan/90-installer.yaml"), &text, 0o600)?;
    if let Err(error) = live.run(&["netplan", "apply"]) {
        live.events.warn(Stage::Network, &format!("{error:#}"));
    }
    let until = Instant::now() + Duration::from_secs(if live.is_real() { PATIENCE } else { 0 });
    while !has_route(live) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Whether there is a way out.
pub(crate) fn has_route(live: &Live) -> bool {
    let four = live.read("/proc/net/route").unwrap_or_default();
    let six = live.read("/proc/net/ipv6_route").unwrap_or_default();
    let by_four = four
        .lines()
        .skip(1)
        .any(|line| line.split_whitespace().nth(1) == Some("00000000"));
    let by_six = six.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let everywhere = columns
            .first()
            .is_some_and(|to| to.bytes().all(|byte| byte == b'0'));
        everywhere && columns.get(1) == Some(&"00") && columns.last() != Some(&"lo")
    });
    by_four || by_six
}

/// Whether packages come from an archive: it is asked twice, and what happens without it
/// is the file's to say.
pub(crate) fn is_online(live: &Live, fallback: Fallback) -> Result<bool> {
    if !has_route(live) {
        live.events.note("no network: the archive is not asked");
        return Ok(false);
    }
    if asks_archive(live) || {
        std::thread::sleep(Duration::from_secs(if live.is_real() {
            BETWEEN
        } else {
            0
        }));
        asks_archive(live)
    } {
        return Ok(true);
    }
    match fallback {
        Fallback::Abort => bail!("aborting install since no mirror is usable"),
        Fallback::OfflineInstall => {
            live.events.warn(
                Stage::Mirror,
                "reverting to an offline install since no primary mirror is usable",
            );
            Ok(false)
        }
        Fallback::ContinueAnyway => {
            live.events.warn(
                Stage::Mirror,
                "continuing the install despite no usable mirror",
            );
            Ok(true)
        }
    }
}

/// By the sources of the live system, and into a folder of its own. A live system without
/// any source has no archive in reach.
fn asks_archive(live: &Live) -> bool {
    let lists = live.path("/run/lab-installer/archive");
    if std::fs::create_dir_all(lists.join("partial")).is_err() {
        return false;
    }
    let targets = ["apt-get", "indextargets", "--format", "$(SITE)"];
    if !live
        .output(&targets)
        .is_ok_and(|sites| sites.lines().any(|site| site.contains("://")))
    {
        return false;
    }
    let option = format!("Dir::State::Lists={}", lists.display());
    let words = [
        "apt-get",
        "update",
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        &option,
    ];
    live.succeeds(&[&words[..], &["-o", "APT::Sandbox::User=root"]].concat())
}
