//! What test programs print at their end, and the parts of it that say what failed.

/// How many tests of a run came out how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) not_run: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.not_run += other.not_run;
    }
}

/// Adds up the closing lines of all test programs in Rust:
/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
pub(super) fn of_rust(log: &str) -> Counts {
    let mut counts = Counts::default();
    for line in log.lines().filter(|line| line.starts_with("test result:")) {
        counts.add(&Counts {
            passed: number(line, " passed"),
            failed: number(line, " failed"),
            not_run: number(line, " ignored"),
        });
    }
    counts
}

/// The closing line of pytest, with or without its rules:
/// `3 failed, 12 passed, 1 skipped in 4.56s`.
pub(super) fn of_pytest(log: &str) -> Option<Counts> {
    let closes = |line: &&str| {
        let line = line.trim_matches(['=', ' ']);
        line.contains(" in ") && (line.contains(" passed") || line.contains(" failed"))
    };
    let line = log.lines().rev().find(closes)?;
    let line = line.trim_matches(['=', ' ']);
    Some(Counts {
        passed: number(line, " passed"),
        failed: number(line, " failed") + number(line, " error"),
        not_run: number(line, " skipped"),
    })
}

/// The number that stands before a word, in a list that commas, points or semicolons part.
fn number(line: &str, word: &str) -> u64 {
    let part = line.split(['.', ';', ',']).find(|part| part.contains(word));
    let before = part.and_then(|part| part.split(word).next());
    before
        .and_then(|before| before.split_whitespace().next_back()?.parse().ok())
        .unwrap_or(0)
}

/// Prints what the programs say of the tests that failed, or, where none did, the end of
/// the log.
pub(super) fn print_failures(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let failed = |line: &&&str| {
        (line.starts_with("test ") && line.ends_with("FAILED")) || line.starts_with("error: ")
    };
    for line in lines.iter().filter(failed) {
        anstream::println!("  {line}");
    }
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("---- ") && (line.ends_with(" ----") || line.ends_with(" stdout ----"))
        {
            for detail in lines
                .iter()
                .skip(at)
                .take(40)
                .take_while(|detail| !detail.starts_with("failures:"))
            {
                anstream::println!("  {detail}");
            }
        }
    }
    if !lines.iter().any(|line| failed(&line)) {
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            anstream::println!("  {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let log = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n";
        let expected = Counts {
            passed: 6,
            failed: 5,
            not_run: 1,
        };
        assert_eq!(of_rust(log), expected);
    }

    #[test]
    fn pytests_closing_line_is_read() {
        let of = |passed, failed, not_run| {
            Some(Counts {
                passed,
                failed,
                not_run,
            })
        };
        assert_eq!(
            of_pytest("x\n== 3 failed, 12 passed, 1 skipped in 4.56s ==\n"),
            of(12, 3, 1)
        );
        assert_eq!(of_pytest("48 passed in 61.02s (0:01:01)\n"), of(48, 0, 0));
        assert_eq!(of_pytest("1 failed, 2 errors in 0.1s"), of(0, 3, 0));
        assert_eq!(of_pytest("Traceback"), None);
    }
}
