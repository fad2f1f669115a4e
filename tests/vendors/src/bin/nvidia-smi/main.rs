//! Stands in for NVIDIA's `nvidia-smi`: it asks the same library, and prints what the
//! real program prints for the options that the lab uses.
//!
//! What it does not prove: that the real program has the same words. Column names, units,
//! `[N/A]`, exit statuses and the sentences of errors are written after its manual page
//! and after what it is known to print; the table without arguments is shorter than the
//! real one. Nothing here computes, and the library below it may be a mock.

mod arguments;
mod change;
mod failure;
mod fields;
mod print;

use std::io::Write as _;
use std::process::ExitCode;

use nvml_wrapper::{Device, Nvml};

use arguments::{Action, Arguments};
use failure::Failure;

/// Adds a line to what is printed.
macro_rules! say {
    ($out:expr, $($text:tt)*) => {{
        $out.push_str(&format!($($text)*));
        $out.push('\n');
    }};
}
pub(crate) use say;

fn main() -> ExitCode {
    let mut out = String::new();
    let ended = run(&mut out);
    if let Err(failure) = &ended {
        // The real program writes errors to standard output too.
        say!(out, "{}", failure.text);
    }
    // One write, as the real program does into a pipe: a reader that has seen enough and
    // goes away does not make it fail.
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    ended.map_or_else(
        |failure| ExitCode::from(failure.status),
        |()| ExitCode::SUCCESS,
    )
}

fn run(out: &mut String) -> Result<(), Failure> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if let Action::Query(names) = &arguments.action {
        fields::known(names)?;
    }
    let nvml = Nvml::init().map_err(|error| Failure::of_init(&error))?;
    let cards = cards(&nvml, arguments.card.as_deref())?;
    match &arguments.action {
        Action::Table => print::table(&nvml, &cards, out),
        Action::List => print::list(&cards, out),
        Action::Version => print::version(&nvml, out),
        Action::Query(names) => print::query(&nvml, &cards, names, &arguments.format, out),
        Action::Processes(names) => print::processes(&nvml, &cards, names, &arguments.format, out),
        Action::PowerLimit(watts) => change::power_limit(cards, *watts, out),
        Action::PersistenceMode(on) => change::persistence_mode(cards, *on, out),
    }
}

/// The cards that are meant: all, or the one that `-i` names.
fn cards<'n>(nvml: &'n Nvml, named: Option<&str>) -> Result<Vec<Device<'n>>, Failure> {
    let count = nvml.device_count()?;
    let all = 0..count;
    let found = match named {
        None => all.map(|index| by_index(nvml, index)).collect(),
        Some(name) => one(nvml, name, count).map(|card| vec![card]),
    }?;
    if found.is_empty() {
        return Err(Failure::no_devices());
    }
    Ok(found)
}

fn by_index(nvml: &Nvml, index: u32) -> Result<Device<'_>, Failure> {
    nvml.device_by_index(index)
        .map_err(|error| Failure::of_handle(&index.to_string(), &error))
}

/// The card with this number, UUID or address.
fn one<'n>(nvml: &'n Nvml, name: &str, count: u32) -> Result<Device<'n>, Failure> {
    if let Ok(index) = name.parse::<u32>() {
        return if index < count {
            by_index(nvml, index)
        } else {
            Err(Failure::no_devices())
        };
    }
    let found = if name.starts_with("GPU-") {
        nvml.device_by_uuid(name)
    } else {
        nvml.device_by_pci_bus_id(name)
    };
    found.map_err(|error| Failure::of_handle(name, &error))
}
