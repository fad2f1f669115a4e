//! Repositories that are updated while they are read.

use std::sync::atomic::{AtomicUsize, Ordering};

use lab_supply::Refusal;

use super::{Files, Site, files_of, good_files, packages, refusal};

const LIST: &str = "/u/dists/noble/main/binary-amd64/Packages.xz";

/// The next state of the repository: other lists, another `InRelease`.
fn next() -> Files {
    let mut plain = packages();
    plain.extend(b"Package: b\n");
    files_of(
        "",
        &[
            ("main/binary-amd64/Packages", &plain),
            ("main/binary-amd64/Packages.xz", &super::xz(&plain)),
        ],
    )
}

#[test]
fn an_update_between_release_and_list_is_read_again() {
    let site = Site::changing(good_files(""), |path, files| {
        if path == LIST && files[LIST] != next()[LIST] {
            *files = next();
        }
    });
    let lists = site.read().unwrap();
    assert!(lists.packages[0].bytes.ends_with(b"Package: b\n"));
    assert_eq!((site.count("InRelease"), site.count("Packages.xz")), (2, 2));
}

#[test]
fn an_update_that_takes_lists_away_is_read_again() {
    let asked = AtomicUsize::new(0);
    let site = Site::changing(good_files(""), move |path, files| {
        if path == LIST && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            files.remove(LIST);
        } else if path.ends_with("InRelease") && !files.contains_key(LIST) {
            *files = next();
        }
    });
    let lists = site.read().unwrap();
    assert!(lists.packages[0].bytes.ends_with(b"Package: b\n"));
    assert_eq!(site.count("InRelease"), 2);
}

#[test]
fn a_repository_that_never_settles_is_given_up() {
    let mut files = good_files("");
    files.insert(LIST.to_owned(), b"another".to_vec());
    let site = Site::new(files);
    let found = refusal(site.read());
    assert!(
        matches!(&found, Refusal::Changed { reads: 3, last } if last.contains("sha256")),
        "{found}"
    );
    assert_eq!(site.count("InRelease"), 3);
    assert!(found.to_string().contains("try again"), "{found}");
}

#[test]
fn a_list_that_is_longer_than_announced_is_not_taken() {
    let mut files = good_files("");
    files.get_mut(LIST).unwrap().extend(b"more");
    let site = Site::new(files);
    let found = refusal(site.read());
    assert!(
        matches!(&found, Refusal::Changed { last, .. } if last.contains("longer than")),
        "{found}"
    );
}

/// An update that puts an older state back is not followed.
#[test]
fn what_changes_to_a_forgery_is_refused() {
    let forged = super::clear_signed(&crate::world::quick_key(2), &super::release("", ""));
    let site = Site::changing(good_files(""), move |path, files| {
        if path == LIST {
            files.insert(LIST.to_owned(), b"another".to_vec());
            files.insert("/u/dists/noble/InRelease".to_owned(), forged.clone());
        }
    });
    assert!(matches!(refusal(site.read()), Refusal::Signature(_)));
}
