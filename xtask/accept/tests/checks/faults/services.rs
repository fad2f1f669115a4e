//! Faults of access, updates, tools, the exporter, and the units of the lab.

use lab_accept::PortTried;
use lab_facts::{Fact, Worked, WorkloadRequest};

use super::{
    Fault, fault, known, listener, root, silence, software, strict, text, unit, worked, workload,
};
use crate::fixture::GT1030;

fn sshd(evidence: &mut lab_accept::Evidence, name: &str, value: &str) {
    known(&mut root(evidence).sshd).insert(text(name), vec![text(value)]);
}

fn apt(evidence: &mut lab_accept::Evidence, name: &str, values: &[&str]) {
    let values = values.iter().map(|one| text(one)).collect();
    known(&mut software(evidence).apt_config).insert(text(name), values);
}

fn open(evidence: &mut lab_accept::Evidence, port: u16) {
    known(&mut evidence.outside)
        .tried
        .push(PortTried { port, open: true });
}

fn is_nvtop(request: &WorkloadRequest) -> bool {
    matches!(request, WorkloadRequest::Nvtop { .. })
}

/// Ollama on the network, as described.
const OPEN: &[(&str, &str)] = &[("[ollama]", "[ollama]\nlisten = \"0.0.0.0:11434\"")];

const BLACKLIST: &str = "Unattended-Upgrade::Package-Blacklist";

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "root may log in",
        |e| sshd(e, "permitrootlogin", "prohibit-password"),
        &["access.root-login"],
    ),
    fault(
        "sshd does not say whether root may",
        |e| {
            known(&mut root(e).sshd).remove("permitrootlogin");
        },
        &["access.root-login"],
    ),
    fault(
        "cloud-init allowed passwords",
        |e| sshd(e, "passwordauthentication", "yes"),
        &["access.passwords"],
    ),
    fault(
        "passwords by questions",
        |e| sshd(e, "kbdinteractiveauthentication", "yes"),
        &["access.passwords"],
    ),
    fault(
        "an account without a password",
        |e| known(&mut root(e).accounts)[0].empty_password = true,
        &["access.empty-passwords"],
    ),
    fault(
        "the account lost its keys",
        |e| known(&mut root(e).accounts)[1].ssh_keys = 0,
        &["access.user[lab]"],
    ),
    fault(
        "the account was given a password",
        |e| known(&mut root(e).accounts)[1].password = true,
        &["access.user[lab]"],
    ),
    fault(
        "the account is gone",
        |e| {
            known(&mut root(e).accounts).remove(1);
        },
        &["access.user[lab]"],
    ),
    fault(
        "root has a password",
        |e| known(&mut root(e).accounts)[0].password = true,
        &["access.accounts"],
    ),
    fault(
        "a second account with a key",
        |e| {
            let mut other = known(&mut root(e).accounts)[1].clone();
            other.name = text("guest");
            known(&mut root(e).accounts).push(other);
        },
        &["access.accounts"],
    ),
    fault(
        "the token is open to all",
        |e| known(&mut root(e).open_secrets).push(text("/etc/lab/secrets/jupyter-token")),
        &["access.secrets"],
    ),
    fault(
        "the firewall was flushed",
        |e| known(&mut root(e).firewall).retain(|one| one != "inet lab"),
        &["access.firewall"],
    ),
    fault(
        "Docker's API answers from outside",
        |e| open(e, 2375),
        &["access.outside"],
    ),
    fault(
        "JupyterLab answers from outside",
        |e| {
            for one in known(&mut e.outside)
                .tried
                .iter_mut()
                .filter(|one| one.port == 8888)
            {
                one.open = true;
            }
        },
        &["access.outside"],
    ),
    Fault {
        described: OPEN,
        ..fault(
            "Ollama does not answer on the network, as described",
            |e| {
                for one in known(&mut e.outside)
                    .tried
                    .iter_mut()
                    .filter(|one| one.port == 11434)
                {
                    one.open = false;
                }
            },
            &["access.outside"],
        )
    },
    Fault {
        described: OPEN,
        ..fault(
            "Ollama listens on loopback only, though described otherwise",
            |e| {
                listener(e, 11434).address = [127, 0, 0, 1].into();
            },
            &["ollama.listens"],
        )
    },
    // Updates.
    fault(
        "updates were switched off",
        |e| apt(e, "APT::Periodic::Unattended-Upgrade", &["0"]),
        &["updates.security"],
    ),
    fault(
        "the lists are not fetched",
        |e| apt(e, "APT::Periodic::Update-Package-Lists", &[]),
        &["updates.security"],
    ),
    Fault {
        described: &[("[disk]", "[updates]\nsecurity = false\n\n[disk]")],
        ..fault(
            "updates that nobody wants",
            |e| apt(e, "APT::Periodic::Unattended-Upgrade", &["1"]),
            &["updates.security"],
        )
    },
    fault(
        "a timer was stopped",
        |e| unit(e, "apt-daily-upgrade.timer", "inactive"),
        &["updates.timers[apt-daily-upgrade.timer]"],
    ),
    fault(
        "the driver may be upgraded",
        |e| apt(e, BLACKLIST, &["linux-", "nvidia-"]),
        &["updates.driver-kept"],
    ),
    fault(
        "the kernel may be upgraded",
        |e| apt(e, BLACKLIST, &["linux-modules-", "nvidia-", "libnvidia-"]),
        &["updates.driver-kept"],
    ),
    fault(
        "it restarts by itself",
        |e| apt(e, "Unattended-Upgrade::Automatic-Reboot", &["true"]),
        &["updates.reboot"],
    ),
    strict(
        "it restarts at another hour",
        |e| apt(e, "Unattended-Upgrade::Automatic-Reboot-Time", &["16:00"]),
        &["updates.reboot"],
    ),
    strict(
        "no snapshot",
        |e| {
            known(&mut software(e).apt_config).remove("APT::Snapshot");
        },
        &["updates.snapshot"],
    ),
    // Tools.
    fault(
        "nvtop was removed",
        |e| {
            known(&mut software(e).packages).remove("nvtop");
        },
        &["tools.nvtop"],
    ),
    fault(
        "nvtop draws no K2200",
        |e| {
            if let Worked::Nvtop(drawn) = worked(e, is_nvtop) {
                *drawn = drawn.replace("Quadro K2200", "");
            }
        },
        &["tools.nvtop-draws"],
    ),
    fault(
        "nvtop finds no card",
        |e| workload(e, is_nvtop).worked = Fact::unknown("No GPU to monitor."),
        &["tools.nvtop-draws"],
    ),
    // The exporter.
    fault(
        "the exporter is open to everybody",
        |e| listener(e, 9835).address = [0, 0, 0, 0].into(),
        &["monitoring.loopback"],
    ),
    fault(
        "the exporter's socket is closed",
        |e| silence(e, 9835),
        &["monitoring.loopback"],
    ),
    fault(
        "the exporter answers with an error",
        |e| known(&mut software(e).exporter).status = 500,
        &["monitoring.exporter"],
    ),
    fault(
        "the exporter says nothing",
        |e| known(&mut software(e).exporter).body.clear(),
        &[
            "monitoring.exporter",
            "monitoring.figures[gt1030]",
            "monitoring.figures[gtx1050ti]",
            "monitoring.figures[k2200]",
        ],
    ),
    fault(
        "no figures of a card",
        |e| {
            let body = &mut known(&mut software(e).exporter).body;
            let kept = body
                .lines()
                .filter(|line| !line.contains(GT1030) || line.starts_with("lab_gpu_info"));
            *body = kept.map(|line| format!("{line}\n")).collect();
        },
        &["monitoring.figures[gt1030]"],
    ),
    // The lab.
    fault(
        "a unit waits",
        |e| {
            let unit = known(&mut software(e).lab_status)
                .iter_mut()
                .find(|one| one.unit == "docker")
                .unwrap();
            unit.state = text("waiting");
            unit.text = text("the mirror is down");
            unit.way_out = text("it goes on by itself");
        },
        &["lab.unit[docker]"],
    ),
    fault(
        "a unit is not there",
        |e| known(&mut software(e).lab_status).retain(|one| one.unit != "monitoring"),
        &["lab.unit[monitoring]"],
    ),
    fault(
        "the target was not reached",
        |e| unit(e, "lab.target", "inactive"),
        &["lab.target"],
    ),
];
