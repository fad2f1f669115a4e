//! A bad network: 300 ms a round trip, and one packet of twenty lost each way.
//!
//! The server stands in a network namespace. Where the kernel has netem, that does both. Else
//! the packets are lost by the packet filter, which is real loss, and the delay is made by a
//! relay on this side, which stands for distance: what a delay does to TCP itself, such as to
//! its guess of the round trip, is not shown then.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lab_not_run::not_run;
use server::{LIMIT, Server, possible};

const ONE_WAY: Duration = Duration::from_millis(150);

/// A network namespace with one link to this one.
struct Namespace {
    name: String,
    link: String,
    inside: String,
}

impl Namespace {
    fn make() -> Result<Self, String> {
        let id = std::process::id();
        let net = format!("10.231.{}", id % 250);
        let made = Self {
            name: format!("labremote{id}"),
            link: format!("lr{id}"),
            inside: format!("{net}.2"),
        };
        let (name, link) = (&made.name, &made.link);
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add {link} type veth peer name eth0 netns {name}"
        ))?;
        ip(&format!("addr add {net}.1/24 dev {link}"))?;
        ip(&format!("link set {link} up"))?;
        made.inside("ip link set lo up")?;
        made.inside(&format!("ip addr add {}/24 dev eth0", made.inside))?;
        made.inside("ip link set eth0 up")?;
        Ok(made)
    }

    fn inside(&self, command: &str) -> Result<(), String> {
        ip(&format!("netns exec {} {command}", self.name))
    }

    /// Makes it bad; whether the delay is in it.
    fn spoil(&self) -> Result<bool, String> {
        let netem = "delay 150ms loss 5%";
        let out = self.inside(&format!("tc qdisc add dev eth0 root netem {netem}"));
        if out.is_ok() {
            run(
                "tc",
                &format!("qdisc add dev {} root netem {netem}", self.link),
            )?;
            return Ok(true);
        }
        for chain in ["INPUT", "OUTPUT"] {
            self.inside(&format!(
                "iptables -A {chain} -m statistic --mode random --probability 0.05 -j DROP"
            ))?;
        }
        Ok(false)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.link));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(words: &str) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &str) -> Result<(), String> {
    let output = Command::new(program)
        .args(words.split(' '))
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{program} {words}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Passes each piece on after [`ONE_WAY`].
fn delaying_relay(host: String, to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect((host.as_str(), to)).unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
        }
        delay(client.try_clone().unwrap(), server.try_clone().unwrap());
        delay(server, client);
    });
    port
}

fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            send.send((Instant::now() + ONE_WAY, buffer[..count].to_vec()))
                .unwrap();
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

#[test]
fn still_right_when_packets_are_late_and_lost() {
    let test = "still_right_when_packets_are_late_and_lost";
    if !possible(test) {
        return;
    }
    let namespace = match Namespace::make() {
        Ok(namespace) => namespace,
        Err(problem) => return not_run(test, &problem),
    };
    let server = Server::start_in(&["ip", "netns", "exec", &namespace.name], "");
    let delayed = match namespace.spoil() {
        Ok(delayed) => delayed,
        Err(problem) => return not_run(test, &problem),
    };
    let mut endpoint = server.endpoint();
    match delayed {
        true => endpoint.host.clone_from(&namespace.inside),
        false => endpoint.port = delaying_relay(namespace.inside.clone(), server.port),
    }
    let begun = Instant::now();
    let mut connection = server.connect_to(&endpoint).unwrap();
    eprintln!("connecting: {:?} (netem: {delayed})", begun.elapsed());
    let begun = Instant::now();
    for number in 0..5 {
        let output = connection
            .run(&format!("echo {number}; exit {number}"), b"", LIMIT)
            .unwrap();
        assert_eq!(
            (output.text(), output.status),
            (format!("{number}\n"), Some(number))
        );
    }
    eprintln!("a command: {:?}", begun.elapsed() / 5);
    let begun = Instant::now();
    let bytes: Vec<u8> = (0..1 << 18).flat_map(|n: u32| n.to_le_bytes()).collect();
    let output = connection
        .run("cat", &bytes, Duration::from_secs(120))
        .unwrap();
    assert!(output.stdout == bytes);
    let path = server.path("uploaded");
    connection
        .upload(
            &bytes,
            path.to_str().unwrap(),
            0o600,
            Duration::from_secs(120),
        )
        .unwrap();
    assert!(std::fs::read(path).unwrap() == bytes);
    eprintln!("1 MiB there and back, and there: {:?}", begun.elapsed());
}
