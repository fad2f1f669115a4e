//! What is read from the base image, and its own menu, of which the lab's menu
//! keeps every way of booting.
//!
//! The menu is a GRUB script (GRUB manual, "Writing full configuration files
//! directly"). Only the few lines that matter are read, tolerantly; what is not
//! understood is left out, and a menu without a kernel is an error.

use anyhow::{Result, bail};

/// What the plan must know of the base image.
#[derive(Debug, Clone)]
pub struct BaseFacts {
    /// The text of `/boot/grub/grub.cfg`.
    pub grub_cfg: String,
    /// The text of `/boot/grub/loopback.cfg`, where there is one.
    pub loopback_cfg: Option<String>,
    /// The volume's id.
    pub label: String,
    /// Whether the base has `/casper/hwe-vmlinuz`.
    pub has_hwe_kernel: bool,
    /// The sha256 of the whole base, in hex, where it is known.
    pub base_sha256_hex: Option<String>,
    /// The name of the base's file, without directories.
    pub base_name: String,
}

/// A kernel of the base with the words that its menu gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootLine {
    pub(crate) title: String,
    pub(crate) kernel: String,
    pub(crate) initrd: String,
    /// The words before and behind `---`.
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
}

impl BootLine {
    pub(crate) fn is_hwe(&self) -> bool {
        self.kernel
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("hwe-"))
    }
}

/// The base's menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseMenu {
    pub(crate) boots: Vec<BootLine>,
    /// Lines that set colours.
    pub(crate) colours: Vec<String>,
    pub(crate) loads_font: bool,
    /// The command that starts the memory test, where the base has one.
    pub(crate) memtest: Option<String>,
}

/// How much of a menu is read: Ubuntu's has under 2 KB.
const MAX_MENU: usize = 1 << 20;

impl BaseMenu {
    /// Reads the base's menu.
    ///
    /// # Errors
    ///
    /// When it starts no kernel, or already installs by itself.
    pub(crate) fn read(text: &str) -> Result<Self> {
        if text.len() > MAX_MENU {
            bail!(
                "reading the base's /boot/grub/grub.cfg: {} bytes long, which no menu of Ubuntu's is",
                text.len()
            );
        }
        let mut menu = Self {
            boots: Vec::new(),
            colours: Vec::new(),
            loads_font: false,
            memtest: None,
        };
        let mut title = String::new();
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["menuentry" | "submenu", ..] => title = title_of(line),
                ["loadfont" | "if", ..] if line.contains("loadfont") => menu.loads_font = true,
                ["set", colour, ..]
                    if colour.starts_with("menu_color_") || colour.starts_with("color_") =>
                {
                    menu.colour(line);
                }
                ["linux" | "linux16" | "linuxefi", path, ..] if path.contains("memtest") => {
                    menu.memtest(&words);
                }
                ["linux" | "linuxefi", path, rest @ ..] => menu.kernel(&title, path, rest)?,
                ["initrd" | "initrdefi", path, ..] => menu.initrd(path),
                _ => {}
            }
        }
        menu.boots.retain(|boot| !boot.initrd.is_empty());
        if menu.boots.is_empty() {
            bail!(
                "reading the base's /boot/grub/grub.cfg: no line `linux /casper/…` with an `initrd` line behind it; \
                 expected the menu of an Ubuntu server image: is the base one?"
            );
        }
        Ok(menu)
    }

    fn colour(&mut self, line: &str) {
        if line
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " _=/-".contains(c))
        {
            self.colours.push(line.to_owned());
        }
    }

    fn memtest(&mut self, words: &[&str]) {
        if words.iter().all(|word| is_plain(word)) {
            self.memtest = Some(words.join(" "));
        }
    }

    fn kernel(&mut self, title: &str, path: &str, rest: &[&str]) -> Result<()> {
        if !is_plain(path) {
            return Ok(());
        }
        if let Some(word) = rest
            .iter()
            .find(|word| **word == "autoinstall" || word.starts_with("subiquity."))
        {
            bail!(
                "the base's own menu has the kernel word `{word}`: it is no image of Ubuntu's, but somebody's remaster of one"
            );
        }
        let split = rest.iter().position(|word| *word == "---");
        let (before, after) = rest.split_at(split.unwrap_or(rest.len()));
        self.boots.push(BootLine {
            title: title.to_owned(),
            kernel: path.to_owned(),
            initrd: String::new(),
            before: kept(before),
            after: kept(after.get(1..).unwrap_or_default()),
        });
        Ok(())
    }

    fn initrd(&mut self, path: &str) {
        if let Some(boot) = self.boots.last_mut()
            && boot.initrd.is_empty()
            && is_plain(path)
        {
            path.clone_into(&mut boot.initrd);
        }
    }

    /// The first kernel that is, or is not, the hardware enablement one.
    pub(crate) fn kernel_of(&self, hwe: bool) -> Option<&BootLine> {
        self.boots.iter().find(|boot| boot.is_hwe() == hwe)
    }
}

/// Words of a kernel line that can be taken over: those of plain characters.
/// Variables are empty on Ubuntu's image, and the path of a loopback image is
/// added again where it is meant.
fn kept(words: &[&str]) -> Vec<String> {
    let plain = words
        .iter()
        .filter(|word| is_plain(word) && !word.starts_with("iso-scan/"));
    plain.map(|word| (*word).to_owned()).collect()
}

fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._=,:+@-".contains(c))
}

/// The title of a `menuentry` line: what stands between its first quotes.
fn title_of(line: &str) -> String {
    let Some(quote) = line.chars().find(|c| matches!(c, '"' | '\'')) else {
        return String::new();
    };
    let title = line.split(quote).nth(1).unwrap_or_default();
    title
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || " ._()+-".contains(*c))
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "set timeout=30\n\nloadfont unicode\n\nset menu_color_normal=white/black\nset menu_color_highlight=black/light-gray\n\n\
        menuentry \"Try or Install Ubuntu Server\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/vmlinuz  ---\n\tinitrd\t/casper/initrd\n}\n\
        menuentry \"Ubuntu Server with the HWE kernel\" {\n\tset gfxpayload=keep\n\tlinux\t/casper/hwe-vmlinuz quiet $cmdline --- splash\n\tinitrd\t/casper/hwe-initrd\n}\n\
        grub_platform\nif [ \"$grub_platform\" = \"efi\" ]; then\nmenuentry 'Boot from next volume' {\n\texit 1\n}\nelse\nmenuentry 'Test memory' {\n\tlinux16 /boot/memtest86+x64.bin\n}\nfi\n";

    #[test]
    fn the_stock_menu_reads() {
        let menu = BaseMenu::read(STOCK).unwrap();
        assert_eq!(menu.boots.len(), 2);
        let ga = menu.kernel_of(false).unwrap();
        assert_eq!(
            (ga.kernel.as_str(), ga.initrd.as_str()),
            ("/casper/vmlinuz", "/casper/initrd")
        );
        assert_eq!(ga.title, "Try or Install Ubuntu Server");
        let hwe = menu.kernel_of(true).unwrap();
        assert_eq!(hwe.before, ["quiet"]);
        assert_eq!(hwe.after, ["splash"]);
        assert!(menu.loads_font);
        assert_eq!(menu.colours.len(), 2);
        assert_eq!(
            menu.memtest.as_deref(),
            Some("linux16 /boot/memtest86+x64.bin")
        );
    }

    #[test]
    fn what_is_no_menu_of_ubuntus_is_refused() {
        let remaster = STOCK.replace("$cmdline", "autoinstall");
        for text in [
            "",
            "set timeout=30",
            "menuentry 'x' {\nlinux /a\n}",
            remaster.as_str(),
            &"x".repeat(MAX_MENU + 1),
        ] {
            assert!(BaseMenu::read(text).is_err());
        }
    }

    #[test]
    fn no_mutation_makes_it_panic_or_keep_an_odd_character() {
        for at in 0..STOCK.len() {
            for byte in [b'\'', b'"', b';', b'$', b'\n', b'{', 0xff] {
                let mut bytes = STOCK.as_bytes().to_vec();
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
                let Ok(menu) = BaseMenu::read(&String::from_utf8_lossy(&bytes)) else {
                    continue;
                };
                for boot in &menu.boots {
                    assert!(is_plain(&boot.kernel) && is_plain(&boot.initrd));
                    assert!(
                        boot.before
                            .iter()
                            .chain(&boot.after)
                            .all(|word| is_plain(word))
                    );
                }
            }
        }
    }
}
