//! `monitoring`: the exporter's figures.

use lab_facts::HttpAnswer;
use lab_machine::Card;

use super::find::each_driven_card;
use super::{Group, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "monitoring",
    about: "The exporter: that it answers on loopback, with figures of every card.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "monitoring.loopback",
        effort: Effort::Quick,
        title: "the exporter takes connections on loopback only",
        story: "systemd listens for it (lab-exporter.socket).",
        cause: "The socket is not started, or another program has its port.",
        remedy: "`sudo ss -ltnp` shows whose port it is; `sudo lab retry monitoring` starts the socket.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            let monitoring = &subject.machine.monitoring;
            if monitoring.exporter {
                let port = monitoring.exporter_port;
                claims.claim(
                    "monitoring.exporter_port",
                    format!("port {port} is on loopback only"),
                    || service::on_loopback(subject, port),
                );
            }
        },
    },
    Check {
        id: "monitoring.exporter",
        effort: Effort::Quick,
        title: "the exporter answers",
        story: "`/metrics` is asked on the machine itself, as Prometheus would.",
        cause: "The exporter's script failed, or another program has its port.",
        remedy: "`curl -i http://127.0.0.1:PORT/metrics` shows the answer, `journalctl -u 'lab-exporter@*' -n 20` what it said.",
        reference: "docs/src/reference/units.md",
        claims: exporter,
    },
    Check {
        id: "monitoring.figures",
        effort: Effort::Quick,
        title: "the exporter has figures of each card",
        story: "Besides the line that names the card there must be one with a figure of it, by its UUID.",
        cause: "`nvidia-smi` does not answer the exporter's user, or the card is not seen.",
        remedy: "Look at `gpu.seen`. `sudo -u lab-exporter nvidia-smi -L` shows what the exporter's user sees.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            if subject.machine.monitoring.exporter {
                let claim = |card: &Card| format!("there are figures of {}", card.name);
                each_driven_card(subject, claims, "name", claim, figures);
            }
        },
    },
];

/// What the exporter answers.
fn answer<'a>(subject: &Subject<'a>) -> Result<Result<&'a HttpAnswer, Seen>, NotRun> {
    subject.answer(
        &subject.software()?.exporter,
        subject.machine.monitoring.exporter_port,
    )
}

fn exporter(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !subject.machine.monitoring.exporter {
        return;
    }
    claims.claim("monitoring.exporter", "it answers", || {
        Ok(match answer(subject)? {
            Ok(answer) => {
                let lines = answer
                    .body
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .count();
                Seen::when(
                    answer.status == 200 && lines > 0,
                    format!("it answers {} with {lines} figures", answer.status),
                )
            }
            Err(silent) => silent,
        })
    });
}

fn figures(subject: &Subject<'_>, card: &Card) -> Judgement {
    let uuid = &subject.gpu(card)?.uuid;
    let answer = subject.software()?.exporter.get()?;
    if answer.status != 200 {
        return Err(NotRun(format!("the exporter answers {}", answer.status)));
    }
    let own = format!("uuid=\"{uuid}\"");
    let figure = |line: &&str| line.starts_with("lab_gpu_") && !line.starts_with("lab_gpu_info");
    let lines = answer
        .body
        .lines()
        .filter(figure)
        .filter(|line| line.contains(&own));
    let lines: Vec<&str> = lines.collect();
    Ok(match lines.first() {
        Some(first) => Seen::good(format!("{} figures, such as {first}", lines.len())),
        None => Seen::bad(format!("no figure of {uuid}")),
    })
}
