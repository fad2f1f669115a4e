//! Locked, fetched and put onto an image; and a machine without any network that is installed
//! from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab_container::{
    Command, Described, Ended, Guest, Hardware, account, archives, laid_down_from_image,
    taken_apart,
};
use sha2::{Digest as _, Sha256};

use crate::Test;
use crate::held::against_the_lock;
use crate::world::{FIRST_BOOT, World};

pub(crate) const TESTS: &[Test] = &[("a_machine_without_a_network_converges", offline)];

/// The computer on which the image is made, and what the machine's system has.
struct Maker {
    command: Command,
    described: Described,
    status: PathBuf,
}

impl Maker {
    fn new(world: &World) -> Result<Self> {
        let upstreams = world.upstreams()?;
        let (stock, described) = world.stock()?;
        let mut command = Command::new(&described, upstreams)?;
        command.catalog_file("archives.toml", &archives(&stock, upstreams)?)?;
        command.among(upstreams)?;
        let status = command.scratch().join("status");
        fs::write(&status, stock.ok("cat /var/lib/dpkg/status")?)
            .context("keeping the machine's list of packages")?;
        Ok(Self {
            command,
            described,
            status,
        })
    }

    fn ends(&self, words: &[&str], code: i32) -> Result<Ended> {
        let ended = self.command.run(words)?;
        ensure!(
            ended.code == Some(code),
            "xtask {words:?}, wanted {code}: {ended:#?}"
        );
        println!(
            "xtask {}: {:.1} s",
            words.join(" "),
            ended.took.as_secs_f64()
        );
        Ok(ended)
    }

    fn lock(&self) -> Result<String> {
        let place = self.command.scratch().join("machine.lock");
        fs::read_to_string(&place).with_context(|| format!("reading {}", place.display()))
    }

    /// Locks; and once more, which finds nothing to do and writes nothing.
    fn locked(&self) -> Result<()> {
        let status = self.status.to_str().context("no UTF-8")?;
        self.ends(&["lock", "--installed", status], 0)?;
        let first = self.lock()?;
        let again = self.ends(&["lock", "--installed", status], 0)?;
        ensure!(
            again.text.contains("everything is locked already"),
            "{}",
            again.text
        );
        let anew = self.ends(&["lock", "--update", "--installed", status], 0)?;
        ensure!(
            self.lock()? == first,
            "locked anew it is another: {}",
            anew.text
        );
        self.ends(&["lock", "--check"], 0)?;
        Ok(())
    }

    fn image(&self, name: &str) -> Result<PathBuf> {
        let place = self.command.scratch().join(name);
        let words = [
            "iso",
            "--base",
            "stand-in",
            "--offline",
            "--frozen",
            "--out",
        ];
        let out = place.to_str().context("no UTF-8")?;
        let words: Vec<&str> = words.into_iter().chain([out]).collect();
        self.ends(&words, 0)?;
        Ok(place)
    }
}

fn offline(world: &World) -> Result<()> {
    let mut maker = Maker::new(world)?;
    maker.locked()?;
    maker.ends(&["fetch", "--without-base", "--frozen"], 2)?;
    maker.ends(&["fetch", "--without-base"], 0)?;
    maker.command.without_names()?;
    maker.ends(&["fetch", "--without-base", "--frozen"], 0)?;
    let image = maker.image("one.iso")?;
    let other = maker.image("two.iso")?;
    ensure!(
        digest(&image)? == digest(&other)?,
        "two images from one lock differ"
    );
    fs::remove_file(&other)?;
    let small = maker.command.run(&[
        "iso",
        "--base",
        "stand-in",
        "--offline",
        "--frozen",
        "--fits",
        "1MB",
    ])?;
    ensure!(
        small.code == Some(1) && small.text.contains("what takes the room"),
        "{small:#?}"
    );
    let guest = installed(world, &maker, &image)?;
    guest.restart()?;
    let took = guest.converged(FIRST_BOOT)?;
    println!("offline: lab.target after {:.1} s", took.as_secs_f64());
    has_what_is_locked(&guest, &maker.lock()?)?;
    stays_when_started_again(&guest)?;
    goes_back_to_the_vendors(world, &guest)?;
    against_the_lock(maker.command, guest)
}

/// With the cable in: apt reads the vendors' own lists with the keys that came along, and has
/// nothing to change, because what is installed is what is pinned there.
fn goes_back_to_the_vendors(world: &World, guest: &Guest) -> Result<()> {
    guest.plug_in(world.upstreams()?)?;
    guest.ok("apt-get -o APT::Update::Error-Mode=any update")?;
    let policy = guest.ok("apt-cache policy docker-ce nvidia-container-toolkit")?;
    for host in ["download.docker.com", "nvidia.github.io"] {
        ensure!(policy.contains(host), "{host} is no source:\n{policy}");
    }
    let of = |field: &str| -> Vec<String> {
        let lines = policy
            .lines()
            .filter_map(|line| line.trim().strip_prefix(field));
        lines.map(str::to_owned).collect()
    };
    ensure!(of("Installed:") == of("Candidate:"), "{policy}");
    let upgrade = guest.ok("apt-get -s upgrade")?;
    ensure!(
        !upgrade.contains("Inst docker") && !upgrade.contains("Inst nvidia"),
        "{upgrade}"
    );
    Ok(())
}

fn installed(world: &World, maker: &Maker, image: &Path) -> Result<Guest> {
    let upstreams = world.upstreams()?;
    let scratch = tempfile::tempdir()?;
    let cdrom = taken_apart(image, scratch.path())?;
    let guest = Guest::alone_among(
        world.image()?,
        &maker.described,
        &cdrom,
        &Hardware::z440()?,
        upstreams,
    )?;
    ensure!(
        guest
            .ok("ip -o link show up | grep -vc ' lo:' || true")?
            .trim()
            == "0",
        "it has a network"
    );
    guest.ok(&account(&maker.described))?;
    laid_down_from_image(&guest, &cdrom)?;
    Ok(guest)
}

/// Every package of the lock, one by one, in its version; and nothing of it came otherwise.
fn has_what_is_locked(guest: &Guest, lock: &str) -> Result<()> {
    let lock: toml::Table = lock.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let packages = packages.context("the lock has no packages")?;
    let there = guest.ok("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'")?;
    let mut compared = 0;
    for package in packages {
        let of = |key: &str| {
            package
                .get(key)
                .and_then(toml::Value::as_str)
                .context("no such key")
        };
        let line = format!("installed {} {}", of("name")?, of("version")?);
        ensure!(
            there.lines().any(|found| found == line),
            "not there: {line}"
        );
        compared += 1;
    }
    println!("compared: {compared} packages, each in its locked version");
    let units = guest.ok("lab status")?;
    for unit in ["driver", "docker", "toolkit", "ollama", "jupyter", "dcgan"] {
        let ready = units
            .lines()
            .any(|line| line.starts_with(unit) && line.contains("ready"));
        ensure!(ready, "{unit} is not ready:\n{units}");
    }
    Ok(())
}

fn stays_when_started_again(guest: &Guest) -> Result<()> {
    guest.restart()?;
    let took = guest.converged(Duration::from_secs(300))?;
    println!("offline, second boot: {:.1} s", took.as_secs_f64());
    Ok(())
}

fn digest(place: &Path) -> Result<String> {
    let mut file = fs::File::open(place).with_context(|| format!("opening {}", place.display()))?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => break,
            length => hash.update(chunk.get(..length).unwrap_or_default()),
        }
    }
    Ok(hex::encode(hash.finalize()))
}
