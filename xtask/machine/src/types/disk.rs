//! How a disk is named. The installer compares these with `fnmatch`, so a glob
//! character in one would quietly fit other disks: none gets in.

use super::{checked_text, made_of};

fn plain(text: &str, what: &str, example: &str) -> Result<(), String> {
    if text.contains(['*', '?', '[', ']']) {
        return Err(format!(
            "`{text}` holds a glob character, which would fit other disks too: write the {what} whole, such as {example}"
        ));
    }
    if made_of(text, 64, |c| {
        c.is_ascii_alphanumeric() || " ._+:/-".contains(c)
    }) && text.trim() == text
    {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no disk's {what}: expected what `lsblk -o NAME,MODEL,SERIAL` prints, such as {example}"
    ))
}

checked_text!(
    /// A disk's serial number, as `lsblk -o SERIAL` prints it.
    DiskSerial, pattern "^[A-Za-z0-9._+:/-]{4,64}$", example "S5STNF0R123456A",
    |text| {
        plain(text, "serial number", "S5STNF0R123456A")?;
        if text.len() < 4 || text.contains(' ') {
            return Err(format!("`{text}` is too short or has blanks for a serial number: expected what `lsblk -o NAME,SERIAL` prints"));
        }
        Ok(())
    }
);

checked_text!(
    /// A disk's model, as `lsblk -o MODEL` prints it.
    DiskModel, pattern "^[A-Za-z0-9 ._+:/-]{3,64}$", example "Samsung SSD 870 EVO 250GB",
    |text| {
        plain(text, "model", "Samsung SSD 870 EVO 250GB")?;
        if text.len() < 3 {
            return Err(format!("`{text}` is too short for a model: expected what `lsblk -o NAME,MODEL` prints"));
        }
        Ok(())
    }
);

impl DiskModel {
    /// The model as udev writes it in `ID_MODEL`, with which the installer
    /// compares: blanks become underscores (systemd, `udev_replace_whitespace`).
    pub fn udev(&self) -> String {
        self.as_str()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join("_")
    }
}
