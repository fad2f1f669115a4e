//! A proxy that the environment names: used, and its password kept.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use lab_supply::Digest;

use crate::server::{Server, honest};
use crate::world::{World, content};

/// A CONNECT proxy (RFC 9110, section 9.3.6) that lets through or refuses; keeps the requests.
fn proxy(lets_through: bool) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let kept = kept.clone();
            thread::spawn(move || serve(client.unwrap(), lets_through, &kept));
        }
    });
    (port, seen)
}

fn serve(mut client: TcpStream, lets_through: bool, kept: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().unwrap().push(head);
    if !lets_through {
        let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || io::copy(&mut up, &mut down));
    let _ = io::copy(&mut server, &mut client);
}

/// The environment is the process's, so another process fetches.
fn fetch_through(port: u16, world: &World, url: &str, bytes: &[u8]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::child"])
        .env(
            "LAB_SUPPLY_CHILD",
            format!(
                "{}\n{url}\n{}",
                world.cache.dir().display(),
                Digest::of(bytes)
            ),
        )
        .env("ALL_PROXY", format!("http://me:s3cret@127.0.0.1:{port}"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap()
}

#[test]
fn the_environments_proxy_is_used() {
    let (world, bytes) = (World::new(), content(8, 1 << 20));
    let all = bytes.clone();
    let server = Server::of_file(move |request, stream| honest(request, stream, &all, "\"v1\""));
    let (port, seen) = proxy(true);
    let done = fetch_through(port, &world, &server.url("/base.iso"), &bytes);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(fs::read(world.place()).unwrap() == bytes);
    let seen = seen.lock().unwrap();
    assert!(
        !seen.is_empty()
            && seen
                .iter()
                .all(|head| head.contains("Proxy-Authorization: Basic ")),
        "{seen:?}"
    );
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let (world, bytes) = (World::new(), content(8, 1 << 20));
    let (port, _) = proxy(false);
    let done = fetch_through(port, &world, "http://127.0.0.1:9/base.iso", &bytes);
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(
        !done.status.success() && text.contains("the proxy"),
        "{text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
}
