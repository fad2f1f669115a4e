//! Workloads: something that makes the cards work, and what they do meanwhile.

mod dcgan;
mod nvtop;
mod ollama;
mod sampler;
mod tensorflow;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lab_facts::{Fact, Worked, Workload, WorkloadRequest};

use sampler::Sampler;

/// The longest that a workload may be asked to take.
const MOST: Duration = Duration::from_secs(6 * 3600);

/// The longest that this one may take.
pub(crate) fn limit(request: &WorkloadRequest) -> Result<Duration> {
    let seconds = match request {
        WorkloadRequest::Ollama { limit_s, .. }
        | WorkloadRequest::TensorFlow { limit_s, .. }
        | WorkloadRequest::Memory { limit_s }
        | WorkloadRequest::Nvtop { limit_s } => *limit_s,
        WorkloadRequest::Dcgan { watch_s, .. } => *watch_s,
    };
    let limit = Duration::from_secs(seconds);
    if limit > MOST {
        bail!(
            "the workload may take {seconds} s, which is more than {} s",
            MOST.as_secs()
        );
    }
    Ok(limit)
}

/// Runs it, and looks at the cards meanwhile.
pub(crate) fn run(request: WorkloadRequest, limit: Duration) -> Workload {
    let sampler = Sampler::start();
    let start = Instant::now();
    let worked = work(&request, limit);
    let took_ms = crate::milliseconds(start.elapsed());
    let (samples, seen) = sampler.stop();
    Workload {
        request,
        took_ms,
        samples,
        seen,
        worked,
    }
}

fn work(request: &WorkloadRequest, limit: Duration) -> Fact<Worked> {
    let worked = match request {
        WorkloadRequest::Ollama {
            address,
            model,
            prompt,
            tokens,
            ..
        } => ollama::ask(address, model, prompt, *tokens, limit).map(Worked::Ollama),
        WorkloadRequest::TensorFlow { container, .. } => {
            tensorflow::multiply(container, limit).map(Worked::TensorFlow)
        }
        WorkloadRequest::Memory { .. } => memory(limit),
        WorkloadRequest::Dcgan { folder, .. } => {
            std::thread::sleep(limit);
            dcgan::look(folder).map(Worked::Dcgan)
        }
        WorkloadRequest::Nvtop { .. } => nvtop::draw(limit).map(Worked::Nvtop),
    };
    worked.into()
}

/// Fills each card's memory.
fn memory(limit: Duration) -> Result<Worked, String> {
    let uuids = crate::nvidia::ask()?.uuids()?;
    Ok(Worked::Memory(crate::compute::fill(&uuids, limit)))
}
