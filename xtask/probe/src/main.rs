//! The probe: looks at the machine that it runs on, and answers in JSON.
//!
//! `lab-probe facts`, `lab-probe root-facts` and `lab-probe workload` read what is asked on
//! standard input and print one document in the form of `lab-facts`. It expects nothing and
//! judges nothing. It ends with 0 when an answer was printed, and with 2 and a line on
//! standard error where the question is not one.
//!
//! Invariants:
//! - it answers in bounded time, whatever hangs: a driver is asked by a process of its own,
//!   a file system or a service by a thread, and neither is waited for without a limit;
//! - it ends when nobody reads its answer any more, and takes what it started with it;
//! - it leaves nothing behind: no file is written;
//! - no secret is in an answer.

mod compute;
mod http;
mod nvidia;
mod part;
mod program;
mod root;
mod rooted;
mod software;
mod system;
#[cfg(test)]
mod tree;
mod watchdog;
mod workload;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use lab_facts::{FORMAT, Facts, Request, RootFacts, WorkloadRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use part::part;
use root::Root;

/// How long all parts of an answer may take together.
const LIMIT: Duration = Duration::from_millis(10_500);

/// How much longer where each card is given a small task.
const COMPUTE_LIMIT: Duration = Duration::from_secs(60);

/// The most that a question may be long, in bytes.
const QUESTION: u64 = 1 << 20;

/// How long its end is waited for.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

const USAGE: &str = "the commands are: facts, root-facts, workload (what is asked on standard \
                     input, in JSON) and version";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab-probe: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["facts"] => print(&facts(&Root::new(Path::new("/")), &request()?)),
        ["root-facts"] => print(&root_facts(&Root::new(Path::new("/")), &request()?)),
        ["workload"] => print(&run_workload(question("a workload")?)?),
        ["version"] => {
            say(&format!(
                "lab-probe {} format {FORMAT}\n",
                env!("CARGO_PKG_VERSION")
            ));
            Ok(ExitCode::SUCCESS)
        }
        // What follows is for the probe itself: what a driver may hold up is asked apart.
        ["nvml"] => print(&nvidia::nvml::look()),
        ["nvml-watch"] => {
            nvidia::nvml::watch();
            Ok(ExitCode::SUCCESS)
        }
        ["compute-one", uuid, extent @ ("quick" | "whole")] => {
            let code = compute::one(uuid, *extent == "whole");
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
        }
        [] => bail!("no command; {USAGE}"),
        _ => bail!("`{}` is no command; {USAGE}", words.join(" ")),
    }
}

/// What is asked of the machine.
fn request() -> Result<Request> {
    let request: Request = question("a request")?;
    ensure!(
        request.format == FORMAT || request.format == 0,
        "this is asked in format {}, and this probe speaks format {FORMAT}: put the probe there \
         that belongs to the asker",
        request.format
    );
    let lists = [
        &request.packages,
        &request.units,
        &request.containers,
        &request.spaces,
        &request.files,
        &request.objects,
        &request.images,
    ];
    ensure!(
        lists.iter().all(|list| list.len() <= 1000),
        "a list of the request has more than 1000 entries"
    );
    Ok(request)
}

/// Reads the question; nothing at all asks for what needs no question.
fn question<T: DeserializeOwned>(what: &str) -> Result<T> {
    let text = part("standard input", read_question).by(Instant::now() + QUESTION_LIMIT);
    let text = text.get().map_err(|why| anyhow!("{why}"))?;
    let text = match text.trim_ascii() {
        b"" => b"{}",
        text => text,
    };
    serde_json::from_slice(text)
        .with_context(|| format!("standard input is not {what} of format {FORMAT}"))
}

fn read_question() -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let mut input = std::io::stdin().lock().take(QUESTION + 1);
    match input.read_to_end(&mut text) {
        Err(error) => Err(format!("reading standard input: {error}")),
        Ok(_) if text.len() as u64 > QUESTION => {
            Err(format!("standard input is longer than {QUESTION} bytes"))
        }
        Ok(_) => Ok(text),
    }
}

/// What is seen as an ordinary user.
fn facts(root: &Root, request: &Request) -> Facts {
    let start = Instant::now();
    let taken_unix_ms = now();
    let extra = if request.compute {
        COMPUTE_LIMIT
    } else {
        Duration::ZERO
    };
    watchdog::start(LIMIT + extra + Duration::from_secs(2));
    let deadline = start + LIMIT;
    let nvidia = nvidia::Parts::start(root, request.compute);
    let software = software::Parts::start(root, request);
    let system = system::look(root, request, deadline);
    let software = software.by(deadline);
    let nvidia = nvidia.by(deadline, deadline + extra);
    Facts {
        format: FORMAT,
        probe: identity(),
        taken_unix_ms,
        took_ms: milliseconds(start.elapsed()),
        system,
        nvidia,
        software,
    }
}

/// What only root sees.
fn root_facts(root: &Root, request: &Request) -> RootFacts {
    watchdog::start(LIMIT + Duration::from_secs(2));
    rooted::look(root, request, Instant::now() + LIMIT)
}

fn run_workload(request: WorkloadRequest) -> Result<lab_facts::Workload> {
    let limit = workload::limit(&request)?;
    watchdog::start(limit + Duration::from_secs(30));
    Ok(workload::run(request, limit))
}

/// The probe's version and how it was built.
fn identity() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "glibc"
    };
    format!(
        "lab-probe {} ({build}, {}, {libc})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    )
}

/// Milliseconds since 1970, by the machine's clock.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, milliseconds)
}

/// A duration in whole milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn print<T: Serialize>(answer: &T) -> Result<ExitCode> {
    let mut text = serde_json::to_string(answer).context("writing the answer as JSON")?;
    text.push('\n');
    say(&text);
    Ok(ExitCode::SUCCESS)
}

/// Prints. Who does not listen any more needs no message.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
