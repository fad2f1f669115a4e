//! What lies on the image: the files of a live-server image, as far as known.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::boot::{GRUB_BIOS, efi_programs, eltorito};
use crate::live::Base;
use crate::packages::Inputs;
use crate::program::Workplace;
use crate::tree::{Source, Tree};
use crate::{DISK_INFO, Live, Options, initrd, kernel, menu};

/// Marks both `/.disk/casper-uuid-generic` and the initrd, which casper compares.
const CASPER_UUID: &str = "5ab0d15c-0000-4000-8000-000000000001";

/// The squashfs files of a live-server image.
pub(crate) const LAYERS: &[&str] = &[
    "ubuntu-server-minimal",
    "ubuntu-server-minimal.ubuntu-server",
    "ubuntu-server-minimal.ubuntu-server.installer",
    "ubuntu-server-minimal.ubuntu-server.installer.generic",
];

/// How long one layer may be: below what one extent holds, with the rest of a division.
const LAYER_LIMIT: u64 = 3 << 30;

/// More than one extent of ISO 9660 can hold.
const OVERSIZE: u64 = (4 << 30) + (64 << 10);

/// Every file of the image but the listing of MD5 sums.
pub(crate) fn tree(
    options: &Options,
    inputs: &Inputs,
    work: &Workplace,
    live: Option<(&Base, &Live)>,
) -> Result<Tree> {
    let mut tree = Tree::default();
    disk(&mut tree);
    casper(&mut tree, options, inputs)?;
    if let Some((base, live)) = live {
        base.layers(live, work, &mut tree)?;
    }
    grub(&mut tree, options, inputs, work)?;
    for (name, file) in efi_programs(inputs) {
        tree.add(format!("EFI/boot/{name}"), Source::File(file));
    }
    archive(&mut tree)?;
    tree.text(
        "install/README",
        "Stand-in: nothing is installed from here.\n",
    );
    Ok(tree)
}

fn disk(tree: &mut Tree) {
    tree.text(".disk/info", DISK_INFO);
    tree.text(".disk/base_installable", "");
    tree.text(".disk/cd_type", "full_cd/single\n");
    tree.text(".disk/casper-uuid-generic", format!("{CASPER_UUID}\n"));
    tree.text(
        ".disk/release_notes_url",
        "https://wiki.ubuntu.com/NobleNumbat/ReleaseNotes\n",
    );
}

fn casper(tree: &mut Tree, options: &Options, inputs: &Inputs) -> Result<()> {
    let kernel = kernel::Kernel::in_package(&inputs.kernel)?;
    tree.add("casper/vmlinuz", Source::File(kernel.image.clone()));
    let flavour = |name| initrd::Contents {
        kernel: &kernel,
        inputs,
        flavour: name,
        uuid: CASPER_UUID,
        live: options.live.is_some(),
    };
    tree.add(
        "casper/initrd",
        Source::Bytes(flavour("generic").archive()?),
    );
    if options.hwe {
        tree.add("casper/hwe-vmlinuz", Source::File(kernel.image.clone()));
        tree.add(
            "casper/hwe-initrd",
            Source::Bytes(flavour("generic-hwe").archive()?),
        );
    }
    layers(tree, options)
}

/// The layers and what describes them; their bytes are filler.
fn layers(tree: &mut Tree, options: &Options) -> Result<()> {
    let mut sources = String::from("# Stand-in: the shape of the installer's list of sources.\n");
    let count = LAYERS.len() as u64;
    if options.fill > count * LAYER_LIMIT {
        bail!(
            "the stand-in cannot hold {} bytes of filler: at most {}",
            options.fill,
            count * LAYER_LIMIT
        );
    }
    let each = options.fill / count;
    for (number, layer) in LAYERS.iter().enumerate() {
        let rest = if number == 0 { options.fill % count } else { 0 };
        let length = each + rest;
        tree.add(
            format!("casper/{layer}.squashfs"),
            Source::Fill(number as u64, length),
        );
        tree.text(format!("casper/{layer}.size"), format!("{length}\n"));
        tree.text(format!("casper/{layer}.manifest"), "lab-standin\t1\n");
    }
    for (id, layer) in [
        ("ubuntu-server", LAYERS[1]),
        ("ubuntu-server-minimal", LAYERS[0]),
    ] {
        sources += &format!(
            "- id: {id}\n  default: {}\n  name:\n    en: {id} (stand-in)\n  path: {layer}.squashfs\n  \
             size: 0\n  type: fsimage-layered\n  variant: server\n",
            id == "ubuntu-server"
        );
    }
    tree.text("casper/install-sources.yaml", sources);
    if options.oversize {
        tree.add("casper/oversize.squashfs", Source::Sparse(99, OVERSIZE));
    }
    Ok(())
}

fn grub(tree: &mut Tree, options: &Options, inputs: &Inputs, work: &Workplace) -> Result<()> {
    tree.text("boot/grub/grub.cfg", menu::grub_cfg(options.hwe));
    tree.text("boot/grub/loopback.cfg", menu::loopback_cfg(options.hwe));
    tree.add(
        "boot/grub/fonts/unicode.pf2",
        Source::File("/usr/share/grub/unicode.pf2".into()),
    );
    tree.add(
        "boot/grub/i386-pc/eltorito.img",
        Source::Bytes(eltorito(work)?),
    );
    tree.add(
        "boot/memtest86+x64.bin",
        Source::File(inputs.memtest.join("boot/memtest86+x64.bin")),
    );
    let folder = Path::new(GRUB_BIOS);
    for entry in fs::read_dir(folder).with_context(|| format!("listing {GRUB_BIOS}"))? {
        let path = entry
            .with_context(|| format!("listing {GRUB_BIOS}"))?
            .path();
        let wanted = path
            .extension()
            .is_some_and(|ending| ending == "mod" || ending == "lst");
        if let (true, Some(name)) = (wanted, path.file_name()) {
            tree.add(
                format!("boot/grub/i386-pc/{}", name.display()),
                Source::File(path.clone()),
            );
        }
    }
    Ok(())
}

/// A package archive with one package that is none, and Ubuntu's links.
fn archive(tree: &mut Tree) -> Result<()> {
    let package = b"Stand-in: not a package.\n".to_vec();
    let pool = "pool/main/l/lab-standin/lab-standin_1_all.deb";
    let index = format!(
        "Package: lab-standin\nVersion: 1\nArchitecture: all\nFilename: {pool}\nSize: {}\nSHA256: {}\n\
         Description: a file where the image's package archive has packages\n",
        package.len(),
        hex::encode(Sha256::digest(&package))
    );
    let binary = "dists/noble/main/binary-amd64";
    tree.text(
        "dists/noble/Release",
        format!(
            "Origin: Ubuntu\nLabel: stand-in\nSuite: noble\nCodename: noble\nArchitectures: amd64\n\
             Components: main restricted\nSHA256:\n {} {} main/binary-amd64/Packages\n",
            hex::encode(Sha256::digest(index.as_bytes())),
            index.len()
        ),
    );
    tree.text(
        format!("{binary}/Release"),
        "Archive: noble\nComponent: main\nArchitecture: amd64\n",
    );
    tree.text(format!("{binary}/Packages"), index);
    tree.text("dists/noble/restricted/binary-amd64/Packages", "");
    tree.add(pool, Source::Bytes(package));
    tree.add("dists/stable", Source::Link("noble"));
    tree.add("ubuntu", Source::Link("."));
    Ok(())
}
