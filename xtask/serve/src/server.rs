//! The socket, the threads, and their end.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::connection::{self, Visit};
use crate::door::Door;
use crate::record::Record;
use crate::site::Site;

/// How often the word to stop is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// A connection's thread needs little.
const STACK: usize = 256 << 10;

/// What one client, and all of them, may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; one more is answered with 503.
    pub connections: usize,
    /// The length of a request's head in bytes.
    pub head_bytes: usize,
    /// How long a head may take from its first byte to its last.
    pub head: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a client may take nothing at all.
    pub stall: Duration,
    /// The bytes a second that a client takes at least, over a whole answer.
    pub least_rate: u64,
    /// How long answers may go on after the word to stop.
    pub grace: Duration,
}

impl Default for Limits {
    /// For a room of machines: BMCs read slowly and pause, firmware opens many connections.
    fn default() -> Self {
        Self {
            connections: 128,
            head_bytes: 8 << 10,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            least_rate: 16 << 10,
            grace: Duration::from_secs(3),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("listening on {address}: {source}: take another one with `--listen ADDR:PORT`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket failed later.
    #[error("waiting for connections: {0}")]
    Accept(io::Error),
}

/// A server that has its socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    pub(crate) site: Site,
    pub(crate) door: Door,
    pub(crate) limits: Limits,
}

/// Where requests are told of.
pub(crate) type Log<'l> = &'l (dyn Fn(&Record) + Sync);

/// The connections that are open, so that they can be ended.
#[derive(Default)]
struct Open(Mutex<HashMap<u64, TcpStream>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self, how: Shutdown) {
        for stream in self.lock().values() {
            let _ = stream.shutdown(how);
        }
    }
}

impl Server {
    /// Takes the address. Port 0 takes a free one: see [`Server::address`].
    ///
    /// # Errors
    ///
    /// When the address is taken, or none of this computer's.
    pub fn bind(
        address: SocketAddr,
        site: Site,
        door: Door,
        limits: Limits,
    ) -> Result<Self, ServeError> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = bound.map_err(|source| ServeError::Bind { address, source })?;
        Ok(Self {
            listener,
            address,
            site,
            door,
            limits,
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it serves.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Serves until `stop` becomes true; then idle connections end, and answers on their way
    /// have a moment. `log` is told of each request, from several threads.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub fn run(&self, stop: &AtomicBool, log: Log<'_>) -> Result<(), ServeError> {
        let open = Open::default();
        thread::scope(|scope| {
            let done = self.accept_until(stop, scope, &open, log);
            // Whoever waits for a next request reads the end.
            open.shut(Shutdown::Read);
            let end = Instant::now() + self.limits.grace;
            while !open.lock().is_empty() && Instant::now() < end {
                thread::sleep(Duration::from_millis(10));
            }
            open.shut(Shutdown::Both);
            done
        })
    }

    fn accept_until<'s>(
        &'s self,
        stop: &'s AtomicBool,
        scope: &'s Scope<'s, '_>,
        open: &'s Open,
        log: Log<'s>,
    ) -> Result<(), ServeError> {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            if !self.comes_somebody().map_err(ServeError::Accept)? {
                continue;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    number += 1;
                    self.welcome(
                        (number, stream),
                        peer.ip().to_canonical(),
                        scope,
                        open,
                        stop,
                        log,
                    );
                }
                Err(error) if passes(&error) => {}
                // No more files may be open: a connection that ends frees one.
                Err(_) => thread::sleep(LOOK),
            }
        }
        Ok(())
    }

    fn comes_somebody(&self) -> io::Result<bool> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(LOOK.subsec_nanos()),
        };
        let mut waited = [PollFd::new(&self.listener, PollFlags::IN)];
        match poll(&mut waited, Some(&wait)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A peer that may not read gets no byte; one too many gets told.
    fn welcome<'s>(
        &'s self,
        (number, stream): (u64, TcpStream),
        peer: IpAddr,
        scope: &'s Scope<'s, '_>,
        open: &'s Open,
        stop: &'s AtomicBool,
        log: Log<'s>,
    ) {
        if !self.door.admits(peer) {
            log(&turned_away(
                peer,
                0,
                "not let in: it is in no network that was allowed",
            ));
            return;
        }
        if open.lock().len() >= self.limits.connections {
            let _ = stream.set_nonblocking(true);
            let _ = (&stream).write(&connection::too_many());
            log(&turned_away(peer, 503, "too many connections at once"));
            return;
        }
        let Ok(own) = stream
            .set_nonblocking(false)
            .and_then(|()| stream.try_clone())
        else {
            return;
        };
        open.lock().insert(number, own);
        let visit = Visit {
            server: self,
            stream,
            peer,
            stop,
            log,
        };
        let begun = thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                visit.serve();
                open.lock().remove(&number);
            });
        if begun.is_err() {
            open.lock().remove(&number);
        }
    }
}

fn turned_away(peer: IpAddr, status: u16, note: &str) -> Record {
    Record {
        peer,
        asked: String::new(),
        status,
        sent: 0,
        took: Duration::ZERO,
        note: note.to_owned(),
    }
}

/// What a client that left again, or a signal, does to `accept`.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    )
}
