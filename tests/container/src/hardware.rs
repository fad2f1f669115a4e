//! The cards of the machine: what stands on its bus, and what its driver says of them.
//!
//! Both come from the file of cards of the mock NVML library, so they agree until a test
//! makes them disagree. What they do not prove: that a kernel has a driver for the cards.
//! The bus is a folder, and the stand-in for modprobe makes the device nodes, behind
//! which nothing is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::Guest;

/// The cards of an HP Z440, and what was changed about them.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// The file of cards, as the mock library reads it: what it answers may be changed
    /// here, such as `fault`.
    pub file: Table,
    /// Addresses of the cards that stand on the bus.
    on_bus: Vec<Card>,
}

#[derive(Clone, Debug)]
struct Card {
    address: String,
    id: String,
    subsystem: String,
}

impl Hardware {
    /// The three cards of the first machine.
    ///
    /// # Errors
    ///
    /// When the mock library's file of them cannot be read.
    pub fn z440() -> Result<Self> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mock-nvml/cards/z440.toml");
        let doing = || format!("reading {}", place.display());
        let text = fs::read_to_string(&place).with_context(doing)?;
        let mut file: Table = text.parse().with_context(doing)?;
        let needs = ["/sys/module/nvidia/version", "/dev/nvidiactl"].map(Value::from);
        file.insert("requires".to_owned(), Value::from(needs.to_vec()));
        file.insert("state".to_owned(), Value::from("/run/mock-nvml.state"));
        let cards = cards(&mut file).context("the file of cards has none")?;
        for card in cards.iter_mut().filter_map(Value::as_table_mut) {
            // What computes is the host's processor.
            card.insert("compute_memory_mib".to_owned(), Value::from(32));
        }
        let on_bus = cards
            .iter()
            .map(|card| Card::read(card).context("a card without an address or an id"));
        Ok(Self {
            on_bus: on_bus.collect::<Result<_>>()?,
            file,
        })
    }

    /// Takes a card out of its slot.
    pub fn remove(&mut self, address: &str) {
        self.on_bus.retain(|card| card.address != address);
        self.fall_off(address);
    }

    /// Leaves a card on the bus, and the driver does not see it.
    pub fn fall_off(&mut self, address: &str) {
        if let Some(cards) = cards(&mut self.file) {
            cards.retain(|card| text(card, "pci_bus_id") != Some(address));
        }
    }

    /// Puts a card into another slot.
    pub fn move_card(&mut self, from: &str, to: &str) {
        for card in cards(&mut self.file).into_iter().flatten() {
            if text(card, "pci_bus_id") == Some(from)
                && let Some(table) = card.as_table_mut()
            {
                table.insert("pci_bus_id".to_owned(), Value::from(to));
            }
        }
        // The library knows them in the order of their addresses.
        if let Some(cards) = cards(&mut self.file) {
            cards.sort_by_key(|card| text(card, "pci_bus_id").map(str::to_owned));
        }
        for card in self.on_bus.iter_mut().filter(|card| card.address == from) {
            to.clone_into(&mut card.address);
        }
    }

    /// Builds the cards into a machine. Its bus has them at once, its driver's nodes at
    /// the next start.
    ///
    /// # Errors
    ///
    /// When the machine's files cannot be written.
    pub fn build_into(&self, guest: &Guest) -> Result<()> {
        let mut script = format!(
            "set -eu\ncat >/etc/mock-nvml.toml <<'END'\n{}END\n\
             rm -rf /etc/lab-test/cards\nmkdir -p /etc/lab-test/cards\n",
            self.file
        );
        for card in &self.on_bus {
            script += &card.script();
        }
        script += "/usr/local/lib/lab-test/hardware\n";
        guest
            .ok(&script)
            .context("building cards into the machine")?;
        Ok(())
    }
}

impl Card {
    fn read(card: &Value) -> Option<Self> {
        Some(Self {
            address: text(card, "pci_bus_id")?.to_owned(),
            id: text(card, "pci_id")?.to_owned(),
            subsystem: text(card, "pci_subsystem_id")
                .unwrap_or("0000:0000")
                .to_owned(),
        })
    }

    /// The files that the kernel has of a device.
    fn script(&self) -> String {
        let (vendor, device) = self.id.split_once(':').unwrap_or_default();
        let (maker, board) = self.subsystem.split_once(':').unwrap_or_default();
        format!(
            "d=/etc/lab-test/cards/{}\nmkdir -p $d\necho 0x{vendor} >$d/vendor\n\
             echo 0x{device} >$d/device\necho 0x030000 >$d/class\n\
             echo 0x{maker} >$d/subsystem_vendor\necho 0x{board} >$d/subsystem_device\n",
            self.address
        )
    }
}

fn cards(file: &mut Table) -> Option<&mut Vec<Value>> {
    file.get_mut("card")?.as_array_mut()
}

fn text<'a>(card: &'a Value, key: &str) -> Option<&'a str> {
    card.get(key)?.as_str()
}
