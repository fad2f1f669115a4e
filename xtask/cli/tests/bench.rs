//! `bench rehearse` as a user runs it, where it needs neither root nor a rehearsal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs it on the rehearsal of a folder; the exit code and all that was printed.
fn bench(folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "rehearse", "--only", "stages", "--rehearsal"])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), text)
}

/// A report with one stage that ended so, in this form.
fn report(format: u32, outcome: &str) -> String {
    format!(
        r#"{{"format": {format}, "machine": "ws", "image": ["ws.iso", "00"], "base": "the stand-in",
        "firmware": "BIOS", "accelerator": "TCG", "qemu": "10", "online": false, "stands_in": [],
        "stages": [{{"id": "menu", "title": "the menu", "seconds": 12.5, "picture": null,
        "outcome": {outcome}}}], "accepted": null}}"#
    )
}

#[test]
fn the_stages_of_a_kept_rehearsal_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (report(1, r#"{"is": "reached"}"#), 0, "12.5 s 100.0 %"),
        (report(1, r#"{"is": "hung", "why": "x"}"#), 2, "not reached"),
        (report(7, r#"{"is": "reached"}"#), 2, "format 7, expected 1"),
    ];
    for (text, code, wanted) in cases {
        fs::write(folder.path().join("rehearsal.json"), text).unwrap();
        let (found, said) = bench(folder.path());
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

/// Nothing measured is no pass.
#[test]
fn without_a_rehearsal_it_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = bench(folder.path());
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("not run") && said.contains("rehearsal.json"),
        "{said}"
    );
}
