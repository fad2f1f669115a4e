//! What a machine is made to do, by its description. What it is asked stands with the checks.

use lab_facts::WorkloadRequest;
use lab_machine::Machine;

/// A prompt that every model can answer at some length.
const PROMPT: &str = "Why is the sky blue? Answer in three sentences.";

/// The workloads that run in containers, as their services are called.
pub fn containers(machine: &Machine) -> Vec<&'static str> {
    let mut names = Vec::new();
    if machine.jupyter.enabled {
        names.push("jupyter");
    }
    if machine.dcgan.enabled {
        names.extend(["dcgan", "dcgan-train"]);
    }
    names
}

/// An address at which the machine itself reaches what listens there.
fn reachable(listen: std::net::SocketAddr) -> String {
    match listen.ip().is_unspecified() {
        true => format!("127.0.0.1:{}", listen.port()),
        false => listen.to_string(),
    }
}

/// The workloads of `--workloads`, in an order in which none finds a card full.
pub fn workloads(machine: &Machine) -> Vec<WorkloadRequest> {
    let mut all = Vec::new();
    if machine.ollama.enabled {
        let models = machine.ollama.models.iter();
        all.extend(models.map(|model| WorkloadRequest::Ollama {
            address: reachable(machine.ollama.listen),
            model: model.to_string(),
            prompt: PROMPT.to_owned(),
            tokens: 200,
            limit_s: 600,
        }));
    }
    if machine.jupyter.enabled {
        all.push(WorkloadRequest::TensorFlow {
            container: "lab-jupyter".to_owned(),
            limit_s: 300,
        });
    }
    if machine.dcgan.enabled {
        all.push(WorkloadRequest::Dcgan {
            folder: "/var/lib/lab/dcgan".to_owned(),
            watch_s: 20,
        });
    }
    if machine.monitoring.nvtop {
        all.push(WorkloadRequest::Nvtop { limit_s: 10 });
    }
    if machine.driver.enabled && !machine.cards.is_empty() {
        all.push(WorkloadRequest::Memory { limit_s: 300 });
    }
    all
}
