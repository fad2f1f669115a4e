//! The closure of real packages, locked and fetched from the Debian archive, installed by apt
//! in a container that has no network; and held against what apt itself would have chosen.
//!
//! A kernel is among them because its modules are what a driver's are: prebuilt, in packages
//! that follow the kernel's version. Debian builds NVIDIA's on the machine itself, which would
//! bring a compiler; the cloud kernel is the smallest that brings modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use lab_container::{Guest, Said, debian_mirror, keys_of, not_run};
use lab_lock::{Lock, Wanted, WantedPackage, WantedRepository};
use lab_payload::{Deb, RepositoryKey, place, repository};
use lab_resolve::{InstalledList, Update};
use lab_supply::store::{self, FetchAll, Store};
use lab_supply::{Cache, Digest, Limits, Network};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[("a_closure_installs_without_a_network", closure)];

const NAMES: [&str; 3] = ["docker.io", "nvtop", "linux-image-cloud-amd64"];
const DAY: u64 = 86_400;

/// What a machine is before, and where its packages come from.
struct Before {
    status: String,
    wanted: Wanted,
    keys: BTreeMap<String, Vec<u8>>,
    /// `name=version` as apt itself would install, from the same archive.
    by_apt: BTreeSet<String>,
}

fn before(world: &World, mirror: &str, nothing: &Path) -> Result<Before> {
    let guest = Guest::idle(world.image()?, nothing)?;
    let keys = keys_of(&guest, "/usr/share/keyrings/debian-archive-keyring.*")?;
    guest.ok("apt-get update")?;
    let said = guest.ok(&format!(
        "apt-get -s --no-install-recommends install {}",
        NAMES.join(" ")
    ))?;
    Ok(Before {
        status: guest.ok("cat /var/lib/dpkg/status")?,
        by_apt: said.lines().filter_map(installed_by_apt).collect(),
        wanted: wanted(mirror, keys.iter().map(|(name, _)| name.clone()).collect()),
        keys: keys.into_iter().collect(),
    })
}

/// `Inst NAME [OLD] (VERSION …)` as `name=version`.
fn installed_by_apt(line: &str) -> Option<String> {
    let name = line.strip_prefix("Inst ")?.split(' ').next()?;
    let version = line.split('(').nth(1)?.split(' ').next()?;
    Some(format!("{name}={version}"))
}

fn wanted(mirror: &str, signed_by: Vec<String>) -> Wanted {
    let package = |name: &str| WantedPackage {
        name: name.to_owned(),
        version: None,
        repository: None,
        unit: "proof".to_owned(),
    };
    Wanted {
        repositories: vec![WantedRepository {
            name: "debian".to_owned(),
            uri: mirror.trim_end_matches('/').to_owned(),
            snapshot_uri: None,
            suites: vec!["trixie".to_owned()],
            components: vec!["main".to_owned()],
            signed_by,
            key: None,
            own: true,
        }],
        packages: NAMES.into_iter().map(package).collect(),
        ..Wanted::default()
    }
}

fn lock(before: &Before, now: u64) -> Result<Lock> {
    let network = Network::new(Limits::default());
    let world = lab_resolve::World {
        network: &network,
        keys: &before.keys,
        now,
        keep: &|_| Ok(()),
        say: &|_| {},
    };
    let installed = InstalledList::of(before.status.as_bytes());
    lab_resolve::resolve(&world, &before.wanted, &installed, None, &Update::Nothing)
}

/// Kept between runs below the folder of what is built: what is in it is named by digest.
fn store() -> Result<Store> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-cache");
    Ok(Store::open(&Cache::open(folder)?)?)
}

fn fetch(lock: &Lock, store: &Store) -> Result<()> {
    let wanted: Vec<store::Wanted> = lab_resolve::objects(lock)
        .into_iter()
        .map(|one| store::Wanted {
            name: one.name,
            sha256: one.sha256,
            size: Some(one.size),
            urls: one.urls,
            authority: None,
        })
        .collect();
    store::fetch_all(store, &wanted, &FetchAll::default(), &|_| {})?;
    Ok(())
}

/// A medium with the repository on it.
fn medium(lock: &Lock, store: &Store, folder: &Path) -> Result<PathBuf> {
    let cdrom = folder.join("cdrom");
    fs::create_dir_all(cdrom.join("apt/pool")).context("making the medium")?;
    let deb = |one: &lab_lock::Package| Deb {
        name: one.name.clone(),
        version: one.version.clone(),
        architecture: one.architecture.clone(),
        file: store.place(Digest(one.sha256.0)),
        size: one.size,
        sha256: one.sha256.0,
    };
    let debs: Vec<Deb> = lock.packages.iter().map(deb).collect();
    let files = repository(&debs, &RepositoryKey::of_seed([3; 32], "proof")?)?;
    for one in &debs {
        fs::copy(&one.file, cdrom.join("apt").join(place(one)))
            .with_context(|| format!("copying {}", one.name))?;
    }
    let stranger = RepositoryKey::of_seed([4; 32], "proof")?.public()?;
    for (name, text) in [
        ("apt/Packages", &files.packages),
        ("apt/InRelease", &files.in_release),
        ("apt.asc", &files.key),
        ("stranger.asc", &stranger),
    ] {
        fs::write(cdrom.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(cdrom)
}

/// apt with that repository alone, as the machine's own scripts call it.
fn apt(repository: &str, key: &str) -> String {
    format!(
        "printf 'Types: deb\\nURIs: file:{repository}\\nSuites: ./\\nSigned-By: {key}\\n' >/run/it.sources\n\
         it() {{ DEBIAN_FRONTEND=noninteractive apt-get --quiet --assume-yes --no-install-recommends \
         -o Dir::Etc::sourcelist=/run/it.sources -o Dir::Etc::sourceparts=- \
         -o APT::Update::Error-Mode=any \"$@\"; }}\n"
    )
}

fn closure(world: &World) -> Result<()> {
    let Some(mirror) = debian_mirror()? else {
        not_run(
            "a_closure_installs_without_a_network",
            "apt here knows no mirror of Debian",
        );
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let nothing = folder.path().join("nothing");
    fs::create_dir(&nothing)?;
    let before = before(world, &mirror, &nothing)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let begin = Instant::now();
    let lock = lock(&before, now)?;
    println!(
        "locked {} packages in {:.1} s",
        lock.packages.len(),
        begin.elapsed().as_secs_f64()
    );
    let tomorrow = self::lock(&before, now + DAY)?;
    ensure!(
        tomorrow.to_text()? == lock.to_text()?,
        "a day later it is another lock"
    );
    let chosen: BTreeSet<String> = lock
        .packages
        .iter()
        .map(|one| format!("{}={}", one.name, one.version))
        .collect();
    ensure!(
        chosen == before.by_apt,
        "apt would take otherwise: {:?}",
        chosen
            .symmetric_difference(&before.by_apt)
            .collect::<Vec<_>>()
    );
    let store = store()?;
    fetch(&lock, &store)?;
    let cdrom = medium(&lock, &store, folder.path())?;
    let guest = Guest::alone(world.image()?, &cdrom, &nothing)?;
    refuses(&guest)?;
    installs(&guest, &lock)
}

/// Everything that is installed, a line for each package.
const THERE: &str = "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'";

/// Turns every bit of one byte in the middle of a file over, so that it is another one
/// whatever stood there.
const SPOIL: &str = r#"spoil() {
    at=$(($(stat -c %s "$1") / 2))
    was=$(od -A n -t u1 -j "$at" -N 1 "$1")
    cp "$1" /run/sound
    printf "\\$(printf %03o "$((was ^ 255))")" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
    [ "$(cmp -l /run/sound "$1" | wc -l)" = 1 ] || { echo "not one byte of $1 is another" >&2; exit 1; }
}
"#;

/// A package with another byte in it, and a repository that is signed by another key: apt
/// says of each what is wrong with it, and nothing comes of either.
fn refuses(guest: &Guest) -> Result<()> {
    let before = guest.ok(THERE)?;
    let stranger = guest.sh(&format!(
        "{}it update",
        apt("/cdrom/apt", "/cdrom/stranger.asc")
    ))?;
    refused(&stranger, "is not signed").context("a stranger's signature")?;
    let spoilt = "/srv/spoilt/pool/nvtop_*.deb";
    guest.ok(&format!(
        "{SPOIL}cp -r /cdrom/apt /srv/spoilt\nset -e\n[ \"$(echo {spoilt} | wc -w)\" = 1 ]\nspoil {spoilt}"
    ))?;
    let with_it = apt("/srv/spoilt", "/cdrom/apt.asc");
    guest.ok(&format!("{with_it}it update"))?;
    let install = guest.sh(&format!("{with_it}it install nvtop"))?;
    refused(&install, "Hash Sum mismatch").context("a package that was changed")?;
    let after = guest.ok(THERE)?;
    ensure!(after == before, "something was installed:\n{after}");
    guest.ok("rm -r /srv/spoilt")?;
    Ok(())
}

/// That it failed, and for that reason.
fn refused(said: &Said, why: &str) -> Result<()> {
    ensure!(said.code != 0, "it counted:\n{}", said.text);
    ensure!(
        said.text.contains(why),
        "it was refused, and not because `{why}`:\n{}",
        said.text
    );
    Ok(())
}

fn installs(guest: &Guest, lock: &Lock) -> Result<()> {
    ensure!(
        guest
            .ok("ip -o link show up | grep -vc ' lo:' || true")?
            .trim()
            == "0",
        "it has a network"
    );
    let words: Vec<String> = lock
        .packages
        .iter()
        .map(|one| format!("{}={}", one.name, one.version))
        .collect();
    let begin = Instant::now();
    guest.ok(&format!(
        "{}it update && it install {}",
        apt("/cdrom/apt", "/cdrom/apt.asc"),
        words.join(" ")
    ))?;
    println!(
        "installed in {:.1} s, without a network",
        begin.elapsed().as_secs_f64()
    );
    let there = guest.ok("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'")?;
    let there: BTreeSet<&str> = there.lines().collect();
    for one in &lock.packages {
        let line = format!("installed {} {}", one.name, one.version);
        ensure!(there.contains(line.as_str()), "not there: {line}");
    }
    println!(
        "compared: {} packages, each in its locked version",
        lock.packages.len()
    );
    guest.ok("dockerd --version && ls /lib/modules/*-cloud-amd64/kernel >/dev/null")?;
    Ok(())
}
