//! What was fetched, what is missing of it, and what was spoilt.

use std::fs;
use std::path::PathBuf;

use lab_supply::Credentials;
use sha2::{Digest as _, Sha256};

use super::{Home, ended, has};

const FETCH: [&str; 2] = ["fetch", "--without-base"];
const FROZEN: [&str; 3] = ["fetch", "--without-base", "--frozen"];

impl Home {
    /// Where the cache has a package.
    fn object(&self, body: &str) -> PathBuf {
        let digest = hex::encode(Sha256::digest(body));
        let below = format!("cache/objects/sha256/{}/{digest}", &digest[..2]);
        self.path(&below)
    }

    fn cache(&self, code: i32, words: &[&str]) -> String {
        let words: Vec<&str> = std::iter::once("cache")
            .chain(words.iter().copied())
            .collect();
        ended(&mut self.command(&words), code)
    }
}

#[test]
fn frozen_names_all_that_is_missing() {
    let home = Home::locked();
    let said = home.expect(2, &FROZEN);
    has(
        &said,
        &[
            "nvtop 3.0-1",
            "libtop 1.1-2",
            "jq 1.7-1",
            "zstd 1.5-1",
            "run once without --frozen",
        ],
    );
    home.expect(0, &FETCH);
    has(&home.expect(0, &FROZEN), &["all 4 objects"]);
    fs::remove_file(home.object("jq 1.7-1")).unwrap();
    let said = home.expect(2, &FROZEN);
    has(&said, &["jq 1.7-1", "3 are in the cache"]);
    assert!(!said.contains("nvtop"), "{said}");
}

#[test]
fn what_the_archive_no_longer_has_is_named_with_its_place() {
    let home = Home::locked();
    home.archive.remove("jq_1.7-1_amd64.deb");
    let said = home.expect(1, &FETCH);
    has(
        &said,
        &[
            "jq 1.7-1",
            "404",
            "3 are in the cache",
            "jq 1.7-1: the vendor no longer has the file that is locked",
            "`cargo xtask lock --update jq`",
            "mirrors.toml",
            "running again does not help",
        ],
    );
    assert!(!said.contains("run again"), "{said}");
    assert!(home.object("nvtop 3.0-1").is_file());
}

#[test]
fn what_was_spoilt_is_put_aside_and_fetched_again() {
    let home = Home::locked();
    home.expect(0, &FETCH);
    has(&home.cache(0, &["verify"]), &["4 good", "0 bad"]);
    let object = home.object("nvtop 3.0-1");
    fs::remove_file(&object).unwrap();
    fs::write(&object, "nvtop 3.0-2").unwrap();
    has(
        &home.cache(1, &["verify"]),
        &[
            "bad",
            "3 good",
            "1 bad",
            "`cargo xtask fetch` gets it again",
        ],
    );
    assert!(!object.exists());
    assert_eq!(
        fs::read_dir(home.path("cache/objects/bad"))
            .unwrap()
            .count(),
        1
    );
    home.expect(0, &FETCH);
    assert_eq!(fs::read_to_string(&object).unwrap(), "nvtop 3.0-1");
    home.cache(0, &["verify"]);
}

#[test]
fn pruning_in_words_only_removes_nothing() {
    let home = Home::locked();
    home.expect(0, &FETCH);
    has(
        &home.cache(0, &["prune", "--dry-run"]),
        &["would go: 4 objects"],
    );
    has(&home.expect(0, &FROZEN), &["all 4 objects"]);
    // No machine of the checkout names them.
    has(&home.cache(0, &["prune"]), &["removed: 4 objects"]);
    home.expect(2, &FROZEN);
}

#[test]
fn credentials_reach_the_server_and_are_never_printed() {
    let home = Home::locked();
    home.archive.remove("jq_1.7-1_amd64.deb");
    let variable = Credentials::variable(&home.archive.host());
    for (secret, header) in [
        ("me:s3cret", "Basic bWU6czNjcmV0"),
        ("Bearer s3cret", "Bearer s3cret"),
    ] {
        for words in [
            &FETCH[..],
            &["lock", "--update", "--installed", "installed"],
            &["outdated", "--installed", "installed"],
        ] {
            let words: Vec<&str> = words
                .iter()
                .copied()
                .chain(["-m", "machine.toml"])
                .collect();
            let output = home
                .command(&words)
                .env(&variable, secret)
                .output()
                .unwrap();
            let said = format!("{output:?}");
            assert!(
                !said.contains("s3cret") && !said.contains("czNjcmV0"),
                "{said}"
            );
        }
        assert!(
            home.archive
                .authorizations()
                .iter()
                .any(|one| one == header)
        );
    }
}
