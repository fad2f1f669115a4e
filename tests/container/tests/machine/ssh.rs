//! Who gets in, judged from outside by what sshd answers.

use anyhow::{Result, bail, ensure};
use lab_container::{PASSWORD, Ssh};

use crate::Test;
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("the_machine_shows_its_own_host_key", shows_its_own_key),
    ("no_other_host_key_is_shown", shows_no_other_key),
    ("another_host_key_is_not_accepted", other_host_key),
    ("the_admins_key_opens_it", admin_key),
    ("another_key_is_refused", stranger),
    ("no_password_opens_it", no_password),
    ("root_is_refused", root),
    ("sudo_asks_nothing", sudo_asks_nothing),
    ("sudo_asks_where_it_is_described_so", sudo_asks),
    ("ssh_is_published_on_the_loopback_alone", loopback),
];

fn shows_its_own_key(world: &World) -> Result<()> {
    let machine = world.first()?;
    let user = machine.described.user();
    let answer = machine
        .ssh
        .with_key(user, &machine.described.admin.file, "true")?;
    let known = "is known and matches the ED25519 host key";
    ensure!(answer.log.contains(known), "{}", answer.log);
    Ok(())
}

fn shows_no_other_key(world: &World) -> Result<()> {
    let machine = world.first()?;
    let others = machine
        .guest
        .ok("ls /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ecdsa_key")?;
    ensure!(others.lines().count() == 2, "keys of other kinds are there");
    let public = machine.described.host.public.clone();
    let ours: Vec<_> = public.split(' ').take(2).collect();
    let shown = machine.ssh.shown_keys()?;
    ensure!(shown == [ours.join(" ")], "shown: {shown:?}");
    Ok(())
}

fn other_host_key(world: &World) -> Result<()> {
    let machine = world.first()?;
    let described = &machine.described;
    let wrong = &described.stranger.public;
    let ssh = Ssh::new(described.scratch(), machine.guest.ssh_port()?, wrong)?;
    let answer = ssh.with_key(described.user(), &described.admin.file, "true")?;
    ensure!(!answer.let_in(), "the client went on: {}", answer.log);
    ensure!(
        answer.log.contains("Host key verification failed"),
        "{}",
        answer.log
    );
    Ok(())
}

fn admin_key(world: &World) -> Result<()> {
    for machine in [world.first()?, world.second()?] {
        let described = &machine.described;
        let key = &described.admin.file;
        let answer = machine
            .ssh
            .with_key(described.user(), key, "id -un; uname -n")?;
        ensure!(answer.let_in(), "{}", answer.log);
        ensure!(answer.code == Some(0), "{answer:?}");
        let wanted = format!("{}\n", described.user());
        ensure!(answer.stdout.starts_with(&wanted), "{}", answer.stdout);
    }
    Ok(())
}

fn stranger(world: &World) -> Result<()> {
    let machine = world.first()?;
    let described = &machine.described;
    let key = &described.stranger.file;
    let answer = machine.ssh.with_key(described.user(), key, "true")?;
    ensure!(answer.refused(), "{}", answer.log);
    ensure!(answer.offered() == Some("publickey"), "{}", answer.log);
    Ok(())
}

/// The right password, on the machine whose account has one.
fn no_password(world: &World) -> Result<()> {
    let machine = world.second()?;
    let user = machine.described.user();
    let answer = machine.ssh.with_password(user, PASSWORD, "true")?;
    ensure!(answer.refused(), "{}", answer.log);
    ensure!(answer.offered() == Some("publickey"), "{}", answer.log);
    let first = world.first()?;
    let answer = first
        .ssh
        .with_password(first.described.user(), "!", "true")?;
    ensure!(answer.refused(), "{}", answer.log);
    ensure!(answer.offered() == Some("publickey"), "{}", answer.log);
    Ok(())
}

/// With a key that would open root's account if anything could.
fn root(world: &World) -> Result<()> {
    let machine = world.first()?;
    let admin = &machine.described.admin;
    machine.guest.ok(&format!(
        "install -d -m 0700 /root/.ssh && echo '{}' >/root/.ssh/authorized_keys",
        admin.public
    ))?;
    let answer = machine.ssh.with_key("root", &admin.file, "true")?;
    ensure!(answer.refused(), "{}", answer.log);
    let journal = machine.guest.ok("journalctl --unit ssh --output cat")?;
    ensure!(journal.contains("ROOT LOGIN REFUSED"), "{journal}");
    Ok(())
}

fn sudo_asks_nothing(world: &World) -> Result<()> {
    let machine = world.first()?;
    let described = &machine.described;
    let key = &described.admin.file;
    let answer = machine
        .ssh
        .with_key(described.user(), key, "sudo -n id -u")?;
    ensure!(answer.stdout == "0\n", "{answer:?}");
    Ok(())
}

fn sudo_asks(world: &World) -> Result<()> {
    let machine = world.second()?;
    let described = &machine.described;
    let key = &described.admin.file;
    let user = described.user();
    let answer = machine.ssh.with_key(user, key, "sudo -n id -u")?;
    let refused = answer.let_in() && answer.stdout.is_empty();
    if !refused || !answer.log.contains("a password is required") {
        bail!("sudo did not ask: {answer:?}");
    }
    let command = format!("echo '{PASSWORD}' | sudo -k -S id -u");
    let answer = machine.ssh.with_key(user, key, &command)?;
    ensure!(answer.stdout == "0\n", "the right password: {answer:?}");
    let answer = machine
        .ssh
        .with_key(user, key, "echo wrong | sudo -k -S id -u")?;
    ensure!(answer.stdout.is_empty(), "a wrong password: {answer:?}");
    Ok(())
}

fn loopback(world: &World) -> Result<()> {
    for machine in [world.first()?, world.second()?] {
        let published = machine.guest.published()?;
        let port = machine.guest.ssh_port()?;
        ensure!(
            published.trim() == format!("22/tcp -> 127.0.0.1:{port}"),
            "{published}"
        );
    }
    Ok(())
}
