//! How it ends where the way to the machine or the machine itself does not hold: in
//! bounded time, in words that say why, and with nothing left behind.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Proved;
use crate::world::World;

/// What a look may take where something hangs: the probe's own deadline, and a slow machine.
const BOUNDED: Duration = Duration::from_secs(60);

type Case = (&'static str, fn(&Proved, &World) -> Result<()>);

const CASES: &[Case] = &[
    ("another host key", another_key),
    ("a key that may not log in", stranger),
    ("a shell and a server that talk", noise),
    ("sudo that asks", sudo_asks),
    ("a probe that is missing, and no room in /tmp", no_probe),
    ("an old probe", old_probe),
    ("a command that hangs", hangs),
    ("a line that is cut", cut),
    ("a slow and lossy line", lossy),
    ("a machine that restarts", restarts),
];

pub(super) fn ends(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    for (name, case) in CASES {
        let begin = Instant::now();
        case(&proved, world).with_context(|| (*name).to_owned())?;
        left_behind(&proved).with_context(|| (*name).to_owned())?;
        println!("  {name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    println!("tried: {} ways in which it could end badly", CASES.len());
    Ok(())
}

/// No program of ours runs on, and no folder of ours stays.
fn left_behind(proved: &Proved) -> Result<()> {
    let asks = "pgrep -a lab-probe; find /tmp /var/tmp /dev/shm /run/user /home -name 'lab-probe.*' 2>/dev/null; true";
    let begin = Instant::now();
    loop {
        let left = proved.guest.ok(asks)?;
        if left.is_empty() {
            return Ok(());
        }
        // What a cut line leaves is ended within seconds.
        ensure!(
            begin.elapsed() < Duration::from_secs(15),
            "left behind: {left}"
        );
        sleep(Duration::from_millis(250));
    }
}

fn could_not(proved: &Proved, words: &[&str], says: &str) -> Result<()> {
    let begin = Instant::now();
    let ended = proved.accept(words)?;
    ensure!(ended.code == Some(2), "{ended:#?}");
    ensure!(ended.text.contains(says), "no `{says}`: {ended:#?}");
    ensure!(begin.elapsed() < BOUNDED, "{ended:#?}");
    Ok(())
}

fn another_key(proved: &Proved, world: &World) -> Result<()> {
    let described = &world.converged()?.described;
    proved
        .command
        .expect_host_key(&described.stranger.private()?)?;
    let ended = could_not(proved, &[], "host key");
    proved.command.expect_host_key(&described.host.private()?)?;
    ended
}

fn stranger(proved: &Proved, world: &World) -> Result<()> {
    let key = world.converged()?.described.stranger.file.clone();
    let key = key.to_str().context("the key's place is no UTF-8")?;
    could_not(proved, &["--identity", key], "no key was accepted")
}

fn noise(proved: &Proved, _world: &World) -> Result<()> {
    let sound = proved.claims(&[])?;
    proved.guest.ok("cp -p /etc/bash.bashrc /run/bashrc\n\
         sed -i '1i echo noise; echo more noise >&2' /etc/bash.bashrc\n\
         printf 'echo loud\\n' >/home/lab/.profile.noise\n\
         printf 'Banner /etc/hostname\\n' >/etc/ssh/sshd_config.d/00-noise.conf\n\
         systemctl reload ssh")?;
    let claims = proved.claims(&[])?;
    proved.guest.ok(
        "cp -p /run/bashrc /etc/bash.bashrc; rm -f /home/lab/.profile.noise /etc/ssh/sshd_config.d/00-noise.conf\nsystemctl reload ssh",
    )?;
    ensure!(
        claims.failed == sound.failed,
        "{}",
        claims.of(&claims.failed)
    );
    ensure!(claims.passed == sound.passed, "{claims:#?}");
    Ok(())
}

fn sudo_asks(proved: &Proved, _world: &World) -> Result<()> {
    proved
        .guest
        .ok("mkdir /run/sudoers; cp -p /etc/sudoers.d/* /run/sudoers/\n\
         for f in /etc/sudoers.d/*; do sed -i 's/NOPASSWD://' \"$f\"; done")?;
    let claims = proved.claims(&[]);
    proved
        .guest
        .ok("cp -p /run/sudoers/* /etc/sudoers.d/; rm -r /run/sudoers")?;
    let claims = claims?;
    ensure!(claims.failed.is_empty(), "{}", claims.of(&claims.failed));
    let needs_root: BTreeSet<_> = claims
        .not_run
        .iter()
        .filter(|(_, reason)| reason.contains("sudo wants a password"))
        .map(|(name, _)| name.split(['.', '[']).next().unwrap_or_default())
        .collect();
    for group in ["access", "docker"] {
        ensure!(needs_root.contains(group), "{group}: {claims:#?}");
    }
    Ok(())
}

fn no_probe(proved: &Proved, _world: &World) -> Result<()> {
    proved.guest.ok(
        "mv /usr/lib/lab/lab-probe /usr/lib/lab/aside\nmount -t tmpfs -o size=64k,mode=1777 full /tmp",
    )?;
    let claims = proved.claims(&[]);
    proved
        .guest
        .ok("umount /tmp; mv /usr/lib/lab/aside /usr/lib/lab/lab-probe")?;
    let claims = claims?;
    // That it is missing differs from the description; everything else was seen all the same.
    let wanted = BTreeSet::from(["machine.differences".to_owned()]);
    let odd: BTreeSet<_> = claims.failed.difference(&wanted).cloned().collect();
    ensure!(odd.is_empty(), "{}", claims.of(&odd));
    ensure!(claims.passed.contains("gpu.compute[k2200]"), "{claims:#?}");
    Ok(())
}

fn old_probe(proved: &Proved, _world: &World) -> Result<()> {
    proved.guest.ok(
        "mv /usr/lib/lab/lab-probe /usr/lib/lab/aside\n\
         printf '#!/bin/sh\\necho lab-probe 0.0.1 format 0\\n' >/usr/lib/lab/lab-probe; chmod 0755 /usr/lib/lab/lab-probe",
    )?;
    let claims = proved.claims(&[]);
    proved
        .guest
        .ok("mv /usr/lib/lab/aside /usr/lib/lab/lab-probe")?;
    let claims = claims?;
    let wanted = BTreeSet::from(["machine.differences".to_owned()]);
    ensure!(claims.failed == wanted, "{}", claims.of(&claims.failed));
    Ok(())
}

/// A `docker` that never answers.
const DOCKER_HANGS: &str = "printf '#!/bin/sh\\nexec sleep 987\\n' >/usr/local/bin/docker; chmod 0755 /usr/local/bin/docker";
const DOCKER_ANSWERS: &str = "rm -f /usr/local/bin/docker";

fn hangs(proved: &Proved, _world: &World) -> Result<()> {
    proved.guest.ok(DOCKER_HANGS)?;
    let begin = Instant::now();
    let claims = proved.claims(&["--only", "docker", "--only", "gpu"]);
    let took = begin.elapsed();
    proved.guest.ok(DOCKER_ANSWERS)?;
    let claims = claims?;
    ensure!(took < BOUNDED, "it took {took:?}");
    ensure!(
        !claims
            .passed
            .iter()
            .any(|name| name.starts_with("docker.sees")),
        "{claims:#?}"
    );
    ensure!(claims.passed.contains("gpu.compute[gt1030]"), "{claims:#?}");
    let hanging = "ps -eo pid,ppid,pgid,etimes,args | grep '[s]leep 987' || true";
    let begin = Instant::now();
    // What is told to end may take a moment.
    while !proved.guest.ok(hanging)?.is_empty() {
        ensure!(
            begin.elapsed() < Duration::from_secs(15),
            "it goes on hanging: {}",
            proved.guest.ok("ps -eo pid,ppid,pgid,args --forest")?
        );
        sleep(Duration::from_millis(250));
    }
    Ok(())
}

/// Ends every session of the server, as a line that is gone does.
const CUT: &str = "pkill -KILL -f 'sshd(-session)?: lab' && sleep 0.1; true";

fn cut(proved: &Proved, _world: &World) -> Result<()> {
    proved.guest.ok(DOCKER_HANGS)?;
    let host = format!("{}:22", proved.guest.address()?);
    let running = proved.command.begin(&["accept", "--host", &host])?;
    sleep(Duration::from_millis(1500));
    proved.guest.ok(CUT)?;
    let begin = Instant::now();
    let ended = running.end();
    proved.guest.ok(DOCKER_ANSWERS)?;
    let ended = ended?;
    ensure!(ended.code == Some(2), "{ended:#?}");
    ensure!(ended.text.contains("the line was cut"), "{ended:#?}");
    ensure!(begin.elapsed() < BOUNDED, "{ended:#?}");
    Ok(())
}

fn lossy(proved: &Proved, _world: &World) -> Result<()> {
    let added = proved
        .guest
        .sh("tc qdisc add dev eth0 root netem delay 300ms loss 5%")?;
    if added.code != 0 {
        lab_container::not_run(
            "accept over a slow and lossy line",
            &format!("the kernel has no netem: {}", added.text.trim()),
        );
        return Ok(());
    }
    let begin = Instant::now();
    let claims = proved.claims(&[]);
    let took = begin.elapsed();
    proved.guest.ok("tc qdisc del dev eth0 root")?;
    let claims = claims?;
    ensure!(claims.failed.is_empty(), "{}", claims.of(&claims.failed));
    println!("  300 ms and 5 % loss: {:.1} s", took.as_secs_f64());
    ensure!(took < BOUNDED, "it took {took:?}");
    Ok(())
}

fn restarts(proved: &Proved, _world: &World) -> Result<()> {
    proved.guest.ok(DOCKER_HANGS)?;
    let host = format!("{}:22", proved.guest.address()?);
    let running = proved.command.begin(&["accept", "--host", &host])?;
    sleep(Duration::from_millis(1500));
    let begin = Instant::now();
    proved.guest.restart()?;
    let ended = running.end()?;
    proved.guest.ok(DOCKER_ANSWERS)?;
    ensure!(ended.code == Some(2), "{ended:#?}");
    ensure!(begin.elapsed() < 3 * BOUNDED, "{ended:#?}");
    proved.guest.converged(crate::world::FIRST_BOOT)?;
    let waited = proved.accept(&["--wait"])?;
    ensure!(waited.code == Some(0), "{waited:#?}");
    Ok(())
}
