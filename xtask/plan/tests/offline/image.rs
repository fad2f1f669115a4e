//! Images of containers by digest: out of the payload into a real Docker where one runs
//! here, and from a registry by a stand-in that only shows what is asked for.

use std::process::Command;

use lab_lock::Sha256;

use super::bench::Bench;
use crate::common::{have, not_run, succeed};

/// An image of one small layer, as a registry has it.
struct Image {
    manifest: Sha256,
    config: Sha256,
    layer: Sha256,
}

impl Image {
    /// Puts it into the payload.
    fn new(bench: &Bench) -> Self {
        bench.put("layer/hello", "hello\n");
        let tar = |path: &str| {
            let archive = bench.path(path);
            succeed(
                Command::new("tar")
                    .args(["--create", "--mtime=@0", "--file"])
                    .arg(&archive)
                    .arg("--directory")
                    .arg(bench.path("layer"))
                    .arg("hello"),
            );
            archive
        };
        let plain = tar("layer.tar");
        let diff = Sha256::of(&std::fs::read(&plain).unwrap());
        succeed(Command::new("gzip").arg("--no-name").arg(&plain));
        let packed = std::fs::read(bench.path("layer.tar.gz")).unwrap();
        let layer = bench.blob(&packed);
        let config = format!(
            "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{{\"Cmd\":[\"/hello\"]}},\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:{diff}\"]}}}}"
        );
        let part = |kind: &str, digest: Sha256, size: usize| {
            format!(
                "{{\"mediaType\":\"application/vnd.oci.image.{kind}\",\"digest\":\"sha256:{digest}\",\"size\":{size}}}"
            )
        };
        let size = config.len();
        let config = bench.blob(config.as_bytes());
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{},\"layers\":[{}]}}",
            part("config.v1+json", config, size),
            part("layer.v1.tar+gzip", layer, packed.len())
        );
        Self {
            manifest: bench.blob(manifest.as_bytes()),
            config,
            layer,
        }
    }

    /// What the unit's file says of it.
    fn variables(&self, name: &str) -> String {
        format!(
            "image={name}:t1 image_locked={name}@sha256:{} image_tag={name}:t1 image_manifest={} image_config={}\n. /usr/lib/lab/workload.sh\n",
            self.manifest, self.manifest, self.config
        )
    }
}

fn have_docker(test: &str) -> bool {
    let runs = || {
        Command::new("docker")
            .arg("info")
            .output()
            .is_ok_and(|run| run.status.success())
    };
    if have(test, &["jq", "tar", "gzip"]) && runs() {
        return true;
    }
    not_run(test, "no Docker runs here");
    false
}

#[test]
fn docker_takes_the_image_out_of_the_payload() {
    if !have_docker("docker_takes_the_image_out_of_the_payload") {
        return;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    let image = Image::new(&bench);
    let name = format!("lab.example/offline-{}", std::process::id());
    let said = bench.unit(&format!(
        "{}pull_image; image_present; echo whole",
        image.variables(&name)
    ));
    let listed = Command::new("docker")
        .args([
            "image",
            "inspect",
            "--format",
            "{{.Id}}",
            &format!("{name}:t1"),
        ])
        .output()
        .unwrap();
    let _ = Command::new("docker")
        .args(["image", "rm", &format!("{name}:t1")])
        .output();
    assert!(
        String::from_utf8_lossy(&said.stdout).ends_with("whole\n"),
        "{said:?}"
    );
    let id = String::from_utf8(listed.stdout).unwrap();
    let ids = [image.config, image.manifest].map(|one| format!("sha256:{one}"));
    assert!(ids.iter().any(|one| one == id.trim()), "{id}");
    assert_eq!(bench.text("var/lib/lab/units/it.image"), id);
    assert!(!bench.asked_the_network());
}

/// What containerd reads (its store needs Docker 29, which may not be here): an OCI image
/// layout whose index names the manifest, byte for byte.
#[test]
fn the_stream_is_an_oci_layout_too() {
    if !have("the_stream_is_an_oci_layout_too", &["jq", "tar", "gzip"]) {
        return;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    let image = Image::new(&bench);
    let root = bench.root();
    bench.folder("out");
    bench.program(
        "docker",
        &format!(
            "case \"$1 ${{2:-}}\" in 'load --quiet') exec tar --extract --directory {root}/out --file \"$4\" ;;\n\
             'image inspect') [[ $3 == --format ]] && echo sha256:{} ;;\nesac",
            image.manifest
        ),
    );
    bench.well(&format!("{}pull_image", image.variables("quay.io/a/b")));
    let read =
        |path: &str| -> serde_json::Value { serde_json::from_str(&bench.text(path)).unwrap() };
    let index = read("out/index.json");
    assert_eq!(
        index["manifests"][0]["digest"],
        format!("sha256:{}", image.manifest)
    );
    assert_eq!(
        index["manifests"][0]["annotations"]["io.containerd.image.name"],
        "quay.io/a/b:t1"
    );
    assert_eq!(read("out/oci-layout")["imageLayoutVersion"], "1.0.0");
    let saved = &read("out/manifest.json")[0];
    assert_eq!(saved["Layers"][0], format!("blobs/sha256/{}", image.layer));
    for digest in [image.manifest, image.config, image.layer] {
        let bytes = std::fs::read(bench.path(&format!("out/blobs/sha256/{digest}"))).unwrap();
        assert_eq!(Sha256::of(&bytes), digest);
    }
}

/// The store of Docker 29 is containerd's, which is asked here without Docker.
#[test]
fn containerd_takes_the_stream() {
    const TEST: &str = "containerd_takes_the_stream";
    if !have(TEST, &["jq", "tar", "gzip", "containerd", "ctr"]) {
        return;
    }
    let bench = Bench::new();
    let Some(daemon) = Containerd::started(&bench) else {
        not_run(TEST, "containerd does not start here");
        return;
    };
    bench.carries_a_payload();
    let image = Image::new(&bench);
    let root = bench.root();
    bench.program(
        "docker",
        &format!(
            "case \"$1 ${{2:-}}\" in 'load --quiet') cat \"$4\" >{root}/image.tar ;;\n\
             'image inspect') [[ $3 == --format ]] && echo sha256:{} ;;\nesac",
            image.manifest
        ),
    );
    bench.well(&format!("{}pull_image", image.variables("quay.io/a/b")));
    let archive = bench.path("image.tar");
    succeed(daemon.ctr(&["import", "--no-unpack"]).arg(archive));
    let listed = succeed(&mut daemon.ctr(&["ls"]));
    let line = listed
        .lines()
        .find(|line| line.starts_with("quay.io/a/b:t1 "));
    let digest = format!("sha256:{}", image.manifest);
    assert!(line.is_some_and(|line| line.contains(&digest)), "{listed}");
}

/// A containerd of its own.
struct Containerd {
    process: std::process::Child,
    address: std::path::PathBuf,
}

impl Containerd {
    fn started(bench: &Bench) -> Option<Self> {
        let address = bench.path("containerd.sock");
        bench.put(
            "containerd.toml",
            "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n",
        );
        let process = Command::new("containerd")
            .arg("--config")
            .arg(bench.path("containerd.toml"))
            .arg("--root")
            .arg(bench.path("containerd/root"))
            .arg("--state")
            .arg(bench.path("containerd/state"))
            .arg("--address")
            .arg(&address)
            .stderr(std::process::Stdio::null())
            .spawn()
            .ok()?;
        let daemon = Self { process, address };
        let answers = || {
            daemon
                .ctr(&["ls"])
                .output()
                .is_ok_and(|run| run.status.success())
        };
        let mut tries = 0..100;
        tries
            .any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                answers()
            })
            .then_some(daemon)
    }

    fn ctr(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(&self.address);
        command.args(["--namespace", "lab", "images"]).args(words);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_image_that_is_not_whole_is_not_loaded() {
    if !have(
        "an_image_that_is_not_whole_is_not_loaded",
        &["jq", "tar", "gzip"],
    ) {
        return;
    }
    let bench = Bench::new();
    bench.carries_a_payload();
    let image = Image::new(&bench);
    let layer = format!("var/lib/lab/offline/blobs/{}", image.layer);
    bench.put(&layer, "not this");
    bench.program("docker", "exit 99");
    let said = bench.unit(&format!(
        "{}load_image || echo no",
        image.variables("quay.io/a/b")
    ));
    assert!(
        String::from_utf8_lossy(&said.stdout).ends_with("no\n"),
        "{said:?}"
    );
    assert!(String::from_utf8_lossy(&said.stderr).contains(&image.layer.to_string()));
}

#[test]
fn a_registry_is_asked_for_the_digest_and_must_give_it() {
    let bench = Bench::new();
    bench.program("ip", "echo default");
    let image = Image::new(&bench);
    let root = bench.root();
    let docker = |id: &str| {
        format!(
            "echo \"$*\" >>{root}/asked\ncase \"$1 ${{2:-}}\" in 'image inspect') [[ $3 == --format ]] && echo {id} ;; esac"
        )
    };
    bench.program("docker", &docker(&format!("sha256:{}", image.config)));
    bench.well(&format!("{}pull_image", image.variables("quay.io/a/b")));
    let asked = bench.text("asked");
    assert!(
        asked.contains(&format!(
            "pull --quiet quay.io/a/b@sha256:{}\n",
            image.manifest
        )),
        "{asked}"
    );
    assert!(
        asked.contains(&format!("tag sha256:{} quay.io/a/b:t1\n", image.config)),
        "{asked}"
    );

    bench.program("docker", &docker("sha256:another"));
    let run = bench.unit(&format!(
        "rm -f /var/lib/lab/units/it.image\n{}pull_image",
        image.variables("quay.io/a/b")
    ));
    assert_eq!(run.status.code(), Some(78), "{run:?}");
    assert!(
        bench.state().contains("is not what is locked"),
        "{}",
        bench.state()
    );
}
