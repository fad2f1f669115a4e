//! Questions about GRUB's menus.
//!
//! A menu is a script (GRUB manual, "Shell-like scripting"); of it the entries
//! and their kernel lines are read, with quotes and backslashes as GRUB takes
//! them. A word ends at an unescaped `;`.

use super::{Answer, answer, image::Image};
use crate::place;

/// A `linux` or `initrd` line.
pub(super) struct BootLine {
    /// The entry's id, or its title.
    pub(super) entry: String,
    pub(super) is_kernel: bool,
    pub(super) path: String,
    pub(super) words: Vec<String>,
    cut: bool,
}

/// A menu.
pub(super) struct Menu {
    /// Ids of entries, in their order.
    entries: Vec<String>,
    /// What `default` is set to, with the submenu it is set in.
    defaults: Vec<(String, String)>,
    pub(super) boots: Vec<BootLine>,
    /// Files that are searched for on all disks.
    searched: Vec<String>,
}

const KERNEL: &[&str] = &["linux", "linuxefi", "linux16"];
const INITRD: &[&str] = &["initrd", "initrdefi", "initrd16"];

impl Menu {
    pub(super) fn read(text: &str) -> Self {
        let mut menu = Self {
            entries: Vec::new(),
            defaults: Vec::new(),
            boots: Vec::new(),
            searched: Vec::new(),
        };
        let mut open: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            let (words, cut) = words(line);
            let within = open.last().cloned().unwrap_or_default();
            match words.first().map(String::as_str) {
                Some("menuentry" | "submenu") => {
                    let id = name_of(&words);
                    menu.entries.push(id.clone());
                    open.push(id);
                }
                Some("}") => drop(open.pop()),
                Some("set") => menu.defaults.extend(words.iter().filter_map(|word| {
                    Some((within.clone(), word.strip_prefix("default=")?.to_owned()))
                })),
                Some(command) if KERNEL.contains(&command) || INITRD.contains(&command) => {
                    menu.boots.push(BootLine {
                        entry: within,
                        is_kernel: KERNEL.contains(&command),
                        path: words.get(1).cloned().unwrap_or_default(),
                        words: words.iter().skip(2).cloned().collect(),
                        cut,
                    });
                }
                _ => menu.searched.extend(
                    words
                        .iter()
                        .skip_while(|word| *word != "--file")
                        .nth(1)
                        .cloned(),
                ),
            }
        }
        menu
    }
}

fn name_of(words: &[String]) -> String {
    let id = words.iter().skip_while(|word| *word != "--id").nth(1);
    id.or(words.get(1)).cloned().unwrap_or_default()
}

/// The words of a line, and whether an unescaped `;` cuts it. A comment has none.
fn words(line: &str) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let (mut word, mut quote, mut escaped, mut cut) = (String::new(), None, false, false);
    for c in line.chars() {
        match (quote, c) {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            (None | Some('"'), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if word.is_empty() => break,
            (None, ';' | ' ' | '\t') => {
                cut |= c == ';';
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    // `then;` and the like are GRUB's own; what matters is a cut kernel line.
    (words, cut)
}

/// The entries that may install by themselves.
const INSTALLS: &[&str] = &["install", "reinstall-yes"];

/// Asks every menu, and every kernel line of it that starts the live system.
fn each_kernel(
    image: &Image<'_>,
    mut ask: impl FnMut(&str, &BootLine, &mut Vec<String>),
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, menu) in &image.menus {
        for boot in menu
            .boots
            .iter()
            .filter(|boot| boot.is_kernel && !boot.path.contains("memtest"))
        {
            ask(path, boot, &mut wrong);
        }
    }
    wrong
}

fn counted(image: &Image<'_>) -> String {
    let count: usize = image
        .menus
        .values()
        .map(|menu| menu.boots.iter().filter(|boot| boot.is_kernel).count())
        .sum();
    format!("{count} kernel lines in {} menus", image.menus.len())
}

pub(super) fn entries(image: &Image<'_>) -> Answer {
    if !image.menus.contains_key(place::GRUB_CFG) {
        return Answer::Fail(format!("/{} is not on the image", place::GRUB_CFG));
    }
    let mut wrong = Vec::new();
    for (path, menu) in &image.menus {
        for id in [
            "start",
            "install",
            "reinstall",
            "reinstall-no",
            "reinstall-yes",
            "show",
            "ordinary-0",
        ] {
            if menu.entries.iter().filter(|entry| *entry == id).count() != 1 {
                wrong.push(format!("/{path} has not just one entry `{id}`"));
            }
        }
        for (within, default) in &menu.defaults {
            let fine = match within.as_str() {
                "" => default == "install" || default == "start",
                _ => default == "0",
            };
            if !fine {
                wrong.push(format!(
                    "/{path} makes `{default}` the default of `{within}`"
                ));
            }
        }
        if menu.defaults.is_empty() {
            wrong.push(format!("/{path} names no default"));
        }
    }
    answer(&wrong, counted(image))
}

pub(super) fn semicolon(image: &Image<'_>) -> Answer {
    let mut wrong = Vec::new();
    for (path, menu) in &image.menus {
        wrong.extend(menu.boots.iter().filter(|boot| boot.cut).map(|boot| {
            format!(
                "/{path}, entry `{}`: a `;` ends the line after it",
                boot.entry
            )
        }));
    }
    answer(&wrong, counted(image))
}

pub(super) fn autoinstall(image: &Image<'_>) -> Answer {
    let wrong = each_kernel(image, |path, boot, wrong| {
        let has = boot.words.iter().any(|word| word == "autoinstall");
        let meant = INSTALLS.contains(&boot.entry.as_str());
        if has && !meant {
            wrong.push(format!(
                "/{path}, entry `{}` would install without asking",
                boot.entry
            ));
        }
        if meant && !has {
            wrong.push(format!(
                "/{path}, entry `{}` lacks the word `autoinstall`",
                boot.entry
            ));
        }
    });
    answer(&wrong, counted(image))
}

pub(super) fn path(image: &Image<'_>) -> Answer {
    let wrong = each_kernel(image, |path, boot, wrong| {
        let live = boot
            .words
            .split(|word| word == "---")
            .next()
            .unwrap_or_default();
        let named: Vec<&str> = live
            .iter()
            .filter_map(|word| word.strip_prefix("subiquity.autoinstallpath="))
            .collect();
        let expected = match boot.entry.as_str() {
            entry if INSTALLS.contains(&entry) => place::AUTOINSTALL,
            "show" => place::INSPECT,
            _ => place::ORDINARY,
        };
        let [only] = named.as_slice() else {
            wrong.push(format!(
                "/{path}, entry `{}` has {} words subiquity.autoinstallpath before `---`, not one",
                boot.entry,
                named.len()
            ));
            return;
        };
        match only.strip_prefix(place::CDROM) {
            Some(file) if file == expected && image.has(file) => {}
            _ => wrong.push(format!(
                "/{path}, entry `{}` names {only}, not {}{expected}, or that is not there",
                boot.entry,
                place::CDROM
            )),
        }
    });
    answer(&wrong, counted(image))
}

pub(super) fn erase(image: &Image<'_>) -> Answer {
    let machine = image.guard_value("LAB_MACHINE");
    let mut wrong = each_kernel(image, |path, boot, wrong| {
        let mut named = boot
            .words
            .iter()
            .filter_map(|word| word.strip_prefix("lab.reinstall"));
        let expected = machine
            .filter(|_| boot.entry == "reinstall-yes")
            .map(|name| format!("={name}"));
        if named.next().map(str::to_owned) != expected || named.next().is_some() {
            wrong.push(format!(
                "/{path}, entry `{}`: the word lab.reinstall is not as it should be",
                boot.entry
            ));
        }
    });
    for (path, menu) in &image.menus {
        let at = |id: &str| menu.entries.iter().position(|entry| entry == id);
        if at("reinstall-no") >= at("reinstall-yes") {
            wrong.push(format!("/{path}: `reinstall-no` does not come before `reinstall-yes`, and is not the default"));
        }
    }
    answer(&wrong, "one entry of each menu, behind a question")
}

pub(super) fn files(image: &Image<'_>) -> Answer {
    let mut wrong = Vec::new();
    for (path, menu) in &image.menus {
        for boot in menu.boots.iter().filter(|boot| !image.has(&boot.path)) {
            wrong.push(format!(
                "/{path}, entry `{}`: {} is not on the image",
                boot.entry, boot.path
            ));
        }
        let kernels: Vec<&str> = menu
            .boots
            .iter()
            .filter(|boot| boot.is_kernel && !boot.path.contains("memtest"))
            .map(|boot| boot.entry.as_str())
            .collect();
        let initrds: Vec<&str> = menu
            .boots
            .iter()
            .filter(|boot| !boot.is_kernel)
            .map(|boot| boot.entry.as_str())
            .collect();
        if kernels != initrds {
            wrong.push(format!("/{path}: not every kernel has its initrd"));
        }
    }
    answer(&wrong, counted(image))
}

pub(super) fn marker(image: &Image<'_>) -> Answer {
    let Some(machine) = image.guard_value("LAB_MACHINE") else {
        return Answer::NotRun("the guard's data could not be read".to_owned());
    };
    let mut wrong = Vec::new();
    for (path, menu) in &image.menus {
        for place in ["/lab/installed-", "/boot/lab/installed-"] {
            if !menu.searched.contains(&format!("{place}{machine}")) {
                wrong.push(format!("/{path} does not look for {place}{machine}: a stick left in would install again"));
            }
        }
    }
    let carried = image.modes.keys().filter(|path| {
        path.starts_with("lab/installed-") || path.starts_with("boot/lab/installed-")
    });
    wrong.extend(carried.map(|path| {
        format!(
            "/{path} is on the image itself: the menu would take the stick for an installed lab"
        )
    }));
    answer(&wrong, format!("installed-{machine}, on /boot or below it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_as_grub_ends_them() {
        let split = |line| words(line);
        assert_eq!(
            split("linux\t/a  b 'c d' ---"),
            (
                ["linux", "/a", "b", "c d", "---"]
                    .map(str::to_owned)
                    .to_vec(),
                false
            )
        );
        assert!(split("linux /a ds=nocloud;s=/x").1);
        assert!(!split("linux /a ds=nocloud\\;s=/x").1);
        assert!(!split("linux /a 'x;y' \"z;\"").1);
        assert!(!split("# linux; x").1);
        assert_eq!(split("'a\\'").0, ["a\\"]);
    }
}
