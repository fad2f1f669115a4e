//! What a guest wrote on its first serial port.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The serial console of a guest, filled while the guest runs.
#[derive(Clone, Debug, Default)]
pub struct Console(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Console {
    /// Reads `from` to its end in a thread of its own.
    pub fn follow(mut from: impl Read + Send + 'static) -> Self {
        let console = Self::default();
        let writer = console.clone();
        thread::spawn(move || {
            let mut chunk = [0_u8; 4096];
            while let Ok(got) = from.read(&mut chunk) {
                if got == 0 {
                    break;
                }
                writer
                    .lock()
                    .bytes
                    .extend(chunk.get(..got).unwrap_or_default());
                writer.0.changed.notify_all();
            }
            writer.lock().closed = true;
            writer.0.changed.notify_all();
        });
        console
    }

    /// What was written so far, as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        plain(&self.lock().bytes)
    }

    /// Waits until `ready` says yes of the text, the guest is gone, or time is up.
    /// Returns the last text and whether it said yes.
    pub fn wait(&self, within: Duration, ready: impl Fn(&str) -> bool) -> (String, bool) {
        let end = Instant::now() + within;
        let mut state = self.lock();
        loop {
            let text = plain(&state.bytes);
            if ready(&text) {
                return (text, true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return (text, false);
            }
            // The port brings a byte at a time: look again a few times a second.
            let pause = left.min(Duration::from_millis(100));
            drop(state);
            thread::sleep(pause);
            state = self.lock();
        }
    }

    /// Waits until the guest closed its port or time is up; says whether it did.
    #[must_use]
    pub fn closed(&self, within: Duration) -> bool {
        let end = Instant::now() + within;
        let mut state = self.lock();
        while !state.closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Terminal output as lines of text: control sequences (ECMA-48, 5.4) are taken out, and
/// text that is written elsewhere than behind the last letter begins a line.
///
/// SeaBIOS, when it has a moment, moves the cursor to and fro within a word: only where it
/// is when the next letter comes counts. Rows are not followed, because the screen scrolls
/// unseen; columns tell enough.
#[must_use]
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    // The column behind the last letter, and the one that the cursor was moved to.
    let mut behind = 1;
    let mut moved = None;
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\x1b' if rest.peek() == Some(&'[') => {
                rest.next();
                moved = target_column(&mut rest).or(moved);
            }
            '\x1b' => {
                rest.next();
            }
            '\n' => {
                out.push('\n');
                (behind, moved) = (1, None);
            }
            '\r' => moved = Some(1),
            control if control.is_control() => {}
            letter => {
                if let Some(column) = moved.take().filter(|column| *column != behind) {
                    out.push('\n');
                    behind = column;
                }
                out.push(letter);
                behind += 1;
            }
        }
    }
    out
}

/// Reads a control sequence to its end; the column, where it moves the cursor (CUP, HVP).
fn target_column(rest: &mut impl Iterator<Item = char>) -> Option<usize> {
    let mut parameters = String::new();
    for next in rest {
        if ('@'..='~').contains(&next) {
            let column = parameters
                .split(';')
                .nth(1)
                .and_then(|column| column.parse().ok());
            return matches!(next, 'H' | 'f').then(|| column.unwrap_or(1));
        }
        parameters.push(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_go_and_moves_become_lines() {
        let seen = plain(
            b"\x1b[2J\x1b[01;01HGNU GRUB\x1b[02;03Hone\x1b[02;07Htwo\x1b[0;37;40m\r\nend\x1bc",
        );
        assert_eq!(seen, "GNU GRUB\none\ntwo\nend");
        assert_eq!(plain(b"cut off \x1b[12;"), "cut off ");
        assert_eq!(plain(b"\x1b"), "");
        assert_eq!(plain(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_word_that_the_firmware_writes_in_two_goes_stays_whole() {
        assert_eq!(
            plain(b"nothin\x1b[07;06H\x1b[07;07Hg found\r\n"),
            "nothing found\n"
        );
        assert_eq!(plain(b"g\r\x1b[20;02Hrub> "), "grub> ");
        assert_eq!(plain(b"one\r\n\x1b[08;01Htwo"), "one\ntwo");
        assert_eq!(plain(b"10 %\r20 %"), "10 %\n20 %");
    }

    #[test]
    fn waiting_ends_when_the_pattern_is_there_and_when_the_guest_is_gone() {
        let console = Console::follow(&b"hello\r\nworld"[..]);
        let (_, found) = console.wait(Duration::from_secs(10), |text| text.contains("world"));
        assert!(found);
        let begun = Instant::now();
        let (text, found) = console.wait(Duration::from_secs(60), |text| text.contains("moon"));
        assert!(!found && text == "hello\nworld");
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(console.closed(Duration::from_secs(10)));
    }
}
