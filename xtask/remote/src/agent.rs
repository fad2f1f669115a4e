//! The agent, with an end to every wait.
//!
//! libssh2 waits for an agent without a limit. So it is given a socket of this
//! program's own, from which a thread passes requests on to the real agent; when
//! that does not answer in time, the thread answers "failure" in its place.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// The largest message that is passed on; OpenSSH's own limit.
const MESSAGE_LIMIT: usize = 256 << 10;
/// SSH_AGENT_FAILURE, as a message.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];

/// The socket to give to libssh2. Its folder goes when this is dropped.
pub(crate) struct Relay {
    folder: TempDir,
}

impl Relay {
    /// Connects to the agent at `socket`: `first` is how long its first answer may
    /// take, `later` that of each later one, for which it may ask its user.
    pub(crate) fn start(socket: &Path, first: Duration, later: Duration) -> Result<Self, String> {
        let agent = connect(socket, first)?;
        let folder = tempfile::Builder::new().prefix("lab-agent-").tempdir();
        let folder = folder.map_err(|error| format!("a folder for the agent's socket: {error}"))?;
        let listener = UnixListener::bind(folder.path().join("socket"))
            .map_err(|error| format!("a socket for the agent: {error}"))?;
        thread::spawn(move || {
            // It ends with the connection, which libssh2 closes when it has signed in.
            if let Ok((client, _)) = listener.accept() {
                let _ = serve(client, agent, first, later);
            }
        });
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Wakes a thread that nobody has connected to.
        let _ = UnixStream::connect(self.path());
    }
}

/// Connecting can wait too, when the agent's queue is full.
fn connect(socket: &Path, limit: Duration) -> Result<UnixStream, String> {
    let (send, receive) = mpsc::channel();
    let path = socket.to_owned();
    thread::spawn(move || send.send(UnixStream::connect(path)));
    match receive.recv_timeout(limit) {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("{}: {error}", socket.display())),
        Err(_) => Err(format!(
            "{}: no connection after {limit:?}",
            socket.display()
        )),
    }
}

fn serve(
    mut client: UnixStream,
    mut agent: UnixStream,
    first: Duration,
    later: Duration,
) -> io::Result<()> {
    let mut limit = first;
    let mut silent = false;
    loop {
        let request = message(&mut client)?;
        let answer = match silent {
            true => None,
            false => ask(&mut agent, &request, limit).ok(),
        };
        // After a late answer the two would be out of step, so the agent is not asked again.
        silent = answer.is_none();
        client.write_all(answer.as_deref().unwrap_or(&FAILURE))?;
        limit = later;
    }
}

fn ask(agent: &mut UnixStream, request: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    agent.set_read_timeout(Some(limit))?;
    agent.set_write_timeout(Some(limit))?;
    agent.write_all(request)?;
    message(agent)
}

/// One message with its length before it.
fn message(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length) as usize;
    if size > MESSAGE_LIMIT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "message too long",
        ));
    }
    let mut message = length.to_vec();
    message.resize(4 + size, 0);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}
