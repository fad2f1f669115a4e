//! The disk: what the installer is told of it.

use anyhow::{Result, anyhow};
use lab_machine::Machine;
use lab_machine::section::disk::Layout as Wanted;

use crate::Secrets;
use crate::autoinstall::{
    DiskMatch, Layout, LayoutName, LuksPassphrase, ModelPattern, SerialPattern, Sizing, Storage,
    Swap,
};

/// The installer's section `storage`.
pub(crate) fn storage(machine: &Machine, secrets: &Secrets) -> Result<Storage> {
    let disk = &machine.disk;
    let serial = disk.serial.clone().map(SerialPattern::from);
    let model = disk.model.as_ref().map(ModelPattern::from);
    let found = DiskMatch::new(serial, model).map_err(|why| anyhow!("naming the disk: {why}"))?;
    let password = secrets
        .luks_passphrase
        .clone()
        .map(LuksPassphrase::try_from)
        .transpose();
    let name = match disk.layout {
        Wanted::Lvm => LayoutName::Lvm,
        Wanted::Plain => LayoutName::Direct,
    };
    Ok(Storage {
        layout: Layout {
            name,
            sizing_policy: (name == LayoutName::Lvm).then_some(Sizing::All),
            r#match: found,
            password: password.map_err(|why| anyhow!("encrypting the disk: {why}"))?,
        },
        swap: Swap {
            size: u64::from(disk.swap()) << 30,
        },
    })
}

/// The disk in few words: a line of GRUB's menu has some seventy columns.
pub(crate) fn in_short(machine: &Machine) -> String {
    match (&machine.disk.model, &machine.disk.serial) {
        (Some(model), _) => model.to_string(),
        (None, Some(serial)) => format!("the disk {serial}"),
        (None, None) => "no disk".to_owned(),
    }
}
