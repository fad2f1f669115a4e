//! A host that is far away: 100 ms a round trip.
//!
//! Where the kernel has netem, the packets themselves are late. Else a relay on this side
//! holds each piece back, which stands for distance: what a delay does to TCP itself, such as
//! its first round trip, is not shown then.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::host::Host;

/// A round trip.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Puts the host far away; the address to use then, and how it was done.
pub(super) fn far(host: &Host) -> anyhow::Result<(SocketAddr, &'static str)> {
    let delay = format!(
        "tc qdisc add dev eth0 root netem delay {}ms",
        ROUND_TRIP.as_millis()
    );
    match host.inside(&delay, b"") {
        Ok(_) => Ok((host.address, "netem")),
        Err(_) => Ok((relay(host.address)?, "a relay; the kernel has no netem")),
    }
}

/// Passes each piece on after half a round trip, for all connections until the process ends.
fn relay(to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            // A connection that cannot be passed on is closed, and whoever made it sees that.
            let _ = pass(&client, to);
        }
    });
    Ok(address)
}

fn pass(client: &TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect(to)?;
    for socket in [client, &server] {
        socket.set_nodelay(true)?;
    }
    delay(client.try_clone()?, server.try_clone()?);
    delay(server, client.try_clone()?);
    Ok(())
}

fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if send.send((Instant::now() + ROUND_TRIP / 2, bytes)).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receive {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
