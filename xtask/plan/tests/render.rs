//! What is rendered, held against what was rendered when somebody last looked.

#![allow(clippy::unwrap_used)]

mod common;

use common::{GPU_SERVER, base, image, image_tree, machine, secrets, text_of, variants};
use lab_plan::{File, ImageFiles, lint, place};

/// The training program, which has tests of its own.
const PACKAGE: &str = "lab/overlay/usr/share/lab/dcgan/";

/// The paths with modes, then the texts. Scripts are taken as they are and have tests
/// of their own; digests and keys change with every letter.
fn whole(image: &ImageFiles) -> String {
    let mut text = String::new();
    let own = |(path, _): &(&str, &File)| !path.starts_with(PACKAGE);
    for (path, file) in image.iter().filter(own) {
        text.push_str(&format!("{:04o} {path}\n", file.mode));
    }
    let scripts = [
        place::GUARD,
        place::GUARD_FACTS,
        place::LAY_DOWN,
        place::MANIFEST,
        place::OVERLAY_LIST,
    ];
    let digests = [".json", ".key"];
    for (path, file) in image.iter().filter(|(path, _)| {
        !scripts.contains(path)
            && !path.starts_with("lab/overlay/usr/")
            && !digests.iter().any(|end| path.ends_with(end))
    }) {
        text.push_str(&format!(
            "\n===== {path}\n{}",
            String::from_utf8_lossy(&file.bytes)
        ));
    }
    text
}

#[test]
fn the_gpu_server_is_rendered_as_it_was() {
    insta::assert_snapshot!("gpu-server", whole(&image(GPU_SERVER)));
}

#[test]
fn what_a_variant_changes_is_as_it_was() {
    let plain = image(GPU_SERVER);
    for (name, text) in variants().into_iter().skip(1) {
        let other = image(&text);
        let mut changed = String::new();
        for (path, file) in other.iter() {
            let same = plain.get(path).is_some_and(|before| before == file);
            if !same
                && !path.starts_with("lab/overlay/etc/lab/")
                && ![place::MANIFEST, place::OVERLAY_LIST, place::MARKER].contains(&path)
            {
                let before = plain
                    .get(path)
                    .map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
                    .unwrap_or_default();
                changed.push_str(&difference(
                    path,
                    &before,
                    &String::from_utf8_lossy(&file.bytes),
                ));
            }
        }
        let gone = |(path, _): &(&str, &File)| other.get(path).is_none();
        let own = |(path, _): &(&str, &File)| !path.starts_with(PACKAGE);
        for (path, _) in plain.iter().filter(gone).filter(own) {
            changed.push_str(&format!("===== {path} is not there\n"));
        }
        insta::assert_snapshot!(format!("variant-{name}"), changed);
    }
}

/// Lines that only one of two texts has.
fn difference(path: &str, before: &str, after: &str) -> String {
    let only = |these: &str, those: &str, sign: char| -> String {
        these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line))
            .map(|line| format!("{sign} {line}\n"))
            .collect()
    };
    format!(
        "===== {path}\n{}{}",
        only(before, after, '-'),
        only(after, before, '+')
    )
}

#[test]
fn the_same_description_gives_the_same_bytes() {
    for (name, text) in variants() {
        assert_eq!(image(&text), image(&text), "{name}");
    }
}

#[test]
fn every_variant_passes_every_lint_and_tells_its_story() {
    for (name, text) in variants() {
        let image = image(&text);
        let listing = listing(&image);
        let report = lint(
            &|path| image.get(path).map(|file| file.bytes.clone()),
            &listing,
        );
        let wrong: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.status != lab_plan::Status::Pass)
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        insta::assert_snapshot!(format!("story-{name}"), report.story.join("\n"));
    }
}

fn listing(image: &ImageFiles) -> Vec<(String, u32)> {
    let base = [
        "casper/vmlinuz",
        "casper/initrd",
        "casper/hwe-vmlinuz",
        "casper/hwe-initrd",
        "boot/memtest86+x64.bin",
    ];
    let base = base.into_iter().map(|path| (path.to_owned(), 0o444));
    image
        .iter()
        .map(|(path, file)| (path.to_owned(), file.mode))
        .chain(base)
        .collect()
}

#[test]
fn the_description_of_this_repository_renders_and_passes() {
    let path = common::workspace().join("images/gpu-server/machine.toml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        common::not_run(
            "the_description_of_this_repository_renders_and_passes",
            "images/gpu-server/machine.toml is not there",
        );
        return;
    };
    let image = image(&text);
    let report = lint(
        &|path| image.get(path).map(|file| file.bytes.clone()),
        &listing(&image),
    );
    assert_eq!(
        report.failures().collect::<Vec<_>>(),
        Vec::<&lab_plan::Finding>::new()
    );
}

#[test]
fn no_secret_shows_where_it_should_not() {
    for (name, text) in variants() {
        let machine = machine(&text);
        let secrets = secrets(&machine);
        let shown = format!("{secrets:?}");
        let image = image(&text);
        for secret in [
            common::PASSWORD_HASH,
            common::LUKS_PASSPHRASE,
            common::WIFI_PASSPHRASE,
            "bm90IGEga2V5",
        ] {
            assert!(!shown.contains(secret), "{name}: Debug shows a secret");
            for (path, file) in image
                .iter()
                .filter(|(path, _)| *path != place::AUTOINSTALL && !path.ends_with(place::HOST_KEY))
            {
                assert!(
                    !String::from_utf8_lossy(&file.bytes).contains(secret),
                    "{name}: /{path} holds a secret"
                );
            }
        }
    }
}

#[test]
fn secrets_that_do_not_fit_the_description_are_refused() {
    let machine = machine(GPU_SERVER);
    let good = secrets(&machine);
    type Spoil = fn(&mut lab_plan::Secrets);
    let cases: [(&str, Spoil); 9] = [
        ("no SSH key", |one| one.admin_keys.clear()),
        ("single line", |one| {
            one.admin_keys = vec!["ssh-ed25519 AAAA x\nssh-ed25519 AAAA y".to_owned()];
        }),
        ("no SSH public key", |one| {
            one.admin_keys = vec!["ssh-ed25519 AAAA x".to_owned()];
        }),
        ("does not refer", |one| {
            one.password_hash = Some("$y$x".to_owned());
        }),
        ("does not refer", |one| {
            one.luks_passphrase = Some("a passphrase".to_owned());
        }),
        ("does not refer", |one| {
            one.wifi_passphrase = Some("a passphrase".to_owned());
        }),
        ("no private key", |one| {
            one.host_key.private_openssh = "x".to_owned();
        }),
        ("public host key", |one| {
            one.host_key.public = "ssh-rsa AAAA".to_owned();
        }),
        ("single line", |one| {
            one.admin_keys = vec!["-----BEGIN OPENSSH PRIVATE KEY-----".to_owned()];
        }),
    ];
    for (expected, spoil) in cases {
        let mut secrets = good.clone();
        spoil(&mut secrets);
        let error = format!(
            "{:#}",
            image_tree(&machine, &secrets, &base(), &[]).unwrap_err()
        );
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn weak_or_missing_secrets_are_refused_without_showing_them() {
    let cases = [
        ("luks", "short", 0),
        ("luks", "two\nlines of it", 0),
        ("wifi", "short", 1),
        ("wifi", "an umlaut: \u{e4}\u{e4}\u{e4}\u{e4}", 1),
        ("password", "correct horse battery staple", 2),
        ("password", "$1$abcdefgh$0123456789012345678901", 2),
    ];
    for (variant, secret, which) in cases {
        let text = variants()
            .into_iter()
            .find(|(name, _)| *name == variant)
            .unwrap()
            .1;
        let machine = machine(&text);
        let mut bad = secrets(&machine);
        let place = [
            &mut bad.luks_passphrase,
            &mut bad.wifi_passphrase,
            &mut bad.password_hash,
        ];
        for (index, slot) in place.into_iter().enumerate() {
            if index == which {
                *slot = Some(secret.to_owned());
            }
        }
        let error = format!(
            "{:#}",
            image_tree(&machine, &bad, &base(), &[]).unwrap_err()
        );
        assert!(!error.contains(secret), "{error}");
        let none = lab_plan::Secrets {
            luks_passphrase: None,
            wifi_passphrase: None,
            password_hash: None,
            ..bad
        };
        assert!(
            image_tree(&machine, &none, &base(), &[]).is_err(),
            "{variant} without its secret"
        );
    }
}

#[test]
fn a_base_without_the_kernel_that_is_wanted_is_refused() {
    let text = variants()
        .into_iter()
        .find(|(name, _)| *name == "hwe")
        .unwrap()
        .1;
    let machine = machine(&text);
    let early = lab_plan::BaseFacts {
        has_hwe_kernel: false,
        ..base()
    };
    let error = format!(
        "{:#}",
        image_tree(&machine, &secrets(&machine), &early, &[]).unwrap_err()
    );
    assert!(
        error.contains("hwe-vmlinuz") && error.contains("\"ga\""),
        "{error}"
    );
    let empty = lab_plan::BaseFacts {
        grub_cfg: String::new(),
        ..base()
    };
    assert!(image_tree(&machine, &secrets(&machine), &empty, &[]).is_err());
}

#[test]
fn a_base_without_loopback_cfg_gets_none() {
    let machine = machine(GPU_SERVER);
    let without = lab_plan::BaseFacts {
        loopback_cfg: None,
        ..base()
    };
    let image = image_tree(&machine, &secrets(&machine), &without, &[]).unwrap();
    assert!(image.get(place::LOOPBACK_CFG).is_none());
    let loopback = text_of(&common::image(GPU_SERVER), place::LOOPBACK_CFG);
    let kernels = loopback
        .lines()
        .filter(|line| line.trim().starts_with("linux /casper/"));
    assert!(
        kernels.clone().count() == 5
            && kernels
                .into_iter()
                .all(|line| line.contains("iso-scan/filename=${iso_path} "))
    );
}

#[test]
fn the_path_of_a_description_does_not_show() {
    let machine = machine(GPU_SERVER);
    let texts = [
        ("/home/me/base.toml".to_owned(), "# a".to_owned()),
        ("/home/me/m/machine.toml".to_owned(), "# b".to_owned()),
    ];
    let image = image_tree(&machine, &secrets(&machine), &base(), &texts).unwrap();
    assert_eq!(text_of(&image, "lab/overlay/etc/lab/machine.toml"), "# b");
    assert_eq!(
        text_of(&image, "lab/overlay/etc/lab/extends/1-base.toml"),
        "# a"
    );
    assert!(image.iter().all(|(path, file)| !path.contains("home")
        && !String::from_utf8_lossy(&file.bytes).contains("/home/me")));
}

/// What is rendered of a machine whose description is not laid down.
fn subject<'a>(
    machine: &'a lab_machine::Machine,
    secrets: &'a lab_plan::Secrets,
) -> lab_plan::Subject<'a> {
    lab_plan::Subject {
        machine,
        catalog: lab_catalog::Catalog::builtin(),
        secrets,
        description: &[],
        probe: b"probe",
        lock: None,
    }
}

/// The units of a description by name, with their keys.
fn keys(text: &str) -> Vec<(String, String)> {
    let machine = machine(text);
    let secrets = secrets(&machine);
    let subject = subject(&machine, &secrets);
    let overlay = lab_plan::overlay(&subject).unwrap();
    let units = overlay.units.into_iter();
    units.map(|unit| (unit.name, unit.key)).collect()
}

#[test]
fn a_change_runs_again_what_depends_on_it_and_nothing_else() {
    type Case = (&'static str, &'static str, &'static [&'static str]);
    let cases: &[Case] = &[
        ("jupyter", "port = 8889", &["jupyter"]),
        ("ollama", "keep_alive_minutes = 6", &["ollama"]),
        ("monitoring", "exporter_port = 9999", &["monitoring"]),
        (
            "docker",
            "log_files = 4",
            &["docker", "toolkit", "jupyter", "dcgan"],
        ),
        (
            "toolkit",
            "version = \"1.19.1\"",
            &["toolkit", "jupyter", "dcgan"],
        ),
        ("access", "user = \"somebody\"", &[]),
    ];
    let before = keys(GPU_SERVER);
    assert_eq!(before.len(), 9, "{before:?}");
    for (section, change, expected) in cases {
        let head = format!("[{section}]\n");
        let text = match GPU_SERVER.contains(&head) {
            true => GPU_SERVER.replace(&head, &format!("{head}{change}\n")),
            false => format!("{GPU_SERVER}\n{head}{change}\n"),
        };
        let after = keys(&text);
        let both = before.iter().zip(&after);
        let changed: Vec<&str> = both
            .filter(|(one, other)| one != other)
            .map(|(one, _)| one.0.as_str())
            .collect();
        assert_eq!(changed, *expected, "{change}");
    }
}

#[test]
fn the_bundle_is_what_the_image_carries() {
    let machine = machine(GPU_SERVER);
    let secrets = secrets(&machine);
    let subject = subject(&machine, &secrets);
    let bundle = lab_plan::bundle(&subject).unwrap();
    assert_eq!(bundle, lab_plan::bundle(&subject).unwrap());
    let image = lab_plan::image_tree(&subject, &base(), lab_plan::Enclosed::default()).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bundle.as_slice()));
    let mut count = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = format!("lab/{}", entry.path().unwrap().display());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        assert_eq!(
            image.get(&path).map(|file| &file.bytes),
            Some(&bytes),
            "{path}"
        );
        count += 1;
    }
    assert!(count > 60, "{count} files");
}
