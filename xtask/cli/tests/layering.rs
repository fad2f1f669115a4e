//! The direction of the arrows, as docs/src/architecture/index.md draws them:
//! cargo says which crate knows which, and nothing else may be there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Which crates of this workspace a crate may know, tests left out.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("lab-catalog", &[]),
    ("lab-machine", &["lab-catalog"]),
    ("lab-lock", &[]),
    ("lab-plan", &["lab-machine", "lab-catalog", "lab-lock"]),
    ("lab-apt", &[]),
    ("lab-resolve", &["lab-apt", "lab-lock", "lab-supply"]),
    ("lab-payload", &[]),
    ("lab-sbom", &["lab-lock"]),
    ("lab-image", &[]),
    ("lab-serve", &["lab-image"]),
    ("lab-stick", &["lab-image"]),
    ("lab-supply", &[]),
    ("lab-remote", &[]),
    ("lab-rehearse", &["lab-machine", "lab-catalog"]),
    ("lab-facts", &[]),
    ("lab-probe", &["lab-facts"]),
    (
        "lab-accept",
        &[
            "lab-apt",
            "lab-facts",
            "lab-machine",
            "lab-catalog",
            "lab-remote",
        ],
    ),
    ("lab-mock-cuda", &[]),
    ("lab-mock-nvml", &[]),
    ("lab-vendors", &[]),
    ("lab-standin", &[]),
    // An independent reading of the installer's file: it knows none of our types.
    ("lab-installer", &[]),
    ("lab-not-run", &[]),
    (
        "lab-container",
        &[
            "lab-machine",
            "lab-catalog",
            "lab-plan",
            "lab-vendors",
            "lab-mock-nvml",
            "lab-rehearse",
            "lab-standin",
            "lab-not-run",
        ],
    ),
    (
        "lab-tests",
        &[
            "lab-image",
            "lab-standin",
            "lab-machine",
            "lab-catalog",
            "lab-plan",
            "lab-rehearse",
            "lab-not-run",
        ],
    ),
    (
        "xtask",
        &[
            "lab-apt",
            "lab-catalog",
            "lab-machine",
            "lab-plan",
            "lab-lock",
            "lab-resolve",
            "lab-payload",
            "lab-sbom",
            "lab-image",
            "lab-serve",
            "lab-stick",
            "lab-supply",
            "lab-remote",
            "lab-rehearse",
            "lab-accept",
            "lab-facts",
            "lab-standin",
            "lab-not-run",
        ],
    ),
];

/// Crates that would break a promise: clap belongs to the commands alone, and
/// the crates that promise to touch no network have none.
const NOT_IN: &[(&str, &[&str])] = &[
    (
        "clap",
        &[
            "lab-catalog",
            "lab-machine",
            "lab-plan",
            "lab-image",
            "lab-serve",
            "lab-supply",
            "lab-remote",
            "lab-facts",
            "lab-probe",
            "lab-accept",
            "lab-standin",
            "lab-installer",
        ],
    ),
    (
        "ssh2",
        &[
            "lab-catalog",
            "lab-machine",
            "lab-plan",
            "lab-image",
            "lab-supply",
            "lab-standin",
        ],
    ),
    (
        "ureq",
        &[
            "lab-catalog",
            "lab-machine",
            "lab-plan",
            "lab-image",
            "lab-standin",
        ],
    ),
    (
        "tera",
        &["lab-catalog", "lab-machine", "lab-image", "lab-supply"],
    ),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = json["packages"].as_array().unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap();
            let built = all.iter().filter(|one| one["kind"].as_str() != Some("dev"));
            (name(package), built.map(name).collect())
        })
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let found = dependencies();
    for (package, known) in &found {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(name, _)| name == package) else {
            panic!("{package} has no place in the table of who may know whom");
        };
        let own = known.iter().filter(|name| found.contains_key(*name));
        let strangers: Vec<_> = own
            .filter(|name| !allowed.contains(&name.as_str()))
            .collect();
        assert!(
            strangers.is_empty(),
            "{package} must not know {strangers:?}"
        );
    }
    for (package, _) in MAY_KNOW {
        assert!(
            found.contains_key(*package),
            "{package} is in the table and not in the workspace"
        );
    }
}

#[test]
fn what_belongs_to_one_crate_is_in_no_other() {
    let found = dependencies();
    for (library, packages) in NOT_IN {
        for package in *packages {
            assert!(
                !found[*package].iter().any(|name| name == library),
                "{package} must not use {library}"
            );
        }
    }
}
