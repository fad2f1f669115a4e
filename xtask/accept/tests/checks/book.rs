//! What the checks say of themselves: names, references, and the page that is made of them.

use std::collections::BTreeSet;
use std::fs;

use lab_accept::check::{all, by_id, groups, reference};

use crate::fixture::repository;

fn is_kebab(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.split('-').all(word)
}

#[test]
fn ids_are_unique_and_of_one_form() {
    let mut ids = BTreeSet::new();
    for check in all() {
        let (group, what) = check.id.split_once('.').unwrap();
        assert!(is_kebab(group) && is_kebab(what), "{}", check.id);
        assert!(ids.insert(check.id), "{} stands twice", check.id);
        assert_eq!(by_id(check.id).unwrap().id, check.id);
    }
    assert!(ids.len() >= 80, "{}", ids.len());
    for group in groups() {
        let checks = group.checks.iter().copied().flatten();
        assert!(checks.clone().count() > 0, "{}", group.name);
        for check in checks {
            assert_eq!(check.group(), group.name);
        }
    }
}

#[test]
fn every_check_says_all_of_it_in_sentences() {
    for check in all() {
        for text in [check.story, check.cause, check.remedy] {
            let end = text.trim_end_matches(['`', ')']);
            assert!(
                text.len() > 20 && (end.ends_with('.') || text.ends_with('`')),
                "{}: {text}",
                check.id
            );
            let first = text.chars().next().unwrap();
            assert!(
                !first.is_lowercase()
                    || text.starts_with("nvtop")
                    || text.starts_with("nouveau")
                    || text.starts_with("systemd")
                    || text.starts_with("daemon.json"),
                "{}: {text}",
                check.id
            );
        }
        assert!(!check.title.ends_with('.'), "{}", check.id);
    }
}

#[test]
fn every_reference_is_a_page_of_the_book_or_a_document_elsewhere() {
    for check in all() {
        match check.reference.strip_prefix("docs/") {
            Some(_) => assert!(
                repository().join(check.reference).is_file(),
                "{}: {}",
                check.id,
                check.reference
            ),
            None => assert!(
                check.reference.starts_with("https://"),
                "{}: {}",
                check.id,
                check.reference
            ),
        }
    }
}

#[test]
fn the_page_is_what_the_checks_say() {
    let place = repository().join("docs/src/reference/checks.md");
    let page = reference();
    if std::env::var_os("LAB_BLESS").is_some() {
        fs::write(&place, &page).unwrap();
    }
    let there = fs::read_to_string(&place).unwrap_or_default();
    assert!(
        there == page,
        "{} is out of date: `cargo xtask generate` makes it",
        place.display()
    );
    for check in all() {
        assert_eq!(
            page.matches(&format!("| `{}` |", check.id)).count(),
            1,
            "{}",
            check.id
        );
    }
    // A cell that is cut in two would make a row of another length.
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
}
