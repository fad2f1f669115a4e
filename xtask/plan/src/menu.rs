//! GRUB's menu on the image, and the same for an image that is booted as a file
//! (`loopback.cfg`).

use anyhow::{Context as _, Result};
use lab_machine::Machine;
use lab_machine::section::ubuntu::Kernel;
use serde::Serialize;
use tera::Context;

use crate::base::{BaseMenu, BootLine};
use crate::component::{disk, driver};
use crate::template::render;
use crate::{BaseFacts, place};

/// What tells a live system where the image's file lies.
const ISO_SCAN: &str = "iso-scan/filename=${iso_path} ";

#[derive(Serialize)]
struct Entry {
    title: String,
    id: String,
    path: String,
    initrd: String,
    before: String,
    after: String,
}

/// The text of grub.cfg, and of loopback.cfg where the base has one.
pub(crate) fn menus(machine: &Machine, base: &BaseFacts) -> Result<(String, Option<String>)> {
    let menu = BaseMenu::read(&base.grub_cfg)?;
    let grub = render(
        "boot/grub/menu.cfg",
        &context(machine, &menu, place::GRUB_CFG, "")?,
    )?;
    let loopback = match base.loopback_cfg {
        Some(_) => Some(render(
            "boot/grub/menu.cfg",
            &context(machine, &menu, place::LOOPBACK_CFG, ISO_SCAN)?,
        )?),
        None => None,
    };
    Ok((grub, loopback))
}

fn context(machine: &Machine, menu: &BaseMenu, this_file: &str, iso_scan: &str) -> Result<Context> {
    let hwe = machine.ubuntu.kernel == Kernel::Hwe;
    let kernel = menu.kernel_of(hwe).with_context(|| {
        format!(
            "the base's menu starts no {} kernel",
            if hwe {
                "hardware enablement (hwe-vmlinuz)"
            } else {
                "general availability (vmlinuz)"
            }
        )
    })?;
    let ordinary: Vec<Entry> = menu.boots.iter().enumerate().map(ordinary_entry).collect();
    let mut context = Context::new();
    context.insert("machine", machine.identity.name.as_str());
    context.insert("disk", &disk::in_short(machine));
    context.insert("kernel", &entry(kernel, String::new(), String::new()));
    context.insert("ordinary", &ordinary);
    context.insert("carried", &leading(&driver::carried_words(machine)));
    context.insert("iso_scan", iso_scan);
    context.insert("this_file", &format!("/{this_file}"));
    context.insert("fonts", &menu.loads_font);
    context.insert("colours", &menu.colours);
    context.insert("memtest", &menu.memtest);
    for (name, path) in [
        ("autoinstall_path", place::AUTOINSTALL),
        ("inspect_path", place::INSPECT),
        ("ordinary_path", place::ORDINARY),
    ] {
        context.insert(name, &format!("{}{path}", place::CDROM));
    }
    Ok(context)
}

fn ordinary_entry((index, boot): (usize, &BootLine)) -> Entry {
    let title = match (index, boot.is_hwe()) {
        (0, false) => "Ordinary Ubuntu installer (asks everything)".to_owned(),
        _ => format!("Ordinary Ubuntu installer - {}", boot.title),
    };
    entry(boot, title, format!("ordinary-{index}"))
}

fn entry(boot: &BootLine, title: String, id: String) -> Entry {
    let before: Vec<String> = boot.before.iter().map(|word| format!("{word} ")).collect();
    Entry {
        title,
        id,
        path: boot.kernel.clone(),
        initrd: boot.initrd.clone(),
        before: before.concat(),
        after: leading(&boot.after),
    }
}

/// The words, each with a blank before it.
fn leading<S: AsRef<str>>(words: &[S]) -> String {
    words
        .iter()
        .map(|word| format!(" {}", word.as_ref()))
        .collect()
}
