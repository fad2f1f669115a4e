//! The bus, the module and the CDI specification on trees of files.

use lab_facts::Kind;

use super::*;
use crate::tree::{BANNER, Tree, broken};

const CDI: &str = "---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: \"0\"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: \"GPU-9a431050-1050-4c82-a1d0-c0ffee000003\"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  mounts:
  - hostPath: \"/usr/lib/x86_64-linux-gnu/libfoo.so.1.2.3\"
    containerPath: \"/usr/lib/x86_64-linux-gnu/libfoo.so.1.2.3\"
  - hostPath: \"/usr/lib/x86_64-linux-gnu/libcuda.so.580.173.02\"
    containerPath: \"/usr/lib/x86_64-linux-gnu/libcuda.so.580.173.02\"
    options:
    - ro
";

#[test]
fn three_cards_stand_on_the_bus() {
    let tree = Tree::z440();
    let cards = bus::display_controllers(&tree.root()).unwrap();
    assert_eq!(cards.len(), 3);
    assert_eq!(cards[1].address, "0000:02:00.0");
    assert_eq!(
        (cards[1].id.as_str(), cards[1].subsystem.as_str()),
        ("10de:13ba", "103c:1097")
    );
    assert!(
        cards
            .iter()
            .all(|card| card.driver.as_deref() == Some("nvidia"))
    );
}

#[test]
fn a_card_without_a_driver_has_none() {
    let tree = Tree::z440();
    std::fs::remove_file(tree.root().path("/sys/bus/pci/devices/0000:03:00.0/driver")).unwrap();
    let cards = bus::display_controllers(&tree.root()).unwrap();
    assert_eq!(cards[2].driver, None);
}

#[test]
fn the_module_and_its_nodes() {
    let tree = Tree::z440();
    let module = bus::module(&tree.root()).unwrap().unwrap();
    assert_eq!(module.version, "580.173.02");
    assert_eq!(module.kind, Fact::Is(Kind::Closed));
    assert!(module.uvm);
    let nodes = ["/dev/nvidia-uvm", "/dev/nvidia0"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(bus::nodes(&tree.root()), Fact::Is(nodes));
    assert!(bus::module(&Tree::new().root()).unwrap().is_none());
}

#[test]
fn the_kinds_of_module() {
    let open =
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.173.02  Release Build\n";
    assert_eq!(bus::kind_of_banner(open), Some(Kind::Open));
    assert_eq!(bus::kind_of_banner(BANNER), Some(Kind::Closed));
    assert_eq!(bus::kind_of_banner("GCC version: 13"), None);
}

#[test]
fn the_specification_for_containers() {
    let tree = Tree::new();
    assert!(cdi::look(&tree.root()).unwrap().is_none());
    tree.file("/etc/cdi/nvidia.yaml", CDI.replace("580.173.02", "570.1"));
    assert_eq!(
        cdi::look(&tree.root()).unwrap().unwrap().driver.as_deref(),
        Some("570.1")
    );
    tree.file("/run/cdi/nvidia.yaml", CDI);
    let cdi = cdi::look(&tree.root()).unwrap().unwrap();
    assert_eq!(cdi.path, "/run/cdi/nvidia.yaml");
    assert_eq!(cdi.driver.as_deref(), Some("580.173.02"));
    assert_eq!(
        cdi.devices,
        ["0", "GPU-9a431050-1050-4c82-a1d0-c0ffee000003", "all"]
    );
}

#[test]
fn a_specification_that_is_none_is_said() {
    let other = CDI.replace("nvidia.com/gpu", "intel.com/gpu");
    assert!(
        cdi::read("/x", &other)
            .unwrap_err()
            .contains("intel.com/gpu")
    );
    assert!(
        cdi::read("/x", "devices: [")
            .unwrap_err()
            .contains("no CDI specification")
    );
    let without = CDI.replace("libcuda.so.580.173.02", "libcuda.so.1");
    assert_eq!(cdi::read("/x", &without).unwrap().driver, None);
    let json = r#"{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[{"name":"all","containerEdits":{}}]}"#;
    assert_eq!(cdi::read("/x", json).unwrap().devices, ["all"]);
    broken(CDI, |bytes| {
        let _ = cdi::read("/x", &String::from_utf8_lossy(bytes));
    });
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c]\nkind: [*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert!(cdi::read("/x", bomb).is_err());
}

#[test]
fn whose_a_process_is() {
    let id = "5b1cdeadbeef5b1cdeadbeef5b1cdeadbeef5b1cdeadbeef5b1cdeadbeef5b1c";
    let docker = format!("0::/system.slice/docker-{id}.scope\n");
    assert_eq!(
        process::unit_of("0::/system.slice/ollama.service\n").as_deref(),
        Some("ollama.service")
    );
    assert_eq!(process::unit_of(&docker).as_deref(), Some(id));
    assert_eq!(
        process::unit_of(&format!("0::/docker/{id}\n")).as_deref(),
        Some(id)
    );
    assert_eq!(
        process::unit_of("0::/user.slice/session-2.scope").as_deref(),
        Some("session-2.scope")
    );
    let older = "12:pids:/x\n1:name=systemd:/system.slice/ollama.service\n0::/\n";
    assert_eq!(process::unit_of(older).as_deref(), Some("ollama.service"));
    assert_eq!(process::unit_of("0::/"), None);
}

#[test]
fn addresses_are_the_kernels() {
    assert_eq!(nvml::address("00000000:03:00.0"), "0000:03:00.0");
    assert_eq!(nvml::address("00000001:0A:1F.7"), "0001:0a:1f.7");
    assert_eq!(nvml::address("00010000:0A:00.0"), "10000:0a:00.0");
    assert_eq!(nvml::address(""), "");
}
