//! A machine's life with a stick that nobody pulls: installed beside a disk full of data,
//! started, cut off, started again, installed anew when that was asked for.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab_rehearse::{Bus, Disk, Ends, Firmware, INSTALLATION, Picture, Stage};
use lab_tests::sha256;

use crate::stage::{Trial, have_time, reached};

/// A second disk, larger than the described one, with data on it.
fn full_of_data(file: &Path) -> Result<Disk> {
    let doing = || format!("writing {}", file.display());
    let mut data = File::create(file).with_context(doing)?;
    let mut state = 0x9e37_79b9_u32;
    let mut block = vec![0_u8; 1 << 20];
    for _ in 0..48 {
        for byte in &mut block {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        data.write_all(&block).with_context(doing)?;
    }
    Ok(Disk {
        bus: Bus::Sata,
        model: "WDC WD10EZEX-60W".to_owned(),
        serial: "WD-WCC6Y0AB1234".to_owned(),
        bytes: 48 << 20,
        sector: 512,
        file: file.to_owned(),
    })
}

/// A stick of somebody else, for cloud-init: it would erase the first disk that it finds.
fn cidata(folder: &Path) -> Result<std::path::PathBuf> {
    let source = folder.join("cidata");
    std::fs::create_dir_all(&source).context("making a folder")?;
    let evil = "#cloud-config\nautoinstall:\n  version: 1\n  early-commands:\n  - touch /run/somebody-else\n  \
        - echo SOMEBODY-ELSE >/dev/console\n  identity: {hostname: evil, username: evil, password: '!'}\n";
    std::fs::write(source.join("user-data"), evil).context("writing user-data")?;
    std::fs::write(source.join("meta-data"), "instance-id: evil\n").context("writing meta-data")?;
    let stick = folder.join("cidata.iso");
    let text = |path: &Path| path.display().to_string();
    let (out, from) = (text(&stick), text(&source));
    lab_tests::run(
        "xorriso",
        &[
            "-as", "mkisofs", "-V", "cidata", "-r", "-J", "-o", &out, &from,
        ],
    )?;
    Ok(stick)
}

#[test]
fn stick_left_in() -> Result<()> {
    if !have_time("stick_left_in") {
        return Ok(());
    }
    let Some(mut trial) = Trial::new("stick_left_in", Firmware::Uefi, &[])? else {
        return Ok(());
    };
    let data = trial.folder().join("data.raw");
    trial.hardware.disks.push(full_of_data(&data)?);
    trial.hardware.more_sticks.push(cidata(trial.folder())?);
    trial.hardware.network_card = false;
    let before = sha256(&data)?;
    println!("trap: no network, a larger disk full of data, a cidata stick of somebody else");
    let mut running = trial.start()?;
    let told = trial.follow(&mut running, INSTALLATION)?;
    reached(&told, INSTALLATION.len())?;
    ensure!(
        !running.console().text().contains("SOMEBODY-ELSE"),
        "the commands of another stick were run"
    );
    drop(running);
    ensure!(sha256(&data)? == before, "the other disk was written");

    println!("trap: the stick left in, and a power cut during the first boot");
    trial.hardware.more_sticks.clear();
    let mut running = trial.start()?;
    let told = trial.follow(&mut running, &[UP_TO_THE_LAB[0], UP_TO_THE_LAB[1]])?;
    reached(&told, UP_TO_THE_LAB.len())?;
    drop(running);
    drop(trial.starts_up_to_ssh()?);

    println!("trap: reinstalling, asked for in the menu");
    let mut running = trial.start()?;
    choose_reinstall(&mut running)?;
    let told = trial.follow(&mut running, INSTALLATION)?;
    reached(&told, INSTALLATION.len())?;
    drop(running);
    ensure!(sha256(&data)? == before, "the other disk was written");
    Ok(())
}

/// As far as the first unit of the lab.
const UP_TO_THE_LAB: [Stage; 2] = [
    Stage {
        id: "again",
        title: "firmware and the stick's menu, which starts the disk",
        ends: Ends::Shows("Linux version"),
        picture: Picture::Last,
    },
    Stage {
        id: "unit",
        title: "the first unit of the lab begins",
        ends: Ends::Shows("Starting lab-base.service"),
        picture: Picture::Last,
    },
];

/// The second entry, and in its menu the second. On UEFI the menu is on the serial port too;
/// any key stops its countdown.
fn choose_reinstall(running: &mut lab_rehearse::Running) -> Result<()> {
    let begin = Instant::now();
    while !running.console().text().contains("Reinstall gpu-server") {
        ensure!(
            begin.elapsed() < Duration::from_secs(300),
            "the menu never came"
        );
        sleep(Duration::from_millis(200));
    }
    for key in ["down", "ret", "down", "ret"] {
        running.monitor().press(key)?;
        sleep(Duration::from_secs(3));
    }
    Ok(())
}

#[test]
fn power_cut_during_the_installation() -> Result<()> {
    let test = "power_cut_during_the_installation";
    let Some(trial) = Trial::new(test, Firmware::Bios, &[])? else {
        return Ok(());
    };
    let mut running = trial.start()?;
    let until = Stage {
        id: "cut",
        title: "the system is being copied",
        ends: Ends::Shows("start: subiquity/Install/install/extract"),
        picture: Picture::Last,
    };
    let told = trial.follow(&mut running, &[until])?;
    reached(&told, 1)?;
    sleep(Duration::from_secs(5));
    drop(running);
    // A disk without a serial number in the description is erased only while it is blank.
    trial.is_stopped("is not blank")?;
    Ok(())
}
