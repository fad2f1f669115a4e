//! Prints QEMU's arguments for the machine of a description, a line each.
//! Usage: `cargo run -p lab-rehearse --example arguments -- machine.toml FOLDER`

use std::path::Path;

use anyhow::Context as _;
use lab_machine::Sources;
use lab_rehearse::{Firmware, Hardware};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder] = words.as_slice() else {
        anyhow::bail!("wanted: a machine.toml and a folder");
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let sources = Sources::single(file, &text);
    let machine = lab_machine::read(&sources, lab_catalog::Catalog::builtin(), None).machine;
    let machine = machine.context("the description has errors: `cargo xtask check` names them")?;
    let hardware = Hardware::of(&machine, Firmware::Bios, Path::new(folder), 2222)?;
    println!("{}", hardware.arguments()?.join("\n"));
    Ok(())
}
