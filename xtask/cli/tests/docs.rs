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
            assert!(target.exists(), "{} links to {link}", page.display());
        }
    }
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
