//! The thirty checks in the way of `accept`: one connection, one question, and judging here.
//!
//! The same thirty, by the same names, stand in `tests/bench-accept` for the rivals.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use lab_remote::{Auth, Connection, Endpoint, Pin, Timeouts, Trust};

use super::host::Host;

/// Says `check TAB what it saw`, a line a check; a check that says nothing has failed.
const SCRIPT: &str = r#"
packages=$(dpkg-query -W -f='${Package} ${db:Status-Status} ${Version}\n' openssh-server systemd telnetd 2>/dev/null)
units=$(systemctl show -p Id -p ActiveState -p UnitFileState ssh.service systemd-journald.service)
listening=$(ss -Hltn)
files=$(stat -c '%n %F %a %U %G' /etc/ssh/sshd_config /etc/shadow /etc/ssh 2>/dev/null)
accounts=$(getent passwd root lab; getent group adm shadow)
say() { printf '%s\t%s\n' "$1" "$2"; }
while read -r name status version; do
    case $name in
    openssh-server) say c01 "$status"; say c04 "$version" ;;
    systemd) say c02 "$status" ;;
    telnetd) say c03 "$status" ;;
    esac
done <<<"$packages"
unit= active= enabled=
while IFS== read -r key value; do
    case $key in
    Id) unit=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) enabled=$value ;;
    esac
    case $unit/$key in
    ssh.service/ActiveState) say c05 "$active" ;;
    ssh.service/UnitFileState) say c06 "$enabled" ;;
    systemd-journald.service/ActiveState) say c07 "$active" ;;
    esac
    [[ -n $key ]] || unit=
done <<<"$units"
while read -r _ _ _ local _; do
    case $local in
    0.0.0.0:22) say c08 listens ;;
    *:8888) say c09 listens ;;
    esac
done <<<"$listening"
while read -r name rest; do
    case $name in
    /etc/ssh/sshd_config) set -- $rest; say c10 "$1 $2"; say c11 "$3"; say c12 "$4 $5" ;;
    /etc/shadow) set -- $rest; say c14 "$3"; say c15 "$5" ;;
    /etc/ssh) set -- $rest; say c16 "$1 $2" ;;
    esac
done <<<"$files"
while read -r line; do
    case $line in 'Include /etc/ssh/sshd_config.d/'*) say c13 includes; break ;; esac
done </etc/ssh/sshd_config
say c17 "$(readlink /bin)"
[[ ! -e /etc/nologin ]] || say c18 exists
sum=$(sha256sum /etc/lab-bench) && say c19 "${sum%% *}"
while IFS=: read -r name _ id more home shell; do
    case $name in
    root) say c20 "$id ${shell#*:}" ;;
    lab) say c21 "$id ${home#*:}" ;;
    adm) say c22 ",$more," ;;
    shadow) say c23 "$id" ;;
    esac
done < <(awk -F: -v OFS=: 'NF == 7 { print $1, $2, $3, "", $6, $7 } NF == 4 { print $1, $2, $3, $4, "", "" }' <<<"$accounts")
say c24 "$(</proc/sys/kernel/ostype)"
say c25 "$(</proc/sys/net/ipv4/tcp_syncookies)"
say c26 "$(findmnt -no FSTYPE /tmp)"
say c27 "$(hostname)"
say c28 "$(uname -s)"
say c29 "$(ip -br -4 address show dev lo)"
[[ ! -e /sys/module/nouveau ]] || say c30 exists
say end end
"#;

/// What is expected of what a check saw.
enum Expected {
    Is(&'static str),
    Begins(&'static str),
    Holds(&'static str),
    Nothing,
}

impl Expected {
    fn fits(&self, saw: Option<&str>) -> bool {
        match (self, saw) {
            (Self::Nothing, saw) => saw.is_none(),
            (_, None) => false,
            (Self::Is(text), Some(saw)) => saw == *text,
            (Self::Begins(text), Some(saw)) => saw.starts_with(text),
            (Self::Holds(text), Some(saw)) => saw.contains(text),
        }
    }
}

const EXPECTED: [(&str, Expected); 30] = [
    ("c01", Expected::Is("installed")),
    ("c02", Expected::Is("installed")),
    ("c03", Expected::Nothing),
    ("c04", Expected::Begins("1:10.0p1-7")),
    ("c05", Expected::Is("active")),
    ("c06", Expected::Is("enabled")),
    ("c07", Expected::Is("active")),
    ("c08", Expected::Is("listens")),
    ("c09", Expected::Nothing),
    ("c10", Expected::Is("regular file")),
    ("c11", Expected::Is("644")),
    ("c12", Expected::Is("root root")),
    ("c13", Expected::Is("includes")),
    ("c14", Expected::Is("640")),
    ("c15", Expected::Is("shadow")),
    ("c16", Expected::Is("directory 755")),
    ("c17", Expected::Is("usr/bin")),
    ("c18", Expected::Nothing),
    (
        "c19",
        Expected::Is("57e1115ec9cb8aa469d94724c32d69a0a8f9ddc3c199f545bce73b618027e78b"),
    ),
    ("c20", Expected::Is("0 /bin/bash")),
    ("c21", Expected::Is("1000 /home/lab")),
    ("c22", Expected::Holds(",lab,")),
    ("c23", Expected::Is("42")),
    ("c24", Expected::Is("Linux")),
    ("c25", Expected::Is("1")),
    ("c26", Expected::Is("tmpfs")),
    ("c27", Expected::Is("lab-bench")),
    ("c28", Expected::Is("Linux")),
    ("c29", Expected::Holds("127.0.0.1/")),
    ("c30", Expected::Nothing),
];

/// How long the script may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Connects, asks once, and judges; the checks that failed.
pub(super) fn ours(host: &Host) -> anyhow::Result<Vec<String>> {
    let endpoint = Endpoint {
        name: "lab-bench".to_owned(),
        host: host.address.ip().to_string(),
        port: host.address.port(),
        user: "root".to_owned(),
        host_key_alias: None,
        identity_files: Vec::new(),
        identities_only: true,
        identity_agent: Some(None),
        known_hosts: Vec::new(),
    };
    let key = std::fs::read_to_string(host.folder.join("host_key.pub"))?;
    let pin = Pin {
        key: key.parse().context("reading the host's key")?,
        source: "the container".to_owned(),
    };
    let trust = Trust {
        pinned: vec![pin],
        ask: None,
    };
    let auth = Auth {
        identity: Some(host.folder.join("key")),
        ..Auth::default()
    };
    let mut connection = Connection::connect(&endpoint, &trust, &auth, &Timeouts::default())?;
    let output = connection.script("bash -s", SCRIPT, LIMIT)?;
    if !output.success() {
        bail!(
            "the script failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    judge(&output.text())
}

fn judge(answer: &str) -> anyhow::Result<Vec<String>> {
    let saw: BTreeMap<&str, &str> = answer
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    if !saw.contains_key("end") {
        bail!("the script's answer has no end");
    }
    let failed = EXPECTED
        .iter()
        .filter(|(check, expected)| !expected.fits(saw.get(check).copied()));
    Ok(failed.map(|(check, _)| (*check).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn silence_fails_what_expects_something_and_an_answer_without_end_is_none() {
        let failed = judge("end\tend\n").unwrap();
        assert_eq!(failed.len(), 26, "{failed:?}");
        assert!(!failed.contains(&"c09".to_owned()));
        let more = judge("c09\tlistens\nc27\tlab-bench\nend\tend\n").unwrap();
        assert!(more.contains(&"c09".to_owned()) && !more.contains(&"c27".to_owned()));
        assert!(judge("c27\tlab-bench\n").is_err());
    }
}
