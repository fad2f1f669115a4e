//! A server that nobody here wrote: ranges, entity tags, conditions, TLS.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::{Cause, FetchError, Limits, Origin, fetch_base};

use crate::world::{World, content, limits, not_run, options, pinned};

const MIB: usize = 1 << 20;

pub(crate) struct Nginx {
    process: Child,
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
}

impl Nginx {
    /// Serves a directory of its own with `more` in the server's configuration; `None` where nginx is missing.
    pub(crate) fn start(listen: &str, more: &str, rate: &str) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists())?;
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let root = dir.path().display();
        let more = more.replace("ROOT", &root.to_string());
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log stderr crit;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;\n\
             fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
             server {{ listen 127.0.0.1:{port} {listen}; root {root}/www; {more} {rate} }} }}\n"
        );
        fs::create_dir(dir.path().join("www")).unwrap();
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let process = Command::new(program)
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, port, dir })
    }

    pub(crate) fn serve(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join("www").join(name), bytes).unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "nginx did not start"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Nginx {
    /// The directory that it serves.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("www")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn nginx_a_whole_file_and_the_rest_of_one() {
    let test = "nginx_a_whole_file_and_the_rest_of_one";
    let Some(server) = Nginx::start("", "", "") else {
        return not_run(test, "nginx is not installed");
    };
    let bytes = content(3, 6 * MIB);
    server.serve("base.iso", &bytes);
    let url = format!("http://127.0.0.1:{}/base.iso", server.port);
    let image = pinned(&bytes, std::slice::from_ref(&url));
    let world = World::new();
    let fetched = world.fetch_content(&image, &bytes);
    assert_eq!(
        fetched.origin,
        Origin::Downloaded {
            url: url.clone(),
            bytes: 6 * MIB as u64
        }
    );
    // A rate limit and too short a wait leave a partial file behind; the tag must hold on resumption.
    let Some(slow) = Nginx::start("", "", "limit_rate_after 2m; limit_rate 100k;") else {
        return;
    };
    slow.serve("base.iso", &bytes);
    let world = World::new();
    let impatient = Limits {
        retries: 0,
        least_rate: 1 << 40,
        ..limits()
    };
    let slow_url = format!("http://127.0.0.1:{}/base.iso", slow.port);
    let slow_options = lab_supply::FetchOptions {
        limits: impatient,
        ..options()
    };
    let error = fetch_base(
        &world.cache,
        &pinned(&bytes, &[slow_url]),
        &slow_options,
        &mut |_| {},
    )
    .unwrap_err();
    assert!(matches!(error, FetchError::Failed { .. }), "{error}");
    let left = world.partial_len().unwrap();
    assert!(
        left >= 2 * MIB as u64 && left < bytes.len() as u64,
        "{left}"
    );
    let fetched = world.fetch_content(&image, &bytes);
    assert_eq!(
        fetched.origin,
        Origin::Downloaded {
            url,
            bytes: bytes.len() as u64 - left
        }
    );
}

#[test]
fn nginx_a_file_replaced_between_two_runs() {
    let test = "nginx_a_file_replaced_between_two_runs";
    let slow =
        "set $rate 0; if (-f ROOT/slow) { set $rate 100k; } limit_rate $rate; limit_rate_after 1m;";
    let Some(server) = Nginx::start("", slow, "") else {
        return not_run(test, "nginx is not installed");
    };
    let (old, new) = (content(3, 2 * MIB), content(4, 2 * MIB));
    server.serve("base.iso", &old);
    fs::write(server.dir.path().join("slow"), "").unwrap();
    let image = pinned(
        &new,
        &[format!("http://127.0.0.1:{}/base.iso", server.port)],
    );
    let world = World::new();
    let impatient = Limits {
        retries: 0,
        least_rate: 1 << 40,
        ..limits()
    };
    let quick = lab_supply::FetchOptions {
        limits: impatient,
        ..options()
    };
    fetch_base(&world.cache, &image, &quick, &mut |_| {}).unwrap_err();
    assert!(world.partial_len().unwrap() >= MIB as u64);
    fs::remove_file(server.dir.path().join("slow")).unwrap();
    // nginx's tag is made of the time in seconds and the length.
    thread::sleep(Duration::from_millis(1100));
    server.serve("base.iso", &new);
    // If-Range makes nginx send the new file whole, in the first answer.
    let fetched = world.fetch_content(&image, &new);
    assert!(
        matches!(fetched.origin, Origin::Downloaded { bytes, .. } if bytes == new.len() as u64)
    );
}

fn certificate(dir: &Path) -> bool {
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("cert.pem"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The system's list of authorities is believed, and nothing beside it.
#[test]
fn nginx_tls_trusts_what_the_system_trusts() {
    let test = "nginx_tls_trusts_what_the_system_trusts";
    let keys = tempfile::tempdir().unwrap();
    if !certificate(keys.path()) {
        return not_run(test, "openssl is not installed");
    }
    let more = format!(
        "ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;",
        keys.path().display()
    );
    let Some(server) = Nginx::start("ssl", &more, "") else {
        return not_run(test, "nginx is not installed");
    };
    let bytes = content(3, 2 * MIB);
    server.serve("base.iso", &bytes);
    let url = format!("https://127.0.0.1:{}/base.iso", server.port);
    let world = World::new();
    let error = world.fetch_error(&pinned(&bytes, std::slice::from_ref(&url)));
    let FetchError::Unreachable { tried, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        matches!(&tried[0].cause, Cause::NoAnswer(why) if why.contains("certificate")),
        "{error}"
    );
    // The environment is the process's, so another process has the certificate in its list.
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::child"])
        .env(
            "LAB_SUPPLY_CHILD",
            format!(
                "{}\n{url}\n{}",
                world.cache.dir().display(),
                lab_supply::Digest::of(&bytes)
            ),
        )
        .env("SSL_CERT_FILE", keys.path().join("cert.pem"))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(fs::read(world.place()).unwrap() == bytes);
}
