//! Local ports whose connections go through the machine, as `ssh -L` does it.
//!
//! libssh2 serves one thread at a time, so one thread owns the session and passes bytes
//! for all connections. A lost line ends the tunnel; it is not made again.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::Channel;

use crate::connection::Connection;
use crate::wire::{Wire, WireError, not_now};

/// How much is held for each direction of a connection.
const BUFFER: usize = 256 << 10;
/// How often a sign of life is sent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long the machine may take to open one connection; it serves others again after that.
const OPENING: Duration = Duration::from_secs(30);

/// A local port and where its connections go.
#[derive(Debug, Clone)]
pub struct Forwarding {
    /// The address to listen at; port 0 for any that is free.
    pub local: SocketAddr,
    /// The host as the machine sees it, most often 127.0.0.1.
    pub host: String,
    /// The port there.
    pub port: u16,
}

/// Forwarded ports. They are closed when this is dropped.
pub struct Tunnel {
    locals: Vec<SocketAddr>,
    stop: UnixStream,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Connection {
    /// Serves `forwardings`, all over this connection, until [`Tunnel::stop`] or its end.
    ///
    /// # Errors
    ///
    /// When a local address cannot be listened at.
    pub fn forward(mut self, forwardings: &[Forwarding]) -> io::Result<Tunnel> {
        let mut listeners = Vec::new();
        for forwarding in forwardings {
            let listener = TcpListener::bind(forwarding.local).map_err(|error| {
                let message = format!(
                    "listening at {}: {error}; is the port taken?",
                    forwarding.local
                );
                io::Error::new(error.kind(), message)
            })?;
            listener.set_nonblocking(true)?;
            listeners.push((listener, forwarding.clone()));
        }
        let locals = listeners
            .iter()
            .map(|(listener, _)| listener.local_addr())
            .collect::<io::Result<_>>()?;
        let opened = self
            .wire
            .step(Instant::now() + OPENING, ssh2::Session::channel_session);
        let idle = opened.map_err(|error| match error {
            WireError::TimedOut => {
                io::Error::new(io::ErrorKind::TimedOut, "the machine does not answer")
            }
            WireError::Broken(problem) => io::Error::other(format!("the line was lost: {problem}")),
        })?;
        let (stop, stopped) = UnixStream::pair()?;
        let mut relay = Relay {
            wire: self.wire,
            idle,
            listeners,
            stopped,
            waiting: Vec::new(),
            opening: None,
            streams: Vec::new(),
            buffer: vec![0; 64 << 10],
        };
        let thread = thread::spawn(move || relay.serve());
        Ok(Tunnel {
            locals,
            stop,
            thread: Some(thread),
        })
    }
}

impl Tunnel {
    /// The addresses that are listened at, in the order of the forwardings.
    #[must_use]
    pub fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// Waits until the line is lost.
    ///
    /// # Errors
    ///
    /// Says how it was lost.
    pub fn wait(mut self) -> Result<(), String> {
        self.join()
    }

    /// Closes the ports and the connection.
    ///
    /// # Errors
    ///
    /// When the line was lost before.
    pub fn stop(mut self) -> Result<(), String> {
        let _ = self.stop.shutdown(Shutdown::Both);
        self.join()
    }

    fn join(&mut self) -> Result<(), String> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err("the tunnel's thread ended in a panic".into()),
            None => Ok(()),
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.stop.shutdown(Shutdown::Both);
        let _ = self.join();
    }
}

/// One connection through the machine.
struct Stream {
    socket: TcpStream,
    channel: Channel,
    out: Pipe,
    back: Pipe,
}

/// Bytes on their way in one direction.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    sent: usize,
    /// No more comes in.
    ended: bool,
    /// The other side was told so.
    told: bool,
}

impl Pipe {
    fn room(&self) -> bool {
        !self.ended && self.bytes.len() - self.sent < BUFFER
    }

    fn left(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// Reads once; whether anything moved.
    fn fill(&mut self, from: &mut impl Read, buffer: &mut [u8]) -> bool {
        match from.read(buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                if !self.left() {
                    self.bytes.clear();
                    self.sent = 0;
                }
                self.bytes.extend_from_slice(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.ended = true,
        }
        true
    }

    /// Writes once; whether anything moved.
    fn drain(&mut self, to: &mut impl Write) -> io::Result<bool> {
        match to.write(&self.bytes[self.sent..]) {
            Ok(count) => {
                self.sent += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The thread's own.
struct Relay {
    wire: Wire,
    /// A session without a command. libssh2 reads the socket only on behalf of a channel, and
    /// this one is there when there is no other.
    idle: Channel,
    listeners: Vec<(TcpListener, Forwarding)>,
    stopped: UnixStream,
    /// Accepted, with the forwarding's number and the peer's address.
    waiting: Vec<(TcpStream, usize, SocketAddr)>,
    /// libssh2 opens one channel at a time.
    opening: Option<(TcpStream, usize, SocketAddr, Instant)>,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
}

impl Relay {
    fn serve(&mut self) -> Result<(), String> {
        self.wire.session.set_keepalive(true, 15);
        let mut sign = Instant::now() + SIGN_OF_LIFE;
        loop {
            let mut moved = self.accept();
            self.listen()?;
            moved |= self.open()?;
            moved |= self.pass();
            self.wire.tidy();
            if Instant::now() >= sign {
                sign = Instant::now() + SIGN_OF_LIFE;
                match self.wire.session.keepalive_send() {
                    Err(error) if !not_now(&error) => {
                        return Err(format!("the line was lost: {error}"));
                    }
                    _ => {}
                }
            }
            if moved || self.queued() {
                continue;
            }
            if self.wait(sign) {
                return Ok(());
            }
        }
    }

    /// Takes in what came for no connection, and sees when the line is lost.
    fn listen(&mut self) -> Result<(), String> {
        match self.idle.read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(format!("the line was lost: {error}")),
            Ok(_) if self.idle.eof() => {
                Err("the line was lost: the machine closed the connection".into())
            }
            Ok(_) => Ok(()),
        }
    }

    fn accept(&mut self) -> bool {
        let mut moved = false;
        for (index, (listener, _)) in self.listeners.iter().enumerate() {
            while let Ok((socket, peer)) = listener.accept() {
                if socket.set_nonblocking(true).is_ok() {
                    let _ = socket.set_nodelay(true);
                    self.waiting.push((socket, index, peer));
                    moved = true;
                }
            }
        }
        moved
    }

    /// Goes on with opening one channel.
    fn open(&mut self) -> Result<bool, String> {
        if self.opening.is_none() && !self.waiting.is_empty() {
            let (socket, index, peer) = self.waiting.remove(0);
            self.opening = Some((socket, index, peer, Instant::now() + OPENING));
        }
        let Some((socket, index, peer, until)) = self.opening.take() else {
            return Ok(false);
        };
        let to = &self.listeners[index].1;
        let source = (peer.ip().to_string(), peer.port());
        let source = Some((source.0.as_str(), source.1));
        match self
            .wire
            .session
            .channel_direct_tcpip(&to.host, to.port, source)
        {
            Ok(channel) => {
                let (out, back) = Default::default();
                self.streams.push(Stream {
                    socket,
                    channel,
                    out,
                    back,
                });
            }
            Err(error) if not_now(&error) && Instant::now() < until => {
                self.opening = Some((socket, index, peer, until));
                return Ok(false);
            }
            // LIBSSH2_ERROR_CHANNEL_FAILURE: nothing listens there. Its socket closes here.
            Err(error) if error.code() == ssh2::ErrorCode::Session(-21) => {}
            Err(error) => return Err(format!("the line was lost: {error}")),
        }
        Ok(true)
    }

    /// Passes bytes for every connection once.
    fn pass(&mut self) -> bool {
        let mut moved = false;
        let mut index = 0;
        while index < self.streams.len() {
            match pass(&mut self.streams[index], &mut self.buffer) {
                Ok(Some(some)) => {
                    moved |= some;
                    index += 1;
                }
                Ok(None) | Err(_) => {
                    let stream = self.streams.swap_remove(index);
                    self.wire.close(stream.channel);
                    moved = true;
                }
            }
        }
        moved
    }

    /// Whether libssh2 holds bytes that there is room for.
    fn queued(&self) -> bool {
        let held =
            |stream: &Stream| stream.back.room() && stream.channel.read_window().available > 0;
        self.streams.iter().any(held)
    }

    /// Waits for anything to happen; true when the tunnel is to be closed.
    fn wait(&self, until: Instant) -> bool {
        let mut fds = vec![
            PollFd::new(&self.stopped, PollFlags::IN),
            PollFd::new(&self.wire.socket, self.wire.interest()),
        ];
        fds.extend(
            self.listeners
                .iter()
                .map(|(listener, _)| PollFd::new(listener, PollFlags::IN)),
        );
        fds.extend(self.streams.iter().filter_map(interest));
        let left = until
            .saturating_duration_since(Instant::now())
            .min(Duration::from_secs(15));
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(0),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let _ = poll(&mut fds, Some(&left));
        !fds[0].revents().is_empty()
    }
}

fn interest(stream: &Stream) -> Option<PollFd<'_>> {
    let mut flags = PollFlags::empty();
    if stream.out.room() {
        flags |= PollFlags::IN;
    }
    if stream.back.left() {
        flags |= PollFlags::OUT;
    }
    // With nothing to wait for, an end that is known already would wake this over and over.
    (!flags.is_empty()).then(|| PollFd::new(&stream.socket, flags))
}

/// Passes bytes both ways; whether anything moved, or none when both ways are done.
fn pass(stream: &mut Stream, buffer: &mut [u8]) -> io::Result<Option<bool>> {
    let Stream {
        socket,
        channel,
        out,
        back,
    } = stream;
    let mut moved = false;
    if out.room() {
        moved |= out.fill(socket, buffer);
    }
    if out.left() {
        moved |= out.drain(channel)?;
    }
    if back.room() {
        moved |= back.fill(channel, buffer);
    }
    if back.left() {
        moved |= back.drain(socket)?;
    }
    if out.ended && !out.left() && !out.told && !is_waiting(&channel.send_eof()) {
        out.told = true;
        moved = true;
    }
    if back.ended && !back.left() && !back.told {
        back.told = true;
        moved = true;
        let _ = socket.shutdown(Shutdown::Write);
    }
    Ok(if out.told && back.told {
        None
    } else {
        Some(moved)
    })
}

fn is_waiting(result: &Result<(), ssh2::Error>) -> bool {
    result.as_ref().is_err_and(not_now)
}
