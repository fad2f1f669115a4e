//! The cards while something runs, as a process of its own sees them: the driver may hang,
//! and then there are no more samples, and nothing else waits.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lab_facts::{Sample, Seen};

use crate::nvidia::nvml::Moment;
use crate::program::{Program, Running};

/// The most samples that are kept: about three hours of them.
const MOST: usize = 40_000;

/// How long the first sample is waited for.
const FIRST: Duration = Duration::from_secs(2);

/// What was seen so far.
#[derive(Default)]
struct Watched {
    samples: Vec<Sample>,
    seen: BTreeMap<(String, u32), Seen>,
}

/// Looks at the cards until it is stopped.
pub(crate) struct Sampler {
    watched: Arc<Mutex<Watched>>,
    program: Option<Running>,
}

impl Sampler {
    /// Begins to look, and comes back once the cards were seen at rest.
    pub(crate) fn start() -> Self {
        let watched = Arc::new(Mutex::new(Watched::default()));
        let mut program = Program::new("/proc/self/exe", ["nvml-watch"]);
        let mut running = program.start(Stdio::null()).ok();
        if let Some(out) = running
            .as_mut()
            .and_then(|running| running.child.stdout.take())
        {
            let first = listen(out, Arc::clone(&watched));
            // Where nothing comes, the workload runs without samples.
            let _ = first.recv_timeout(FIRST);
        }
        Self {
            watched,
            program: running,
        }
    }

    /// What was seen.
    pub(crate) fn stop(self) -> (Vec<Sample>, Vec<Seen>) {
        // One more moment may be on its way.
        drop(self.program);
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = std::mem::take(&mut *watched);
        (watched.samples, watched.seen.into_values().collect())
    }
}

/// Reads line after line in a thread; the channel tells of the first one or of the end.
fn listen(out: impl Read + Send + 'static, watched: Arc<Mutex<Watched>>) -> Receiver<()> {
    let (send, first) = sync_channel(1);
    let start = Instant::now();
    // Without the thread the channel is closed at once, and there are no samples.
    let _ = std::thread::Builder::new()
        .name("samples".to_owned())
        .spawn(move || {
            // A line is a few hundred bytes a card; one without an end is not waited for.
            let mut lines = BufReader::new(out);
            let mut line = Vec::new();
            while read_line(&mut lines, &mut line) {
                let Ok(moment) = serde_json::from_slice::<Moment>(&line) else {
                    return;
                };
                let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                watched.take(moment, crate::milliseconds(start.elapsed()));
                // Only the first is waited for.
                let _ = send.try_send(());
            }
        });
    first
}

fn read_line(lines: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> bool {
    line.clear();
    let read = lines.by_ref().take(1 << 20).read_until(b'\n', line);
    read.is_ok_and(|count| count > 0) && line.last() == Some(&b'\n')
}

impl Watched {
    fn take(&mut self, moment: Moment, at_ms: u64) {
        if self.samples.len() < MOST {
            self.samples.push(Sample {
                at_ms,
                gpus: moment.gpus,
            });
        }
        for (uuid, process) in moment.processes {
            let key = (uuid.clone(), process.pid);
            let known = self.seen.entry(key).or_insert_with(|| Seen {
                uuid,
                process: process.clone(),
            });
            // What it had at most; and a name that could be read once is kept.
            known.process.memory_bytes = known.process.memory_bytes.max(process.memory_bytes);
            known.process.program = process.program.or(known.process.program.take());
            known.process.unit = process.unit.or(known.process.unit.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use lab_facts::GpuProcess;

    use super::*;

    fn moment(memory: Option<u64>, program: Option<&str>) -> Moment {
        let process = GpuProcess {
            pid: 7,
            program: program.map(str::to_owned),
            unit: None,
            memory_bytes: memory,
        };
        Moment {
            gpus: Vec::new(),
            processes: vec![("GPU-1".to_owned(), process)],
        }
    }

    #[test]
    fn a_program_is_seen_once_with_the_most_that_it_had() {
        let mut watched = Watched::default();
        watched.take(moment(Some(5), Some("ollama")), 0);
        watched.take(moment(Some(9), None), 250);
        watched.take(moment(None, None), 500);
        let seen: Vec<Seen> = watched.seen.into_values().collect();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].process.memory_bytes, Some(9));
        assert_eq!(seen[0].process.program.as_deref(), Some("ollama"));
        assert_eq!(watched.samples.len(), 3);
    }
}
