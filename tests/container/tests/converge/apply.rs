//! `xtask diff` and `xtask apply`, over SSH, against a machine that has converged: what
//! they show, what they mend, and that they may be cut off anywhere.
//!
//! One machine serves all of them; each test begins with a machine that is as described.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab_container::{Command, Described, Ended, Guest, PASSWORD};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("apply_mends_what_was_changed_by_hand", by_hand),
    ("apply_brings_a_value_and_takes_it_back", value_and_back),
    ("apply_is_refused", refused),
    ("apply_may_be_cut_off", cut_off),
    ("apply_while_the_machine_converges", converging),
];

/// The machine of day two, and the computer that made it.
pub(crate) struct DayTwo {
    pub(crate) guest: Guest,
    pub(crate) command: Command,
    text: String,
}

impl DayTwo {
    /// From the snapshot of the machine that has converged.
    pub(crate) fn new(world: &World) -> Result<Self> {
        let (guest, command) = world.living()?;
        let text = world.converged()?.described.text.clone();
        Ok(Self {
            guest,
            command,
            text,
        })
    }

    fn run(&self, words: &[&str]) -> Result<Ended> {
        self.command.to(self.guest.ssh_port()?, words)
    }

    /// Runs it, and wants this exit status.
    fn ends(&self, words: &[&str], code: i32) -> Result<Ended> {
        let ended = self.run(words)?;
        let story = match ended.code {
            Some(found) if found == code => return Ok(ended),
            _ => self.guest.story(),
        };
        anyhow::bail!("xtask {words:?}, wanted {code}: {ended:#?}\n{story}")
    }

    /// The machine as it was described at first, whatever the test before left.
    fn in_order(&self) -> Result<()> {
        self.command.describe(&self.text)?;
        if self.run(&["diff"])?.code != Some(0) {
            self.ends(&["apply", "--yes"], 0)?;
        }
        Ok(())
    }

    /// The description with another port for JupyterLab.
    fn port(&self, port: u16) -> Result<()> {
        let line = format!("[jupyter]\nport = {port}\n");
        self.command
            .describe(&self.text.replacen("[jupyter]\n", &line, 1))
    }

    /// Numbers of the generations, and where the links point.
    fn generations(&self) -> Result<String> {
        self.guest.ok(
            "cd /var/lib/lab/generations && ls -A && readlink current && readlink pending || true",
        )
    }
}

/// What somebody does, and what `diff` has to say of it.
const BY_HAND: &[(&str, &str)] = &[
    (
        "echo '# mine' >>/etc/sysctl.d/60-lab.conf",
        "etc/sysctl.d/60-lab.conf",
    ),
    ("chmod 0666 /etc/lab/firewall.nft", "mode 666"),
    ("rm /etc/modprobe.d/lab-nvidia.conf", "is not there"),
    (
        "echo '#' >>/etc/lab/units/base.conf",
        "etc/lab/units/base.conf",
    ),
    (
        "DEBIAN_FRONTEND=noninteractive apt-get -qq remove -y nvtop",
        "is not installed",
    ),
    ("apt-mark unhold containerd.io", "may be upgraded"),
    (
        "jq '.[\"log-driver\"] = \"syslog\"' /etc/docker/daemon.json >/tmp/d && cat /tmp/d >/etc/docker/daemon.json",
        "what it keeps was changed by hand",
    ),
    ("systemctl stop jupyter.service", "does not run"),
    (
        "systemctl stop lab-firewall.service",
        "lab-firewall.service",
    ),
];

fn by_hand(world: &World) -> Result<()> {
    let two = world.day_two()?;
    let clean = two.ends(&["diff"], 0)?;
    ensure!(clean.text.contains("Nothing differs"), "{clean:#?}");
    for (does, _) in BY_HAND {
        two.guest.ok(does)?;
    }
    let key = two
        .guest
        .ok("printf '\\n' >>/etc/ssh/ssh_host_ed25519_key; cat /etc/ssh/ssh_host_ed25519_key")?;
    let said = two.ends(&["diff", "--content"], 1)?;
    for (does, wanted) in BY_HAND {
        ensure!(
            said.text.contains(wanted),
            "{does}: no `{wanted}` in {}",
            said.text
        );
    }
    ensure!(said.text.contains("-# mine"), "{}", said.text);
    for line in key.lines().filter(|line| line.len() > 20) {
        ensure!(
            !said.text.contains(line),
            "a secret file is shown: {}",
            said.text
        );
    }
    ensure!(
        said.text.contains("its content is not shown"),
        "{}",
        said.text
    );
    let mended = two.ends(&["apply", "--yes"], 0)?;
    let after = two.ends(&["diff"], 0)?;
    ensure!(after.text.contains("Nothing differs"), "{after:#?}");
    let again = two.ends(&["apply", "--yes"], 0)?;
    ensure!(again.text.contains("Nothing was changed"), "{again:#?}");
    println!(
        "tried: {} changes by hand; diff {:.2} s, apply {:.2} s, apply of nothing {:.2} s",
        BY_HAND.len() + 1,
        clean.took.as_secs_f64(),
        mended.took.as_secs_f64(),
        again.took.as_secs_f64()
    );
    Ok(())
}

fn value_and_back(world: &World) -> Result<()> {
    let two = world.day_two()?;
    two.in_order()?;
    two.port(8893)?;
    let before = two.generations()?;
    let plan = two.ends(&["apply", "--dry-run"], 0)?;
    ensure!(runs_again(&plan.text) == ["jupyter"], "{}", plan.text);
    ensure!(two.generations()? == before, "a dry run left something");
    two.guest
        .ok("test ! -e /var/lib/lab/incoming || test -z \"$(ls -A /var/lib/lab/incoming)\"")?;
    let note = "/var/lib/lab/jupyter/notebooks/dcgan.ipynb";
    two.guest.ok(&format!("echo mine >{note}"))?;
    let applied = two.ends(&["apply", "--yes"], 0)?;
    let kept = two.guest.ok(&format!("cat {note}"))?;
    ensure!(
        kept == "mine\n",
        "somebody's notebook was overwritten: {kept}"
    );
    two.guest
        .ok("curl --fail --silent --max-time 20 http://127.0.0.1:8893/api")?;
    two.ends(&["diff"], 0)?;
    let back = two.ends(&["apply", "--back", "--yes"], 0)?;
    two.guest
        .ok("curl --fail --silent --max-time 20 http://127.0.0.1:8888/api")?;
    two.in_order_without_apply()?;
    println!(
        "a changed value: {:.2} s, and back: {:.2} s",
        applied.took.as_secs_f64(),
        back.took.as_secs_f64()
    );
    Ok(())
}

impl DayTwo {
    fn in_order_without_apply(&self) -> Result<()> {
        self.command.describe(&self.text)?;
        self.ends(&["diff"], 0)?;
        Ok(())
    }
}

/// The units that a plan names.
fn runs_again(text: &str) -> Vec<&str> {
    let mut lines = text.lines().skip_while(|line| *line != "runs again");
    let line = lines.nth(1).unwrap_or_default();
    line.trim().split(", ").collect()
}

fn refused(world: &World) -> Result<()> {
    let two = world.day_two()?;
    two.in_order()?;
    two.port(8891)?;
    let before = two.generations()?;
    let asked = two.ends(&["apply"], 1)?;
    ensure!(asked.text.contains("--yes"), "{}", asked.text);
    another_key(world, two)?;
    locked(two)?;
    full(two)?;
    password(two)?;
    ensure!(
        two.generations()? == before,
        "before:\n{before}now:\n{}",
        two.generations()?
    );
    two.guest
        .ok("test -z \"$(ls -A /var/lib/lab/incoming)\"")
        .context("something is left")?;
    Ok(())
}

/// A machine that shows another host key is another machine.
fn another_key(world: &World, two: &DayTwo) -> Result<()> {
    let described = &world.converged()?.described;
    two.command
        .expect_host_key(&described.stranger.private()?)?;
    let logins = || {
        two.guest
            .ok("journalctl -u ssh.service -o cat | grep -c Accepted || true")
    };
    let before = logins()?;
    let said = two.ends(&["apply", "--yes"], 1)?;
    two.command.expect_host_key(&described.host.private()?)?;
    ensure!(said.text.contains("host key"), "{}", said.text);
    ensure!(logins()? == before, "somebody logged in: {}", said.text);
    Ok(())
}

/// Somebody else's apply is at work.
fn locked(two: &DayTwo) -> Result<()> {
    two.guest
        .ok("systemd-run --quiet --unit=other-apply flock /run/lab/adopt.lock sleep 300")?;
    two.guest
        .ok("until ! flock --nonblock /run/lab/adopt.lock true; do sleep 0.05; done")?;
    let said = two.ends(&["apply", "--yes"], 2)?;
    two.guest.ok("systemctl stop other-apply.service")?;
    ensure!(
        said.text.contains("another apply is at work"),
        "{}",
        said.text
    );
    Ok(())
}

/// No room for what is sent, and then none for what is laid down.
fn full(two: &DayTwo) -> Result<()> {
    for (place, wanted) in [
        ("/var/lib/lab/incoming", "No space left on device"),
        ("/etc/lab/units", "those of before are in place"),
    ] {
        two.guest
            .ok(&format!("mkdir -p {place}; {}", small(place)))?;
        let said = two.ends(&["apply", "--yes"], 2)?;
        two.guest.ok(&format!("umount {place}"))?;
        ensure!(said.text.contains(wanted), "{place}: {}", said.text);
        two.guest
            .ok("grep -qx \"port='8888'\" /etc/lab/units/jupyter.conf")?;
    }
    Ok(())
}

/// A folder with what is in it on a file system that is full.
fn small(place: &str) -> String {
    format!(
        "set -e; mount -t tmpfs -o mode=0755,size=256k lab-test /mnt; cp -a {place}/. /mnt/\n\
         mount --move /mnt {place}; cat /dev/zero >{place}/.filler 2>/dev/null || true"
    )
}

/// Where sudo wants a password and nobody can be asked for it.
fn password(two: &DayTwo) -> Result<()> {
    two.guest
        .ok("mv /etc/sudoers.d/10-lab /root/; echo 'lab ALL=(ALL) ALL' >/etc/sudoers.d/10-lab")?;
    let said = two.run(&["apply", "--yes"])?;
    two.guest.ok("cp -a /root/10-lab /etc/sudoers.d/")?;
    ensure!(said.code == Some(2), "{said:#?}");
    ensure!(said.text.contains("password"), "{}", said.text);
    ensure!(!said.text.contains(PASSWORD), "{}", said.text);
    Ok(())
}

/// After how many milliseconds the command is killed. All of it takes some seconds.
const MOMENTS: &[u64] = &[300, 600, 900, 1200, 1600, 2000, 2600];

fn cut_off(world: &World) -> Result<()> {
    let two = world.day_two()?;
    two.in_order()?;
    let mut seen = BTreeSet::new();
    for (round, moment) in MOMENTS.iter().enumerate() {
        two.port(9000 + u16::try_from(round)?)?;
        let running = two
            .command
            .start_to(two.guest.ssh_port()?, &["apply", "--yes"])?;
        sleep(Duration::from_millis(*moment));
        let said = running.kill()?;
        seen.insert(said.lines().last().unwrap_or_default().trim().to_owned());
        nothing_by_halves(two)?;
    }
    two.port(9100)?;
    let both = [(); 2].map(|()| {
        let port = two.guest.ssh_port()?;
        two.command.start_to(port, &["apply", "--yes"])
    });
    let both: Result<Vec<_>> = both.into_iter().map(|one| one?.end()).collect();
    let both = both?;
    let ok = |one: &&Ended| one.code == Some(0);
    let busy = |one: &&Ended| one.text.contains("another apply is at work");
    let (ready, busy) = (
        both.iter().filter(ok).count(),
        both.iter().filter(busy).count(),
    );
    ensure!(ready >= 1 && ready + busy == 2, "{both:#?}");
    two.ends(&["apply", "--yes"], 0)?;
    two.ends(&["diff"], 0)?;
    two.guest
        .ok("curl --fail --silent --max-time 20 http://127.0.0.1:9100/api")?;
    println!(
        "tried: {} kills, after: {seen:?}; 2 at once: {busy} was sent away",
        MOMENTS.len()
    );
    Ok(())
}

/// The generation that is in place is whole, or another is on its way to be.
fn nothing_by_halves(two: &DayTwo) -> Result<()> {
    two.guest.ok("cd /var/lib/lab/generations\n\
         until flock --nonblock /run/lab/adopt.lock true; do sleep 0.05; done\n\
         test ! -e pending || { echo pending is left; exit 1; }\n\
         sh current/lay-down check / && cd current/overlay && for f in $(find . -type f); do\n\
         cmp \"$f\" \"/$f\" || exit 1; done")?;
    Ok(())
}

fn converging(world: &World) -> Result<()> {
    let (guest, described): (Guest, Described) = world.installed()?;
    let command = Command::new(&described, world.upstreams()?)?;
    guest.restart()?;
    let two = DayTwo {
        guest,
        command,
        text: described.text.clone(),
    };
    two.port(8892)?;
    let applied = two.ends(&["apply", "--yes"], 0)?;
    two.guest.ok("systemctl is-active lab.target")?;
    two.guest
        .ok("curl --fail --silent --max-time 20 http://127.0.0.1:8892/api")?;
    two.ends(&["diff"], 0)?;
    println!(
        "on a machine that converges: {:.1} s",
        applied.took.as_secs_f64()
    );
    Ok(())
}
