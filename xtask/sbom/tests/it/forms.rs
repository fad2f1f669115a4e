//! The three forms.

use std::collections::BTreeSet;

use lab_sbom::{Inventory, Moment, cyclonedx, spdx, text};
use serde_json::Value;

use crate::fixture::{licences, list, lock, wanted};

fn moment() -> Moment {
    Moment::of_snapshot("20261128T000000Z").unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn of_cyclonedx() -> Value {
    json(&cyclonedx(&list(), None).unwrap())
}

fn of_spdx() -> Value {
    json(&spdx(&list(), &moment()).unwrap())
}

fn each<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

fn str(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Name, version and digest of each component.
type Parts = BTreeSet<(String, String, String)>;

#[test]
fn all_three_hold_the_same() {
    let from_list: Parts = list()
        .components
        .iter()
        .map(|one| {
            let digest = one.sha256.map(|digest| digest.to_string());
            (
                one.name.clone(),
                one.version.clone().unwrap_or_default(),
                digest.unwrap(),
            )
        })
        .collect();
    let from_cyclonedx: Parts = each(&of_cyclonedx(), "components")
        .map(|one| {
            (
                str(&one["name"]),
                str(&one["version"]),
                str(&one["hashes"][0]["content"]),
            )
        })
        .collect();
    let from_spdx: Parts = each(&of_spdx(), "packages")
        .filter(|one| one["SPDXID"] != "SPDXRef-Machine")
        .map(|one| {
            let digest = str(&one["checksums"][0]["checksumValue"]);
            (str(&one["name"]), str(&one["versionInfo"]), digest)
        })
        .collect();
    assert_eq!(from_cyclonedx, from_list);
    assert_eq!(from_spdx, from_list);

    let text = text(&list());
    let lines: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    let shown = from_list
        .iter()
        .filter(|(_, _, digest)| lines.contains(&digest[..12]));
    assert_eq!(shown.count(), from_list.len());
}

#[test]
fn both_graphs_are_the_same() {
    let edges = |from: String, to: &Value| (from, str(to));
    let cyclonedx = of_cyclonedx();
    let needs: BTreeSet<(String, String)> = each(&cyclonedx, "dependencies")
        .filter(|one| str(&one["ref"]).starts_with("package:"))
        .flat_map(|one| each(one, "dependsOn").map(|to| edges(str(&one["ref"]), to)))
        .collect();
    let spdx = of_spdx();
    let relations = each(&spdx, "relationships");
    let depends = relations.filter(|one| one["relationshipType"] == "DEPENDS_ON");
    assert_eq!(needs.len(), 5);
    assert_eq!(depends.count(), 5);
    assert!(needs.contains(&("package:docker-ce".into(), "package:containerd.io".into())));
}

#[test]
fn no_reference_leads_nowhere() {
    let spdx = of_spdx();
    let ids: BTreeSet<String> = each(&spdx, "packages")
        .map(|one| str(&one["SPDXID"]))
        .collect();
    assert_eq!(ids.len(), list().components.len() + 1);
    for relation in each(&spdx, "relationships") {
        assert!(
            ids.contains(&str(&relation["relatedSpdxElement"])),
            "{relation}"
        );
    }
    let cyclonedx = of_cyclonedx();
    let mut refs: BTreeSet<String> = each(&cyclonedx, "components")
        .map(|one| str(&one["bom-ref"]))
        .collect();
    refs.insert(str(&cyclonedx["metadata"]["component"]["bom-ref"]));
    for dependency in each(&cyclonedx, "dependencies") {
        let all = each(dependency, "dependsOn").chain([&dependency["ref"]]);
        assert!(
            all.into_iter().all(|one| refs.contains(&str(one))),
            "{dependency}"
        );
    }
}

/// RFC 9562, section 5.8: version 8, variant 0b10.
#[test]
fn names_are_made_of_what_is_named() {
    let first = str(&of_cyclonedx()["serialNumber"]);
    assert_eq!(first, str(&of_cyclonedx()["serialNumber"]));
    let uuid = first.strip_prefix("urn:uuid:").unwrap();
    assert_eq!(&uuid[14..15], "8");
    assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    let other = Inventory::of("other", &wanted(), &lock(), &licences()).unwrap();
    let of_other = json(&cyclonedx(&other, None).unwrap());
    assert_ne!(str(&of_other["serialNumber"]), first);
    let mut lock = lock();
    lock.packages[0].size += 1;
    let changed = Inventory::of("gpu-server", &wanted(), &lock, &licences()).unwrap();
    let of_changed = json(&cyclonedx(&changed, None).unwrap());
    assert_ne!(str(&of_changed["serialNumber"]), first);
    let namespace = |list| str(&json(&spdx(list, &moment()).unwrap())["documentNamespace"]);
    assert_ne!(namespace(&changed), namespace(&list()));
}

#[test]
fn a_time_is_written_where_one_is_given() {
    assert_eq!(of_cyclonedx()["metadata"]["timestamp"], Value::Null);
    let timed = json(&cyclonedx(&list(), Some(&moment())).unwrap());
    assert_eq!(timed["metadata"]["timestamp"], "2026-11-28T00:00:00Z");
    assert_eq!(of_spdx()["creationInfo"]["created"], "2026-11-28T00:00:00Z");
}

#[test]
fn text_is_for_people() {
    let text = text(&list());
    let too_long = text.lines().find(|line| line.chars().count() > 100);
    assert_eq!(too_long, None);
    let golden = include_str!("list.txt");
    assert!(text == golden, "tests/it/list.txt should be:\n{text}");
}

#[test]
fn text_gives_a_terminal_no_orders() {
    let mut list = list();
    list.components[0].name = "a\u{1b}[2Jb".to_owned();
    assert!(!text(&list).contains('\u{1b}'));
}
