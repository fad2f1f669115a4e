//! `ollama`: that it runs, where, with which models, and that it answers from its cards.

use std::net::SocketAddr;

use lab_facts::{
    Fact, Generated, GpuProcess, Listener, Loaded, Protocol, Worked, Workload, WorkloadRequest,
};
use lab_machine::types::ModelName;

use super::find::{listed, mib, on_its_cards};
use super::service::at;
use super::{Group, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "ollama",
    about: "Ollama: that it runs where it should, has its models, and answers from its cards and not from the processor.",
    checks: &[CHECKS],
};

static CHECKS: &[Check] = &[
    Check {
        id: "ollama.service",
        effort: Effort::Quick,
        title: "Ollama runs",
        story: "systemd says so of ollama.service.",
        cause: "It ended with an error, or its unit waits for the driver.",
        remedy: "`lab status` says where the unit stands, `lab logs ollama` why. Then `sudo lab retry ollama`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            if subject.machine.ollama.enabled {
                claims.claim("ollama.enabled", "ollama.service runs", || {
                    service::active(subject, "ollama.service")
                });
            }
        },
    },
    Check {
        id: "ollama.listens",
        effort: Effort::Quick,
        title: "Ollama listens where described, and its port nowhere else",
        story: "Ollama asks nobody for a password: where it listens, anyone may use the cards and change the models.",
        cause: "OLLAMA_HOST was set by hand, in a drop-in for example, or Ollama does not run.",
        remedy: "`systemctl cat ollama` shows drop-ins; `cargo xtask apply` lays the described environment down again.",
        reference: "https://docs.ollama.com/faq",
        claims: listens,
    },
    Check {
        id: "ollama.nowhere-else",
        effort: Effort::Quick,
        title: "no program of Ollama's takes connections from outside on another port",
        story: "Every listening socket of a program with that name, as root sees it. The runners that it starts listen on loopback, which is fine.",
        cause: "A second Ollama runs, started by hand or by its own install script.",
        remedy: "`sudo ss -ltnp | grep ollama` shows it. Remove what the install script left: /etc/systemd/system/ollama.service.d, a snap, a container.",
        reference: "https://docs.ollama.com/faq",
        claims: nowhere_else,
    },
    Check {
        id: "ollama.version",
        effort: Effort::Quick,
        title: "Ollama is of the described version",
        story: "What answers says its version; a program that was replaced goes on running until it is started again.",
        cause: "Ollama was not started again after an apply, or another one has the port.",
        remedy: "`sudo systemctl restart ollama`, then `sudo lab retry ollama`.",
        reference: "docs/src/reference/machine.md",
        claims: version,
    },
    Check {
        id: "ollama.model",
        effort: Effort::Quick,
        title: "each described model is there, and is the pinned one",
        story: "Ollama lists its models with the digest of their manifests, which fixes every byte. Of a model that the catalog does not pin, only that it is there can be said.",
        cause: "The model was removed or pulled anew, and the registry's tag moved meanwhile.",
        remedy: "`sudo lab retry ollama` fetches the pinned one again.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: |subject, claims| {
            each_model(subject, claims, |name| format!("{name} is there"), model);
        },
    },
    Check {
        id: "ollama.answer",
        effort: Effort::Workload,
        title: "each described model answers a prompt",
        story: "A prompt is sent to Ollama itself, and tokens must come back.",
        cause: "The model does not load: the cards' memory is taken by another program, or the model needs more than they have.",
        remedy: "`lab logs ollama` has its words, `nvtop` shows who has the memory. Choose a smaller model or tag, or give Ollama another card.",
        reference: "https://docs.ollama.com/troubleshooting",
        claims: |subject, claims| {
            each_model(subject, claims, |name| format!("{name} answers"), answers);
        },
    },
    Check {
        id: "ollama.vram",
        effort: Effort::Workload,
        title: "each described model lies in the cards' memory as a whole",
        story: "Right after the answer Ollama says how much of the model is in the cards' memory. What is not, the processor computes, and the whole answer gets as slow as that.",
        cause: "The model is too large for its cards, another program holds their memory, or Ollama did not find its cards when it started.",
        remedy: "`lab logs ollama` names the cards that it found. Free the memory (`nvtop`), choose a smaller tag, or add a card to `ollama.gpus`.",
        reference: "https://docs.ollama.com/faq",
        claims: |subject, claims| {
            each_model(
                subject,
                claims,
                |name| format!("all of {name} is in the cards' memory"),
                in_memory,
            );
        },
    },
    Check {
        id: "ollama.card",
        effort: Effort::Workload,
        title: "Ollama computes on the cards that it was given, and on no other",
        story: "While it answers, NVML says which programs are on which card.",
        cause: "CUDA_VISIBLE_DEVICES is not what the lab wrote: Ollama was started by hand, or the cards changed since it was started.",
        remedy: "`sudo lab retry ollama` writes the UUIDs anew and starts it again.",
        reference: "https://docs.ollama.com/gpu",
        claims: |subject, claims| {
            each_model(
                subject,
                claims,
                |name| format!("{name} computes on the given cards"),
                on_cards,
            );
        },
    },
    Check {
        id: "ollama.speed",
        effort: Effort::Workload,
        title: "the speed of each described model's answer is known",
        story: "Tokens a second, by Ollama's own count and clock: the figure to compare two runs by. The catalog has no floor for it, so only a speed that is none is bad.",
        cause: "Ollama counted no time for its answer.",
        remedy: "Ask again; if it stays so, `lab logs ollama` has its words.",
        reference: "https://docs.ollama.com/api",
        claims: |subject, claims| {
            each_model(subject, claims, |name| format!("{name} has a speed"), speed);
        },
    },
];

fn listens(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let ollama = &subject.machine.ollama;
    if ollama.enabled {
        let claim = format!("it listens on {}, and nowhere else", ollama.listen);
        claims.claim("ollama.listen", claim, || {
            at_its_place(subject, ollama.listen)
        });
    }
}

/// Whether a socket is the described one. All addresses of IPv4 may show as all of IPv6.
fn is_described(one: &Listener, wanted: SocketAddr) -> bool {
    let all = one.address.is_unspecified() && wanted.ip().is_unspecified();
    one.port == wanted.port() && (one.address == wanted.ip() || all)
}

fn at_its_place(subject: &Subject<'_>, wanted: SocketAddr) -> Judgement {
    let there = subject.listening(wanted.port())?;
    if there.is_empty() {
        return Ok(Seen::bad(format!(
            "nothing listens on port {}",
            wanted.port()
        )));
    }
    let right = there.iter().all(|one| is_described(one, wanted));
    Ok(Seen::when(
        right,
        format!("it listens on {}", listed(there.iter().map(|one| at(one)))),
    ))
}

fn nowhere_else(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let ollama = &subject.machine.ollama;
    if !ollama.enabled {
        return;
    }
    claims.claim(
        "ollama.listen",
        "nothing else of it can be reached from outside",
        || {
            let all = subject.root()?.listeners.get()?.iter();
            let named = |one: &&Listener| {
                one.program
                    .as_deref()
                    .is_some_and(|name| name.starts_with("ollama"))
            };
            let own: Vec<&Listener> = all
                .filter(|one| one.protocol == Protocol::Tcp)
                .filter(named)
                .collect();
            if own.is_empty() {
                return Err("no program of that name listens".into());
            }
            let open = own
                .iter()
                .filter(|one| !one.address.is_loopback() && !is_described(one, ollama.listen));
            let open = listed(open.map(|one| at(one)));
            Ok(match open.as_str() {
                "none" => Seen::good(format!(
                    "its programs listen on {}",
                    listed(own.iter().map(|one| at(one)))
                )),
                _ => Seen::bad(format!("its programs listen on {open} as well")),
            })
        },
    );
}

fn version(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let ollama = &subject.machine.ollama;
    if !ollama.enabled {
        return;
    }
    claims.claim(
        "ollama.version",
        format!("it is Ollama {}", ollama.version),
        || {
            let found = subject.answer(&subject.software()?.ollama, ollama.listen.port())?;
            Ok(match found {
                Ok(found) => Seen::when(
                    found.version.parse() == Ok(ollama.version),
                    format!("it says that it is {}", found.version),
                ),
                Err(silent) => silent,
            })
        },
    );
}

/// A claim for each model of the description.
fn each_model(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    claim: impl Fn(&ModelName) -> String,
    judge: impl Fn(&Subject<'_>, &ModelName) -> Judgement,
) {
    let ollama = &subject.machine.ollama;
    if !ollama.enabled {
        return;
    }
    for (index, name) in ollama.models.iter().enumerate() {
        let key = format!("ollama.models[{index}]");
        claims.claim_of(name.as_str(), &key, claim(name), || judge(subject, name));
    }
}

fn model(subject: &Subject<'_>, name: &ModelName) -> Judgement {
    let models = &subject.software()?.ollama.get()?.models;
    let Some(found) = models.iter().find(|one| one.name == name.as_str()) else {
        return Ok(Seen::bad(format!(
            "it has {}",
            listed(models.iter().map(|one| &one.name))
        )));
    };
    let digest = found.digest.trim_start_matches("sha256:");
    let pinned = subject
        .catalog
        .model(name.as_str())
        .and_then(|model| model.manifest);
    let evidence = format!("its manifest is {digest}, {} MiB in all", mib(found.size));
    Ok(match pinned {
        Some(pinned) if pinned.to_string() != digest => {
            Seen::bad(format!("{evidence}; pinned is {pinned}"))
        }
        Some(_) => Seen::good(evidence),
        None => Seen::good(format!("{evidence}; the catalog pins none")),
    })
}

/// The run in which that model was asked.
fn asked<'a>(subject: &Subject<'a>, name: &ModelName) -> Result<&'a Workload, NotRun> {
    subject.workload(&format!("asking {name}"), |request| {
        matches!(request, WorkloadRequest::Ollama { model, .. } if model == name.as_str())
    })
}

/// What that model answered, for the checks behind the first.
fn answer<'a>(subject: &Subject<'a>, name: &ModelName) -> Result<&'a Generated, NotRun> {
    match &asked(subject, name)?.worked {
        Fact::Is(Worked::Ollama(answer)) => Ok(answer),
        Fact::Is(_) => Err("the answer is that of another workload".into()),
        Fact::Unknown(why) => Err(NotRun(format!("{name} did not answer: {why}"))),
    }
}

fn answers(subject: &Subject<'_>, name: &ModelName) -> Judgement {
    if let Fact::Unknown(why) = &asked(subject, name)?.worked {
        return Ok(Seen::bad(format!("it did not answer: {why}")));
    }
    let answer = answer(subject, name)?;
    let begin: String = answer.text.chars().take(60).collect();
    Ok(Seen::when(
        answer.tokens > 0,
        format!("{} tokens: {}", answer.tokens, begin.replace('\n', " ")),
    ))
}

fn in_memory(subject: &Subject<'_>, name: &ModelName) -> Judgement {
    let loaded: &Vec<Loaded> = &answer(subject, name)?.loaded;
    let Some(one) = loaded.iter().find(|one| one.name == name.as_str()) else {
        return Ok(Seen::bad(format!(
            "it answered and is not loaded; loaded: {}",
            listed(loaded.iter().map(|one| &one.name))
        )));
    };
    let whole = one.size > 0 && one.size == one.size_vram;
    Ok(Seen::when(
        whole,
        format!(
            "{} of {} MiB are in the cards' memory",
            mib(one.size_vram),
            mib(one.size)
        ),
    ))
}

fn on_cards(subject: &Subject<'_>, name: &ModelName) -> Judgement {
    let workload = asked(subject, name)?;
    answer(subject, name)?;
    let own = |process: &GpuProcess| match (&process.unit, &process.program) {
        (Some(unit), _) => unit == "ollama.service",
        (None, program) => program
            .as_deref()
            .is_some_and(|name| name.starts_with("ollama")),
    };
    on_its_cards(subject, workload, &subject.machine.ollama.gpus, own)
}

fn speed(subject: &Subject<'_>, name: &ModelName) -> Judgement {
    let answer = answer(subject, name)?;
    if answer.tokens == 0 {
        return Err("no token came".into());
    }
    if answer.took_ns == 0 {
        return Ok(Seen::bad(format!("{} tokens in no time", answer.tokens)));
    }
    let tenths = u128::from(answer.tokens) * 10_000_000_000 / u128::from(answer.took_ns);
    let load = answer.load_ns / 1_000_000;
    Ok(Seen::good(format!(
        "{}.{} tokens a second; loading took {load} ms",
        tenths / 10,
        tenths % 10
    )))
}
