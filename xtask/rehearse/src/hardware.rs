//! A virtual machine made from a description: what its firmware says, its disk, its network,
//! the slots of its cards.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lab_machine::Machine;

use crate::credentials::Said;
use crate::disk::{Disk, comma};
use crate::{Accelerator, Firmware};

/// Memory of the virtual machine in MiB; what it claims may be more.
const MEMORY_MIB: u64 = 3072;
/// A bus of a higher number needs as many ports before it.
const MOST_BUSES: u32 = 24;
/// The stick is behind it.
const STICK: &str = "qemu-xhci,id=usb";

/// A machine that can be switched on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// What starts it.
    pub firmware: Firmware,
    /// What runs it.
    pub accelerator: Accelerator,
    /// The maker, as the firmware says.
    pub vendor: String,
    /// The model, as the firmware says.
    pub product: String,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// The stick with the image, where it is plugged in. It is not written to.
    pub stick: Option<PathBuf>,
    /// More sticks; they are not written to.
    pub more_sticks: Vec<PathBuf>,
    /// The address of the network card.
    pub mac: String,
    /// Whether the network leads anywhere; SSH from this computer reaches it in any case.
    pub online: bool,
    /// Whether it has a network card at all.
    pub network_card: bool,
    /// The port here that leads to its SSH.
    pub ssh_port: u16,
    /// Its described address and the network's gateway, where they are fixed.
    pub address: Option<(String, Option<String>)>,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// What it tells the system that starts on it.
    pub said: Said,
    /// Where its files lie.
    pub folder: PathBuf,
}

impl Hardware {
    /// The described machine, its files in `folder`, SSH at `ssh_port` of this computer.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn of(machine: &Machine, firmware: Firmware, folder: &Path, ssh_port: u16) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let text = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
        let identity = &machine.identity;
        let network = &machine.network;
        Ok(Self {
            firmware,
            accelerator: Accelerator::here(),
            vendor: text(identity.vendor.as_ref().map(ToString::to_string), "Lab"),
            product: text(
                identity.product.as_ref().map(ToString::to_string),
                "Virtual",
            ),
            disks: vec![Disk::of(machine, &folder.join("disk.raw"))],
            stick: None,
            more_sticks: Vec::new(),
            mac: text(
                network.mac.as_ref().map(ToString::to_string),
                "52:54:00:12:34:56",
            ),
            online: false,
            network_card: true,
            ssh_port,
            address: network.address.as_ref().map(|address| {
                let gateway = network.gateway.map(|gateway| gateway.to_string());
                (address.to_string(), gateway)
            }),
            memory_mib: MEMORY_MIB,
            said: Said::of(machine, MEMORY_MIB),
            folder: folder.to_owned(),
        })
    }

    /// QEMU's arguments. Files that it needs are written beside the disk.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, the firmware is missing, or a card sits where no
    /// virtual machine has a slot.
    pub fn arguments(&self) -> Result<Vec<String>> {
        let mut all = words(self.accelerator.arguments());
        all.extend(words(
            "-display none -monitor none -no-reboot -serial stdio -vga std -smp 2 -rtc base=utc",
        ));
        all.extend(words(match self.firmware {
            Firmware::SecureBoot => {
                "-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on"
            }
            _ => "-machine q35",
        }));
        all.extend(["-m".into(), self.memory_mib.to_string()]);
        let socket = comma(&self.socket().to_string_lossy());
        all.extend(["-qmp".into(), format!("unix:{socket},server=on,wait=off")]);
        self.firmware_arguments(&mut all)?;
        self.identity(&mut all);
        self.slots(&mut all)?;
        self.sticks(&mut all);
        for (number, disk) in self.disks.iter().enumerate() {
            disk.ready()?;
            all.extend(disk.arguments(number));
        }
        self.network(&mut all);
        all.extend(self.said.arguments(&self.folder)?);
        Ok(all)
    }

    /// Where the monitor listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("qmp")
    }

    /// The variables of UEFI are the machine's own, and kept from one start to the next.
    fn firmware_arguments(&self, all: &mut Vec<String>) -> Result<()> {
        let Some((code, variables)) = self.firmware.files()? else {
            return Ok(());
        };
        let own = self.folder.join("variables");
        if !own.exists() {
            fs::copy(&variables, &own)
                .with_context(|| format!("copying {}", variables.display()))?;
        }
        for (unit, file, access) in [(0, &code, ",readonly=on"), (1, &own, "")] {
            let file = comma(&file.to_string_lossy());
            all.push("-drive".into());
            all.push(format!(
                "if=pflash,format=raw,unit={unit},file={file}{access}"
            ));
        }
        Ok(())
    }

    fn identity(&self, all: &mut Vec<String>) {
        let (vendor, product) = (comma(&self.vendor), comma(&self.product));
        for text in [
            format!("type=1,manufacturer={vendor},product={product},serial=REHEARSAL"),
            format!("type=2,manufacturer={vendor}"),
            format!("type=3,manufacturer={vendor}"),
        ] {
            all.extend(["-smbios".to_owned(), text]);
        }
    }

    /// A port for every bus up to the highest that a card is on: the firmware numbers them
    /// in this order. In each described slot stands a function that does nothing.
    fn slots(&self, all: &mut Vec<String>) -> Result<()> {
        let mut slots = Vec::new();
        for card in &self.said.on_bus {
            slots.push(slot(&card.address)?);
        }
        let highest = slots.iter().map(|(bus, _)| *bus).max().unwrap_or(0);
        if highest > MOST_BUSES {
            bail!(
                "a card is described on bus {highest}: a virtual machine has at most {MOST_BUSES} here"
            );
        }
        for bus in 1..=highest {
            let device = 3 + (bus - 1) / 8;
            let function = (bus - 1) % 8;
            all.extend([
                "-device".to_owned(),
                format!(
                    "pcie-root-port,id=port{bus},bus=pcie.0,chassis={bus},addr={device}.{function},multifunction=on"
                ),
            ]);
        }
        for (bus, function) in slots {
            all.extend([
                "-device".to_owned(),
                format!("pci-testdev,bus=port{bus},addr={function}"),
            ]);
        }
        Ok(())
    }

    fn sticks(&self, all: &mut Vec<String>) {
        all.extend(["-device".to_owned(), STICK.to_owned()]);
        let sticks = self.stick.iter().chain(&self.more_sticks);
        for (number, stick) in sticks.enumerate() {
            let file = comma(&stick.to_string_lossy());
            // The stick is before the disk in the firmware's order: it was left in.
            let boot = match self.stick.as_ref() == Some(stick) {
                true => ",bootindex=0",
                false => "",
            };
            all.extend([
                "-drive".to_owned(),
                format!("if=none,id=stick{number},format=raw,readonly=on,file={file}"),
                "-device".to_owned(),
                format!("usb-storage,bus=usb.0,drive=stick{number},removable=on{boot}"),
            ]);
        }
    }

    fn network(&self, all: &mut Vec<String>) {
        if !self.network_card {
            all.extend(words("-nic none"));
            return;
        }
        let mut user = format!("user,id=net,restrict={}", off_on(!self.online));
        let mut guest = String::new();
        if let Some((address, gateway)) = &self.address {
            user += &format!(",net={address}");
            if let Some(gateway) = gateway {
                user += &format!(",host={gateway}");
            }
            guest = address.split('/').next().unwrap_or_default().to_owned();
        }
        user += &format!(",hostfwd=tcp:127.0.0.1:{}-{guest}:22", self.ssh_port);
        all.extend([
            "-netdev".to_owned(),
            user,
            "-device".to_owned(),
            format!("e1000e,netdev=net,mac={}", self.mac),
        ]);
    }
}

fn off_on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Bus, and device and function, of an address such as `0000:01:00.0`.
fn slot(address: &str) -> Result<(u32, String)> {
    let parts: Vec<&str> = address.splitn(3, ':').collect();
    let [_, bus, function] = parts.as_slice() else {
        bail!("{address} is no PCI address");
    };
    let bus =
        u32::from_str_radix(bus, 16).with_context(|| format!("{address} is no PCI address"))?;
    if bus == 0 {
        bail!("a card is described at {address}: on bus 0 a virtual machine has its own devices");
    }
    if !function.starts_with("00.") {
        bail!("a card is described at {address}: behind a port there is only device 00");
    }
    Ok((bus, (*function).to_owned()))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
