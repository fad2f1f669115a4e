//! What the kernel's log tells of errors of cards and memory since boot.
//!
//! From `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg), and where that cannot be read or
//! has forgotten its beginning from the journal.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use lab_facts::KernelLine;
use rustix::fs::OFlags;

use crate::program::Program;
use crate::root::Root;

/// The most lines that are kept: the newest.
const KEPT: usize = 500;

/// The most of a line that is kept, in characters.
const LINE: usize = 1000;

/// The log's lines that count.
pub(crate) fn look(root: &Root) -> Result<Vec<KernelLine>, String> {
    match ring(root) {
        Ok(ring) if ring.whole => Ok(ring.lines.into()),
        Ok(ring) => Ok(journal().unwrap_or_else(|_| ring.lines.into())),
        Err(why) => journal().map_err(|other| format!("{why}, and {other}")),
    }
}

/// Whether a line tells of an error of a card or of the memory.
pub(crate) fn counts(text: &str) -> bool {
    let counted = text.contains(" CE ") || text.contains(" UE ");
    text.contains("NVRM: Xid")
        || text.contains("[Hardware Error]")
        || text.contains("Machine check events logged")
        || text.contains("Memory failure:")
        || (text.contains("EDAC") && counted)
}

/// What the kernel still has of its log.
#[derive(Default)]
struct Ring {
    lines: VecDeque<KernelLine>,
    whole: bool,
}

fn ring(root: &Root) -> Result<Ring, String> {
    const PATH: &str = "/dev/kmsg";
    let failed = |error| format!("reading {PATH}: {error}");
    let mut file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(root.path(PATH))
        .map_err(failed)?;
    let until = Instant::now() + Duration::from_secs(2);
    let mut ring = Ring::default();
    let mut record = vec![0; 16 << 10];
    let mut first = true;
    while Instant::now() < until {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(count) => {
                let text = String::from_utf8_lossy(&record[..count]);
                if std::mem::take(&mut first) {
                    ring.whole = sequence(&text) == Some(0);
                }
                keep(&mut ring.lines, parse_record(&text));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Overwritten while it was read: goes on with the oldest that is there.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => ring.whole = false,
            Err(error) => return Err(failed(error)),
        }
    }
    match first {
        true => Err(format!("{PATH} says nothing")),
        false => Ok(ring),
    }
}

fn sequence(record: &str) -> Option<u64> {
    record.split(',').nth(1)?.parse().ok()
}

/// `6,1234,5678901,-;NVRM: Xid …`, with the time in microseconds since boot.
pub(crate) fn parse_record(record: &str) -> Option<KernelLine> {
    let (head, text) = record.split_once(';')?;
    let at_us: u64 = head.split(',').nth(2)?.parse().ok()?;
    line(at_us / 1000, text.lines().next()?)
}

/// A line that counts, made harmless for a terminal.
fn line(at_ms: u64, text: &str) -> Option<KernelLine> {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    counts(text).then(|| KernelLine {
        at_ms,
        text: text.chars().map(plain).take(LINE).collect(),
    })
}

fn keep(lines: &mut VecDeque<KernelLine>, line: Option<KernelLine>) {
    lines.extend(line);
    if lines.len() > KEPT {
        lines.pop_front();
    }
}

fn journal() -> Result<Vec<KernelLine>, String> {
    let words = [
        "-k",
        "-b",
        "-q",
        "-o",
        "short-monotonic",
        "--no-pager",
        "--no-hostname",
    ];
    let text = Program::new("journalctl", words)
        .within(Duration::from_secs(5))
        .at_most(64 << 20)
        .text()?;
    let mut lines = VecDeque::new();
    for line in text.lines() {
        keep(&mut lines, parse_journal(line));
    }
    Ok(lines.into())
}

/// `[    5.123456] kernel: NVRM: Xid …`.
pub(crate) fn parse_journal(text: &str) -> Option<KernelLine> {
    let (time, rest) = text.strip_prefix('[')?.split_once(']')?;
    let seconds: f64 = time.trim().parse().ok()?;
    let said = rest.split_once("kernel: ").map_or(rest, |(_, said)| said);
    // Whole numbers at both ends: what is negative or no number becomes 0.
    line((seconds * 1000.0) as u64, said.trim())
}
