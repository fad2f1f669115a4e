//! Everything else that can be spoilt.

use super::common;
use super::{Case, YAML, hidden, plain};
use lab_plan::{Manifest, place};

pub(super) const CASES: &[Case] = &[
    hidden(
        "half of the disk",
        |i| i.edit(YAML, "      sizing-policy: 'all'\n", ""),
        &["autoinstall-disk"],
    ),
    hidden(
        "encryption that is ignored",
        |i| i.edit(YAML, "name: 'lvm'", "name: 'direct'"),
        &["autoinstall-disk"],
    ),
    hidden(
        "no guard",
        |i| i.edit(YAML, "    - 'install'\n", "    - 'report'\n"),
        &["autoinstall-guard"],
    ),
    hidden(
        "something before the guard",
        |i| {
            i.edit(
                YAML,
                "  early-commands:\n",
                "  early-commands:\n  - ['wipefs', '-a', '/dev/sda']\n",
            );
        },
        &["autoinstall-guard"],
    ),
    hidden(
        "nothing says what went wrong",
        |i| i.edit(YAML, "    - 'failed'", "    - 'report'"),
        &["autoinstall-guard"],
    ),
    hidden(
        "a last step more",
        |i| {
            i.edit(
                YAML,
                "  late-commands:\n",
                "  late-commands:\n  - ['curl', 'x']\n",
            );
        },
        &["autoinstall-late"],
    ),
    hidden(
        "nobody may log in",
        |i| {
            let text = i.text(YAML);
            let start = text.find("    authorized-keys:\n").unwrap();
            let end = text[start..].find("  drivers:").unwrap() + start;
            i.put(
                YAML,
                format!(
                    "{}    authorized-keys: []\n{}",
                    &text[..start],
                    &text[end..]
                ),
            );
        },
        &["autoinstall-access"],
    ),
    hidden(
        "the shown installer installs",
        |i| i.edit(place::INSPECT, "'show'", "'install'"),
        &["asking-files"],
    ),
    hidden(
        "Ubuntu's installer is not asked everything",
        |i| i.edit(place::ORDINARY, "'*'", "'locale'"),
        &["asking-files"],
    ),
    hidden(
        "Ubuntu's installer has an identity",
        |i| {
            i.edit(
                place::ORDINARY,
                "  version: 1\n",
                "  version: 1\n  late-commands: []\n",
            );
        },
        &["asking-files"],
    ),
    hidden(
        "the guard means another disk",
        |i| i.edit(place::GUARD_CONF, "870_EVO", "860_EVO"),
        &["guard-agrees"],
    ),
    hidden(
        "the guard lacks a value",
        |i| i.edit(place::GUARD_CONF, "LAB_MEMORY_GIB=", "LAB_MEMORY="),
        &["guard-agrees"],
    ),
    hidden(
        "the guard's data runs a command",
        |i| {
            i.edit(
                place::GUARD_CONF,
                "LAB_MEMORY_GIB='32'",
                "LAB_MEMORY_GIB=$(reboot)",
            );
        },
        &["guard-agrees", "menu-erase"],
    ),
    hidden(
        "the installer means another machine",
        |i| i.edit(YAML, "hostname: 'gpu-server'", "hostname: 'other'"),
        &["guard-agrees"],
    ),
    hidden(
        "the marker means another machine",
        |i| i.edit(place::MARKER, "gpu-server", "other"),
        &["guard-agrees"],
    ),
    hidden(
        "the menu means another machine",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "lab.machine=gpu-server",
                "lab.machine=other",
            );
        },
        &["guard-agrees"],
    ),
    hidden(
        "another guard",
        |i| i.edit(place::GUARD, "problems=0", "problems=-9"),
        &["guard-scripts"],
    ),
    hidden(
        "no lay-down",
        |i| i.remove(place::LAY_DOWN),
        &["guard-scripts"],
    ),
    hidden(
        "a listed file is gone",
        |i| i.remove("lab/overlay/etc/sudoers.d/10-lab"),
        &["overlay-list"],
    ),
    hidden(
        "a file that is not listed",
        |i| i.put("lab/overlay/etc/x", "x"),
        &["overlay-list"],
    ),
    hidden(
        "a list that leaves the target",
        |i| {
            let text = i.text(place::OVERLAY_LIST);
            i.put(place::OVERLAY_LIST, format!("{text}link /x ../../x\n"));
        },
        &["overlay-list"],
    ),
    plain(
        "a file of the overlay differs",
        |i| i.edit("lab/overlay/etc/sudoers.d/10-lab", "ALL=", "ALL ="),
        &["overlay-list", "manifest-files"],
    ),
    plain(
        "no manifest",
        |i| i.remove(place::MANIFEST),
        &["manifest-files"],
    ),
    plain(
        "a file differs",
        |i| i.edit(place::ORDINARY, "# Ubuntu", "# ubuntu"),
        &["manifest-files"],
    ),
    plain(
        "a file has another mode",
        |i| i.files.get_mut(place::ORDINARY).unwrap().1 = 0o600,
        &["manifest-files"],
    ),
    plain(
        "a file that the manifest does not know",
        |i| i.put("lab/x", "x"),
        &["manifest-files"],
    ),
    plain(
        "a file loses its digest",
        |i| {
            let mut manifest: Manifest =
                serde_json::from_slice(&i.files[place::MANIFEST].0).unwrap();
            let entry = manifest.files.get_mut(place::GUARD).unwrap();
            (entry.size, entry.sha256) = (None, None);
            i.put(place::MANIFEST, serde_json::to_string(&manifest).unwrap());
        },
        &["manifest-files"],
    ),
    hidden(
        "everybody may read the installer's file",
        |i| i.files.get_mut(YAML).unwrap().1 = 0o644,
        &["secret-modes"],
    ),
    hidden(
        "everybody may read the host key",
        |i| {
            i.files
                .get_mut("lab/overlay/etc/ssh/ssh_host_ed25519_key")
                .unwrap()
                .1 = 0o640;
        },
        &["secret-modes"],
    ),
    hidden(
        "everybody may read the host key on the machine",
        |i| {
            let text = i.text(place::OVERLAY_LIST);
            i.put(
                place::OVERLAY_LIST,
                text.replace("file 0600:", "file 0644:"),
            );
        },
        &["secret-modes"],
    ),
    hidden(
        "a private key elsewhere",
        |i| i.put("lab/notes", "-----BEGIN RSA PRIVATE KEY-----"),
        &["secret-elsewhere"],
    ),
    hidden(
        "the disk's passphrase elsewhere",
        |i| i.put("lab/notes", common::LUKS_PASSPHRASE),
        &["secret-elsewhere"],
    ),
    hidden(
        "the wireless passphrase elsewhere",
        |i| i.put("lab/notes", common::WIFI_PASSPHRASE),
        &["secret-elsewhere"],
    ),
    hidden(
        "the password's hash elsewhere",
        |i| i.put("lab/notes", common::PASSWORD_HASH),
        &["secret-elsewhere"],
    ),
];
