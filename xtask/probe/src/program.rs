//! Programs of the machine, asked under a deadline.
//!
//! Each runs in a process group of its own, with nothing on its standard input, and the
//! group is killed when the time is up, when it says too much and when the probe ends. One
//! that cannot be killed, because the kernel holds it, is left behind and not waited for.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::root::short;

/// The groups that run, by their leaders' numbers.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Where programs are looked for, after the places that the caller's `PATH` names.
const PLACES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a killed program may take to be gone.
const GRACE: Duration = Duration::from_millis(200);

/// The caller's own places, then those of every system.
pub(crate) fn search_path() -> String {
    // An empty one would stand for the folder that the probe was started in.
    match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{PLACES}"),
        _ => PLACES.to_owned(),
    }
}

/// Kills every group that runs.
pub(crate) fn kill_all() {
    let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    for group in groups.iter().filter_map(|group| Pid::from_raw(*group)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// A program, and the bounds that it is asked under.
pub(crate) struct Program {
    command: Command,
    name: String,
    limit: Duration,
    most: usize,
}

/// What a program said.
pub(crate) struct Said {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl Program {
    /// A program by its name or path, for three seconds and 4 MiB.
    pub(crate) fn new<A: AsRef<OsStr>>(name: &str, words: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(name);
        command
            .args(words)
            .env("PATH", search_path())
            .env("LC_ALL", "C")
            .env("SYSTEMD_COLORS", "0");
        Self {
            command,
            name: name.to_owned(),
            limit: Duration::from_secs(3),
            most: 4 << 20,
        }
    }

    /// Another name in messages.
    pub(crate) fn called(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Another limit of time.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Another limit of what it may say, in bytes.
    pub(crate) fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// What it says, where it ends well.
    pub(crate) fn text(self) -> Result<String, String> {
        let name = self.name.clone();
        let said = self.run()?;
        match said.status.success() {
            true => Ok(said.out),
            false => Err(said.failure(&name)),
        }
    }

    /// What it says, however it ends.
    pub(crate) fn run(mut self) -> Result<Said, String> {
        let mut running = self.start(Stdio::piped())?;
        let mut out = Collected::new(running.child.stdout.take(), self.most);
        let mut err = Collected::new(running.child.stderr.take(), 64 << 10);
        let deadline = Instant::now() + self.limit;
        let name = &self.name;
        let ended = running
            .listen(&mut out, &mut err, deadline)
            .map_err(|error| format!("asking `{name}`: {error}"))?;
        if out.over {
            return Err(format!("`{name}` says more than {} bytes", self.most));
        }
        let status = ended.then(|| running.end(deadline)).flatten();
        match status {
            Some(status) => Ok(Said {
                status,
                out: out.text(),
                err: err.text(),
            }),
            None => Err(format!(
                "`{name}` did not answer within {:.0} s{}",
                self.limit.as_secs_f64().max(1.0),
                out.last_words(&err)
            )),
        }
    }

    /// Starts it; whoever holds what comes back kills it by letting go.
    pub(crate) fn start(&mut self, err: Stdio) -> Result<Running, String> {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err)
            .process_group(0);
        Running::start(&mut self.command, &self.name, || Ok(()))
    }
}

impl Said {
    /// How it failed, in words.
    pub(crate) fn failure(&self, name: &str) -> String {
        let words = match self.err.trim().is_empty() {
            true => &self.out,
            false => &self.err,
        };
        format!("`{name}` failed ({}): {}", self.status, short(words))
    }
}

/// A program that runs. It leads a process group, which is killed when this is dropped.
pub(crate) struct Running {
    /// The program.
    pub(crate) child: Child,
    group: i32,
    over: bool,
}

impl Running {
    /// Starts a command that makes itself the leader of a group, and dies with the thread
    /// that started it. `first` runs in the child; it may make system calls and nothing else.
    pub(crate) fn start(
        command: &mut Command,
        name: &str,
        first: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let child =
            die_with_parent(command, first)
                .spawn()
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {
                        let program = name.split(' ').next().unwrap_or(name);
                        format!("the program `{program}` is not there")
                    }
                    _ => format!("starting `{name}`: {error}"),
                })?;
        let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(group);
        Ok(Self {
            child,
            group,
            over: false,
        })
    }

    /// Reads both of its pipes until it ended (then true) or the time is up.
    fn listen(
        &mut self,
        out: &mut Collected<impl Read + AsFd>,
        err: &mut Collected<impl Read + AsFd>,
        deadline: Instant,
    ) -> io::Result<bool> {
        // Without it (an old kernel) the pipes' ends say when it is over.
        let process = self.pidfd();
        loop {
            let (more_out, more_err) = (out.read()?, err.read()?);
            let open = more_out || more_err;
            if out.over || (process.is_none() && !open) {
                return Ok(!out.over);
            }
            let mut wanted = Vec::with_capacity(3);
            wanted.extend(out.poll().into_iter().chain(err.poll()));
            wanted.extend(process.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            wait_for(&mut wanted, left)?;
            let ended =
                process.is_some() && wanted.last().is_some_and(|fd| !fd.revents().is_empty());
            drop(wanted);
            if ended {
                // A child of its own may hold the pipes open: what is in them now counts.
                out.read()?;
                err.read()?;
                return Ok(true);
            }
        }
    }

    fn pidfd(&self) -> Option<OwnedFd> {
        pidfd_open(Pid::from_raw(self.group)?, PidfdFlags::empty()).ok()
    }

    /// Its status, once it ends of itself.
    fn end(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let deadline = deadline.max(Instant::now() + GRACE);
        let status = self.reap(deadline);
        self.over = status.is_some();
        status
    }

    fn reap(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let mut pause = Duration::from_micros(100);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(pause),
                Ok(None) | Err(_) => return None,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Before the leader is waited for, while its number cannot be another's.
        if !self.over {
            if let Some(group) = Pid::from_raw(self.group) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            self.reap(Instant::now() + GRACE);
        }
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.remove(&self.group);
    }
}

/// The kernel kills the command's process when the thread that starts it ends, so that
/// nothing is left over of a probe that was itself killed.
#[expect(
    unsafe_code,
    reason = "there is no safe way to run code between fork and exec"
)]
fn die_with_parent(
    command: &mut Command,
    first: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> &mut Command {
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and
    // no lock is taken.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            first()
        })
    }
}

/// Waits until one of them is ready or the time is over.
pub(crate) fn wait_for(wanted: &mut [PollFd<'_>], left: Duration) -> io::Result<()> {
    let left = Timespec::try_from(left).ok();
    match poll(wanted, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What comes out of a pipe, up to a bound.
struct Collected<P> {
    pipe: Option<P>,
    bytes: Vec<u8>,
    most: usize,
    over: bool,
}

impl<P: Read + AsFd> Collected<P> {
    fn new(pipe: Option<P>, most: usize) -> Self {
        let pipe = pipe.filter(|pipe| rustix::io::ioctl_fionbio(pipe, true).is_ok());
        Self {
            pipe,
            bytes: Vec::new(),
            most,
            over: false,
        }
    }

    /// Takes what is there. Whether more may come.
    fn read(&mut self) -> io::Result<bool> {
        let mut part = [0; 16 << 10];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut part) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.keep(&part[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.over {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn keep(&mut self, part: &[u8]) {
        let room = self.most - self.bytes.len();
        self.over = part.len() > room;
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn poll(&self) -> Option<PollFd<'_>> {
        let pipe = self.pipe.as_ref()?;
        Some(PollFd::new(pipe, PollFlags::IN))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn last_words(&self, err: &Collected<impl Read + AsFd>) -> String {
        let said = err.text() + &self.text();
        match short(&said) {
            nothing if nothing.is_empty() => String::new(),
            said => format!("; before, it said: {said}"),
        }
    }
}
