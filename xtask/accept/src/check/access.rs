//! `access`: who gets in, and what answers from outside.

use std::collections::BTreeMap;

use lab_facts::Account;

use super::Group;
use super::find::listed;
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "access",
    about: "Who gets in: keys only, the described account only, and nothing else from outside.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "access.root-login",
        effort: Effort::Quick,
        title: "root cannot log in over SSH",
        story: "What counts is what sshd itself says its settings are (`sshd -T`), with every file that it includes.",
        cause: "A file in /etc/ssh/sshd_config.d that sorts before the lab's, or sshd was not reloaded.",
        remedy: "`sudo sshd -T | grep -i permitroot` shows it, `grep -ri permitroot /etc/ssh` where it stands. Remove that line, then `sudo systemctl reload ssh`.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| SETTINGS_ROOT.claim(subject, claims),
    },
    Check {
        id: "access.passwords",
        effort: Effort::Quick,
        title: "SSH takes no passwords",
        story: "Neither plain passwords nor the kind that asks questions, and no empty ones. A machine on the net is tried with passwords all day.",
        cause: "A file in /etc/ssh/sshd_config.d that sorts before the lab's; 50-cloud-init.conf is the usual one.",
        remedy: "`grep -ri -e passwordauth -e kbdinteractive /etc/ssh` shows where it stands. Remove that line, then `sudo systemctl reload ssh`.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| SETTINGS_PASSWORDS.claim(subject, claims),
    },
    Check {
        id: "access.empty-passwords",
        effort: Effort::Quick,
        title: "no account has an empty password",
        story: "Such an account opens at the console, and by `su`, to anybody.",
        cause: "Somebody ran `passwd -d`.",
        remedy: "`sudo passwd -l NAME` locks the account's password.",
        reference: "docs/src/reference/machine.md",
        claims: empty_passwords,
    },
    Check {
        id: "access.user",
        effort: Effort::Quick,
        title: "the described account is there, with its keys",
        story: "At least as many keys as are described may log in as it; it has a password exactly where one is described.",
        cause: "The keys were removed by hand, or a password was set with `passwd`.",
        remedy: "The keys stand in ~/.ssh/authorized_keys. `sudo passwd -l NAME` takes a password away that is not described.",
        reference: "docs/src/reference/machine.md",
        claims: user,
    },
    Check {
        id: "access.accounts",
        effort: Effort::Quick,
        title: "nobody else can log in",
        story: "Every account with a shell that has a password or a key, root among them.",
        cause: "Somebody added an account, or gave root a password or a key.",
        remedy: "`sudo passwd -l NAME` and removing its authorized_keys lock an account; `sudo deluser NAME` removes one.",
        reference: "docs/src/reference/machine.md",
        claims: accounts,
    },
    Check {
        id: "access.secrets",
        effort: Effort::Quick,
        title: "no secret can be read by others than root",
        story: "Everything in /etc/lab/secrets and sshd's host keys.",
        cause: "A copy, a restore or a `chmod` opened them.",
        remedy: "`sudo chmod 600 FILE`; and as somebody may have read it, make it anew: remove JupyterLab's token and `sudo lab retry jupyter`. A host key is made anew with a new image.",
        reference: "docs/src/reference/units.md",
        claims: secrets,
    },
    Check {
        id: "access.firewall",
        effort: Effort::Quick,
        title: "the lab's firewall is loaded",
        story: "Its table stands in the kernel; Docker's rules stand beside it.",
        cause: "`nft flush ruleset` or another firewall took it away, or its file was refused at boot.",
        remedy: "`sudo systemctl restart lab-firewall`; `sudo nft --check -f /etc/lab/firewall.nft` says what is wrong with the file.",
        reference: "docs/src/reference/units.md",
        claims: firewall,
    },
    Check {
        id: "access.outside",
        effort: Effort::Quick,
        title: "from this side only what is described answers",
        story: "Ports of every service of the lab, and some that should never be open, are tried from here. Only SSH may take a connection, and Ollama where it is described to listen on the network.",
        cause: "A container published a port on all addresses (which goes past most firewalls), or the firewall is not loaded.",
        remedy: "`sudo ss -ltnp` and `docker ps` on the machine show whose port it is. Publish on 127.0.0.1; look at `access.firewall`.",
        reference: "docs/src/reference/units.md",
        claims: outside,
    },
];

/// A claim about sshd's settings.
struct Settings {
    claim: &'static str,
    /// Each setting, and whether one that sshd does not know counts as good.
    wanted: &'static [(&'static str, bool)],
}

static SETTINGS_ROOT: Settings = Settings {
    claim: "root cannot log in over SSH",
    wanted: &[("permitrootlogin", false)],
};

static SETTINGS_PASSWORDS: Settings = Settings {
    claim: "SSH takes no passwords",
    wanted: &[
        ("passwordauthentication", false),
        ("kbdinteractiveauthentication", false),
        ("permitemptypasswords", true),
    ],
};

impl Settings {
    fn claim(&self, subject: &Subject<'_>, claims: &mut Claims<'_>) {
        claims.claim("access.ssh_keys", self.claim, || {
            let sshd = subject.root()?.sshd.get()?;
            let good = self.wanted.iter().all(|(name, may_lack)| {
                sshd.get(*name)
                    .map_or(*may_lack, |values| values.iter().all(|value| value == "no"))
            });
            let words = self.wanted.iter().map(|(name, _)| setting(sshd, name));
            Ok(Seen::when(good, listed(words)))
        });
    }
}

fn setting(sshd: &BTreeMap<String, Vec<String>>, name: &str) -> String {
    match sshd.get(name) {
        Some(values) => format!("{name} {}", values.join(" ")),
        None => format!("{name} is not told"),
    }
}

fn known<'a>(subject: &Subject<'a>) -> Result<&'a [Account], NotRun> {
    Ok(subject.root()?.accounts.get()?)
}

fn empty_passwords(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("access.user", "no account has an empty password", || {
        let all = known(subject)?;
        let open = listed(
            all.iter()
                .filter(|one| one.empty_password)
                .map(|one| &one.name),
        );
        Ok(match open.as_str() {
            "none" => Seen::good(format!("{} accounts with a shell, none of them", all.len())),
            names => Seen::bad(format!("empty: {names}")),
        })
    });
}

fn user(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let access = &subject.machine.access;
    let claim = format!("{} can log in with its key", access.user);
    claims.claim_of(access.user.as_str(), "access.user", claim, || {
        let all = known(subject)?;
        let Some(one) = all.iter().find(|one| one.name == access.user.as_str()) else {
            return Ok(Seen::bad(format!(
                "there are {}",
                listed(all.iter().map(|one| &one.name))
            )));
        };
        // Without any described key, one was made for the machine.
        let keys = access.ssh_keys.len().max(1);
        let enough = usize::try_from(one.ssh_keys).is_ok_and(|has| has >= keys);
        let right = one.password == access.password_hash.is_some();
        let password = if one.password {
            "a password"
        } else {
            "no password"
        };
        Ok(Seen::when(
            enough && right,
            format!("it has {} keys and {password}", one.ssh_keys),
        ))
    });
}

fn accounts(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let user = subject.machine.access.user.as_str();
    claims.claim(
        "access.user",
        format!("nobody but {user} can log in"),
        || {
            let opens = |one: &&Account| one.name != user && (one.password || one.ssh_keys > 0);
            let others = known(subject)?.iter().filter(opens);
            let others = others.map(|one| {
                let password = if one.password {
                    "a password"
                } else {
                    "no password"
                };
                format!("{} ({password}, {} keys)", one.name, one.ssh_keys)
            });
            let others = listed(others);
            Ok(Seen::when(
                others == "none",
                format!("others that can: {others}"),
            ))
        },
    );
}

fn secrets(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "no secret is open to others", || {
        let open = subject.root()?.open_secrets.get()?;
        Ok(Seen::when(
            open.is_empty(),
            format!("open to others: {}", listed(open)),
        ))
    });
}

fn firewall(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "the table `inet lab` is loaded", || {
        let tables = subject.root()?.firewall.get()?;
        let there = tables.iter().any(|one| one == "inet lab");
        Ok(Seen::when(there, format!("loaded: {}", listed(tables))))
    });
}

/// The port in `[USER@]HOST[:PORT]`, where SSH answers then; none where there is none.
fn own_port(host: &str) -> Option<u16> {
    let (before, port) = host.rsplit_once(':')?;
    // An IPv6 address without brackets has colons of its own.
    let plain = !before.contains(':') || before.ends_with(']');
    port.parse().ok().filter(|_| plain)
}

fn outside(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim(
        "ollama.listen",
        "only what is described answers from here",
        || only_described(subject),
    );
}

fn only_described(subject: &Subject<'_>) -> Judgement {
    let outside = subject.evidence.outside.get()?;
    let ollama = &subject.machine.ollama;
    let open_to_net = ollama.enabled && !ollama.listen.ip().is_loopback();
    let mut may = vec![22, own_port(&subject.evidence.host).unwrap_or(22)];
    may.extend(open_to_net.then_some(ollama.listen.port()));
    let others = outside.tried.iter().filter(|one| !may.contains(&one.port));
    if others.count() == 0 {
        return Err("no port was tried that should not answer".into());
    }
    let (open, shut): (Vec<_>, Vec<_>) = outside.tried.iter().partition(|one| one.open);
    let ports = |of: Vec<&crate::PortTried>| listed(of.iter().map(|one| one.port));
    let too_many = open.iter().any(|one| !may.contains(&one.port));
    let must = open_to_net.then_some(ollama.listen.port());
    let missing = must.is_some_and(|must| shut.iter().any(|one| one.port == must));
    let evidence = format!(
        "at {}: open are {}, shut are {}",
        outside.address,
        ports(open),
        ports(shut)
    );
    Ok(match (too_many, missing) {
        (false, true) => Seen::bad(evidence)
            .because("Ollama is described to answer on the network, and does not.")
            .way_out("Look at `ollama.listens` and `access.firewall`; then at a firewall between here and the machine."),
        (bad, _) => Seen::when(!bad, evidence),
    })
}
