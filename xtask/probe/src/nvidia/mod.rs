//! The cards and their driver, from the bus to what CUDA computes.

mod bus;
mod cdi;
pub(crate) mod nvml;
mod process;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use lab_facts::{Cdi, Compute, Fact, Nvidia};
use nvml::Answer;

use crate::part::{Part, part};
use crate::program::Program;
use crate::root::Root;

/// How long NVML may take. It asks the driver, which can hang for as long as it likes.
const NVML_LIMIT: Duration = Duration::from_secs(10);

/// What is under way.
pub(crate) struct Parts {
    root: Root,
    /// NVML's answer, and what the cards computed after it.
    nvml: Part<Answer>,
    compute: Part<Vec<Compute>>,
    cdi: Part<Option<Cdi>>,
}

impl Parts {
    /// Begins to look.
    pub(crate) fn start(root: &Root, compute: bool) -> Self {
        let here = root.clone();
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        Self {
            root: root.clone(),
            nvml: part("NVML", move || {
                let answer = ask();
                // Nobody waits for it where nothing is computed.
                let _ = send.send(answer.as_ref().ok().map(Answer::uuids));
                answer
            }),
            compute: part("the proof by CUDA", move || match compute {
                false => Err("it was not asked for".to_owned()),
                true => match receive.recv() {
                    Ok(Some(Ok(uuids))) => prove(&uuids),
                    Ok(Some(Err(why))) => Err(format!("NVML names no cards: {why}")),
                    Ok(None) | Err(_) => Err("NVML names no cards".to_owned()),
                },
            }),
            cdi: part("the CDI specification", move || cdi::look(&here)),
        }
    }

    /// What was found out by then.
    pub(crate) fn by(self, deadline: Instant, computed: Instant) -> Nvidia {
        let root = &self.root;
        let nvml = self.nvml.by(deadline);
        let (library, gpus) = match nvml {
            Fact::Is(Answer { library, gpus }) => (library, gpus),
            Fact::Unknown(why) => (Fact::unknown(&why), Fact::Unknown(why)),
        };
        Nvidia {
            pci: bus::display_controllers(root).into(),
            module: bus::module(root).into(),
            nouveau: Fact::Is(root.exists("/sys/module/nouveau")),
            nodes: bus::nodes(root),
            library,
            gpus,
            compute: self.compute.by(computed),
            cdi: self.cdi.by(deadline),
        }
    }
}

fn prove(uuids: &[String]) -> Result<Vec<Compute>, String> {
    match crate::compute::prove(uuids) {
        Fact::Is(proofs) => Ok(proofs),
        Fact::Unknown(why) => Err(why),
    }
}

/// Asks NVML in a process of its own, which is left behind where the driver holds it.
pub(crate) fn ask() -> Result<Answer, String> {
    let text = Program::new("/proc/self/exe", ["nvml"])
        .called("lab-probe nvml")
        .within(NVML_LIMIT)
        .text()
        .map_err(|why| match why.contains("did not answer within") {
            true => format!(
                "NVML did not answer within {} s: the driver hangs; the kernel's log says more \
                 (NVRM)",
                NVML_LIMIT.as_secs()
            ),
            false => format!("asking NVML: {why}"),
        })?;
    serde_json::from_str(&text).map_err(|error| format!("what was read of NVML: {error}"))
}
