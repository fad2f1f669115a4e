//! A web server on the other side through a local port, ten connections at once.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use lab_remote::Forwarding;
use server::{Server, possible};

/// Answers each request with `size` bytes after a moment, so that requests overlap.
fn web_server(size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let mut request = [0; 1024];
                let count = socket.read(&mut request).unwrap();
                thread::sleep(Duration::from_millis(300));
                let path = String::from_utf8_lossy(&request[..count])
                    .split_whitespace()
                    .nth(1)
                    .unwrap()
                    .to_owned();
                let body = vec![path.as_bytes()[1]; size];
                write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").unwrap();
                let _ = socket.write_all(&body);
            });
        }
    });
    address
}

fn get(address: SocketAddr, letter: char) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    write!(socket, "GET /{letter} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let text = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    answer.split_off(text + 4)
}

fn forwarding(to: SocketAddr) -> Forwarding {
    Forwarding {
        local: "127.0.0.1:0".parse().unwrap(),
        host: "127.0.0.1".into(),
        port: to.port(),
    }
}

#[test]
fn ten_connections_at_once() {
    if !possible("ten_connections_at_once") {
        return;
    }
    let server = Server::start("");
    let size = 1 << 20;
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let tunnel = server
        .connect()
        .forward(&[forwarding(web_server(size)), forwarding(closed)])
        .unwrap();
    let address = tunnel.locals()[0];
    // One that reads nothing must not hold up the others.
    let mut lazy = TcpStream::connect(address).unwrap();
    write!(lazy, "GET /z HTTP/1.1\r\n\r\n").unwrap();
    let begun = Instant::now();
    let readers: Vec<_> = ('a'..='j')
        .map(|letter| (letter, thread::spawn(move || get(address, letter))))
        .collect();
    for (letter, reader) in readers {
        let body = reader.join().unwrap();
        assert!(
            body.len() == size && body.iter().all(|&byte| byte == letter as u8),
            "{letter}: {}",
            body.len()
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "one after the other? {:?}",
        begun.elapsed()
    );
    // Nothing listens there: the connection ends, and the tunnel does not.
    let mut nothing = TcpStream::connect(tunnel.locals()[1]).unwrap();
    nothing
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert!(!matches!(nothing.read(&mut [0; 1]), Ok(1)));
    assert_eq!(get(address, 'k').len(), size);
    tunnel.stop().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn each_direction_ends_by_itself() {
    if !possible("each_direction_ends_by_itself") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        socket.write_all(&all).unwrap();
    });
    let server = Server::start("");
    let tunnel = server.connect().forward(&[forwarding(to)]).unwrap();
    let mut socket = TcpStream::connect(tunnel.locals()[0]).unwrap();
    let sent: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    socket.write_all(&sent).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    socket.read_to_end(&mut back).unwrap();
    assert!(back == sent, "{} bytes came back", back.len());
}

#[test]
fn a_lost_line_ends_the_tunnel() {
    if !possible("a_lost_line_ends_the_tunnel") {
        return;
    }
    let server = Server::start("");
    let tunnel = server
        .connect()
        .forward(&[forwarding(web_server(1))])
        .unwrap();
    let begun = Instant::now();
    server.kill_sessions();
    let error = tunnel.wait().unwrap_err();
    assert!(error.contains("the line was lost"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
