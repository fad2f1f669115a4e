//! Menus that are spoilt, and an installer's file that does not read.

use super::common;
use super::{Case, YAML, hidden, plain};
use lab_plan::place;

pub(super) const CASES: &[Case] = &[
    hidden("no menu", |i| i.remove(place::GRUB_CFG), &["menu-entries"]),
    hidden(
        "an entry is gone",
        |i| i.edit(place::GRUB_CFG, "--id show", "--id shown"),
        &["menu-entries", "menu-path"],
    ),
    hidden(
        "reinstalling by default",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "set default=install",
                "set default=reinstall",
            );
        },
        &["menu-entries"],
    ),
    hidden(
        "the second entry of the question is the default",
        |i| i.edit(place::GRUB_CFG, "set default=0", "set default=1"),
        &["menu-entries"],
    ),
    hidden(
        "a semicolon cuts a kernel line",
        |i| {
            i.edit_menus(
                "autoinstall subiquity",
                "ds=nocloud;s=/x autoinstall subiquity",
            );
        },
        &["menu-semicolon"],
    ),
    hidden(
        "a semicolon cuts an initrd line",
        |i| i.edit_menus("initrd /casper/initrd", "initrd /casper/initrd; true"),
        &["menu-semicolon"],
    ),
    hidden(
        "Ubuntu's installer would not ask",
        |i| {
            i.edit_menus(
                "linux /casper/hwe-vmlinuz",
                "linux /casper/hwe-vmlinuz autoinstall",
            );
        },
        &["menu-autoinstall"],
    ),
    hidden(
        "the installation would ask",
        |i| i.edit(place::GRUB_CFG, " autoinstall subiquity", " subiquity"),
        &["menu-autoinstall"],
    ),
    hidden(
        "the path is another one",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "=/cdrom/autoinstall.yaml",
                "=/autoinstall.yaml",
            );
        },
        &["menu-path"],
    ),
    hidden(
        "the path is gone",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "subiquity.autoinstallpath=/cdrom/autoinstall.yaml ",
                "",
            );
        },
        &["menu-path"],
    ),
    hidden(
        "there are two paths",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "subiquity.",
                "subiquity.autoinstallpath=/x subiquity.",
            );
        },
        &["menu-path"],
    ),
    hidden(
        "the path stands behind ---",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "subiquity.autoinstallpath=/cdrom/lab/inspect.yaml ---",
                "--- subiquity.autoinstallpath=/cdrom/lab/inspect.yaml",
            );
        },
        &["menu-path"],
    ),
    hidden(
        "Ubuntu's installer finds the lab's file",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "/cdrom/lab/ordinary.yaml",
                "/cdrom/autoinstall.yaml",
            );
        },
        &["menu-path"],
    ),
    hidden(
        "the first entry erases",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "lab.machine=gpu-server ---",
                "lab.machine=gpu-server lab.reinstall=gpu-server ---",
            );
        },
        &["menu-erase"],
    ),
    hidden(
        "the word to erase is another machine's",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "lab.reinstall=gpu-server",
                "lab.reinstall=other",
            );
        },
        &["menu-erase"],
    ),
    hidden(
        "the question answers itself",
        |i| {
            i.edit(place::GRUB_CFG, "reinstall-no", "reinstall-tmp");
            i.edit(place::GRUB_CFG, "reinstall-yes", "reinstall-no");
            i.edit(place::GRUB_CFG, "reinstall-tmp", "reinstall-yes");
        },
        &["menu-autoinstall", "menu-path", "menu-erase"],
    ),
    plain("no kernel", |i| i.remove("casper/vmlinuz"), &["menu-files"]),
    plain(
        "no initrd",
        |i| i.remove("casper/hwe-initrd"),
        &["menu-files"],
    ),
    hidden(
        "a kernel without its initrd",
        |i| i.edit(place::GRUB_CFG, "initrd /casper/hwe-initrd", "true"),
        &["menu-files"],
    ),
    hidden(
        "another machine's marker",
        |i| {
            i.edit(
                place::GRUB_CFG,
                "/lab/installed-gpu-server",
                "/lab/installed-x",
            );
        },
        &["menu-marker"],
    ),
    hidden(
        "the image carries a marker",
        |i| i.put("boot/lab/installed-gpu-server", "x"),
        &["menu-marker"],
    ),
    hidden(
        "an unknown key at the top",
        |i| i.edit(YAML, "  version: 1\n", "  version: 1\n  lokale: 'x'\n"),
        &["autoinstall-reads"],
    ),
    hidden(
        "an unknown key deep down",
        |i| {
            i.edit(
                YAML,
                "install-server:",
                "instal-server: true\n    install-server:",
            );
        },
        &["autoinstall-reads"],
    ),
    hidden(
        "a key beside autoinstall",
        |i| i.edit(YAML, "autoinstall:\n", "users: []\nautoinstall:\n"),
        &["autoinstall-reads"],
    ),
    hidden(
        "a key that is there twice",
        |i| i.edit(YAML, "  version: 1\n", "  version: 1\n  version: 1\n"),
        &["autoinstall-reads"],
    ),
    hidden(
        "another version",
        |i| i.edit(YAML, "version: 1", "version: 2"),
        &["autoinstall-reads"],
    ),
    hidden(
        "the largest disk",
        |i| {
            i.edit(
                YAML,
                "model: 'Samsung?SSD?870?EVO?250GB'",
                "size: 'largest'",
            );
        },
        &["autoinstall-reads"],
    ),
    hidden(
        "any disk",
        |i| {
            i.edit(
                YAML,
                "        model: 'Samsung?SSD?870?EVO?250GB'\n",
                "        {}\n",
            );
        },
        &["autoinstall-reads"],
    ),
    hidden(
        "a mistyped match",
        |i| i.edit(YAML, "        model: '", "        modle: '"),
        &["autoinstall-reads"],
    ),
    hidden(
        "a model that fits others",
        |i| i.edit(YAML, "870?EVO?250GB'", "*'"),
        &["autoinstall-reads"],
    ),
    hidden(
        "a password in clear text",
        |i| i.edit(YAML, common::PASSWORD_HASH, "hunter2"),
        &["autoinstall-reads"],
    ),
    hidden(
        "passwords open SSH",
        |i| i.edit(YAML, "allow-pw: false", "allow-pw: true"),
        &["autoinstall-reads"],
    ),
    hidden(
        "no SSH server",
        |i| i.edit(YAML, "install-server: true", "install-server: false"),
        &["autoinstall-reads"],
    ),
    hidden(
        "no key is a key",
        |i| i.edit(YAML, "ssh-ed25519 AAAA", "ssh-ed25519 BBBB"),
        &["autoinstall-reads"],
    ),
    hidden(
        "the installer's own drivers",
        |i| {
            i.edit(
                YAML,
                "  drivers:\n    install: false",
                "  drivers:\n    install: true",
            );
        },
        &["autoinstall-reads"],
    ),
    hidden(
        "a person is asked",
        |i| {
            i.edit(
                YAML,
                "  version: 1\n",
                "  version: 1\n  interactive-sections: ['*']\n",
            );
        },
        &["autoinstall-reads"],
    ),
    hidden(
        "no UTF-8",
        |i| i.put(YAML, vec![0xff, 0xfe]),
        &["autoinstall-reads"],
    ),
    hidden(
        "half of the file",
        |i| {
            let text = i.text(YAML);
            i.put(YAML, text[..text.len() / 2].to_owned());
        },
        &["autoinstall-reads"],
    ),
];
