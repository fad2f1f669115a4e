//! A small image in the form of this lab's, a running server, and a client that says what it
//! is told to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab_not_run::not_run;
use lab_serve::{Door, Limits, Record, Server, Site};

/// The kernel's words in the image's menu.
pub(crate) const WORDS: &str =
    "autoinstall subiquity.autoinstallpath=/cdrom/autoinstall.yaml lab.machine=box";

/// An image, and the folder that goes away with it.
pub(crate) struct Disc {
    folder: tempfile::TempDir,
    pub(crate) kernel: Vec<u8>,
    pub(crate) initrd: Vec<u8>,
}

impl Disc {
    /// Makes one; `None`, said to be not run, where xorriso is missing.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !has("xorriso") {
            not_run(test, "xorriso is not installed (Debian package xorriso)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let disc = Self {
            folder,
            kernel: noise(300_001, 1),
            initrd: noise(4_000_003, 2),
        };
        let root = disc.folder.path().join("root");
        let write = |path: &str, bytes: &[u8]| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let menu = format!(
            "menuentry 'Install box on DISK' --id install {{\n linux /casper/vmlinuz {WORDS} ---\n initrd /casper/initrd\n}}\n"
        );
        write("boot/grub/grub.cfg", menu.as_bytes());
        write("lab/manifest.json", br#"{"machine": "box", "more": [1]}"#);
        write("lab/secret", b"the private key");
        write("casper/vmlinuz", &disc.kernel);
        write("casper/initrd", &disc.initrd);
        let made = Command::new("xorriso")
            .args(["-as", "mkisofs", "-r", "-o"])
            .args([&disc.path(), &root])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        // The time of modification moves by the clock's tick: a write in the one in which the
        // image was made would not be seen.
        thread::sleep(Duration::from_millis(30));
        Some(disc)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("made.iso")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// Serves it on loopback.
    pub(crate) fn serve(&self, limits: Limits) -> Running {
        Running::start(&self.path(), limits)
    }
}

/// Bytes that look random and are always the same.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(2 * seed + 1);
    std::iter::repeat_with(|| dice.next().to_le_bytes())
        .flatten()
        .take(len)
        .collect()
}

/// A generator of numbers, the same in every run (xorshift, Marsaglia 2003).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Limits that a test can wait for.
pub(crate) fn quick() -> Limits {
    Limits {
        head: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        stall: Duration::from_millis(400),
        ..Limits::default()
    }
}

/// A server that runs in a thread of its own. Dropping it stops it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    records: Arc<Mutex<Vec<Record>>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(path: &Path, limits: Limits) -> Self {
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let names = ["lab.example".to_owned()];
        let door = Door::new(local, Vec::new(), &names).unwrap();
        let server = Server::bind(local, Site::open(path).unwrap(), door, limits).unwrap();
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let records = Arc::new(Mutex::new(Vec::new()));
        let (seen, told) = (Arc::clone(&stop), Arc::clone(&records));
        let thread = thread::spawn(move || {
            server
                .run(&seen, &|record| told.lock().unwrap().push(record.clone()))
                .unwrap();
        });
        Self {
            address,
            stop,
            records,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Says something on a connection of its own and reads until it is closed.
    pub(crate) fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // The server may have closed already: then what it said counts.
        let _ = stream.write_all(bytes);
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard
    }

    /// Asks with these fields, and returns the answer.
    pub(crate) fn ask(&self, first: &str, fields: &[&str]) -> Answer {
        let mut text = format!(
            "{first} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for field in fields {
            text += &format!("{field}\r\n");
        }
        Answer::read(&self.say(format!("{text}\r\n").as_bytes()))
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for its end, and panics where it panicked.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Waits until the log has a record like that.
    pub(crate) fn record(&self, like: impl Fn(&Record) -> bool) -> Record {
        for _ in 0..1000 {
            if let Some(found) = self.records.lock().unwrap().iter().find(|one| like(one)) {
                return found.clone();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no such record: {:#?}", self.records.lock().unwrap());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
