//! One nginx that answers under all the vendors' names.
//!
//! What is wrong with a server for a while is in its configuration and nowhere else: the
//! files stay as they are, so that taking a fault back is writing the configuration anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use super::certificates::Certificates;
use crate::programs::{run, wait_for};

/// A name that is answered, and how.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) host: &'static str,
    /// nginx directives of its `server` block.
    pub(crate) directives: String,
}

/// One thing that is other than it should be.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Every connection ends without an answer.
    Down { host: String },
    /// No connection is faster than that, in bytes a second.
    Slow { host: String, rate: u64 },
    /// This path answers with that file.
    File {
        host: String,
        path: String,
        file: PathBuf,
    },
    /// Everything below this path comes from that folder.
    Folder {
        host: String,
        path: String,
        folder: PathBuf,
    },
    /// This path is not there.
    Missing { host: String, path: String },
}

impl Change {
    fn host(&self) -> &str {
        match self {
            Self::Down { host }
            | Self::Slow { host, .. }
            | Self::File { host, .. }
            | Self::Folder { host, .. }
            | Self::Missing { host, .. } => host,
        }
    }

    fn directive(&self) -> String {
        match self {
            Self::Down { .. } => "return 444;".to_owned(),
            Self::Slow { rate, .. } => format!("limit_rate {rate};"),
            Self::File { path, file, .. } => {
                format!("location = \"{path}\" {{ alias {}; }}", file.display())
            }
            Self::Folder { path, folder, .. } => {
                format!("location ^~ \"{path}\" {{ alias {}/; }}", folder.display())
            }
            Self::Missing { path, .. } => format!("location = \"{path}\" {{ return 404; }}"),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Counts configurations, so that the one that answers is known.
    generation: u64,
    changes: BTreeMap<u64, Vec<Change>>,
}

/// nginx, which ends when this value goes.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    address: IpAddr,
    sites: Vec<Site>,
    head: String,
    state: Mutex<State>,
}

impl Server {
    /// Starts it on ports 80 and 443 of an address.
    pub(crate) fn start(
        folder: &Path,
        address: IpAddr,
        certificates: &Certificates,
        sites: Vec<Site>,
    ) -> Result<Self> {
        let place = folder.join("nginx.conf");
        let head = head(folder, certificates)?;
        let state = State::default();
        let text = configuration(&head, address, &sites, &state);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
        let said = fs::File::create(folder.join("nginx.log")).context("making a log")?;
        let child = nginx(&place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .context("starting nginx")?;
        let server = Self {
            child,
            folder: folder.to_owned(),
            address,
            sites,
            head,
            state: Mutex::new(state),
        };
        server
            .wait_for_generation(0)
            .with_context(|| server.said())?;
        Ok(server)
    }

    /// Makes these changes and says under which number they are taken back.
    pub(crate) fn change(&self, changes: Vec<Change>) -> Result<u64> {
        let mut state = self.state();
        let number = state.generation + 1;
        state.changes.insert(number, changes);
        let reloaded = self.reload(&mut state);
        if reloaded.is_err() {
            state.changes.remove(&number);
        }
        reloaded.map(|()| number)
    }

    /// Takes changes back.
    pub(crate) fn take_back(&self, number: u64) -> Result<()> {
        let mut state = self.state();
        state.changes.remove(&number);
        self.reload(&mut state)
    }

    /// How many requests each name has answered so far.
    pub(crate) fn requests(&self) -> Result<BTreeMap<String, usize>> {
        let place = self.folder.join("access.log");
        let log =
            fs::read_to_string(&place).with_context(|| format!("reading {}", place.display()))?;
        let mut counted = BTreeMap::new();
        for host in log.lines().filter_map(|line| line.split(' ').next()) {
            *counted.entry(host.to_owned()).or_insert(0) += 1;
        }
        Ok(counted)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload(&self, state: &mut State) -> Result<()> {
        state.generation += 1;
        let place = self.folder.join("nginx.conf");
        let text = configuration(&self.head, self.address, &self.sites, state);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
        let pid = self.child.id().to_string();
        run("kill", &["-HUP", &pid]).context("telling nginx of its new configuration")?;
        self.wait_for_generation(state.generation)
            .with_context(|| self.said())
    }

    /// Waits until every process of nginx that takes connections is of this generation.
    fn wait_for_generation(&self, generation: u64) -> Result<()> {
        let url = format!("http://{}/", self.address);
        let wanted = generation.to_string();
        let ask = [
            "--silent",
            "--max-time",
            "5",
            "--header",
            "Host: generation.invalid",
            &url,
        ];
        let mut in_a_row = 0;
        wait_for("nginx answers with its new configuration", || {
            let same = run("curl", &ask).is_ok_and(|answer| answer == wanted);
            in_a_row = if same { in_a_row + 1 } else { 0 };
            in_a_row == 3
        })
    }

    /// The end of what nginx said, for errors.
    fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let all = read("nginx.log") + &read("error.log");
        let lines: Vec<_> = all.lines().collect();
        let end = lines.get(lines.len().saturating_sub(10)..);
        format!("nginx said:\n{}", end.unwrap_or_default().join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers end with it when it is asked, and not when it is killed.
        let _ = run("kill", &["-TERM", &self.child.id().to_string()]);
        let _ = self.child.wait();
    }
}

fn nginx(configuration: &Path) -> Command {
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(configuration).args(["-e", "stderr"]);
    nginx
}

/// Everything above the servers.
fn head(folder: &Path, certificates: &Certificates) -> Result<String> {
    let folder = folder.display();
    // Its workers would be nobody, who cannot read the scratch folder.
    let user = match run("id", &["-u"])?.trim() {
        "0" => "user root;\n",
        _ => "",
    };
    let mut text = format!(
        "daemon off;\n{user}worker_processes 2;\npid {folder}/nginx.pid;\n\
         error_log {folder}/error.log;\nworker_shutdown_timeout 1s;\n\
         events {{ worker_connections 512; }}\nhttp {{\n\
         default_type application/octet-stream;\nsendfile on;\nserver_tokens off;\n\
         client_max_body_size 0;\nserver_names_hash_bucket_size 128;\n\
         log_format lab '$host $status $body_bytes_sent $request_method $request_uri';\n\
         access_log {folder}/access.log lab;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "{kind}_temp_path {folder}/temp_{kind};")?;
    }
    writeln!(
        text,
        "proxy_cache_path {folder}/cache levels=1:2 keys_zone=debian:1m max_size=2g inactive=1d;\n\
         ssl_certificate {};\nssl_certificate_key {};",
        certificates.server.display(),
        certificates.server_key.display()
    )?;
    Ok(text)
}

fn configuration(head: &str, address: IpAddr, sites: &[Site], state: &State) -> String {
    let listen = format!("listen {address}:80; listen {address}:443 ssl;");
    let mut text = format!(
        "{head}server {{ {listen} server_name generation.invalid; access_log off;\n\
         location / {{ return 200 {}; }} }}\n",
        state.generation
    );
    for site in sites {
        let of_site = |change: &&Change| change.host() == site.host;
        let changes = state.changes.values().flatten().filter(of_site);
        // Two faults at one path are one, as nginx takes a location but once.
        let changes: BTreeSet<_> = changes.map(Change::directive).collect();
        let changes: Vec<_> = changes.into_iter().collect();
        text += &format!(
            "server {{ {listen} server_name {};\n{}\n{}\n}}\n",
            site.host,
            changes.join("\n"),
            site.directives
        );
    }
    text + "}\n"
}
