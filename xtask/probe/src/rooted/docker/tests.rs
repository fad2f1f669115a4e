//! What Docker says, in the form that version 29 has.

use super::*;

const INSPECTED: &str = r#"{"Id":"5b1c","Created":"2026-11-20T10:00:00.1Z","Path":"tini",
"State":{"Status":"running","Running":true,"ExitCode":0},"Image":"sha256:aa","RestartCount":2,
"Config":{"Image":"quay.io/jupyter/tensorflow-notebook@sha256:bb"},
"HostConfig":{"Runtime":"runc","DeviceRequests":[{"Driver":"cdi","Count":0,
"DeviceIDs":["nvidia.com/gpu=GPU-9a431050-1050-4c82-a1d0-c0ffee000003"],"Capabilities":null,
"Options":null}],"PortBindings":{"8888/tcp":[{"HostIp":"127.0.0.1","HostPort":"8888"}]}},
"NetworkSettings":{"Ports":{"8888/tcp":[{"HostIp":"127.0.0.1","HostPort":"8888"}],"9/tcp":null}}}"#;

fn of(text: &str) -> Container {
    described("lab-jupyter", read("x", text).unwrap(), Fact::unknown("-"))
}

#[test]
fn a_container_with_a_card_by_cdi() {
    let container = of(INSPECTED);
    assert_eq!(
        container.cdi,
        ["nvidia.com/gpu=GPU-9a431050-1050-4c82-a1d0-c0ffee000003"]
    );
    assert!(!container.legacy_gpus && container.running);
    assert_eq!(container.published, ["127.0.0.1:8888"]);
    assert_eq!(
        (container.restarts, container.image.as_str()),
        (2, "sha256:aa")
    );
}

#[test]
fn cards_by_the_old_ways() {
    let gpus = INSPECTED
        .replace("\"Driver\":\"cdi\"", "\"Driver\":\"\"")
        .replace("\"Capabilities\":null", "\"Capabilities\":[[\"gpu\"]]");
    assert!(of(&gpus).legacy_gpus && of(&gpus).cdi.is_empty());
    assert!(of(&INSPECTED.replace("runc", "nvidia")).legacy_gpus);
}

#[test]
fn a_port_for_everybody_shows() {
    let open = INSPECTED.replace("127.0.0.1", "");
    assert_eq!(of(&open).published, ["0.0.0.0:8888"]);
    let v6 = INSPECTED.replace("127.0.0.1", "::");
    assert_eq!(of(&v6).published, ["[::]:8888"]);
}

#[test]
fn a_container_that_stands_keeps_its_ports() {
    let stopped = INSPECTED
        .replace(
            r#""Ports":{"8888/tcp":[{"HostIp":"127.0.0.1","HostPort":"8888"}],"9/tcp":null}"#,
            r#""Ports":{}"#,
        )
        .replace(
            "\"Running\":true,\"ExitCode\":0",
            "\"Running\":false,\"ExitCode\":137",
        );
    let container = of(&stopped);
    assert_eq!(container.published, ["127.0.0.1:8888"]);
    assert_eq!((container.running, container.exit_code), (false, 137));
}

#[test]
fn the_daemon_says_what_it_has() {
    let text = r#"{"DockerRootDir":"/var/lib/docker","LoggingDriver":"journald",
        "Runtimes":{"runc":{"path":"runc"},"nvidia":{"path":"nvidia-container-runtime"}},
        "CDISpecDirs":["/etc/cdi","/var/run/cdi"]}"#;
    let docker = daemon("29.1.0", read("docker info", text).unwrap());
    assert_eq!(docker.runtimes, ["nvidia", "runc"]);
    assert_eq!(docker.cdi_dirs, ["/etc/cdi", "/var/run/cdi"]);
    let off = daemon(
        "29.1.0",
        read("docker info", r#"{"CDISpecDirs":null}"#).unwrap(),
    );
    assert!(off.cdi_dirs.is_empty());
    // Where the daemon does not answer, the client's half is there alone.
    let versions: Versions = read(
        "docker version",
        r#"{"Client":{"Version":"29"},"Server":null}"#,
    )
    .unwrap();
    assert!(versions.server.is_none());
}

#[test]
fn cards_and_names_are_told_from_what_is_none() {
    let list = "GPU 0: Quadro K2200 (UUID: GPU-2e7b)\r\nGPU 1: X (UUID: GPU-9a43)\nno (UUID: x)\n";
    assert_eq!(uuids(list), ["GPU-2e7b", "GPU-9a43"]);
    assert!(is_container_name("lab-jupyter"));
    for name in ["--privileged", "", "a b", "a/../b", ".x"] {
        assert!(!is_container_name(name), "{name}");
    }
}

#[test]
fn an_image_s_name_is_no_option() {
    let digest = format!("quay.io/jupyter/a@sha256:{}", "a".repeat(64));
    for name in ["quay.io/jupyter/a:b-1", "host:5000/a", &digest] {
        assert!(is_image_name(name), "{name}");
    }
    for name in ["", "-a", "--format", "a b", "a;b", "$(a)", "/a"] {
        assert!(!is_image_name(name), "{name}");
    }
}
