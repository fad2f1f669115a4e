//! What the checks of the Z440 said, in the form that checks say it.

use lab_accept::Subject;
use lab_accept::report::{CheckResult, Outcome, Place};

use super::claims::{CARDS, NOT_RUN, Passed, SOFTWARE, SYSTEM};

fn failed(cause: &str, remedy: &str, reference: &str) -> Outcome {
    Outcome::Failed {
        cause: cause.to_owned(),
        remedy: remedy.to_owned(),
        reference: reference.to_owned(),
    }
}

struct Maker<'a>(&'a Subject<'a>);

impl Maker<'_> {
    fn place(&self, key: &str) -> Option<Place> {
        let span = self.0.read.place_of(key)?;
        let (file, line, _) = self.0.sources.position(span)?;
        Some(Place {
            file: file.to_owned(),
            line: line.try_into().unwrap(),
            key: key.to_owned(),
        })
    }

    fn make(
        &self,
        [id, subject, key, claim, evidence]: [&str; 5],
        outcome: Outcome,
    ) -> CheckResult {
        CheckResult {
            id: id.to_owned(),
            subject: (!subject.is_empty()).then(|| subject.to_owned()),
            claim: claim.to_owned(),
            place: self.place(key),
            evidence: evidence.to_owned(),
            outcome,
        }
    }

    fn passed(&self, all: &[Passed]) -> Vec<CheckResult> {
        let one = |one: &Passed| self.make([one.0, one.1, one.2, one.3, one.4], Outcome::Passed);
        all.iter().map(one).collect()
    }

    fn cards(&self) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for (id, claim, each) in CARDS {
            for (index, (more, evidence)) in each.iter().enumerate() {
                let name = ["gt1030", "k2200", "gtx1050ti"][index];
                let claim = format!("{name} {claim} {more}");
                let key = format!("gpu[{index}].pci_id");
                let parts = [*id, name, key.as_str(), claim.trim(), *evidence];
                results.push(self.make(parts, Outcome::Passed));
            }
        }
        results
    }

    fn failures(&self) -> Vec<CheckResult> {
        vec![
            self.make(
                ["machine.reboot", "", "updates", "nothing waits for a restart", "linux-image-6.8.0-94-generic and linux-base wait for one"],
                failed(
                    "A kernel was upgraded, and the machine runs the old one still.",
                    "Restart it when nobody computes: `ssh admin@gpu-server sudo systemctl reboot`.",
                    "how-to/day-two.md",
                ),
            ),
            self.make(
                ["gpu.pcie", "gtx1050ti", "gpu[2].slot", "gtx1050ti is connected by as many lanes as card and slot can do", "x4 of x16, generation 1 of 3"],
                failed(
                    "The card does not sit firmly, or its slot is wired for fewer lanes than it is long.",
                    "Power the machine off, take the card out and press it in again until the latch closes. Slot 5 of the Z440 has 4 lanes only: slots 2 and 4 have 16.",
                    "HP Z440 Workstation, Maintenance and Service Guide, chapter 4",
                ),
            ),
            self.make(
                ["gpu.xid", "", "driver", "no card reported an error since boot", "NVRM: Xid (PCI:0000:03:00): 79, pid=6032, GPU has fallen off the bus.\nNVRM: Xid (PCI:0000:03:00): 154, GPU recovery action changed to Node Reboot Required"],
                failed(
                    "Xid 79: the card was not to be reached over the bus, by heat, power or a loose seat.",
                    "Restart the machine. When it comes again, look at the card's power and seat, and at its temperature under load.",
                    "https://docs.nvidia.com/deploy/xid-errors/",
                ),
            ),
            self.make(
                ["jupyter.service", "", "jupyter", "JupyterLab runs", "lab-jupyter: exited (137), 5 restarts"],
                failed(
                    "The kernel ended it for want of memory (137 is SIGKILL).",
                    "See `journalctl -u lab-jupyter -b` and `journalctl -k -g oom`; close notebooks that hold much, or give the machine more memory.",
                    "how-to/troubleshoot.md",
                ),
            ),
        ]
    }

    fn not_run(&self) -> Vec<CheckResult> {
        let one = |(id, subject, key, claim, reason): &(&str, &str, &str, &str, &str)| {
            let reason = (*reason).to_owned();
            self.make(
                [*id, *subject, *key, *claim, ""],
                Outcome::NotRun { reason },
            )
        };
        NOT_RUN.iter().map(one).collect()
    }
}

/// Every result, group by group.
pub fn results(subject: &Subject<'_>) -> Vec<CheckResult> {
    let make = Maker(subject);
    let mut all = make.passed(SYSTEM);
    all.extend(make.cards());
    all.extend(make.passed(SOFTWARE));
    all.extend(make.failures());
    all.extend(make.not_run());
    let order = [
        "machine", "gpu", "docker", "toolkit", "ollama", "jupyter", "dcgan", "access", "updates",
        "tools",
    ];
    all.sort_by_key(|one| order.iter().position(|group| *group == one.group()));
    all
}
