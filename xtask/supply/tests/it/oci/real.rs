//! Debian's docker-registry, filled over HTTP as `docker push` does it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::oci::{Reference, Registry, resolve};
use lab_supply::{Digest, Network, Refusal};

use super::{DOCKER_LIST, DOCKER_MANIFEST, Made, OCI_INDEX, OCI_MANIFEST, index, refusal};
use crate::world::{limits, not_run};

/// docker-registry on a port of its own, its data in a directory that goes away.
pub(crate) struct DockerRegistry {
    process: Child,
    pub(crate) host: String,
    _dir: tempfile::TempDir,
}

impl DockerRegistry {
    /// `more` are further lines of its configuration; `DIR` in them is its directory,
    /// which `files` are put into. `None` where it is missing.
    pub(crate) fn start(more: &str, files: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let root = dir.path().display().to_string();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n{}",
            more.replace("DIR", &root)
        );
        fs::write(dir.path().join("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(dir.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let started = Self {
            process,
            host: format!("127.0.0.1:{port}"),
            _dir: dir,
        };
        let start = Instant::now();
        while TcpStream::connect(&started.host).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "docker-registry did not start"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Some(started)
    }

    /// Pushes a blob (distribution specification, "pushing a blob monolithically").
    pub(crate) fn blob(&self, repository: &str, authorization: &str, bytes: &[u8]) {
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let started = ureq::post(&url)
            .header("Authorization", authorization)
            .send_empty()
            .unwrap();
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let joint = if location.contains('?') { '&' } else { '?' };
        ureq::put(format!(
            "{location}{joint}digest=sha256:{}",
            Digest::of(bytes)
        ))
        .header("Authorization", authorization)
        .header("Content-Type", "application/octet-stream")
        .send(bytes)
        .unwrap();
    }

    /// Pushes a manifest under a tag or digest.
    pub(crate) fn manifest(&self, name: &str, authorization: &str, kind: &str, bytes: &[u8]) {
        ureq::put(format!("http://{}/v2/{name}", self.host))
            .header("Authorization", authorization)
            .header("Content-Type", kind)
            .send(bytes)
            .unwrap();
    }

    fn image(&self, authorization: &str, made: &Made, selector: &str) {
        let config = made.config.to_string().into_bytes();
        for blob in made.layers.iter().chain([&config]) {
            self.blob("lab/x", authorization, blob);
        }
        let kind = made.manifest["mediaType"].as_str().unwrap();
        self.manifest(
            &format!("lab/x/manifests/{selector}"),
            authorization,
            kind,
            &made.bytes(),
        );
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn docker_registry_images_and_indexes_of_both_kinds() {
    let test = "docker_registry_images_and_indexes_of_both_kinds";
    let Some(registry) = DockerRegistry::start("", &[]) else {
        return not_run(test, "docker-registry is not installed");
    };
    for (tag, list, manifest) in [
        ("oci", OCI_INDEX, OCI_MANIFEST),
        ("docker", DOCKER_LIST, DOCKER_MANIFEST),
    ] {
        let [ours, theirs] = ["amd64", "arm64"].map(|architecture| {
            let mut made = Made::new(architecture);
            if tag == "docker" {
                made.describe(
                    manifest,
                    "application/vnd.docker.container.image.v1+json",
                    "application/vnd.docker.image.rootfs.diff.tar.gzip",
                );
            }
            registry.image("", &made, &format!("sha256:{}", Digest::of(&made.bytes())));
            made
        });
        let entries: &[(&str, &[u8], &str)] = &[
            (manifest, &theirs.bytes(), "linux/arm64"),
            (manifest, &ours.bytes(), "linux/amd64"),
        ];
        let index = index(list, entries).to_string();
        registry.manifest(
            &format!("lab/x/manifests/{tag}"),
            "",
            list,
            index.as_bytes(),
        );
        let asked: Reference = format!("{}/lab/x:{tag}", registry.host).parse().unwrap();
        let network = Network::new(limits());
        let image = resolve(&network, &asked).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(image.digest(), Digest::of(index.as_bytes()));
        assert_eq!(image.manifest.digest, Digest::of(&ours.bytes()));
        assert_eq!(image.manifest.media_type, manifest);
        let again = resolve(&network, &asked.pinned(image.digest())).unwrap();
        assert_eq!(
            (again.manifest, again.layers.clone()),
            (image.manifest, image.layers)
        );
        let base = asked.base();
        let blob = Registry::new(&network, "x", &base, asked.repository())
            .blob(again.layers[0].digest)
            .unwrap();
        let bytes = ureq::get(&blob.url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_vec()
            .unwrap();
        assert_eq!(bytes, ours.layers[0]);
    }
}

/// The password is "sesame"; bcrypt with 16 rounds, to be quick.
const HTPASSWD: &str = "me:$2b$04$NvHgbLEHgTiIDMrG6q2VV.jd3lMwn6CP4cRDfH8lV0CPWUim.FrVS\n";
const SESAME: &str = "Basic bWU6c2VzYW1l";

#[test]
fn docker_registry_with_a_password() {
    let test = "docker_registry_with_a_password";
    let more = "auth: {htpasswd: {realm: lab, path: DIR/htpasswd}}\n";
    let Some(registry) = DockerRegistry::start(more, &[("htpasswd", HTPASSWD)]) else {
        return not_run(test, "docker-registry is not installed");
    };
    let made = Made::new("amd64");
    registry.image(SESAME, &made, "v1");
    let asked: Reference = format!("{}/lab/x:v1", registry.host).parse().unwrap();
    let host = registry.host.clone();
    let authorization = move |asked: &str| (asked == host).then(|| SESAME.to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    let image = resolve(&network, &asked).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(image.digest(), Digest::of(&made.bytes()));
    let base = asked.base();
    let blob = Registry::new(&network, "x", &base, asked.repository())
        .blob(image.layers[0].digest)
        .unwrap();
    assert_eq!(blob.authorization.as_deref(), Some(SESAME));
    let found = refusal(resolve(&Network::new(limits()), &asked));
    assert!(
        matches!(&found, Refusal::Denied(why) if why.contains("none are given")),
        "{found}"
    );
}
