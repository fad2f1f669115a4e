//! Machines, secrets and a base to try things with.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod bench;
pub mod lock;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab_catalog::Catalog;
use lab_machine::{Machine, Sources};
pub use lab_not_run::not_run;
use lab_plan::{BaseFacts, HostKey, ImageFiles, Secrets};
use serde_json::Value;

/// The Z440, as images/gpu-server describes it, with a fixed disk.
pub const GPU_SERVER: &str = r#"
[machine]
name = "gpu-server"
vendor = "Hewlett-Packard"
product = "HP Z440 Workstation"
memory_gib = 32
power_supply_w = 700

[[gpu]]
pci_id = "10de:1d01"
slot = "0000:01:00.0"

[[gpu]]
pci_id = "10de:13ba"
slot = "0000:02:00.0"

[[gpu]]
pci_id = "10de:1c82"
slot = "0000:03:00.0"

[disk]
model = "Samsung SSD 870 EVO 250GB"
size_gb = 250

[ollama]
models = ["gemma3:1b"]
"#;

/// The stock menu of Ubuntu's server image, in shape.
pub const STOCK_GRUB: &str = "set timeout=30\n\nloadfont unicode\n\nset menu_color_normal=white/black\nset menu_color_highlight=black/light-gray\n\n\
menuentry \"Try or Install Ubuntu Server\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/vmlinuz  ---\n\tinitrd\t/casper/initrd\n}\n\
menuentry \"Ubuntu Server with the HWE kernel\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/hwe-vmlinuz  ---\n\tinitrd\t/casper/hwe-initrd\n}\n\
grub_platform\nif [ \"$grub_platform\" = \"efi\" ]; then\nmenuentry 'Boot from next volume' {\n\texit 1\n}\nmenuentry 'UEFI Firmware Settings' {\n\tfwsetup\n}\n\
else\nmenuentry 'Test memory' {\n\tlinux16 /boot/memtest86+x64.bin\n}\nfi\n";

/// Made for this place; the private parts were thrown away.
const ADMIN_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMxoH1GOTw7vwOmx4XBg2G+HLrfL5TiXRAsbMxyrRJ1t you@laptop";
const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMlRxQNK/o6W0ajLqVt9ibCL6AeGac03QUQzxWszCEzw root@gpu-server";

pub const PASSWORD_HASH: &str =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";
pub const LUKS_PASSPHRASE: &str = "no: yes; 'quoted' \"twice\" #1";
pub const WIFI_PASSPHRASE: &str = "on: 0123 'x' #wifi";

/// Reads a description; what is wrong with it fails the test.
pub fn machine(text: &str) -> Machine {
    let outcome = lab_machine::read(
        &Sources::single("machine.toml", text),
        Catalog::builtin(),
        None,
    );
    let wrong: Vec<String> = outcome
        .diagnostics
        .iter()
        .map(|one| format!("{one:?}"))
        .collect();
    outcome
        .machine
        .unwrap_or_else(|| panic!("{}", wrong.join("\n")))
}

/// The secrets that a machine refers to.
pub fn secrets(machine: &Machine) -> Secrets {
    let private =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n";
    Secrets {
        admin_keys: vec![ADMIN_KEY.to_owned()],
        host_key: HostKey {
            private_openssh: private.to_owned(),
            public: HOST_KEY.to_owned(),
        },
        password_hash: machine
            .access
            .password_hash
            .as_ref()
            .map(|_| PASSWORD_HASH.to_owned()),
        luks_passphrase: machine
            .disk
            .luks_passphrase
            .as_ref()
            .map(|_| LUKS_PASSPHRASE.to_owned()),
        wifi_passphrase: machine
            .network
            .wifi
            .as_ref()
            .map(|_| WIFI_PASSPHRASE.to_owned()),
    }
}

/// Everything on the image, by the catalog as it is built in.
pub fn image_tree(
    machine: &Machine,
    secrets: &Secrets,
    base: &BaseFacts,
    description: &[(String, String)],
) -> anyhow::Result<ImageFiles> {
    let subject = lab_plan::Subject {
        machine,
        catalog: Catalog::builtin(),
        secrets,
        description,
        probe: b"probe",
        lock: None,
    };
    lab_plan::image_tree(&subject, base, lab_plan::Enclosed::default())
}

/// The whole image of a description.
pub fn image(text: &str) -> ImageFiles {
    let machine = machine(text);
    image_tree(
        &machine,
        &secrets(&machine),
        &base(),
        &[("machine.toml".to_owned(), text.to_owned())],
    )
    .unwrap()
}

/// A file of an image as text.
pub fn text_of(image: &ImageFiles, path: &str) -> String {
    String::from_utf8(
        image
            .get(path)
            .unwrap_or_else(|| panic!("{path} is missing"))
            .bytes
            .clone(),
    )
    .unwrap()
}

/// Descriptions that differ in one part each.
pub fn variants() -> Vec<(&'static str, String)> {
    let with = |extra: &str| format!("{GPU_SERVER}\n{extra}");
    let serial = GPU_SERVER.replace(
        "model = \"Samsung SSD 870 EVO 250GB\"",
        "serial = \"S5STNF0R123456A\"",
    );
    let disk = |extra: &str| GPU_SERVER.replace("[disk]\n", &format!("[disk]\n{extra}\n"));
    vec![
        ("gpu-server", GPU_SERVER.to_owned()),
        ("serial", serial),
        ("both", disk("serial = \"S5STNF0R123456A\"")),
        ("luks", disk("luks_passphrase = { env = \"LUKS\" }")),
        ("plain", disk("layout = \"plain\"\nswap_gib = 0\nerase = \"always\"")),
        (
            "static",
            with("[network]\nmac = \"00:11:22:33:44:55\"\naddress = \"192.168.1.20/24\"\ngateway = \"192.168.1.1\"\ndns = [\"192.168.1.1\", \"9.9.9.9\"]"),
        ),
        ("mac", with("[network]\nmac = \"a0:8c:fd:01:02:03\"")),
        ("wifi", with("[network.wifi]\ninterface = \"wlp5s0\"\nssid = \"on\"\npassphrase = { file = \"wifi\" }")),
        ("bios", GPU_SERVER.replace("memory_gib", "firmware = \"bios\"\nmemory_gib")),
        ("password", with("[access]\nuser = \"no\"\npassword_hash = { env = \"HASH\" }\nsudo = \"password\"")),
        ("hwe", with("[ubuntu]\nkernel = \"hwe\"\nlocale = \"de_DE.UTF-8\"\nkeyboard = \"no\"\ntimezone = \"Europe/Berlin\"\nntp = [\"ntp.example.org\", \"192.168.1.1\"]")),
        ("no-driver", with("[driver]\nenabled = false\n[updates]\nsecurity = false\nreboot = \"04:00\"\nsnapshot = \"20261101T000000Z\"")
            .replace("[ollama]\n", "[ollama]\nenabled = false\n").replace("[driver]", "[toolkit]\nenabled = false\n[jupyter]\nenabled = false\n[dcgan]\nenabled = false\n[driver]")),
    ]
}

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Whether every program is there; says so where one is not.
pub fn have(test: &str, programs: &[&str]) -> bool {
    let found = |program: &&str| {
        Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", program])
            .output()
            .is_ok_and(|run| run.status.success())
    };
    let Some(missing) = programs.iter().find(|program| !found(program)) else {
        return true;
    };
    let package = lab_plan::TEST_PACKAGES
        .iter()
        .find(|(program, _)| program == missing)
        .map_or("?", |(_, package)| package);
    not_run(
        test,
        &format!("{missing} is not installed (Debian package {package})"),
    );
    false
}

/// Runs a program and fails the test with all it said unless it succeeds.
pub fn succeed(command: &mut Command) -> String {
    let run = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(
        run.status.success(),
        "{command:?} ended with {}:\n{said}",
        run.status
    );
    said
}

/// Writes the image's files below a folder, modes and all.
pub fn unpack(image: &ImageFiles, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, file) in image.iter() {
        let place = to.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, &file.bytes).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(file.mode)).unwrap();
    }
}

pub fn base() -> BaseFacts {
    BaseFacts {
        grub_cfg: STOCK_GRUB.to_owned(),
        loopback_cfg: Some(STOCK_GRUB.replace("  ---", "  iso-scan/filename=${iso_path} ---")),
        label: "Ubuntu-Server 24.04.5 LTS amd64".to_owned(),
        has_hwe_kernel: true,
        base_sha256_hex: Some("97".repeat(32)),
        base_name: "ubuntu-24.04.5-live-server-amd64.iso".to_owned(),
    }
}

/// The installer reads YAML 1.1 with PyYAML, so that is what reads it here.
pub fn as_the_installer_reads(text: &str, dir: &Path) -> Value {
    let file = dir.join("file.yaml");
    fs::write(&file, text).unwrap();
    let script = "import sys, yaml, json; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    serde_json::from_str(&succeed(
        Command::new("python3").args(["-c", script]).arg(&file),
    ))
    .unwrap()
}

/// Whether PyYAML is there.
pub fn have_pyyaml(test: &str) -> bool {
    if !have(test, &["python3"]) {
        return false;
    }
    let there = Command::new("python3")
        .args(["-c", "import yaml"])
        .output()
        .is_ok_and(|run| run.status.success());
    if !there {
        not_run(
            test,
            "python3 has no module yaml (Debian package python3-yaml)",
        );
    }
    there
}

/// A schema among the project's test data, which is not part of the repository.
pub fn schema(test: &str, name: &str) -> Option<Value> {
    let path: PathBuf = workspace().join("../shared/data").join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            not_run(
                test,
                &format!("the schema {name} is not beside the repository"),
            );
            None
        }
    }
}
