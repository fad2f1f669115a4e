//! Archives, keys and models out of the payload.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use super::bench::Bench;
use crate::common::{have, succeed, workspace};

#[test]
fn a_file_is_linked_out_of_the_payload() {
    let bench = Bench::new();
    bench.carries_a_payload();
    let digest = bench.blob(b"an archive");
    bench.well(&format!(
        "fetch https://example.org/a {digest} /var/lib/lab/data/a"
    ));
    assert_eq!(bench.text("var/lib/lab/data/a"), "an archive");
    assert!(!bench.asked_the_network());
    let data = std::fs::metadata(bench.path("var/lib/lab/data/a")).unwrap();
    assert_eq!(data.nlink(), 2, "it takes room twice");
}

#[test]
fn a_payload_that_is_damaged_or_of_another_lock_is_not_used() {
    let bench = Bench::new();
    bench.carries_a_payload();
    let digest = bench.blob(b"an archive");
    let script = format!(
        "from_payload {digest} /var/lib/lab/a && echo taken; from_payload '' /var/lib/lab/a || echo none"
    );
    assert_eq!(bench.well(&script), "taken\nnone\n");
    for (path, text) in [
        ("var/lib/lab/offline/digest".to_owned(), "5555\n"),
        (format!("var/lib/lab/offline/blobs/{digest}"), "an archivf"),
    ] {
        let bench = Bench::new();
        bench.carries_a_payload();
        bench.blob(b"an archive");
        bench.put(&path, text);
        let said = bench.well(&format!("from_payload {digest} /var/lib/lab/a || echo no"));
        assert_eq!(said, "no\n", "{path}");
        assert!(!bench.path("var/lib/lab/a").exists());
    }
    let bench = Bench::new();
    bench.put("var/lib/lab/offline/digest", "4444\n");
    let said = bench.well("offline_is_for_this_lock || echo no");
    assert_eq!(said, "no\n", "there is no lock at all");
}

#[test]
fn a_locked_key_is_that_very_file() {
    const TEST: &str = "a_locked_key_is_that_very_file";
    if !have(TEST, &["gpg", "gpgv", "apt-ftparchive", "dpkg-deb"]) {
        return;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    bench.has_a_repository();
    let key = std::fs::read(bench.path("made/apt.asc")).unwrap();
    let digest = bench.blob(&key);
    let fingerprint = bench.well("fingerprints /var/lib/lab/offline/apt.asc");
    let fingerprint = fingerprint.trim();
    bench.put("etc/lab/apt/x.sources", "# none\n");
    let fetch =
        format!("fetch_key https://example.org/key {fingerprint} /etc/apt/keyrings/lab-x.asc");
    bench.well(&format!("{fetch} {digest}"));
    assert!(!bench.asked_the_network());
    assert_eq!(
        std::fs::read(bench.path("etc/apt/keyrings/lab-x.asc")).unwrap(),
        key
    );

    // The same key in another file, from a server that answers.
    let root = bench.root();
    bench.program("ip", "echo default");
    bench.program("curl", &format!("while [[ $1 != --output ]]; do shift; done; {{ cat {root}/made/apt.asc; echo; }} >\"$2\""));
    let run = bench.unit(&format!("{fetch} {}", "0".repeat(64)));
    assert_eq!(run.status.code(), Some(78), "{run:?}");
    assert!(
        bench.state().contains("is not what is locked"),
        "{}",
        bench.state()
    );
}

#[test]
fn a_model_comes_out_of_the_payload() {
    if !have("a_model_comes_out_of_the_payload", &["jq"]) {
        return;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    let weights = bench.blob(b"weights");
    let config = bench.blob(b"{}");
    let manifest = format!(
        "{{\"config\":{{\"digest\":\"sha256:{config}\",\"size\":2}},\"layers\":[{{\"digest\":\"sha256:{weights}\",\"size\":7}}]}}"
    );
    let manifest = bench.blob(manifest.as_bytes());
    let unit = workspace().join("templates/usr/lib/lab/units/ollama");
    bench.put(
        "etc/lab/ollama/environment",
        format!("OLLAMA_MODELS={}/models\n", bench.root()),
    );
    let model = format!("gemma3:1b https://registry.example/v2/library/gemma3 1b {manifest}");
    bench.well(&format!(
        "version=1 gpus=(a) address=x\n{}\nfetch_model {model}; model_present {model}",
        std::fs::read_to_string(unit).unwrap()
    ));
    assert!(!bench.asked_the_network());
    let path = bench.path("models/manifests/registry.example/library/gemma3/1b");
    let found = succeed(Command::new("sha256sum").arg(path));
    assert!(found.starts_with(&manifest.to_string()), "{found}");
    assert_eq!(
        bench.text(&format!("models/blobs/sha256-{weights}")),
        "weights"
    );
}
