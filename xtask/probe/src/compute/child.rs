//! A process for each card: what asks a card can hang or crash, and must harm nothing else.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use lab_facts::{Fact, Proof};

/// The most that a process may print: an answer has some two hundred bytes.
const MOST_PRINTED: u64 = 64 * 1024;
/// The most of its last words that is told on.
const MOST_TOLD: usize = 600;
/// How long a process has to end that was killed or has said everything. One that waits
/// in the kernel for a card never does, and is left alone.
const LAST_BREATH: Duration = Duration::from_secs(1);
/// More cards than any machine has.
const MOST_CARDS: usize = 64;

/// How cards are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// The program that understands `compute-one UUID quick|whole`.
    pub(crate) program: &'a Path,
    /// What its environment has besides this one's.
    pub(crate) environment: &'a [(&'a str, &'a OsStr)],
    /// Whether all free memory is filled, or a little.
    pub(crate) whole: bool,
    /// The longest that one may take.
    pub(crate) limit: Duration,
}

/// Asks all cards at once.
pub(crate) fn ask_each(asking: &Asking<'_>, uuids: &[String]) -> Vec<(String, Fact<Proof>)> {
    thread::scope(|scope| {
        let asked: Vec<_> = uuids
            .iter()
            .take(MOST_CARDS)
            .map(|uuid| (uuid, scope.spawn(|| ask(asking, uuid))))
            .collect();
        asked
            .into_iter()
            .map(|(uuid, thread)| {
                let lost = |_| Err("the thread that asked it panicked".to_owned());
                (uuid.clone(), thread.join().unwrap_or_else(lost).into())
            })
            .collect()
    })
}

/// Asks one card. The process ends with the thread that started it, whatever happens.
fn ask(asking: &Asking<'_>, uuid: &str) -> Result<Proof, String> {
    if !is_uuid(uuid) {
        return Err(format!("`{}` is no UUID of a card", uuid.escape_debug()));
    }
    let mut child = start(asking, uuid)
        .map_err(|error| format!("starting {}: {error}", asking.program.display()))?;
    let began = Instant::now();
    let printed = drain(child.stdout.take());
    let complained = drain(child.stderr.take());
    // Its standard output is closed when it ends, not before.
    let printed = printed.recv_timeout(asking.limit).ok();
    let left = asking.limit.saturating_sub(began.elapsed());
    let status = match printed {
        Some(_) => wait(&mut child, left.max(LAST_BREATH)),
        None => None,
    };
    let Some(status) = status else {
        return Err(stop(&mut child, asking.limit));
    };
    let complained = complained.recv_timeout(LAST_BREATH).unwrap_or_default();
    understood(&printed.unwrap_or_default(), status)
        .unwrap_or_else(|| Err(dead(status, &complained)))
}

/// `GPU-` with hexadecimal digits and hyphens: nothing else may become an argument and a
/// part of the environment.
fn is_uuid(text: &str) -> bool {
    let digits = text.strip_prefix("GPU-").unwrap_or_default();
    digits.len() == 36
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn start(asking: &Asking<'_>, uuid: &str) -> std::io::Result<Child> {
    Command::new(asking.program)
        .args([
            "compute-one",
            uuid,
            if asking.whole { "whole" } else { "quick" },
        ])
        .env("CUDA_VISIBLE_DEVICES", uuid)
        .env("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        // Else the driver leaves the translated kernel in ~/.nv.
        .env("CUDA_CACHE_DISABLE", "1")
        .envs(asking.environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Reads a pipe to its end, or to the most that is kept. The thread ends with the pipe, or
/// with the program where a process hangs on to it.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error still counts.
            let _ = pipe.take(MOST_PRINTED).read_to_end(&mut bytes);
            let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    receiver
}

/// Waits for the end of a process for a time.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < limit => thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Ends a process that took too long, and says so.
fn stop(child: &mut Child, limit: Duration) -> String {
    let id = child.id();
    // One that has ended meanwhile cannot be killed, and need not.
    let _ = child.kill();
    let rest = match wait(child, LAST_BREATH) {
        Some(_) => "it was stopped".to_owned(),
        None => format!(
            "process {id} waits in the kernel for the card, cannot be killed and was left alone"
        ),
    };
    format!(
        "the card did not answer within {} s, and {rest}: usually a card that has fallen off \
         the bus or a driver that hangs; the kernel's log has an Xid line (`journalctl -k -g Xid`)",
        limit.as_secs_f32()
    )
}

/// The answer of a process that ended by itself.
fn understood(printed: &str, status: ExitStatus) -> Option<Result<Proof, String>> {
    // A library may print before it; the answer is the last line.
    let line = printed.lines().rev().find(|line| !line.trim().is_empty())?;
    status.code()?;
    match serde_json::from_str(line).ok()? {
        Fact::Is(proof) => Some(Ok(proof)),
        Fact::Unknown(why) => Some(Err(why)),
    }
}

/// What is said of a process that ended without an answer.
fn dead(status: ExitStatus, complained: &str) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}{}", signal_name(signal)),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    };
    let words = last_words(complained);
    let words = match words.as_str() {
        "" => String::new(),
        words => format!("; its last words: {words}"),
    };
    format!(
        "the process that asked the card {how} without an answer: usually the driver's library \
         crashed{words}"
    )
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL: perhaps the machine's memory was full)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// The end of what a process complained, in one line.
fn last_words(text: &str) -> String {
    let words: Vec<char> = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|sign| !sign.is_control())
        .collect();
    words[words.len().saturating_sub(MOST_TOLD)..]
        .iter()
        .collect()
}

/// What such a process does: prints the answer, and returns the status that it ends with.
pub(super) fn answer(proof: impl FnOnce() -> Result<Proof, String>) -> i32 {
    bind_to_parent();
    // `cudarc` panics where the driver lacks a function; its words are an answer too.
    let fact = match catch_unwind(AssertUnwindSafe(proof)) {
        Ok(proof) => Fact::from(proof),
        Err(panic) => Fact::unknown(format!("asking the card: {}", panic_words(&*panic))),
    };
    let status = i32::from(fact.known().is_none());
    match print(&fact) {
        Ok(()) => status,
        Err(_) => 1,
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let words = text.or_else(|| panic.downcast_ref::<&str>().copied());
    last_words(words.unwrap_or("a panic without words"))
}

fn print(fact: &Fact<Proof>) -> std::io::Result<()> {
    let mut line = serde_json::to_string(fact)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

/// Ends this process when the one that started it ends, also where that was killed: when
/// the line to the machine is cut, nothing goes on there. And leaves no core behind where
/// the driver crashes.
fn bind_to_parent() {
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
    // Without either the proof is as good.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // One byte, and not none: so the kernel does not even start the program that collects
    // cores (core(5), `fs/coredump.c`).
    let one = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    let _ = setrlimit(Resource::Core, one);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw: i32) -> ExitStatus {
        ExitStatus::from_raw(raw)
    }

    const PROOF: &str = r#"{"is":{"computed":2,"wrong":0,"filled_bytes":4,"wrong_words":0,"bandwidth_mb_s":7,"took_ms":1}}"#;

    #[test]
    fn the_answer_is_the_last_line_and_a_crash_behind_it_counts() {
        let printed = format!("some library says hello\n{PROOF}\n\n");
        let answer = understood(&printed, ended(0)).unwrap().unwrap();
        assert_eq!(answer.bandwidth_mb_s, 7);
        let why = understood("{\"unknown\":\"why\"}\n", ended(1 << 8)).unwrap();
        assert_eq!(why, Err("why".to_owned()));
        assert!(understood(&printed, ended(11)).is_none());
        assert!(understood("", ended(0)).is_none());
        assert!(understood("{\"is\":{}}", ended(0)).is_none());
    }

    #[test]
    fn the_dead_are_quoted_in_one_bounded_line() {
        let said = dead(ended(11), "first\nlast \u{1b}[1mwords\n");
        assert!(said.contains("signal 11 (SIGSEGV)"), "{said}");
        assert!(said.contains("first last [1mwords"), "{said}");
        assert!(!dead(ended(3 << 8), "").contains("last words"));
        assert_eq!(last_words(&"é".repeat(5000)).chars().count(), MOST_TOLD);
    }

    #[test]
    fn only_a_uuid_becomes_an_argument() {
        assert!(is_uuid("GPU-9a431050-1050-4c82-a1d0-c0ffee000003"));
        for wrong in [
            "",
            "GPU-",
            "0",
            "-h",
            "GPU-9a431050-1050-4c82-a1d0-c0ffee00000,",
        ] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_panic_is_an_answer() {
        // What it prints goes to the harness; that it returns is what counts.
        assert_eq!(
            panic_words(&"Missing symbol cuInit".to_owned()),
            "Missing symbol cuInit"
        );
        assert_eq!(panic_words(&"words"), "words");
    }
}
