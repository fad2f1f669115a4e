//! `nvidia-ctk cdi`: a specification of the Container Device Interface for the cards.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use lab_vendors::words;
use nvml_wrapper::Nvml;
use serde::Deserialize;

use crate::{Options, log};

/// Where specifications lie; a later folder goes before an earlier one.
const FOLDERS: &[&str] = &["/etc/cdi", "/var/run/cdi"];

/// Where the driver's package lays the library down.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so";

/// The mock's file of cards where no variable names another.
const CARDS: &str = "/etc/mock-nvml.toml";

/// A card, as far as a container needs it.
struct Card {
    index: u32,
    minor: u32,
    uuid: String,
}

/// Writes the specification to a file or to standard output.
pub(crate) fn generate(options: &Options) -> Result<()> {
    let (cards, driver) = cards()?;
    let text = specification(&cards, &driver)?;
    match options.value("output") {
        None | Some("") => print!("{text}"),
        Some(path) => write(Path::new(path), &text)?,
    }
    let version = "0.5.0";
    log(
        "info",
        &format!("Generated CDI spec with version {version}"),
    );
    Ok(())
}

/// The cards that NVML sees, and the driver's version.
fn cards() -> Result<(Vec<Card>, String)> {
    let failed = |error| {
        let words = words::of(&error).0;
        anyhow::anyhow!("failed to create device CDI specs: failed to initialize NVML: {words}")
    };
    let nvml = Nvml::init().map_err(failed)?;
    let driver = nvml.sys_driver_version().map_err(failed)?;
    let count = nvml.device_count().map_err(failed)?;
    let cards = (0..count)
        .map(|index| {
            let card = nvml.device_by_index(index)?;
            Ok(Card {
                index,
                minor: card.minor_number()?,
                uuid: card.uuid()?,
            })
        })
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok((cards, driver))
}

/// The specification, laid out as the real one.
fn specification(cards: &[Card], driver: &str) -> Result<String> {
    let mut text = "---\ncdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n".to_owned();
    for card in cards {
        device(&mut text, &card.index.to_string(), &[card])?;
        device(&mut text, &card.uuid, &[card])?;
    }
    if !cards.is_empty() {
        device(&mut text, "all", &cards.iter().collect::<Vec<_>>())?;
    }
    text.push_str("containerEdits:\n  env:\n  - NVIDIA_VISIBLE_DEVICES=void\n  deviceNodes:\n");
    for node in ["/dev/nvidia-uvm", "/dev/nvidiactl"] {
        writeln!(text, "  - path: {node}")?;
    }
    text.push_str("  mounts:\n");
    let library = format!("{LIBRARY}.{driver}");
    mount(&mut text, &library, &library)?;
    mount(&mut text, &library, &format!("{LIBRARY}.1"))?;
    let mock = std::env::var("MOCK_NVML").unwrap_or_else(|_| CARDS.to_owned());
    if Path::new(&mock).exists() {
        mount(&mut text, &mock, CARDS)?;
    }
    Ok(text)
}

fn device(text: &mut String, name: &str, cards: &[&Card]) -> std::fmt::Result {
    writeln!(
        text,
        "- name: {name:?}\n  containerEdits:\n    deviceNodes:"
    )?;
    for card in cards {
        writeln!(text, "    - path: /dev/nvidia{}", card.minor)?;
    }
    Ok(())
}

fn mount(text: &mut String, host: &str, container: &str) -> std::fmt::Result {
    writeln!(
        text,
        "  - hostPath: {host:?}\n    containerPath: {container:?}"
    )?;
    text.push_str("    options:\n");
    for option in ["ro", "nosuid", "nodev", "rbind", "rprivate"] {
        writeln!(text, "    - {option}")?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making the directory {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// What of a specification makes the names of its devices.
#[derive(Deserialize)]
struct Specification {
    kind: String,
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
}

/// Prints the qualified name of each device.
pub(crate) fn list(options: &Options) -> Result<()> {
    let folders = match options.value("spec-dir") {
        Some(folder) => vec![folder],
        None => FOLDERS.to_vec(),
    };
    let mut names = Vec::new();
    for folder in folders {
        names.extend(names_in(Path::new(folder))?);
    }
    names.sort();
    names.dedup();
    log("info", &format!("Found {} CDI devices", names.len()));
    // One write, so that a reader that goes away early does not make it fail.
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    print!("{lines}");
    Ok(())
}

/// The devices of all specifications in a folder, which need not exist.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(names);
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading the directory {}", folder.display()))?
            .path();
        let known = |end: &std::ffi::OsStr| end == "yaml" || end == "json";
        if !path.extension().is_some_and(known) {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        match serde_saphyr::from_str::<Specification>(&text) {
            Ok(found) => names.extend(
                found
                    .devices
                    .iter()
                    .map(|device| format!("{}={}", found.kind, device.name)),
            ),
            // As the real one: a specification that is none hides no other.
            Err(error) => log("warning", &format!("{}: {error}", path.display())),
        }
    }
    Ok(names)
}
