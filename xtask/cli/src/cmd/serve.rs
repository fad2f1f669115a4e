//! `serve`: the image over HTTP, for machines that start from a network or from a BMC.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Args;
use lab_serve::{Door, Limits, Network, Server, Site};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::ui::{self, ASIDE, STRONG};
use crate::{Done, MachineArg, lab};

/// Offers the image over HTTP: to a BMC's virtual media, to iPXE and to UEFI HTTP boot.
///
/// Prints the addresses, what each can do, and an iPXE script that asks before it
/// installs. It runs until Ctrl-C.
///
/// The image holds the machine's private keys. So only this computer can read it, unless
/// --listen names an address of it, and --allow the networks whose machines may.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The image. Without it: target/iso/NAME.iso.
    #[arg(value_name = "FILE")]
    image: Option<PathBuf>,
    /// The address to listen on, of one interface; port 0 takes a free one.
    #[arg(long, value_name = "ADDR[:PORT]", default_value = "127.0.0.1:8080")]
    listen: String,
    /// A network whose machines may read the image, such as 192.0.2.0/24; several may be given.
    #[arg(long, value_name = "CIDR")]
    allow: Vec<String>,
    /// A host name under which machines ask for it; addresses need none.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
}

/// The port where none is given.
const PORT: u16 = 8080;

/// What a live installer takes beside an image that is in memory, in bytes: its own 1.5 GB
/// and the initrd twice, packed and unpacked.
const INSTALLER: u64 = 2 << 30;

pub(crate) fn run(arguments: &Arguments) -> Done {
    let address = address(&arguments.listen)?;
    let door = door(arguments, address)?;
    let path = match &arguments.image {
        Some(path) => path.clone(),
        None => lab::built_image(&arguments.machine)?,
    };
    let site = Site::open(&path).map_err(Failure::Input)?;
    let stop = stop_on_signals()?;
    let peers = door.peers().to_vec();
    let server = Server::bind(address, site, door, Limits::default())
        .map_err(|error| Failure::Environment(error.into()))?;
    introduce(&server, &peers);
    let served = server.run(&stop, &|record| anstream::eprintln!("{record}"));
    served.map_err(|error| Failure::Environment(error.into()))?;
    anstream::eprintln!("closed");
    Ok(())
}

/// An address with or without a port.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    text.parse().or_else(|_| bare()).map_err(|_| {
        Failure::input(format!(
            "`--listen {text}` is no address: expected one of this computer's, as in 192.0.2.7, 192.0.2.7:{PORT} or [::1]:{PORT}"
        ))
    })
}

fn door(arguments: &Arguments, address: SocketAddr) -> Result<Door, Failure> {
    let networks: Result<Vec<Network>, _> = arguments.allow.iter().map(|one| one.parse()).collect();
    let networks = networks.map_err(|why| Failure::input(format!("--allow: {why}")))?;
    Door::new(address, networks, &arguments.name)
        .map_err(|why| Failure::input(format!("nothing is served: {why}")))
}

/// Becomes true on Ctrl-C; a second one ends the program at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("taking over Ctrl-C")?;
    }
    Ok(stop)
}

fn introduce(server: &Server, peers: &[Network]) {
    let site = server.site();
    let base = format!("http://{}", server.address());
    let image = format!("{base}/{}", site.name());
    let memory = ui::bytes(site.len().saturating_add(INSTALLER));
    let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
    anstream::println!("{STRONG}{image}{STRONG:#}  {}", ui::bytes(site.len()));
    anstream::println!(
        "  {ASIDE}It holds the machine's private keys{ASIDE:#}, and HTTP hides nothing: {} may read it, and whoever listens in between.",
        peers.join(", ")
    );
    let way = |name: &str, what: &str| anstream::println!("  {name:18} {what}");
    way(
        "BMC virtual media",
        "the address above, as a CD: starts and installs as the stick does",
    );
    way(
        "UEFI HTTP boot",
        "the address above: the firmware keeps the image in memory; whether Linux finds it there is the firmware's matter",
    );
    way(
        "iPXE sanboot",
        "the address above, BIOS only: shows the menu, and cannot install, because Linux finds no disc",
    );
    match site.script(&base) {
        Some(script) => {
            way(
                "iPXE",
                &format!(
                    "`chain {base}/boot.ipxe`: asks, then installs; the machine needs some {memory} of memory"
                ),
            );
            anstream::println!("\nThe script, as the server makes it:\n\n{script}");
        }
        None => {
            let why = site.boot().err().unwrap_or_default();
            way("iPXE", &format!("no script for this image: {why}"));
        }
    }
    anstream::println!("Open until Ctrl-C.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_a_port() {
        for (text, read) in [
            ("127.0.0.1", "127.0.0.1:8080"),
            ("192.0.2.7:99", "192.0.2.7:99"),
            ("::1", "[::1]:8080"),
            ("[::1]:0", "[::1]:0"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), read);
        }
        for text in ["", "localhost", ":80", "1.2.3.4:x", "[::1]"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
