//! Downloading many files against `curl --parallel` and `sha256sum` after it, from an nginx
//! on the loopback: it stands for a network, and shows neither latency nor TLS. The store
//! hashes what comes and waits until the disk has it; curl does neither.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use lab_supply::Digest;

use super::objects::{Listed, bytes};
use super::{Bench, Figure, Once, command, demand, fresh, time};

/// How many files, and of how many bytes.
const FILES: u64 = 64;
const LENGTH: u64 = 8 << 20;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    demand(&["nginx", "curl", "sha256sum"])?;
    let served = bench.folder.join("www");
    fresh(&served)?;
    let mut all = Vec::new();
    for number in 0..FILES {
        let bytes = bytes(number, LENGTH);
        fs::write(served.join(number.to_string()), &bytes).context("writing what is served")?;
        all.push(Listed {
            sha256: Digest::of(&bytes),
            len: LENGTH,
        });
    }
    Listed::write(&bench.folder, &all)?;
    let server = Nginx::start(&bench.folder)?;
    fs::write(bench.folder.join("port"), server.port.to_string()).context("writing the port")?;
    let ways = ["fetch_all", "curl --parallel", "sha256sum"];
    let [ours, curl, sums] = bench.in_turn(ways, |way| one(bench, way, server.port))?;
    Ok(vec![
        Figure::ratio("downloading, against curl", ours, curl, 1.2),
        Figure::ratio(
            "downloading, against curl and then sha256sum",
            ours,
            curl + sums,
            1.0,
        ),
    ])
}

/// `sha256sum` is of what curl brought, and comes after it.
fn one(bench: &Bench, way: &str, port: u16) -> anyhow::Result<Duration> {
    let got = bench.folder.join("got");
    let took = match way {
        "fetch_all" => {
            fresh(&bench.folder.join("store"))?;
            time(&mut command(&bench.once(Once::Fetch))?)?
        }
        "sha256sum" => {
            let files = (0..FILES).map(|number| number.to_string());
            time(Command::new("sha256sum").current_dir(&got).args(files))?
        }
        _ => {
            fresh(&got)?;
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", "--parallel", "--parallel-max", "4"]);
            curl.arg("--remote-name-all").current_dir(&got);
            let url = |number| format!("http://127.0.0.1:{port}/{number}");
            time(curl.args((0..FILES).map(url)))?
        }
    };
    Ok(took.0)
}

/// A server of a folder's `www`, until it is dropped.
struct Nginx {
    process: Child,
    port: u16,
}

impl Nginx {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .context("finding a free port")?
            .port();
        let root = folder.display();
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log stderr crit;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;\n\
             fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
             server {{ listen 127.0.0.1:{port}; root {root}/www; }} }}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, text).context("writing nginx's configuration")?;
        // Not on every user's PATH.
        let place = Path::new("/usr/sbin/nginx");
        let program = if place.exists() {
            place
        } else {
            Path::new("nginx")
        };
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("starting nginx")?;
        let server = Self { process, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(5) {
                bail!("nginx did not start within 5 s");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
