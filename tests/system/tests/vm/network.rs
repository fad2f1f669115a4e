//! The image of images/gpu-server from the network, as `cargo xtask serve` offers it: iPXE
//! runs the script that the server makes and starts the kernel from it.
//!
//! Proved here: the script's menu, by iPXE itself, on a BIOS and on UEFI; left alone it
//! starts the local disk and asks for no kernel; chosen by an arrow and the return key, the
//! entry that installs brings kernel and initrd, byte for byte, and the menu's own words.
//! What casper makes of `url=` is not: the stand-in has none.

#![expect(
    clippy::unwrap_used,
    reason = "a lock that a panic left is a failed test"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_serve::{Door, Limits, Record, Server, Site};
use lab_standin::{COMMAND_LINE, REACHED};
use lab_tests::{Firmware, Guest, Machine, blank_disk, guest_programs, have, scratch};

use crate::gpu_server::gpu_server;
use crate::{BOOT, boots};

/// iPXE in the memory of QEMU's network card, for BIOS and for UEFI. QEMU finds it by itself,
/// and only then makes its device number that of the card, which a BIOS compares.
const ROM: (&str, &str) = ("/usr/lib/ipxe/qemu/efi-virtio.rom", "ipxe-qemu");

/// The script's first entry, and its second.
const LOCAL: &str = "Start from the local disk";
const INSTALL: &str = "Install gpu-server on ";

/// How long the machine may take from the script's menu, left alone, to its disk: the 30 s
/// of the menu, on a busy processor.
const LEFT_ALONE: Duration = Duration::from_secs(90);

/// A server on loopback, which a guest reaches as 10.0.2.2. Dropping it stops it.
struct Serving {
    port: u16,
    stop: Arc<AtomicBool>,
    records: Arc<Mutex<Vec<Record>>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(image: &Path) -> Result<Self> {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let door = Door::new(local, Vec::new(), &[])?;
        let server = Server::bind(local, Site::open(image)?, door, Limits::default())?;
        let port = server.address().port();
        let stop = Arc::new(AtomicBool::new(false));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (seen, told) = (Arc::clone(&stop), Arc::clone(&records));
        let thread = thread::spawn(move || {
            let log = |record: &Record| {
                eprintln!("{record}");
                told.lock().unwrap().push(record.clone());
            };
            server.run(&seen, &log).unwrap();
        });
        Ok(Self {
            port,
            stop,
            records,
            thread: Some(thread),
        })
    }

    /// What was asked for, with the bytes that went out.
    fn asked(&self) -> Vec<(String, u64)> {
        let records = self.records.lock().unwrap();
        let of = |one: &Record| (one.asked.clone(), one.sent);
        records.iter().map(of).collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A machine with an empty disk whose network card starts first, and is told of the script by
/// DHCP; at the script's menu.
fn at_the_menu(test: &str, firmware: Firmware) -> Result<Option<(Guest, Serving)>> {
    if !have(test, &[ROM]) || !guest_programs(test, firmware) {
        return Ok(None);
    }
    let Some(made) = gpu_server(test)? else {
        return Ok(None);
    };
    let serving = Serving::start(&made.image)?;
    let disk = scratch("network")?.join(format!("{test}.disk"));
    blank_disk(&disk)?;
    let network = format!(
        "user,id=net,bootfile=http://10.0.2.2:{}/boot.ipxe",
        serving.port
    );
    let card = "virtio-net-pci,netdev=net,bootindex=0";
    let guest = Machine::new(firmware)
        .disk(&disk)
        .with(&["-netdev", &network, "-device", card])
        .start()?;
    guest
        .wait_for(LOCAL, BOOT)
        .with_context(|| format!("{:?}", serving.asked()))?;
    guest.wait_for(INSTALL, BOOT)?;
    Ok(Some((guest, serving)))
}

fn installs_where_somebody_chooses_it(test: &str, firmware: Firmware) -> Result<()> {
    let Some((mut guest, serving)) = at_the_menu(test, firmware)? else {
        return Ok(());
    };
    guest.type_keys("\x1b[B")?;
    thread::sleep(Duration::from_millis(500));
    guest.type_keys("\r")?;
    guest
        .wait_for(REACHED, BOOT)
        .with_context(|| format!("{:?}", serving.asked()))?;
    let whole = |text: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(COMMAND_LINE));
        line.is_some_and(|line| line.contains("---"))
    };
    let console = guest.wait_until("the command line", BOOT, whole)?;
    let line = console
        .lines()
        .find_map(|line| line.trim().strip_prefix(COMMAND_LINE));
    let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    let url = format!("url=http://10.0.2.2:{}/gpu-server.iso", serving.port);
    for word in [
        "ip=dhcp",
        url.as_str(),
        "autoinstall",
        "lab.machine=gpu-server",
    ] {
        ensure!(words.contains(&word), "no word {word}: {words:?}");
    }
    ensure!(
        !words.iter().any(|word| word.starts_with("lab.reinstall")),
        "{words:?}"
    );
    eprintln!(
        "{test}: {:.1} s from power on to the initrd",
        guest.running_for().as_secs_f32()
    );
    Ok(())
}

fn left_alone_starts_the_disk(test: &str, firmware: Firmware) -> Result<()> {
    let Some((guest, serving)) = at_the_menu(test, firmware)? else {
        return Ok(());
    };
    guest.wait_for("Starting from the local disk", LEFT_ALONE)?;
    // The disk is empty, and SeaBIOS says so when it tries it.
    guest.wait_for("Booting from Hard Disk", BOOT)?;
    let asked = serving.asked();
    let script = |asked: &str| asked.ends_with(" /boot.ipxe");
    ensure!(asked.iter().all(|(asked, _)| script(asked)), "{asked:?}");
    Ok(())
}

boots! {
    ipxe_bios_installs_where_somebody_chooses_it: installs_where_somebody_chooses_it(Firmware::Bios);
    ipxe_uefi_installs_where_somebody_chooses_it: installs_where_somebody_chooses_it(Firmware::Uefi);
    ipxe_bios_left_alone_starts_the_disk: left_alone_starts_the_disk(Firmware::Bios);
}
