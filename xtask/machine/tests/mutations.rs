//! Descriptions that somebody's editor, or nobody's, has spoilt: some thousand
//! changes, always the same ones. Whatever comes, the reading ends, soon, with a
//! machine or with words.

mod common;

use std::time::{Duration, Instant};

use common::{GPU_SERVER, read_text};

/// A small generator of numbers (xorshift64*), so that every run is the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }
}

const PIECES: &[&str] = &[
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\0",
    "\u{feff}",
    "é",
    "🦀",
    "-1",
    "1e999",
    "nan",
    "99999999999999999999",
    "true",
    "auto",
    "gpu",
    "[[gpu]]\n",
    "[disk]\n",
    "extends = \"x\"\n",
    "1979-05-27T07:32:00Z",
    "0x",
    "\\u0000",
    "#",
];

fn mutate(text: &str, numbers: &mut Numbers) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let length = numbers.below(12).min(bytes.len() - at);
        match numbers.below(4) {
            0 => drop(bytes.drain(at..at + length)),
            1 => bytes.truncate(at),
            2 => {
                let copy: Vec<u8> = bytes[at..at + length].to_vec();
                let to = numbers.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_mutation_makes_it_panic_or_stand_still() {
    let mut numbers = Numbers(0x1ab_1ab_1ab);
    let (mut sound, mut refused) = (0, 0);
    let began = Instant::now();
    for round in 0..2000 {
        let text = mutate(GPU_SERVER, &mut numbers);
        let (sources, outcome) = read_text(&text);
        for finding in &outcome.diagnostics {
            assert!(!finding.render(&sources, round % 2 == 0).is_empty());
            assert!(!finding.json(&sources).is_null());
        }
        match outcome.machine {
            Some(machine) => {
                assert_eq!(machine.digest().len(), 64);
                sound += 1;
            }
            None => {
                assert!(
                    outcome
                        .diagnostics
                        .iter()
                        .any(|one| one.severity == lab_machine::Severity::Error),
                    "refused without a word:\n{text}"
                );
                refused += 1;
            }
        }
    }
    assert!(
        sound > 20 && refused > 1000,
        "the mutations are too tame: {sound} sound, {refused} refused"
    );
    assert!(
        began.elapsed() < Duration::from_secs(120),
        "{:?} for 2000 descriptions",
        began.elapsed()
    );
}

#[test]
fn deep_and_long_texts_end() {
    let texts = [
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(50_000)),
        format!("[{}]", "a.".repeat(50_000)),
        "[[gpu]]\n".repeat(2_000),
        format!("[machine]\n{}", "zz = 1\n".repeat(100)),
        (0..200).map(|n| format!("key{n} = {n}\n")).collect(),
        format!("[access]\nssh_keys = [{}]", "\"x\",".repeat(60)),
        "\"".repeat(100_000),
    ];
    for text in texts {
        let began = Instant::now();
        let (_, outcome) = read_text(&text);
        assert!(outcome.machine.is_none());
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?} for {:?}…",
            began.elapsed(),
            &text[..20]
        );
    }
}
