//! The probe's program on the machine: the one that stands there, or one that is put there
//! for as long as it is needed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lab_facts::{FORMAT, Fact, Facts};

use super::{Asking, Lost, text, without};

/// Where the image puts it.
const INSTALLED: &str = "/usr/lib/lab/lab-probe";
/// How long a small thing may take.
const SHORT: Duration = Duration::from_secs(20);
/// How long sending the program may take, over a slow line.
const SENDING: Duration = Duration::from_secs(180);

/// Says at which address and port of its own the machine was reached (sshd's word), whether
/// the installed one runs, and what it speaks.
const ASK: &str = r#"printf "%s\n" "$SSH_CONNECTION"
[ ! -x /usr/lib/lab/lab-probe ] || exec /usr/lib/lab/lab-probe version"#;

/// Makes a folder where programs may be put and run: some machines mount /tmp without
/// either. Removes those of runs that were cut off.
const FOLDER: &str = r##"
for d in "${XDG_RUNTIME_DIR:-}" /tmp /var/tmp "$HOME" /dev/shm; do
  [ -d "$d" ] && [ -w "$d" ] || continue
  find "$d" -maxdepth 1 -name "lab-probe.??????????" -user "$(id -u)" -mmin +60 -exec rm -rf {} + 2>/dev/null
  n=$(mktemp -d "$d/lab-probe.XXXXXXXXXX" 2>/dev/null) || continue
  if head -c 16777216 /dev/zero >"$n/t" 2>/dev/null && printf "#!/bin/sh\n" >"$n/r" && chmod 700 "$n/r" && "$n/r" 2>/dev/null; then
    rm -f "$n/t" "$n/r"
    echo "$n"
    exit 0
  fi
  rm -rf "$n"
done
echo "no folder has 16 MiB of room and lets programs run (tried XDG_RUNTIME_DIR, /tmp, /var/tmp, HOME, /dev/shm)" >&2
exit 1"##;

/// The probe's program.
pub(super) struct Probe {
    /// Its path there; none where it cannot run.
    pub(super) program: Option<String>,
    /// Why it cannot.
    pub(super) why_not: String,
    /// The folder that was made for it.
    folder: Option<String>,
}

impl Probe {
    /// Finds the installed one, or puts one there.
    pub(super) fn find(asking: &mut Asking<'_, '_>) -> Result<Self, Lost> {
        let installed = asking.stage("probe", |asking| {
            let asked = asking.link.user(ASK, b"", SHORT);
            text("asking the probe for its version", asked)
        })?;
        let said = installed.unwrap_or_default();
        let (reached, version) = said.split_once('\n').unwrap_or((&said, ""));
        asking.reached = own_address(reached);
        match speaks(version) {
            true => Ok(Self {
                program: Some(INSTALLED.to_owned()),
                why_not: String::new(),
                folder: None,
            }),
            false => asking.stage("sending the probe", Self::send),
        }
    }

    fn send(asking: &mut Asking<'_, '_>) -> Result<Self, Lost> {
        let bytes = match (asking.plan.probe)() {
            Ok(bytes) => bytes,
            Err(why) => {
                return Ok(Self::none(
                    format!("the probe was not built: {why:#}"),
                    None,
                ));
            }
        };
        let doing = "making room for the probe";
        let folder = match text(doing, asking.link.user(FOLDER, b"", SHORT))? {
            Ok(folder) => folder.trim().to_owned(),
            Err(why) => return Ok(Self::none(why, None)),
        };
        let program = format!("{folder}/lab-probe");
        let sent = asking
            .link
            .connection
            .upload(&bytes, &program, 0o755, SENDING);
        if let Err(error) = sent {
            let why = format!("sending the probe: {error}");
            return match error {
                lab_remote::RunError::Cut { .. } => Err(Lost {
                    doing: "sending the probe".to_owned(),
                    error,
                }),
                _ => Ok(Self::none(why, Some(folder))),
            };
        }
        let asked = asking
            .link
            .user(&format!("exec {program} version"), b"", SHORT);
        Ok(match text("the probe that was sent", asked)? {
            Ok(version) if speaks(&version) => Self {
                program: Some(program),
                why_not: String::new(),
                folder: Some(folder),
            },
            Ok(version) => {
                let version: String = version.chars().filter(|c| !c.is_control()).collect();
                let why = format!("the probe that was sent speaks another form: {version}");
                Self::none(why, Some(folder))
            }
            Err(why) => Self::none(format!("it does not run there: {why}"), Some(folder)),
        })
    }

    fn none(why_not: String, folder: Option<String>) -> Self {
        Self {
            program: None,
            why_not,
            folder,
        }
    }

    /// Removes what was put there.
    pub(super) fn remove(&self, asking: &mut Asking<'_, '_>) -> Result<(), Lost> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        // The folder is this user's own, and so is what stands in it.
        let removed = asking
            .link
            .user(&format!("exec rm -rf -- '{folder}'"), b"", SHORT);
        text("removing the probe", removed).map(drop)
    }
}

/// The machine's end of `SSH_CONNECTION` (ssh(1)): address and port of the other side, then
/// its own.
fn own_address(words: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let [_, _, address, port] = words.as_slice() else {
        return None;
    };
    let address: IpAddr = address.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
}

/// Whether it says that it answers in our format: `lab-probe 0.1.0 format 2`.
fn speaks(version: &str) -> bool {
    let words: Vec<&str> = version.split_whitespace().collect();
    matches!(words.as_slice(), ["lab-probe", _, "format", format] if *format == FORMAT.to_string())
}

impl Asking<'_, '_> {
    /// Where the probe cannot run, nvidia-smi says something of the cards.
    pub(super) fn facts_without_probe(&mut self, why: &str) -> Result<Fact<Facts>, Lost> {
        let asked = self
            .link
            .user("exec timeout 20 nvidia-smi -q -x", b"", super::LOOK);
        let doing = "asking nvidia-smi, because the probe cannot run";
        Ok(match text(doing, asked)? {
            Ok(xml) => match crate::smi::nvidia_from_smi(&xml) {
                // The clock of a machine that is not asked for it is not known either.
                Ok(nvidia) => Fact::Is(without::facts(nvidia, why, super::unix_ms())),
                Err(error) => Fact::unknown(format!("{why}; {doing}: {error:#}")),
            },
            Err(said) => Fact::unknown(format!("{why}; {said}")),
        })
    }
}
