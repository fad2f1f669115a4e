//! Faults of Docker, its toolkit and what runs in containers.

use lab_facts::{
    AptSource, Fact, Generated, Listener, Protocol, TensorFlow, Worked, WorkloadRequest,
};

use super::{
    Fault, container, docker, fault, known, listener, root, silence, software, text, unit, worked,
    workload,
};
use crate::fixture::{GT1030, GTX1050TI, K2200};

fn source<'e>(evidence: &'e mut lab_accept::Evidence, host: &str) -> &'e mut AptSource {
    let all = known(&mut software(evidence).apt_sources).iter_mut();
    let mut found: Vec<&mut AptSource> = all.filter(|one| one.uri.contains(host)).collect();
    found.remove(0)
}

const DOCKER: &str = "download.docker.com";
const NVIDIA: &str = "nvidia.github.io";

fn version(evidence: &mut lab_accept::Evidence, package: &str, version: &str) {
    let packages = known(&mut software(evidence).packages);
    version.clone_into(&mut packages.get_mut(package).unwrap().version);
}

fn is_ollama(request: &WorkloadRequest) -> bool {
    matches!(request, WorkloadRequest::Ollama { .. })
}

fn is_tensorflow(request: &WorkloadRequest) -> bool {
    matches!(request, WorkloadRequest::TensorFlow { .. })
}

fn answer(evidence: &mut lab_accept::Evidence) -> &mut Generated {
    match worked(evidence, is_ollama) {
        Worked::Ollama(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn tensorflow(evidence: &mut lab_accept::Evidence) -> &mut TensorFlow {
    match worked(evidence, is_tensorflow) {
        Worked::TensorFlow(ran) => ran,
        other => panic!("{other:?}"),
    }
}

pub(super) static FAULTS: &[Fault] = &[
    fault(
        "Docker's source is gone",
        |e| {
            known(&mut software(e).apt_sources).retain(|one| !one.uri.contains(DOCKER));
        },
        &["docker.source"],
    ),
    fault(
        "another key signs for Docker",
        |e| {
            source(e, DOCKER).fingerprints = Fact::Is(vec!["F".repeat(40)]);
        },
        &["docker.source"],
    ),
    fault(
        "a second key beside Docker's",
        |e| {
            known(&mut source(e, DOCKER).fingerprints).push("F".repeat(40));
        },
        &["docker.source"],
    ),
    fault(
        "signatures are not looked at",
        |e| source(e, DOCKER).trusted = true,
        &["docker.source"],
    ),
    fault(
        "every key of the system signs for Docker",
        |e| source(e, DOCKER).signed_by = None,
        &["docker.source"],
    ),
    fault(
        "get.docker.com added a source",
        |e| {
            let mut other = source(e, DOCKER).clone();
            other.file = text("/etc/apt/sources.list.d/docker.list");
            known(&mut software(e).apt_sources).push(other);
        },
        &["docker.source"],
    ),
    fault(
        "Docker was upgraded by hand",
        |e| version(e, "docker-ce", "5:29.9.0-1~ubuntu.24.04~noble"),
        &["docker.packages[docker-ce]"],
    ),
    fault(
        "a plugin of Docker's was removed",
        |e| {
            known(&mut software(e).packages).remove("docker-compose-plugin");
        },
        &["docker.packages[docker-compose-plugin]"],
    ),
    fault(
        "Docker is not held",
        |e| known(&mut software(e).held).retain(|name| name != "docker-ce"),
        &["docker.held"],
    ),
    fault(
        "Docker's daemon ended",
        |e| unit(e, "docker.service", "failed"),
        &["docker.service"],
    ),
    fault(
        "an older daemon still runs",
        |e| docker(e).docker.version = text("29.7.0"),
        &["docker.version"],
    ),
    fault(
        "Docker's data lies elsewhere",
        |e| docker(e).docker.root = text("/mnt/docker"),
        &["docker.data-root"],
    ),
    fault(
        "another log driver",
        |e| docker(e).docker.logging = text("syslog"),
        &["docker.logging"],
    ),
    fault(
        "NVIDIA's runtime is gone",
        |e| docker(e).docker.runtimes.retain(|one| one != "nvidia"),
        &["docker.runtime"],
    ),
    fault(
        "CDI is off",
        |e| docker(e).docker.cdi_dirs.clear(),
        &["docker.cdi"],
    ),
    fault(
        "a container lost its card",
        |e| container(e, "lab-dcgan-train").sees = Fact::Is(Vec::new()),
        &["docker.sees[lab-dcgan-train]"],
    ),
    fault(
        "a container sees all cards",
        |e| {
            container(e, "lab-jupyter").sees =
                Fact::Is([GT1030, K2200, GTX1050TI].map(text).to_vec());
        },
        &["docker.sees[lab-jupyter]"],
    ),
    fault(
        "a container with --gpus all",
        |e| container(e, "lab-jupyter").legacy_gpus = true,
        &["docker.given-by-cdi[lab-jupyter]"],
    ),
    fault(
        "a card by its number",
        |e| container(e, "lab-dcgan-train").cdi = vec![text("nvidia.com/gpu=2")],
        &["docker.given-by-cdi[lab-dcgan-train]"],
    ),
    fault(
        "a port published on all addresses",
        |e| container(e, "lab-dcgan").published = vec![text("0.0.0.0:8890")],
        &["docker.published[lab-dcgan]"],
    ),
    fault(
        "a second port",
        |e| {
            container(e, "lab-jupyter")
                .published
                .push(text("[::]:6006"));
        },
        &["docker.published[lab-jupyter]"],
    ),
    fault(
        "no port is published",
        |e| container(e, "lab-jupyter").published.clear(),
        &["docker.published[lab-jupyter]"],
    ),
    // The toolkit.
    fault(
        "another key signs for the toolkit",
        |e| {
            source(e, NVIDIA).fingerprints = Fact::Is(vec!["A".repeat(40)]);
        },
        &["toolkit.source"],
    ),
    fault(
        "one package of the toolkit was upgraded",
        |e| version(e, "libnvidia-container1", "1.21.0-1"),
        &["toolkit.packages[libnvidia-container1]"],
    ),
    fault(
        "the toolkit is not held",
        |e| known(&mut software(e).held).retain(|name| !name.starts_with("nvidia-container")),
        &["toolkit.held"],
    ),
    fault(
        "another nvidia-ctk stands before",
        |e| *known(&mut software(e).nvidia_ctk) = text("1.17.8"),
        &["toolkit.version"],
    ),
    fault(
        "a toolkit with holes",
        |e| {
            version(e, "nvidia-container-toolkit", "1.17.8-1");
        },
        &["toolkit.cve", "toolkit.packages[nvidia-container-toolkit]"],
    ),
    // Ollama.
    fault(
        "Ollama ended",
        |e| unit(e, "ollama.service", "failed"),
        &["ollama.service"],
    ),
    fault(
        "Ollama listens to everybody",
        |e| listener(e, 11434).address = [0, 0, 0, 0].into(),
        &["ollama.listens"],
    ),
    fault(
        "Ollama does not listen",
        |e| silence(e, 11434),
        &["ollama.listens"],
    ),
    fault(
        "a second Ollama",
        |e| {
            known(&mut root(e).listeners).push(Listener {
                protocol: Protocol::Tcp,
                address: [192, 168, 1, 20].into(),
                port: 11435,
                program: Some(text("ollama")),
            });
        },
        &["ollama.nowhere-else"],
    ),
    fault(
        "an older Ollama answers",
        |e| known(&mut software(e).ollama).version = text("0.34.4"),
        &["ollama.version"],
    ),
    fault(
        "Ollama hangs",
        |e| software(e).ollama = Fact::unknown("no answer within 5 s"),
        &["ollama.version"],
    ),
    fault(
        "the model is gone",
        |e| known(&mut software(e).ollama).models.clear(),
        &[
            "machine.locked-models[gemma3:1b]",
            "ollama.model[gemma3:1b]",
        ],
    ),
    fault(
        "the tag moved",
        |e| known(&mut software(e).ollama).models[0].digest = "1".repeat(64),
        &[
            "machine.locked-models[gemma3:1b]",
            "ollama.model[gemma3:1b]",
        ],
    ),
    fault(
        "no token came",
        |e| answer(e).tokens = 0,
        &["ollama.answer[gemma3:1b]"],
    ),
    fault(
        "the model does not load",
        |e| workload(e, is_ollama).worked = Fact::unknown("500: model requires more system memory"),
        &["ollama.answer[gemma3:1b]"],
    ),
    fault(
        "half of the model is computed by the processor",
        |e| answer(e).loaded[0].size_vram /= 2,
        &["ollama.vram[gemma3:1b]"],
    ),
    fault(
        "all of it is",
        |e| answer(e).loaded[0].size_vram = 0,
        &["ollama.vram[gemma3:1b]"],
    ),
    fault(
        "the model is not loaded after its answer",
        |e| answer(e).loaded.clear(),
        &["ollama.vram[gemma3:1b]"],
    ),
    fault(
        "Ollama is on another card",
        |e| workload(e, is_ollama).seen[0].uuid = text(GTX1050TI),
        &["ollama.card[gemma3:1b]"],
    ),
    fault(
        "Ollama is on two cards",
        |e| {
            let mut other = workload(e, is_ollama).seen[0].clone();
            other.uuid = text(GT1030);
            workload(e, is_ollama).seen.push(other);
        },
        &["ollama.card[gemma3:1b]"],
    ),
    fault(
        "Ollama is on no card",
        |e| workload(e, is_ollama).seen.clear(),
        &["ollama.card[gemma3:1b]"],
    ),
    fault(
        "tokens in no time",
        |e| answer(e).took_ns = 0,
        &["ollama.speed[gemma3:1b]"],
    ),
    // JupyterLab.
    fault(
        "JupyterLab's service ended",
        |e| unit(e, "jupyter.service", "inactive"),
        &["jupyter.service"],
    ),
    fault(
        "JupyterLab's container is gone",
        |e| docker(e).containers.retain(|one| one.name != "lab-jupyter"),
        &["jupyter.container"],
    ),
    fault(
        "JupyterLab's container ended",
        |e| container(e, "lab-jupyter").running = false,
        &["jupyter.container"],
    ),
    fault(
        "JupyterLab's container ends again and again",
        |e| container(e, "lab-jupyter").restarts = 17,
        &["jupyter.container"],
    ),
    fault(
        "JupyterLab listens to everybody",
        |e| listener(e, 8888).address = [0, 0, 0, 0].into(),
        &["jupyter.loopback"],
    ),
    fault(
        "JupyterLab lets everybody in",
        |e| known(&mut software(e).jupyter_without_token).status = 200,
        &["jupyter.token-needed"],
    ),
    fault(
        "JupyterLab hangs",
        |e| software(e).jupyter_without_token = Fact::unknown("no answer within 5 s"),
        &["jupyter.token-needed"],
    ),
    fault(
        "an older token",
        |e| known(&mut root(e).jupyter_with_token).status = 403,
        &["jupyter.token-works"],
    ),
    fault(
        "TensorFlow sees no card",
        |e| tensorflow(e).devices.clear(),
        &["jupyter.tensorflow-sees"],
    ),
    fault(
        "TensorFlow computes on the processor",
        |e| {
            tensorflow(e).computed_on = text("/job:localhost/replica:0/task:0/device:CPU:0");
        },
        &["jupyter.tensorflow-computes"],
    ),
    fault(
        "TensorFlow computes wrong",
        |e| tensorflow(e).right = false,
        &["jupyter.tensorflow-computes"],
    ),
    fault(
        "TensorFlow cannot be loaded",
        |e| workload(e, is_tensorflow).worked = Fact::unknown("ImportError: libcudnn.so.9"),
        &["jupyter.tensorflow-computes"],
    ),
    fault(
        "JupyterLab is on another card",
        |e| workload(e, is_tensorflow).seen[0].uuid = text(K2200),
        &["jupyter.card"],
    ),
];
