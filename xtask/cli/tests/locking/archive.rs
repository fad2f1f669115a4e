//! A signed archive of packages that a test changes as it likes, served over HTTP on the
//! loopback interface. What it does not prove: the packages are no real ones (nothing here
//! unpacks them), and the connection is not encrypted.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use lab_payload::RepositoryKey;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A package: its name, its version, and what it depends on.
pub(crate) type Package<'a> = (&'a str, &'a str, &'a str);

/// The archive, and the server before it.
pub(crate) struct Archive {
    folder: TempDir,
    address: SocketAddr,
    key: RepositoryKey,
    /// The headers `Authorization` that came.
    authorizations: Arc<Mutex<Vec<String>>>,
}

impl Archive {
    pub(crate) fn new(packages: &[Package<'_>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let authorizations = Arc::new(Mutex::new(Vec::new()));
        let (root, seen) = (folder.path().to_owned(), Arc::clone(&authorizations));
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, seen) = (root.clone(), Arc::clone(&seen));
                thread::spawn(move || drop(answer(&stream, &root, &seen)));
            }
        });
        let key = RepositoryKey::of_seed([5; 32], "archive").unwrap();
        let archive = Self {
            folder,
            address,
            key,
            authorizations,
        };
        archive.publish(packages);
        archive
    }

    /// From now on it has these packages, and the files of those that it had.
    pub(crate) fn publish(&self, packages: &[Package<'_>]) {
        let list: String = packages.iter().map(|one| self.stanza(one)).collect();
        let digest = hex::encode(Sha256::digest(&list));
        let release = format!(
            "Origin: test\nSuite: test\nArchitectures: amd64\nDate: Sat, 01 Jan 2000 00:00:00 UTC\n\
             SHA256:\n {digest} {} Packages\n",
            list.len()
        );
        fs::write(self.path("Packages"), list).unwrap();
        fs::write(self.path("InRelease"), self.key.sign(&release).unwrap()).unwrap();
        fs::write(self.path("key.asc"), self.key.public().unwrap()).unwrap();
    }

    fn stanza(&self, (name, version, depends): &Package<'_>) -> String {
        let body = format!("{name} {version}");
        let file = format!("{name}_{}_amd64.deb", version.replace([':', '~'], "-"));
        fs::write(self.path(&file), &body).unwrap();
        let depends = match depends.is_empty() {
            true => String::new(),
            false => format!("Depends: {depends}\n"),
        };
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{depends}Filename: ./{file}\n\
             Size: {}\nSHA256: {}\n\n",
            body.len(),
            hex::encode(Sha256::digest(&body))
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.authorizations.lock().unwrap().clone()
    }

    /// The catalog's `archives.toml`: this in place of Ubuntu's own.
    pub(crate) fn archives(&self) -> String {
        let armor = self.key.public().unwrap();
        let body = armor.lines().skip_while(|line| !line.is_empty());
        let body: String = body
            .take_while(|line| !line.starts_with(['=', '-']))
            .collect();
        let meta = "source = \"a test\"\ndate = \"2026-11-28\"\n";
        let fingerprint = self.key.fingerprint();
        format!(
            "[meta]\n{meta}[archive.ubuntu]\nrelease = \"24.04\"\nuri = \"http://{}\"\nsuites = [\"/\"]\n\
             components = []\nsigned_by = [\"{fingerprint}\"]\n\
             [[key]]\nfingerprint = \"{fingerprint}\"\nowner = \"a test\"\n{meta}base64 = \"{body}\"\n",
            self.host()
        )
    }

    /// The catalog's `apt.toml`: this in place of the vendors' repositories.
    pub(crate) fn vendors(&self, builtin: &str) -> String {
        let line = |line: &str| {
            let key = line.split(" = ").next().unwrap_or_default();
            match key {
                "uri" => format!("uri = \"http://{}\"\n", self.host()),
                "suite" => "suite = \"/\"\n".to_owned(),
                "components" => "components = []\n".to_owned(),
                "key_url" => format!("key_url = \"http://{}/key.asc\"\n", self.host()),
                "key_fingerprint" => format!("key_fingerprint = \"{}\"\n", self.key.fingerprint()),
                "key_sha256" => {
                    let digest = Sha256::digest(self.key.public().unwrap());
                    format!("key_sha256 = \"{}\"\n", hex::encode(digest))
                }
                _ => format!("{line}\n"),
            }
        };
        builtin.lines().map(line).collect()
    }
}

fn answer(stream: &TcpStream, root: &Path, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            seen.lock().unwrap().push(value.to_owned());
        }
    }
    let name = first
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .rsplit('/')
        .next();
    let body = fs::read(root.join(name.unwrap_or_default()));
    let (status, body) = match body {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", b"not here".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}
