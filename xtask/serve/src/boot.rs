//! The iPXE script, made of the image's own menu so that no kernel word stands anywhere twice.
//!
//! Only the entries with the ids `install` and `show` are read, and only where each of their
//! words is plain: what GRUB would have to expand is not guessed.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// How long the script asks, in milliseconds, before it starts the local disk.
const PATIENCE: u32 = 30_000;

/// What a network boot of the image can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The machine that the image installs.
    pub machine: String,
    /// The menu's entry `install`.
    pub install: Start,
    /// The menu's entry `show`, which writes nothing.
    pub show: Option<Start>,
}

/// An entry of the image's menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its title.
    pub title: String,
    /// The kernel's path on the image, with its leading slash.
    pub kernel: String,
    /// The initrd's.
    pub initrd: String,
    /// The kernel's words before and behind `---`.
    pub words: (Vec<String>, Vec<String>),
}

impl Boot {
    /// Reads the image's `/boot/grub/grub.cfg`.
    ///
    /// # Errors
    ///
    /// When it has no entry `install`, or one with words that are not plain.
    pub fn read(machine: &str, menu: &str) -> Result<Self> {
        let install = Start::read(menu, "install")?.context(
            "the image's /boot/grub/grub.cfg has no entry with `--id install`: expected the menu that `cargo xtask iso` writes",
        )?;
        Ok(Self {
            machine: machine.to_owned(),
            install,
            show: Start::read(menu, "show")?,
        })
    }

    /// The script, for a server that the machine reaches under `base` (`http://host:port`)
    /// and that has the image as `/name`.
    ///
    /// Without a key pressed it starts the local disk: no iPXE can see whether the machine
    /// is installed already, as the menu on the stick does.
    #[must_use]
    pub fn script(&self, base: &str, name: &str) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "#!ipxe\n\
             # The installer of {machine}, from the network. Nothing is written to a disk unless\n\
             # somebody chooses it here; without a key the local disk starts.\n\
             menu {machine}\n\
             item local Start from the local disk\n\
             item install {}\n",
            self.install.title
        );
        if let Some(show) = &self.show {
            let _ = writeln!(text, "item show {}", show.title);
        }
        let _ = write!(
            text,
            "choose --default local --timeout {PATIENCE} chosen || goto local\n\
             goto ${{chosen}}\n\
             \n\
             :local\n\
             echo Starting from the local disk\n\
             exit\n\
             \n\
             :failed\n\
             echo It could not be loaded. Nothing was written to a disk.\n\
             sleep 10\n\
             goto local\n"
        );
        text += &self.install.label("install", base, name);
        if let Some(show) = &self.show {
            text += &show.label("show", base, name);
        }
        text
    }
}

impl Start {
    /// The entry with this id; `None` where there is none.
    fn read(menu: &str, id: &str) -> Result<Option<Self>> {
        let mut lines = menu.lines().map(str::trim);
        let is_it = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.first() == Some(&"menuentry") && words.windows(2).any(|pair| pair == ["--id", id])
        };
        let Some(head) = lines.by_ref().find(is_it) else {
            return Ok(None);
        };
        let body: Vec<Vec<&str>> = lines
            .take_while(|line| *line != "}")
            .map(|line| line.split_whitespace().collect())
            .collect();
        let line = |command: &str| {
            let found = body.iter().find(|words| words.first() == Some(&command));
            found.and_then(|words| words.get(1..)).unwrap_or_default()
        };
        let ([kernel, words @ ..], [initrd]) = (line("linux"), line("initrd")) else {
            bail!(
                "the entry `{id}` of the image's menu has no `linux` line, or no `initrd` line with one file"
            );
        };
        if let Some(odd) = words
            .iter()
            .chain([kernel, initrd])
            .find(|word| !is_plain(word))
        {
            bail!(
                "the entry `{id}` of the image's menu has the word `{odd}`: expected plain words, with nothing to expand"
            );
        }
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let part = words
            .iter()
            .position(|word| *word == "---")
            .unwrap_or(words.len());
        let (before, after) = words.split_at(part);
        Ok(Some(Self {
            title: title(head),
            kernel: (*kernel).to_owned(),
            initrd: (*initrd).to_owned(),
            words: (owned(before), owned(after.get(1..).unwrap_or_default())),
        }))
    }

    /// The part of the script that starts it.
    ///
    /// `initrd=initrd` names the initrd to a kernel that UEFI starts. casper takes the image
    /// from `url=`, into memory. cloud-init takes `url=` for a configuration of its own unless
    /// `cloud-config-url=` says otherwise (its "Kernel command line").
    fn label(&self, label: &str, base: &str, name: &str) -> String {
        let (before, after) = &self.words;
        let own = [
            "initrd=initrd".to_owned(),
            "ip=dhcp".to_owned(),
            format!("url={base}/{name}"),
            "cloud-config-url=/dev/null".to_owned(),
        ];
        let mut words: Vec<&str> = own.iter().chain(before).map(String::as_str).collect();
        words.push("---");
        words.extend(after.iter().map(String::as_str));
        format!(
            "\n:{label}\n\
             imgfree\n\
             kernel {base}{} {} || goto failed\n\
             initrd --name initrd {base}{} || goto failed\n\
             boot || goto failed\n",
            self.kernel,
            words.join(" "),
            self.initrd
        )
    }
}

/// A word that GRUB, iPXE and the kernel read alike.
fn is_plain(word: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._=,:+@-".contains(letter);
    word.chars().all(plain)
}

/// What stands between the first quotes of an entry's line, in letters that iPXE shows as
/// they are.
fn title(line: &str) -> String {
    let quote = line
        .chars()
        .find(|letter| matches!(letter, '"' | '\''))
        .unwrap_or('\'');
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || " ._()+,:/-".contains(*letter);
    let text = line.split(quote).nth(1).unwrap_or_default();
    text.chars().filter(plain).take(70).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MENU: &str = "set default=install\n\
        menuentry 'Install box on ${evil}`disk` (SSD)' --id install {\n\
        \tset gfxpayload=keep\n\
        \tlinux /casper/hwe-vmlinuz quiet autoinstall subiquity.autoinstallpath=/cdrom/autoinstall.yaml lab.machine=box --- splash\n\
        \tinitrd /casper/hwe-initrd\n\
        }\n\
        menuentry 'Yes, erase' --id reinstall-yes {\n\
        \tlinux /casper/vmlinuz autoinstall lab.reinstall=box ---\n\
        \tinitrd /casper/initrd\n\
        }\n\
        menuentry 'Show' --id show {\n\
        \tlinux /casper/vmlinuz ---\n\
        \tinitrd /casper/initrd\n\
        }\n";

    #[test]
    fn the_kernels_words_are_the_menus() {
        let boot = Boot::read("box", MENU).unwrap();
        let script = boot.script("http://192.0.2.1:8080", "box.iso");
        let kernel = "\nkernel http://192.0.2.1:8080/casper/hwe-vmlinuz initrd=initrd ip=dhcp \
            url=http://192.0.2.1:8080/box.iso cloud-config-url=/dev/null quiet autoinstall \
            subiquity.autoinstallpath=/cdrom/autoinstall.yaml lab.machine=box --- splash || goto failed\n";
        assert!(script.contains(kernel), "{script}");
        assert!(script.contains(
            "\ninitrd --name initrd http://192.0.2.1:8080/casper/hwe-initrd || goto failed\n"
        ));
        assert!(script.starts_with("#!ipxe\n"));
    }

    #[test]
    fn nothing_is_installed_unless_somebody_chooses_it() {
        let script = Boot::read("box", MENU)
            .unwrap()
            .script("http://a", "box.iso");
        assert!(script.contains("choose --default local --timeout 30000 chosen || goto local\n"));
        assert!(!script.contains("reinstall"), "{script}");
        // A stray key chooses nothing: it takes an arrow and the return key.
        assert!(!script.contains("--key"));
        // What stands before the first label that installs ends in `exit` or `goto`.
        let (before, _) = script.split_once("\n:install\n").unwrap();
        assert!(before.trim_end().ends_with("goto local"), "{before}");
        let (choice, _) = before.split_once("\n:local\n").unwrap();
        assert!(choice.trim_end().ends_with("goto ${chosen}"));
    }

    #[test]
    fn a_title_cannot_speak_to_ipxe() {
        let script = Boot::read("box", MENU)
            .unwrap()
            .script("http://a", "box.iso");
        assert!(
            script.contains("\nitem install Install box on evildisk (SSD)\n"),
            "{script}"
        );
    }

    #[test]
    fn a_menu_that_is_not_understood_gives_no_script() {
        assert!(Boot::read("box", "").is_err());
        let strange = MENU.replace("quiet", "$quiet");
        let error = Boot::read("box", &strange).unwrap_err().to_string();
        assert!(error.contains("`$quiet`"), "{error}");
        let bare = MENU.replace("\tinitrd /casper/hwe-initrd\n", "");
        assert!(Boot::read("box", &bare).is_err());
        let without_show = MENU.replace("--id show", "--id other");
        assert_eq!(Boot::read("box", &without_show).unwrap().show, None);
    }
}
