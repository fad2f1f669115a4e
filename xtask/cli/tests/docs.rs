//! The book and the README: nothing in them leads nowhere, every page is in the
//! table of contents, every command and rule is described, and what is made
//! from code is up to date.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

/// The targets of a page's links to other files.
fn links(text: &str) -> Vec<&str> {
    let parts = text.split("](").skip(1);
    let targets = parts.filter_map(|part| part.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

#[test]
fn no_link_leads_nowhere() {
    let mut all = vec![root().join("README.md")];
    pages(&root().join("docs/src"), &mut all);
    assert!(all.len() > 8, "the book has lost its pages");
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let target = page.parent().unwrap().join(link);
            if target.starts_with(pictures()) && !pictures().exists() {
                let why = format!("no rehearsal has left its pictures yet, such as {link}");
                lab_not_run::not_run("no_link_leads_nowhere", &why);
                continue;
            }
            assert!(target.exists(), "{} links to {link}", page.display());
        }
    }
}

/// Where the screens of a rehearsal are: all of them or none.
fn pictures() -> PathBuf {
    root().join("docs/src/tutorial/rehearsal")
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let book = root().join("docs/src");
    let summary = fs::read_to_string(book.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = links(&summary)
        .into_iter()
        .map(|link| book.join(link))
        .collect();
    let mut all = Vec::new();
    pages(&book, &mut all);
    for page in all.iter().filter(|page| !page.ends_with("SUMMARY.md")) {
        assert!(
            listed.contains(page),
            "{} is in no table of contents",
            page.display()
        );
    }
}

#[test]
fn every_command_is_in_the_reference() {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let page = fs::read_to_string(root().join("docs/src/reference/commands.md")).unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(
            page.contains(&format!("| `{name}")),
            "the reference does not have `{name}`"
        );
    }
}

#[test]
fn what_is_made_from_code_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["generate", "--check"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_plain_description_stays_short() {
    let text = fs::read_to_string(root().join("images/gpu-server/machine.toml")).unwrap();
    assert!(
        text.lines().count() < 80,
        "a plain description has under 80 lines"
    );
}

/// What the README shows is what is printed.
#[test]
fn the_message_in_the_readme_is_a_real_one() {
    let text = fs::read_to_string(root().join("images/gpu-server/machine.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("machine.toml");
    fs::write(&file, text.replace("branch = 580", "branch = 595")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["check", "--machine"])
        .arg(&file)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    for line in shown.lines() {
        // The path is the only thing that differs.
        let wanted = line.rsplit("machine.toml").next().unwrap();
        assert!(
            printed.contains(wanted),
            "the README shows {line:?}, printed was:\n{printed}"
        );
    }
}

/// A message of the guard: what was found, what was expected and what to do, each as the
/// texts around what the shell fills in.
type Message = [Vec<String>; 3];

/// A double-quoted text of the shell, behind its opening quote; and what comes behind it.
fn quoted(script: &str) -> (Vec<String>, &str) {
    let mut pieces = vec![String::new()];
    let mut rest = script;
    loop {
        let next = rest.chars().next().unwrap();
        rest = &rest[next.len_utf8()..];
        match next {
            '"' => return (pieces, rest),
            '$' => {
                rest = &rest[expansion(rest)..];
                pieces.push(String::new());
            }
            other => pieces.last_mut().unwrap().push(other),
        }
    }
}

/// The length of what stands behind a `$`: `(…)`, `{…}`, a digit or a name.
fn expansion(rest: &str) -> usize {
    let (open, close) = match rest.chars().next().unwrap() {
        '(' => ('(', ')'),
        '{' => ('{', '}'),
        '0'..='9' => return 1,
        _ => {
            let other = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
            return rest.find(other).unwrap();
        }
    };
    let mut depth = 0;
    for (at, letter) in rest.char_indices() {
        depth += i32::from(letter == open) - i32::from(letter == close);
        if depth == 0 {
            return at + 1;
        }
    }
    panic!("{rest} is not closed")
}

fn messages(script: &str) -> Vec<Message> {
    let calls = script.split("problem \"").skip(1);
    calls
        .map(|call| {
            let (found, rest) = quoted(call);
            let (expected, rest) = quoted(&rest[rest.find('"').unwrap() + 1..]);
            let (to_do, _) = quoted(&rest[rest.find('"').unwrap() + 1..]);
            [found, expected, to_do]
        })
        .collect()
}

/// Whether a phrase is this text with something filled in.
fn says(phrase: &str, text: &[String]) -> bool {
    let Some(mut rest) = phrase.strip_prefix(text[0].as_str()) else {
        return false;
    };
    for piece in &text[1..] {
        // What is filled in has at least one letter.
        let Some(first) = rest.chars().next() else {
            return false;
        };
        let from = first.len_utf8();
        match rest[from..].find(piece.as_str()) {
            Some(at) => rest = &rest[from + at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty() || text.last().unwrap().is_empty()
}

/// The phrases in italics of a table's row.
fn phrases(row: &str) -> Vec<&str> {
    row.split('*').skip(1).step_by(2).collect()
}

/// Every message of the guard has a row with a way out, and no row is of a message that is gone.
#[test]
fn every_message_of_the_guard_has_a_way_out() {
    let script = fs::read_to_string(root().join("templates/lab/guard")).unwrap();
    let page = fs::read_to_string(root().join("docs/src/how-to/guard.md")).unwrap();
    let section = page.split("## The messages").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('*'))
        .collect();
    let messages = messages(&script);
    assert!(messages.len() > 20, "only {} were found", messages.len());
    // Where all of what was found is filled in, what was expected tells it from others.
    let told = |[found, expected, _]: &Message| match found.concat().is_empty() {
        true => expected.clone(),
        false => found.clone(),
    };
    let told: Vec<Vec<String>> = messages.iter().map(told).collect();
    for text in &told {
        let is_it = |row: &&&str| phrases(row).iter().any(|phrase| says(phrase, text));
        assert!(
            rows.iter().any(|row| is_it(&row)),
            "the page has no row for {:?}",
            text.join("…")
        );
    }
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(
            cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()),
            "{row}"
        );
        for phrase in phrases(cells[0]) {
            let known = told.iter().any(|text| says(phrase, text));
            assert!(known, "the guard says nothing like {phrase:?}");
        }
    }
}
