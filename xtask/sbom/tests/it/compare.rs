//! A machine's packages against the list.

use std::cmp::Ordering;

use lab_sbom::{Difference, Installed, Inventory, Kind, compare};

use crate::fixture::list;

/// Stands in for Debian's order of versions, which another crate has. It knows numbers and
/// dots, and proves nothing of epochs, tildes or letters.
fn order(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse().unwrap_or_default())
            .collect()
    };
    numbers(a).cmp(&numbers(b))
}

fn machine(list: &Inventory) -> Vec<Installed> {
    list.of_kind(Kind::Package)
        .map(|one| Installed {
            name: one.name.clone(),
            version: one.version.clone().unwrap(),
            architecture: "amd64".into(),
        })
        .collect()
}

fn held(name: &str) -> bool {
    name.starts_with("nvidia-")
}

#[test]
fn a_machine_as_locked_differs_in_nothing() {
    let mut has = machine(&list());
    has.push(Installed {
        name: "bash".into(),
        version: "5.2".into(),
        architecture: "amd64".into(),
    });
    has[0].architecture = "all".into();
    assert_eq!(compare(&list(), &has, &held, &order), []);
}

#[test]
fn missing_lower_and_higher_are_told_apart() {
    let mut has = machine(&list());
    has.retain(|one| one.name != "containerd.io");
    for one in &mut has {
        match one.name.as_str() {
            "docker-ce" => one.version = "5:28.0.0-1~ubuntu.24.04~noble".into(),
            "libc6" => one.version = "2.39-0ubuntu8.7".into(),
            "libstdc++6" => one.architecture = "i386".into(),
            "nvidia-utils-580-server" => one.version = "580.180.01-0ubuntu0.24.04.1".into(),
            _ => {}
        }
    }
    let found = compare(&list(), &has, &held, &order);
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "containerd.io 2.1.5-1~ubuntu.24.04~noble is locked, and not installed",
            "docker-ce is 5:28.0.0-1~ubuntu.24.04~noble, and locked as 5:29.1.0-1~ubuntu.24.04~noble",
            "libc6 is 2.39-0ubuntu8.7, newer than the locked 2.39-0ubuntu8.6",
            "libstdc++6 14.2.0-4ubuntu2~24.04 is locked, and not installed",
            "nvidia-utils-580-server is 580.180.01-0ubuntu0.24.04.1, and locked as 580.173.02-0ubuntu0.24.04.1",
        ]
    );
    let faults: Vec<bool> = found.iter().map(Difference::is_fault).collect();
    assert_eq!(faults, [true, true, false, true, true]);
}
