//! `cargo xtask bench converge` runs this: how long a machine takes from its start to
//! `lab.target`, what the lab adds to a boot with nothing to do, and how long a change
//! from outside takes.
//!
//! Each figure of a later boot or a change is the least of several interleaved rounds.
//! What it does not measure: a kernel and a firmware starting, and the vendors' real
//! servers and sizes; the machine is a container, and the upstreams are near.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab_container::{Command, Described, Guest, Hardware, Upstreams, missing_for_upstreams, ready};

/// How long a boot may take here at most.
const BOOT: Duration = Duration::from_secs(15 * 60);

/// Seconds from systemd's start to when a unit was ready.
struct Boot {
    ssh: f64,
    multi_user: f64,
    lab: Option<f64>,
}

/// A line of the table: what, how many seconds, and how many it may take at most.
type Figure = (&'static str, f64, Option<f64>);

fn main() -> ExitCode {
    if let Some(reason) = missing_for_upstreams() {
        eprintln!("nothing can be measured here: {reason}");
        return ExitCode::from(2);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.first().map_or(Ok(3), |word| word.parse());
    let measured = rounds
        .context("reading the number of rounds")
        .and_then(measure);
    match measured {
        Ok(figures) if report(&figures) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn measure(rounds: u16) -> Result<Vec<Figure>> {
    ensure!(rounds > 0, "at least one round is wanted");
    let scratch = tempfile::tempdir().context("making a scratch folder")?;
    let upstreams = Upstreams::start(scratch.path())?;
    let described = Described::by(upstreams.catalog(), &[])?;
    let hardware = Hardware::z440()?;
    let guest = Guest::installed_among(&ready()?, &described, &hardware, &upstreams)?;
    guest.restart()?;
    guest.converged(BOOT)?;
    let first = times(&guest)?;
    let mut figures = vec![
        ("first boot: until SSH answers", first.ssh, None),
        (
            "first boot: until multi-user.target",
            first.multi_user,
            None,
        ),
    ];
    figures.extend(
        first
            .lab
            .map(|lab| ("first boot: until lab.target", lab, None)),
    );
    figures.extend(later_boots(&guest, rounds)?);
    let command = Command::new(&described, &upstreams)?;
    figures.extend(changes(&guest, &command, &described.text, rounds)?);
    Ok(figures)
}

/// Boots with nothing to do, with the lab's units and without.
fn later_boots(guest: &Guest, rounds: u16) -> Result<Vec<Figure>> {
    let [mut with, mut without, mut lab, mut ssh] = [f64::MAX; 4];
    for _ in 0..rounds {
        guest.ok(&format!("mv {WANTS} /root/lab.target.away"))?;
        guest.restart()?;
        guest.ok(SETTLED)?;
        without = without.min(times(guest)?.multi_user);
        guest.ok(&format!("mv /root/lab.target.away {WANTS}"))?;
        guest.restart()?;
        guest.converged(BOOT)?;
        let boot = times(guest)?;
        with = with.min(boot.multi_user);
        ssh = ssh.min(boot.ssh);
        lab = lab.min(boot.lab.context("lab.target has no time")?);
    }
    Ok(vec![
        ("later boot: until SSH answers", ssh, None),
        ("later boot: until multi-user.target", with, None),
        ("later boot: added by the lab", with - without, Some(1.0)),
        ("later boot: until lab.target", lab, None),
    ])
}

/// What starts the lab at boot; everything else of it comes by this.
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/lab.target";

const SETTLED: &str = "timeout 120 systemctl is-system-running --wait || true";

/// Asking, changing one value, and asking for what is so already.
fn changes(guest: &Guest, command: &Command, text: &str, rounds: u16) -> Result<Vec<Figure>> {
    let [mut diff, mut one, mut none] = [Duration::MAX; 3];
    for round in 0..rounds {
        // Not one that makes a container anew: the container's Docker copies images.
        let line = format!("[ollama]\nkeep_alive_minutes = {}\n", 11 + round);
        command.describe(&text.replacen("[ollama]\n", &line, 1))?;
        one = one.min(takes(guest, command, &["apply", "--yes"])?);
        none = none.min(takes(guest, command, &["apply", "--yes"])?);
        diff = diff.min(takes(guest, command, &["diff"])?);
    }
    Ok(vec![
        ("diff of a machine as described", diff.as_secs_f64(), None),
        ("apply of nothing", none.as_secs_f64(), None),
        ("apply of one changed value", one.as_secs_f64(), Some(3.0)),
    ])
}

fn takes(guest: &Guest, command: &Command, words: &[&str]) -> Result<Duration> {
    let ended = command.to(guest.ssh_port()?, words)?;
    ensure!(ended.code == Some(0), "xtask {words:?}: {ended:#?}");
    Ok(ended.took)
}

/// When the machine's units were ready, by its own clock.
fn times(guest: &Guest) -> Result<Boot> {
    let begin = guest.ok("systemctl show --property=UserspaceTimestampMonotonic --value")?;
    let begin: f64 = begin.trim().parse().context("reading when systemd began")?;
    let at = |unit: &str| -> Result<Option<f64>> {
        let property = "--property=ActiveEnterTimestampMonotonic";
        let said = guest.ok(&format!("systemctl show {property} --value {unit}"))?;
        let at: f64 = said
            .trim()
            .parse()
            .with_context(|| format!("reading when {unit} began"))?;
        Ok((at > 0.0).then_some((at - begin) / 1e6))
    };
    Ok(Boot {
        ssh: at("ssh.service")?.context("ssh.service was never ready")?,
        multi_user: at("multi-user.target")?.context("multi-user.target was never reached")?,
        lab: at("lab.target")?,
    })
}

/// Prints the table; whether all aims were met.
fn report(figures: &[Figure]) -> bool {
    println!("{:40} {:>8}   aim", "figure", "here");
    for (what, seconds, aim) in figures {
        let aim = aim.map_or(String::new(), |aim| match *seconds < aim {
            true => format!("under {aim:.0} s"),
            false => format!("under {aim:.0} s: MISSED"),
        });
        println!("{what:40} {seconds:6.2} s   {aim}");
    }
    figures
        .iter()
        .all(|(_, seconds, aim)| aim.is_none_or(|aim| *seconds < aim))
}
