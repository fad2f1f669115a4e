//! GRUB's menus, in the shape of Ubuntu's.
//!
//! What is carried over is the shape as it was described: a timeout of 30 s, the font,
//! two colours, an entry per kernel whose `linux` and `initrd` are parted from their
//! argument by a tab, two blanks before `---`, and the entries by platform.

const HEAD: &str = "\
set timeout=30

loadfont unicode

set menu_color_normal=white/black
set menu_color_highlight=black/light-gray

";

const BY_PLATFORM: &str = "\
grub_platform
if [ \"$grub_platform\" = \"efi\" ]; then
menuentry 'Boot from next volume' {
\texit 1
}
menuentry 'UEFI Firmware Settings' {
\tfwsetup
}
else
menuentry 'Test memory' {
\tlinux16 /boot/memtest86+x64.bin
}
fi
";

/// The words that boot an image lying as a file on another medium.
const LOOPBACK_WORDS: &str = "iso-scan/filename=${iso_path}";

/// `/boot/grub/grub.cfg`.
pub(crate) fn grub_cfg(hwe: bool) -> String {
    let mut text = format!("{HEAD}{}", entry("Try or Install Ubuntu Server", "", ""));
    if hwe {
        text += &entry("Ubuntu Server with the HWE kernel", "hwe-", "");
    }
    text + BY_PLATFORM
}

/// `/boot/grub/loopback.cfg`, which GRUB on another medium reads.
pub(crate) fn loopback_cfg(hwe: bool) -> String {
    let mut text = entry("Try or Install Ubuntu Server", "", LOOPBACK_WORDS);
    if hwe {
        text += &entry("Ubuntu Server with the HWE kernel", "hwe-", LOOPBACK_WORDS);
    }
    text
}

fn entry(title: &str, kernel: &str, words: &str) -> String {
    format!(
        "menuentry \"{title}\" {{\n\tset gfxpayload=keep\n\tlinux\t/casper/{kernel}vmlinuz {words} ---\n\
         \tinitrd\t/casper/{kernel}initrd\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_lines_have_ubuntus_tabs_and_blanks() {
        let menu = grub_cfg(true);
        assert!(menu.contains("\n\tlinux\t/casper/vmlinuz  ---\n\tinitrd\t/casper/initrd\n"));
        assert!(menu.contains("\n\tlinux\t/casper/hwe-vmlinuz  ---\n"));
        assert!(!grub_cfg(false).contains("hwe"));
        assert!(!menu.contains("iso-scan"));
    }

    #[test]
    fn the_loopback_lines_name_the_image() {
        let menu = loopback_cfg(true);
        let wanted = "\tlinux\t/casper/vmlinuz iso-scan/filename=${iso_path} ---\n";
        assert!(menu.contains(wanted), "{menu}");
        assert_eq!(menu.matches(LOOPBACK_WORDS).count(), 2);
    }
}
