//! Stands in for NVIDIA's `nvidia-persistenced`: it sets persistence mode on all cards,
//! opens its socket and stays until it is told to end, when it takes the mode back.
//!
//! What it does not prove: that the driver keeps its state. The real daemon goes to the
//! background (a unit of `Type=forking`) and changes to the user of `--user`; this one
//! stays in the foreground (`Type=notify`, so that both are up when a start returns) as the
//! user that started it, and answers nothing on its socket. The directory is systemd's `RUNTIME_DIRECTORY`, or else
//! `/run/nvidia-persistenced`.

use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nvidia-persistenced: {error:#}");
            eprintln!("nvidia-persistenced failed to initialize. Check syslog for more details.");
            ExitCode::FAILURE
        }
    }
}

/// The command line.
#[derive(Default)]
struct Arguments {
    verbose: bool,
    no_persistence_mode: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut read = Arguments::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--verbose" | "-V" => read.verbose = true,
                "--no-persistence-mode" => read.no_persistence_mode = true,
                "--persistence-mode" => read.no_persistence_mode = false,
                "--user" | "-u" => {
                    words.next().context("--user lacks the user's name")?;
                }
                other if other.starts_with("--user=") => {}
                other => bail!("the option {other} is not known"),
            }
        }
        Ok(read)
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    // Before the first change, so that none is left behind when the end comes early.
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("waiting for signals")?;
    let socket = open_socket()?;
    if !arguments.no_persistence_mode {
        set(true, arguments.verbose)?;
    }
    println!("nvidia-persistenced: Started ({})", std::process::id());
    say_ready()?;
    signals.forever().next();
    if !arguments.no_persistence_mode {
        set(false, arguments.verbose)?;
    }
    std::fs::remove_file(&socket.path)
        .with_context(|| format!("removing {}", socket.path.display()))
}

/// Tells systemd that all is set, where it waits for that (sd_notify(3)).
fn say_ready() -> Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let socket = UnixDatagram::unbound().context("making a socket to tell systemd")?;
    socket
        .send_to(b"READY=1", &path)
        .with_context(|| format!("telling systemd by {}", path.display()))?;
    Ok(())
}

/// The daemon's socket.
struct Socket {
    path: PathBuf,
    _listener: UnixListener,
}

fn open_socket() -> Result<Socket> {
    let folder = std::env::var_os("RUNTIME_DIRECTORY")
        .map_or_else(|| PathBuf::from("/run/nvidia-persistenced"), PathBuf::from);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("making the directory {}", folder.display()))?;
    let path = folder.join("socket");
    // Left by one that was killed.
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("opening {}", path.display()))?;
    Ok(Socket {
        path,
        _listener: listener,
    })
}

/// Sets persistence mode on all cards that have it.
fn set(on: bool, verbose: bool) -> Result<()> {
    let nvml = Nvml::init().context(
        "Failed to query NVIDIA devices. Please ensure that the NVIDIA device files \
         (/dev/nvidia*) exist, and that user 0 has read and write permissions for those files",
    )?;
    for index in 0..nvml.device_count().context("counting the cards")? {
        let set = nvml.device_by_index(index).and_then(|mut card| {
            card.set_persistent(on)?;
            Ok(card.pci_info()?.bus_id)
        });
        let word = if on { "enabled" } else { "disabled" };
        match set {
            Ok(bus) if verbose => {
                let bus = lab_vendors::words::short_bus_id(&bus);
                println!("nvidia-persistenced: device {bus} - persistence mode {word}.");
            }
            Ok(_) | Err(NvmlError::NotSupported) => {}
            // The real daemon too goes on with the other cards.
            Err(error) => eprintln!(
                "nvidia-persistenced: card {index} - persistence mode not {word}: {error}"
            ),
        }
    }
    Ok(())
}
