//! Something else lies there than is locked.

use lab_accept::Evidence;
use lab_facts::{Fact, Object};

use super::{Fault, container, docker, fault, known, root, software, text};
use crate::fixture::{DATA, KEY, RECORD, WEIGHTS, WORDS};

/// What lies at that path.
fn object<'e>(evidence: &'e mut Evidence, path: &str) -> &'e mut Option<Object> {
    known(root(evidence).objects.get_mut(path).unwrap())
}

fn another(evidence: &mut Evidence, path: &str) {
    let there = object(evidence, path).as_mut().unwrap();
    there.sha256 = Some("9".repeat(64));
}

fn image(evidence: &mut Evidence) -> &mut Option<String> {
    let images = docker(evidence).images.values_mut();
    let mut all: Vec<&mut Fact<Option<String>>> = images.collect();
    known(all.remove(0))
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "another key file",
        |e| another(e, KEY),
        &["machine.locked-keys[docker]"],
    ),
    fault(
        "no key file",
        |e| *object(e, KEY) = None,
        &["machine.locked-keys[docker]"],
    ),
    fault(
        "another data set",
        |e| another(e, DATA),
        &["machine.locked-files[mnist]"],
    ),
    fault(
        "another archive was unpacked",
        |e| another(e, RECORD),
        &["machine.locked-files[ollama]"],
    ),
    fault(
        "another blob of a model",
        |e| another(e, WORDS),
        &["machine.locked-models[gemma3:1b]"],
    ),
    fault(
        "a model's weights were cut off",
        |e| object(e, WEIGHTS).as_mut().unwrap().bytes -= 1,
        &["machine.locked-models[gemma3:1b]"],
    ),
    fault(
        "a model's weights are gone",
        |e| *object(e, WEIGHTS) = None,
        &["machine.locked-models[gemma3:1b]"],
    ),
    fault(
        "a model was pulled anew",
        |e| {
            let ollama = known(&mut software(e).ollama);
            ollama.models[0].digest = "9".repeat(64);
        },
        // By the lock, and by the catalog, which pins this one.
        &[
            "machine.locked-models[gemma3:1b]",
            "ollama.model[gemma3:1b]",
        ],
    ),
    fault(
        "another image under the tag",
        |e| *image(e) = Some(text("sha256:99")),
        &[IMAGES],
    ),
    fault("no image under the tag", |e| *image(e) = None, &[IMAGES]),
    fault(
        "a container of another image",
        |e| container(e, "lab-jupyter").image = text("sha256:99"),
        &[IMAGES],
    ),
];

/// The check of the image that the first machine is described with.
const IMAGES: &str = "machine.locked-images[quay.io/jupyter/tensorflow-notebook:cuda-2025-07-14]";
