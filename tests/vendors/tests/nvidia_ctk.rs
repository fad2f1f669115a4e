//! `nvidia-ctk` over the mock: Docker's configuration, and the CDI specification.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod lab;

use std::path::Path;

use lab::{GTX1050TI, Lab, Z440, word};
use serde_json::{Value, json};

const CTK: &str = env!("CARGO_BIN_EXE_nvidia-ctk");

fn configure(lab: &Lab, more: &[&str]) -> lab::Said {
    let config = format!("--config={}", lab.path("docker/daemon.json").display());
    let mut words = vec!["runtime", "configure", "--runtime=docker", config.as_str()];
    words.extend(more);
    lab.run(CTK, &words)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn dockers_configuration_is_merged() {
    let lab = Lab::z440();
    let path = lab.path("docker/daemon.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let own = r#"{"log-driver": "local", "runtimes": {"own": {"path": "own"}}}"#;
    std::fs::write(&path, own).unwrap();
    configure(&lab, &["--cdi.enabled"]).well();
    let nvidia = json!({"args": [], "path": "nvidia-container-runtime"});
    assert_eq!(
        json_of(&path),
        json!({
            "log-driver": "local",
            "runtimes": {"own": {"path": "own"}, "nvidia": nvidia},
            "features": {"cdi": true},
        })
    );
    let once = std::fs::read(&path).unwrap();
    configure(&lab, &["--cdi.enabled"]).well();
    assert_eq!(std::fs::read(&path).unwrap(), once);
}

#[test]
fn dockers_configuration_is_made() {
    let lab = Lab::z440();
    let said = configure(&lab, &["--set-as-default"]);
    assert!(said.err.contains("Wrote updated config to"), "{said:?}");
    let config = json_of(&lab.path("docker/daemon.json"));
    assert_eq!(config["default-runtime"], "nvidia");
    assert_eq!(config["features"], Value::Null);
}

#[test]
fn a_configuration_that_is_no_json_is_left_alone() {
    let lab = Lab::z440();
    let path = lab.path("docker/daemon.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    for text in ["{", r#"{"runtimes": []}"#] {
        std::fs::write(&path, text).unwrap();
        let said = configure(&lab, &[]);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.err.contains("config"), "{said:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn the_specification_names_every_card_twice_and_all_of_them() {
    let lab = Lab::z440();
    let path = lab.path("cdi/nvidia.yaml");
    let output = format!("--output={}", path.display());
    lab.run(CTK, &["cdi", "generate", &output]).well();
    let text = std::fs::read_to_string(&path).unwrap();
    let spec: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(spec["kind"], "nvidia.com/gpu");
    let devices = spec["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 7);
    let third = devices.iter().find(|one| one["name"] == GTX1050TI).unwrap();
    let nodes = &third["containerEdits"]["deviceNodes"];
    assert_eq!(*nodes, json!([{"path": "/dev/nvidia2"}]));
    let all = &devices[6];
    assert_eq!(all["name"], "all");
    let nodes = all["containerEdits"]["deviceNodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    let common = &spec["containerEdits"];
    assert_eq!(common["env"], json!(["NVIDIA_VISIBLE_DEVICES=void"]));
    let library = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.173.02";
    assert_eq!(common["mounts"][0]["hostPath"], library);
    assert_eq!(common["mounts"][0]["containerPath"], library);
}

#[test]
fn the_specification_carries_the_drivers_version() {
    let lab = Lab::new(&Z440.replace("580.173.02", "580.200.01"));
    let spec = lab.run(CTK, &["cdi", "generate"]).well();
    assert!(spec.contains("libnvidia-ml.so.580.200.01"), "{spec}");
    assert!(!spec.contains("580.173.02"), "{spec}");
}

#[test]
fn what_was_generated_is_listed() {
    let lab = Lab::z440();
    let output = lab.path("cdi/nvidia.yaml");
    lab.run(CTK, &["cdi", "generate", "--output", word(&output)])
        .well();
    let folder = format!("--spec-dir={}", lab.path("cdi").display());
    let listed = lab.run(CTK, &["cdi", "list", &folder]);
    assert!(listed.err.contains("Found 7 CDI devices"), "{listed:?}");
    let listed = listed.well();
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names.len(), 7);
    assert!(names.contains(&"nvidia.com/gpu=all"), "{names:?}");
    assert!(names.contains(&format!("nvidia.com/gpu={GTX1050TI}").as_str()));
}

#[test]
fn without_a_driver_there_is_no_specification() {
    let lab = Lab::new(&format!("fault = \"driver-not-loaded\"\n{Z440}"));
    let output = format!("--output={}", lab.path("nvidia.yaml").display());
    let said = lab.run(CTK, &["cdi", "generate", &output]);
    assert_eq!(said.status, Some(1));
    assert!(said.err.contains("Driver Not Loaded"), "{said:?}");
    assert!(!lab.path("nvidia.yaml").exists());
}

#[test]
fn what_is_not_known_is_refused() {
    let lab = Lab::z440();
    for words in [
        &["cdi", "generate", "--outptu=x"][..],
        &["system"],
        &["runtime"],
    ] {
        assert_eq!(lab.run(CTK, words).status, Some(1), "{words:?}");
    }
}
