//! `jupyter`: JupyterLab lets in who has the token, and TensorFlow computes on its card.

use lab_facts::{Fact, GpuProcess, TensorFlow, Worked, Workload, WorkloadRequest};
use lab_machine::Machine;
use lab_machine::types::CardName;

use super::find::{listed, on_its_cards};
use super::{Group, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "jupyter",
    about: "JupyterLab: that it can be reached with the token and by nobody else, and that TensorFlow in it computes on its card.",
    checks: &[CHECKS],
};

/// A container of the lab, as the description has it.
pub(super) struct Contained<'m> {
    /// Its name, such as `lab-jupyter`.
    pub(super) name: &'static str,
    /// Its section of the description, which is also its unit's name.
    pub(super) section: &'static str,
    /// Its port on loopback, where it has one.
    pub(super) port: Option<u16>,
    /// Its cards.
    pub(super) gpus: &'m [CardName],
}

/// The containers that the description asks for.
pub(super) fn containers(machine: &Machine) -> Vec<Contained<'_>> {
    let jupyter = machine.jupyter.enabled.then_some(Contained {
        name: CONTAINER,
        section: "jupyter",
        port: Some(machine.jupyter.port),
        gpus: &machine.jupyter.gpus,
    });
    let of_dcgan = |name, port, gpus| Contained {
        name,
        section: "dcgan",
        port,
        gpus,
    };
    let page = of_dcgan(super::dcgan::PAGE, Some(machine.dcgan.port), &[]);
    let training = of_dcgan(super::dcgan::TRAINING, None, &machine.dcgan.gpus);
    let dcgan = [page, training].into_iter();
    let dcgan = dcgan.filter(|_| machine.dcgan.enabled);
    jupyter.into_iter().chain(dcgan).collect()
}

const CONTAINER: &str = "lab-jupyter";

static CHECKS: &[Check] = &[
    Check {
        id: "jupyter.service",
        effort: Effort::Quick,
        title: "JupyterLab's service runs",
        story: "systemd says so of jupyter.service, which keeps the container.",
        cause: "The container ends soon after its start, its image is not there yet, or its card is missing.",
        remedy: "`lab status` says where the unit stands, `lab logs jupyter` what the container printed.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            if subject.machine.jupyter.enabled {
                claims.claim("jupyter.enabled", "jupyter.service runs", || {
                    service::active(subject, "jupyter.service")
                });
            }
        },
    },
    Check {
        id: "jupyter.container",
        effort: Effort::Quick,
        title: "JupyterLab's container runs, and was not started again and again",
        story: "As Docker itself says; a container that ends every minute looks active most of the time.",
        cause: "JupyterLab ends with an error, often for want of memory or because its folder cannot be written.",
        remedy: "`lab logs jupyter` has its last words; `docker ps -a` its exit status.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            if subject.machine.jupyter.enabled {
                claims.claim("jupyter.image", "its container runs", || {
                    runs(subject, CONTAINER)
                });
            }
        },
    },
    Check {
        id: "jupyter.loopback",
        effort: Effort::Quick,
        title: "JupyterLab takes connections on loopback only",
        story: "Who gets to it runs programs on the machine. The way there is SSH: `cargo xtask tunnel`, or `ssh -L`.",
        cause: "The container was started by hand with `-p PORT:PORT`, or another program has the port.",
        remedy: "`sudo ss -ltnp` shows whose it is. `docker rm -f lab-jupyter`, then `sudo lab retry jupyter`.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            let jupyter = &subject.machine.jupyter;
            if jupyter.enabled {
                claims.claim(
                    "jupyter.port",
                    format!("port {} is on loopback only", jupyter.port),
                    || service::on_loopback(subject, jupyter.port),
                );
            }
        },
    },
    Check {
        id: "jupyter.token-needed",
        effort: Effort::Quick,
        title: "nobody gets in without the token",
        story: "`/api/status` is asked without one, and must be refused. Every user of the machine can reach loopback.",
        cause: "The image is not one of the Jupyter project's and does not take JUPYTER_TOKEN_FILE, or a setting in it switches the token off.",
        remedy: "Use an image of quay.io/jupyter in `jupyter.image`; look for `ServerApp.token = \"\"` in its settings.",
        reference: "https://jupyter-server.readthedocs.io/en/latest/operators/security.html",
        claims: token_needed,
    },
    Check {
        id: "jupyter.token-works",
        effort: Effort::Quick,
        title: "the machine's own token opens it",
        story: "The same, with the token of /etc/lab/secrets. It is asked on the machine, and the token leaves it neither for the report nor for a log.",
        cause: "The container still has an older token.",
        remedy: "`sudo systemctl restart jupyter` hands the token over anew.",
        reference: "docs/src/reference/units.md",
        claims: token_works,
    },
    Check {
        id: "jupyter.tensorflow-sees",
        effort: Effort::Workload,
        title: "TensorFlow sees the cards that it was given",
        story: "It is started inside the container and says which cards it can use. What it has no code for, it leaves out with a line in its log.",
        cause: "The container has no card (`docker.sees`), or this TensorFlow has no code for it: since 2.17 none for Maxwell, and cuDNN since 9.11 none for anything before Turing.",
        remedy: "`cargo xtask check` knows which image fits which card. Use an image built before 2025-08-12, and name it by its date or digest.",
        reference: "https://www.tensorflow.org/guide/gpu",
        claims: |subject, claims| {
            if subject.machine.jupyter.enabled {
                claims.claim("jupyter.gpus", "TensorFlow sees its cards", || {
                    tensorflow_sees(subject)
                });
            }
        },
    },
    Check {
        id: "jupyter.tensorflow-computes",
        effort: Effort::Workload,
        title: "TensorFlow computes on its card, and right",
        story: "Two matrices are multiplied, and the result is held against what it must be. TensorFlow says on which device it did so.",
        cause: "It fell back to the processor: CUDA's libraries in the image need a newer driver, or the card's memory is taken.",
        remedy: "`docker exec lab-jupyter python3 -c 'import tensorflow'` prints why. `nvtop` shows who has the memory.",
        reference: "https://www.tensorflow.org/guide/gpu",
        claims: |subject, claims| {
            if subject.machine.jupyter.enabled {
                claims.claim(
                    "jupyter.gpus",
                    "TensorFlow computes right on a card",
                    || tensorflow_computes(subject),
                );
            }
        },
    },
    Check {
        id: "jupyter.card",
        effort: Effort::Workload,
        title: "JupyterLab's programs compute on the cards that they were given, and on no other",
        story: "While TensorFlow computes, NVML says which programs of the container are on which card.",
        cause: "The container was given other cards than are described.",
        remedy: "Look at `docker.given-by-cdi`; `sudo lab retry jupyter` makes the container anew.",
        reference: "docs/src/reference/units.md",
        claims: |subject, claims| {
            if subject.machine.jupyter.enabled {
                claims.claim("jupyter.gpus", "it computes on the given cards", || {
                    on_cards(subject)
                });
            }
        },
    },
];

/// After how many starts a container counts as one that does not stay up.
const MOST_RESTARTS: u32 = 3;

/// That a container runs, and stays.
pub(super) fn runs(subject: &Subject<'_>, name: &str) -> Judgement {
    let containers = &subject.docker()?.containers;
    let Some(one) = containers.iter().find(|one| one.name == name) else {
        return Ok(Seen::bad(format!("there is no container {name}")));
    };
    let image = match one.image.starts_with(&one.image_name) {
        true => one.image.clone(),
        false => format!("{} ({})", one.image_name, one.image),
    };
    Ok(match (one.running, one.restarts) {
        (false, _) => Seen::bad(format!(
            "{name} does not run, its exit status is {}",
            one.exit_code
        )),
        (true, restarts) if restarts > MOST_RESTARTS => {
            Seen::bad(format!("{name} was started again {restarts} times"))
        }
        (true, restarts) => Seen::good(format!(
            "{name} runs {image}, started again {restarts} times"
        )),
    })
}

/// The statuses with which a server refuses a stranger.
const REFUSED: [u16; 2] = [401, 403];

fn token_needed(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let jupyter = &subject.machine.jupyter;
    if !jupyter.enabled {
        return;
    }
    claims.claim("jupyter.port", "without a token it refuses", || {
        let found = subject.answer(&subject.software()?.jupyter_without_token, jupyter.port)?;
        Ok(match found {
            Ok(answer) => Seen::when(
                REFUSED.contains(&answer.status),
                format!("without a token it answers {}", answer.status),
            ),
            Err(silent) => silent,
        })
    });
}

fn token_works(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.jupyter.enabled {
        claims.claim("jupyter.port", "with the token it opens", || {
            let answer = subject.root()?.jupyter_with_token.get()?;
            Ok(Seen::when(
                answer.status == 200,
                format!("with the token it answers {}", answer.status),
            ))
        });
    }
}

/// The run of TensorFlow.
fn workload<'a>(subject: &Subject<'a>) -> Result<&'a Workload, NotRun> {
    subject.workload("TensorFlow in JupyterLab's container", |request| {
        matches!(request, WorkloadRequest::TensorFlow { container, .. } if container == CONTAINER)
    })
}

/// What came of it, for the checks beside the one that tells its failure.
fn ran<'a>(subject: &Subject<'a>) -> Result<&'a TensorFlow, NotRun> {
    match &workload(subject)?.worked {
        Fact::Is(Worked::TensorFlow(ran)) => Ok(ran),
        Fact::Is(_) => Err("the answer is that of another workload".into()),
        Fact::Unknown(why) => Err(NotRun(format!("TensorFlow did not run: {why}"))),
    }
}

fn tensorflow_sees(subject: &Subject<'_>) -> Judgement {
    let ran = ran(subject)?;
    let given = &subject.machine.jupyter.gpus;
    let good = !given.is_empty() && ran.devices.len() == given.len();
    let evidence = format!(
        "TensorFlow {} can use {}; given is {}",
        ran.version,
        listed(&ran.devices),
        listed(given)
    );
    Ok(Seen::when(good, evidence))
}

fn tensorflow_computes(subject: &Subject<'_>) -> Judgement {
    if let Fact::Unknown(why) = &workload(subject)?.worked {
        return Ok(Seen::bad(format!("it failed: {why}")));
    }
    let ran = ran(subject)?;
    let on_card = ran.computed_on.to_ascii_uppercase().contains("GPU:");
    let word = if ran.right { "right" } else { "wrong" };
    let evidence = format!("computed on {}, the result is {word}", ran.computed_on);
    let seen = Seen::when(on_card && ran.right, evidence);
    Ok(match ran.right {
        true => seen,
        false => seen
            .because("The card computes wrong, or its memory loses what is written.")
            .way_out("Look at `gpu.compute` and `gpu.memory-full` of its card."),
    })
}

fn on_cards(subject: &Subject<'_>) -> Judgement {
    let workload = workload(subject)?;
    ran(subject)?;
    of_container(subject, workload, CONTAINER, &subject.machine.jupyter.gpus)
}

/// That the programs of a container were on its cards and nowhere else.
pub(super) fn of_container(
    subject: &Subject<'_>,
    workload: &Workload,
    name: &str,
    gpus: &[CardName],
) -> Judgement {
    let id = subject.running(name)?.id.as_str();
    // The control group is named by the whole identity, or its first part.
    let own = |process: &GpuProcess| {
        let unit = process.unit.as_deref().unwrap_or_default();
        let unit = unit
            .trim_start_matches("docker-")
            .trim_end_matches(".scope");
        unit.len() >= 12 && id.starts_with(unit)
    };
    on_its_cards(subject, workload, gpus, own)
}
