//! `tools`: what people look at the cards with.

use lab_facts::{Fact, Worked, WorkloadRequest};

use super::Group;
use super::find::listed;
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "tools",
    about: "What people look at the cards with.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "tools.nvtop",
        effort: Effort::Quick,
        title: "nvtop is there and starts",
        story: "The cards' `top`. Its package must be installed, and the program must say its version.",
        cause: "The package was removed, or the unit `monitoring` has not ended.",
        remedy: "`sudo lab retry monitoring` installs it.",
        reference: "docs/src/reference/units.md",
        claims: nvtop,
    },
    Check {
        id: "tools.nvtop-draws",
        effort: Effort::Workload,
        title: "nvtop draws every card",
        story: "It is run on a terminal, and the name of each card must stand in what it draws.",
        cause: "nvtop finds no NVML, or a card that NVML does not see.",
        remedy: "Look at `gpu.library` and `gpu.seen`; run `nvtop` by hand.",
        reference: "https://github.com/Syllo/nvtop",
        claims: |subject, claims| {
            if subject.machine.monitoring.nvtop && subject.machine.driver.enabled {
                claims.claim("monitoring.nvtop", "nvtop draws every card", || {
                    draws(subject)
                });
            }
        },
    },
];

fn nvtop(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if !subject.machine.monitoring.nvtop {
        return;
    }
    claims.claim("monitoring.nvtop", "nvtop is installed and starts", || {
        let software = subject.software()?;
        let Some(package) = software.packages.get()?.get("nvtop") else {
            return Ok(Seen::bad("its package is not installed"));
        };
        let said = software.nvtop.get()?;
        let good = said.to_lowercase().contains("nvtop");
        Ok(Seen::when(
            good,
            format!("package {}, it says `{said}`", package.version),
        ))
    });
}

fn draws(subject: &Subject<'_>) -> Judgement {
    let fits = |request: &WorkloadRequest| matches!(request, WorkloadRequest::Nvtop { .. });
    let text = match &subject.workload("running nvtop", fits)?.worked {
        Fact::Is(Worked::Nvtop(text)) => text,
        Fact::Is(_) => return Err("the answer is that of another workload".into()),
        Fact::Unknown(why) => return Ok(Seen::bad(format!("it did not draw: {why}"))),
    };
    let mut drawn = Vec::new();
    let mut missing = Vec::new();
    for card in &subject.machine.cards {
        let name = &subject.gpu(card)?.name;
        let short = name.trim_start_matches("NVIDIA ");
        match !short.is_empty() && text.contains(short) {
            true => drawn.push(name),
            false => missing.push(name),
        }
    }
    if drawn.is_empty() && missing.is_empty() {
        return Err(NotRun("no card is described".to_owned()));
    }
    Ok(match missing.is_empty() {
        true => Seen::good(format!("it draws {}", listed(drawn))),
        false => Seen::bad(format!("it does not draw {}", listed(missing))),
    })
}
