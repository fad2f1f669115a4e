//! What a machine says of its units, waited for; and what must hold of every machine that
//! went through something.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_container::Guest;

/// How long a unit may take to come where a test wants it, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// What `lab status --porcelain` says of a unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    pub(crate) state: String,
    /// The number of the try that runs or comes next.
    pub(crate) number: u32,
    pub(crate) text: String,
    pub(crate) way_out: String,
}

/// The units by their names.
pub(crate) type States = BTreeMap<String, Unit>;

/// Asks the machine.
pub(crate) fn states(guest: &Guest) -> Result<States> {
    // It ends with 1 and 3 as well, which say how the lab is.
    let said = guest.sh("lab status --porcelain")?.text;
    let read = said.lines().filter_map(read).collect::<States>();
    ensure!(!read.is_empty(), "lab status said: {said}");
    Ok(read)
}

fn read(line: &str) -> Option<(String, Unit)> {
    let fields: Vec<_> = line.split('\t').collect();
    let [name, state, _, number, text, way_out] = fields.as_slice() else {
        return None;
    };
    let unit = Unit {
        state: (*state).to_owned(),
        number: number.parse().ok()?,
        text: (*text).to_owned(),
        way_out: (*way_out).to_owned(),
    };
    Some(((*name).to_owned(), unit))
}

/// Waits until a unit is in this state, with this in its reason.
pub(crate) fn becomes(guest: &Guest, name: &str, state: &str, words: &str) -> Result<Unit> {
    let begin = Instant::now();
    loop {
        let all = states(guest)?;
        let unit = all.get(name).cloned().unwrap_or_default();
        if unit.state == state && unit.text.contains(words) {
            return Ok(unit);
        }
        if begin.elapsed() > SOON {
            bail!(
                "{name} should be {state} with `{words}`, it is {unit:?}\n{}",
                guest.story()
            );
        }
        sleep(Duration::from_millis(150));
    }
}

/// Waits until a unit stands still for want of somebody, and says why and what to do.
pub(crate) fn stands_still(guest: &Guest, name: &str, words: &str) -> Result<()> {
    let unit = becomes(guest, name, "failed", words)?;
    ensure!(!unit.way_out.is_empty(), "{name} has no way out: {unit:?}");
    let status = format!("systemctl show -p ExecMainStatus --value lab-{name}.service");
    let status = guest.ok(&status)?;
    ensure!(status.trim() == "78", "{name} ended with {}", status.trim());
    Ok(())
}

/// The units of the lab that failed are these and no others.
pub(crate) fn failed_are(guest: &Guest, wanted: &[&str]) -> Result<()> {
    let said = guest.ok("systemctl --failed --plain --no-legend | awk '{ print $1 }' | sort")?;
    let found: Vec<_> = said.lines().collect();
    ensure!(found == wanted, "failed: {found:?}, wanted: {wanted:?}");
    Ok(())
}

/// Nothing that was begun is left by halves, no unit failed, and no secret stands in the
/// journal.
pub(crate) fn nothing_by_halves(guest: &Guest) -> Result<()> {
    failed_are(guest, &[])?;
    let left = guest
        .ok(LEFT_OVER)
        .context("looking for what is left over")?;
    ensure!(left.is_empty(), "left over:\n{left}");
    no_secrets(guest)
}

const LEFT_OVER: &str = "dpkg --audit\n\
     ls -A /var/lib/dpkg/updates\n\
     find /var/lib/lab/downloads -type f\n\
     find /etc /usr/lib /usr/local /var/lib/lab /var/lib/ollama /boot -xdev \
         \\( -name '.lab.*' -o -name '.lab-*' -o -name '*.part' \\)\n\
     ls -A /var/lib/lab/generations | grep -v -E '^([0-9]+|current|previous)$'\n\
     ls -A /opt/ollama | grep -v -E '^([0-9.]+|current)$'\n\
     [ \"$(ls -A /opt/ollama | wc -l)\" -eq 2 ] || ls -A /opt/ollama\n\
     [ -x /opt/ollama/current/bin/ollama ] || echo no ollama\n\
     exit 0";

/// JupyterLab's token, and every line of the host's private key that is not the same in
/// all keys.
pub(crate) fn no_secrets(guest: &Guest) -> Result<()> {
    let found = guest.ok(
        "umask 077\nsed '/-----/d' /etc/ssh/ssh_host_ed25519_key | sed 1d >/run/lab-test.secrets\n\
         [ ! -e /etc/lab/secrets/jupyter-token ] || \
         { cat /etc/lab/secrets/jupyter-token; echo; } >>/run/lab-test.secrets\n\
         grep . /run/lab-test.secrets >/run/lab-test.patterns\n\
         journalctl --quiet --no-pager --output=export --all >/run/lab-test.journal\n\
         grep -a -F -f /run/lab-test.patterns /run/lab-test.journal | cut -c 1-40\n\
         rm -f /run/lab-test.*",
    )?;
    ensure!(found.is_empty(), "the journal holds a secret: {found}");
    Ok(())
}
