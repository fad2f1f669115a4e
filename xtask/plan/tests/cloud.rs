//! What cloud-init is given, held against its schemas and against the programs that read
//! a seed.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::{as_the_installer_reads, have, have_pyyaml, schema, succeed, text_of, variants};
use lab_plan::ImageFiles;
use tempfile::tempdir;

/// What cloud-init is given for a machine with every secret, and for the plain one.
fn clouds() -> Vec<(ImageFiles, Vec<u8>)> {
    let cases = ["gpu-server", "password", "wifi", "static"];
    let cases = variants()
        .into_iter()
        .filter(|(name, _)| cases.contains(name));
    cases
        .map(|(_, text)| {
            let machine = common::machine(&text);
            let secrets = common::secrets(&machine);
            let subject = lab_plan::Subject {
                machine: &machine,
                catalog: lab_catalog::Catalog::builtin(),
                secrets: &secrets,
                description: &[("machine.toml".to_owned(), text)],
                probe: b"probe",
                lock: None,
            };
            let files = lab_plan::cloud(&subject, lab_plan::Cloud::NoCloud).unwrap();
            (files, lab_plan::seed(&subject).unwrap())
        })
        .collect()
}

#[test]
fn cloud_inits_schemas_take_the_seed() {
    const NAME: &str = "cloud_inits_schemas_take_the_seed";
    let users = schema(NAME, "cloud-config-schema.json");
    let network = schema(NAME, "network-config-v2-schema.json");
    let (Some(users), Some(network), true) = (users, network, have_pyyaml(NAME)) else {
        return;
    };
    let dir = tempdir().unwrap();
    for (files, _) in clouds() {
        for (name, rules, key) in [
            ("user-data", &users, "runcmd"),
            ("network-config", &network, "version"),
        ] {
            let rules = jsonschema::validator_for(rules).unwrap();
            let mut read = as_the_installer_reads(&text_of(&files, name), dir.path());
            // The schema knows no wireless network. netplan does, to which cloud-init
            // hands all of this on as it is.
            if let Some(map) = read.as_object_mut() {
                map.remove("wifis");
            }
            let wrong: Vec<String> = rules
                .iter_errors(&read)
                .map(|error| error.to_string())
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
            assert!(read.get(key).is_some(), "{name} has no {key}");
        }
    }
}

#[test]
fn the_seed_is_a_volume_that_cloud_init_finds() {
    const NAME: &str = "the_seed_is_a_volume_that_cloud_init_finds";
    if !have(NAME, &["blkid", "mcopy"]) {
        return;
    }
    let dir = tempdir().unwrap();
    for (files, seed) in clouds() {
        let path = dir.path().join("seed.img");
        fs::write(&path, &seed).unwrap();
        let said = succeed(Command::new("blkid").arg("-p").arg(&path));
        assert!(
            said.contains("LABEL=\"CIDATA\"") && said.contains("TYPE=\"vfat\""),
            "{said}"
        );
        for (name, file) in files.iter() {
            let read = Command::new("mcopy")
                .arg("-i")
                .arg(&path)
                .args([&format!("::/{name}"), "-"])
                .output()
                .unwrap();
            assert_eq!(read.stdout, file.bytes, "{name}");
        }
    }
}
