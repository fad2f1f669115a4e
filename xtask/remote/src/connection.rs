//! From an endpoint to a connection that is trusted and signed in.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use ssh2::{ErrorCode, MethodType, Session};

use thiserror::Error;

use crate::auth::{self, Auth};
use crate::error::{ConnectError, Unreachable, UnreachableReason};
use crate::key::PublicKey;
use crate::target::Endpoint;
use crate::trust::{Judge, Trust};
use crate::wire::Wire;

/// What is waited before another attempt where the server hung up without a word. An sshd
/// drops some of the connections when many come at once (sshd_config(5), MaxStartups).
const AGAIN: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// libssh2's LIBSSH2_ERROR_SOCKET_DISCONNECT: the line was closed from the other side.
const HUNG_UP: ErrorCode = ErrorCode::Session(-13);

/// How much output of one command is taken, unless the caller says otherwise.
const OUTPUT_LIMIT: usize = 64 << 20;

/// How long each part of connecting may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Finding the addresses of the name, and connecting to one of them.
    pub connect: Duration,
    /// The key exchange.
    pub handshake: Duration,
    /// Each attempt to sign in; an agent may have to ask its user.
    pub auth: Duration,
    /// The agent's first answer.
    pub agent: Duration,
    /// How long the line may be silent before it counts as cut.
    pub silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(20),
            auth: Duration::from_secs(30),
            agent: Duration::from_secs(5),
            silence: Duration::from_secs(60),
        }
    }
}

/// A connection that is trusted and signed in. It is closed when it is dropped, and
/// whatever it still runs on the other side ends then.
pub struct Connection {
    pub(crate) wire: Wire,
    pub(crate) endpoint: Endpoint,
    pub(crate) output_limit: usize,
    banner: Option<String>,
    round_trip: Duration,
}

impl Connection {
    /// Connects, judges the host key and signs in.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`]. Nothing was sent to the machine when its host key is at fault.
    pub fn connect(
        endpoint: &Endpoint,
        trust: &Trust<'_>,
        auth: &Auth<'_>,
        timeouts: &Timeouts,
    ) -> Result<Self, ConnectError> {
        let known_hosts = endpoint.known_hosts.clone();
        let judge = Judge::new(trust, endpoint.known_as(), known_hosts)?;
        let protocol = |problem: String| ConnectError::Protocol {
            endpoint: endpoint.to_string(),
            problem,
        };
        let Shaken {
            session,
            socket,
            round_trip,
        } = reach(endpoint, &judge, timeouts)?;
        let (blob, _) = session
            .host_key()
            .ok_or_else(|| protocol("it showed no host key".into()))?;
        let key = PublicKey::from_blob(blob).map_err(|error| protocol(error.to_string()))?;
        judge.judge(&key)?;
        session.set_timeout(millis(timeouts.auth));
        auth::sign_in(&session, endpoint, auth, timeouts)?;
        let banner = session.userauth_banner().ok().flatten().map(str::to_owned);
        Ok(Self {
            wire: Wire::new(session, socket),
            endpoint: endpoint.clone(),
            output_limit: OUTPUT_LIMIT,
            banner,
            round_trip,
        })
    }

    /// The machine that this is connected to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The address at the other end of the line.
    ///
    /// # Errors
    ///
    /// When the line is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.wire.socket.peer_addr()
    }

    /// How long the other side took to answer the first packet, as connecting showed it.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// What the server showed before signing in.
    #[must_use]
    pub fn banner(&self) -> Option<&str> {
        self.banner.as_deref()
    }

    /// Sets how many bytes of output (both streams together) one command may print; 64 MiB at first.
    pub fn set_output_limit(&mut self, bytes: usize) {
        self.output_limit = bytes;
    }
}

pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// A line on which the keys were exchanged, and nothing else yet.
struct Shaken {
    session: Session,
    socket: TcpStream,
    round_trip: Duration,
}

/// Connects and exchanges keys, again where the server hung up before it said anything.
fn reach(
    endpoint: &Endpoint,
    judge: &Judge<'_>,
    timeouts: &Timeouts,
) -> Result<Shaken, ConnectError> {
    let protocol = |problem: String| ConnectError::Protocol {
        endpoint: endpoint.to_string(),
        problem,
    };
    let mut waits = AGAIN.iter();
    let mut hung_up = false;
    loop {
        let (socket, round_trip) = match dial(endpoint, timeouts.connect) {
            // It answered a moment ago: that it hung up then says more than that it is gone now.
            Err(_) if hung_up => return Err(protocol(NoKeys::HungUp.to_string())),
            dialled => dialled?,
        };
        tune(&socket, timeouts.silence)
            .map_err(|error| protocol(format!("setting up the socket: {error}")))?;
        let copy = socket
            .try_clone()
            .map_err(|error| protocol(error.to_string()))?;
        match shake_hands(copy, judge, timeouts) {
            Ok(session) => {
                return Ok(Shaken {
                    session,
                    socket,
                    round_trip,
                });
            }
            Err(NoKeys::HungUp) => match waits.next() {
                Some(&wait) => {
                    hung_up = true;
                    thread::sleep(wait);
                }
                None => return Err(protocol(NoKeys::HungUp.to_string())),
            },
            Err(other) => return Err(protocol(other.to_string())),
        }
    }
}

/// Finds the addresses and tries one after the other; says how long the one that answered took.
fn dial(endpoint: &Endpoint, limit: Duration) -> Result<(TcpStream, Duration), Unreachable> {
    let until = Instant::now() + limit;
    let mut failure = Unreachable {
        endpoint: endpoint.to_string(),
        reason: UnreachableReason::Name,
        tried: Vec::new(),
        detail: String::new(),
    };
    let addresses = match resolve(endpoint, limit) {
        Ok(addresses) => addresses,
        Err(detail) => {
            failure.detail = detail;
            return Err(failure);
        }
    };
    for (index, &address) in addresses.iter().enumerate() {
        // What is left is shared, so that one dead address does not eat the time of a living one.
        let rest = u32::try_from(addresses.len() - index).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / rest;
        let began = Instant::now();
        match TcpStream::connect_timeout(&address, share.max(Duration::from_millis(100))) {
            Ok(socket) => return Ok((socket, began.elapsed())),
            Err(error) => {
                failure.reason = reason(&error);
                failure.tried.push((address, error.to_string()));
            }
        }
    }
    Err(failure)
}

/// The system's resolver has no time limit, so it is asked in a thread.
fn resolve(endpoint: &Endpoint, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (send, receive) = mpsc::channel();
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    thread::spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        let _ = send.send(addresses.map(Iterator::collect::<Vec<_>>));
    });
    match receive.recv_timeout(limit) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err("the name has no address".into()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer about the name after {limit:?}")),
    }
}

fn reason(error: &io::Error) -> UnreachableReason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => UnreachableReason::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => UnreachableReason::TimedOut,
        _ => UnreachableReason::Network,
    }
}

/// Makes the kernel notice a line that is silently gone, and send small packets at once.
fn tune(socket: &TcpStream, silence: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let quarter = (silence / 4).max(Duration::from_secs(1));
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, quarter)?;
    sockopt::set_tcp_keepintvl(socket, quarter)?;
    sockopt::set_tcp_keepcnt(socket, 3)?;
    sockopt::set_tcp_user_timeout(socket, millis(silence))?;
    Ok(())
}

/// Why no keys were exchanged.
#[derive(Debug, Error)]
enum NoKeys {
    #[error(
        "the other side closed the connection without a word; is this an SSH server, and does it let this side in? \
         sshd does that to an address from which many connections came that never signed in (PerSourcePenalties), \
         or while too many sign in at once (MaxStartups): try again in half a minute, else read `journalctl -u ssh` there"
    )]
    HungUp,
    #[error("{0}")]
    Ssh(String),
}

fn shake_hands(
    socket: TcpStream,
    judge: &Judge<'_>,
    timeouts: &Timeouts,
) -> Result<Session, NoKeys> {
    let doing =
        |what: &'static str| move |error: ssh2::Error| NoKeys::Ssh(format!("{what}: {error}"));
    let mut session = Session::new().map_err(doing("preparing a session"))?;
    session
        .method_pref(MethodType::HostKey, &judge.algorithms())
        .map_err(doing("choosing the host key algorithms"))?;
    session.set_tcp_stream(socket);
    session.set_timeout(millis(timeouts.handshake));
    match session.handshake() {
        Ok(()) => Ok(session),
        Err(error) if error.code() == HUNG_UP => Err(NoKeys::HungUp),
        Err(error) => Err(NoKeys::Ssh(format!(
            "the key exchange failed: {error}; is this an SSH server, and does it let this side in?"
        ))),
    }
}
