//! The notebook image, and the registry that has it.
//!
//! The image is made by mmdebstrap and kept by Docker under the digest of its recipe, as
//! the machine's own is; `docker push` takes it to Debian's docker-registry on loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use lab_standin::live::mirror;
use sha2::{Digest as _, Sha256};

use crate::image::without_reading_matter;
use crate::programs::{run, wait_for};

const NAME: &str = "lab-notebook";
const REPOSITORY: &str = "jupyter/tensorflow-notebook";
const SERVER: &str = include_str!("start-notebook.py");
/// What stands in for the DCGAN training, and the program that calls it.
const TRAINING: &str = include_str!("dcgan-train.py");
const PYTHON: &str = include_str!("python3.sh");

/// A registry that runs; it ends when this value goes.
#[derive(Debug)]
pub(crate) struct Registry {
    child: Child,
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    storage: PathBuf,
}

impl Registry {
    /// Starts it with an empty storage.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let storage = folder.join("storage");
        fs::create_dir_all(&storage).with_context(|| format!("making {}", storage.display()))?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|socket| socket.local_addr())
            .context("looking for a free port")?
            .port();
        let settings = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:{port}\n  relativeurls: true\n",
            storage.display()
        );
        let place = folder.join("registry.yml");
        fs::write(&place, settings).with_context(|| format!("writing {}", place.display()))?;
        let log = fs::File::create(folder.join("registry.log")).context("making a log")?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&place)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing a log")?)
            .stderr(log)
            .spawn()
            .context("starting docker-registry")?;
        let registry = Self {
            child,
            port,
            storage,
        };
        wait_for("docker-registry answers", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(registry)
    }

    /// Puts the notebook image there under this tag, and says the manifest's digest.
    pub(crate) fn push_notebook(&self, tag: &str) -> Result<String> {
        let image = ready()?;
        let there = format!("localhost:{}/{REPOSITORY}:{tag}", self.port);
        run("docker", &["tag", &image, &there])?;
        let pushed = run("docker", &["push", &there]);
        run("docker", &["rmi", &there])?;
        let said = pushed.with_context(|| format!("pushing {there}"))?;
        let digest = said.split("digest: sha256:").nth(1);
        let digest = digest.and_then(|rest| rest.split_whitespace().next());
        let digest = digest.with_context(|| format!("docker push said no digest: {said}"))?;
        Ok(digest.to_owned())
    }

    /// The file of a blob or a manifest.
    pub(crate) fn blob(&self, sha256: &str) -> PathBuf {
        let start: String = sha256.chars().take(2).collect();
        let blobs = "docker/registry/v2/blobs/sha256";
        let folder = self.storage.join(blobs).join(start);
        folder.join(sha256).join("data")
    }

    /// The digest of the image's largest layer.
    pub(crate) fn layer(&self, manifest: &str) -> Result<String> {
        let place = self.blob(manifest);
        let text = fs::read_to_string(&place)
            .with_context(|| format!("reading the manifest {}", place.display()))?;
        let digests = text.split("sha256:").skip(1);
        let digests = digests.map(|rest| rest.chars().take(64).collect::<String>());
        let size = |digest: &String| fs::metadata(self.blob(digest)).map_or(0, |file| file.len());
        digests
            .max_by_key(size)
            .with_context(|| format!("the manifest {} names no layer", place.display()))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The image's name in Docker, made first where it is not there.
fn ready() -> Result<String> {
    let own = [SERVER, TRAINING, PYTHON].concat();
    let recipe = [arguments().join("\n"), own, CHANGES.join("\n")].concat();
    let tag: String = hex::encode(Sha256::digest(recipe.as_bytes()));
    let image = format!("{NAME}:{}", tag.get(..16).unwrap_or(&tag));
    if run("docker", &["image", "inspect", &image]).is_err() {
        build(&image).with_context(|| format!("making the container image {image}"))?;
    }
    Ok(image)
}

/// As the Jupyter project's images have it.
const CHANGES: &[&str] = &[
    "USER 1000",
    "WORKDIR /home/jovyan",
    "ENV HOME=/home/jovyan NB_USER=jovyan NB_UID=1000 NB_GID=100 PATH=/usr/local/bin:/usr/bin:/bin",
    // What the packages' own scripts would link: they are not run.
    "ENV LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack",
    "EXPOSE 8888",
    "CMD [\"start-notebook.py\"]",
];

/// Takes away what nothing here reads; `$1` is the image's root.
const SLIMMED: &str = "rm -rf \"$1\"/usr/lib/x86_64-linux-gnu/gconv \"$1\"/usr/share/* \
    \"$1\"/usr/lib/python3.*/test \"$1\"/usr/lib/python3/dist-packages/numpy/f2py && \
    find \"$1\"/usr/lib/python3 -depth -type d -name tests -exec rm -rf {} +";

/// Packages that are unpacked and not set up: a third of the size of a system.
fn arguments() -> Vec<String> {
    let packages =
        "base-files,coreutils,dash,libpython3-stdlib,python3-minimal,python3-numpy,python3-pil";
    let mut all = vec![
        "--quiet".to_owned(),
        "--variant=extract".to_owned(),
        // Some file systems below a container's do not let go of device nodes.
        "--skip=output/dev".to_owned(),
        // Each container is two copies of it all. The customize hooks of this variant are not
        // run.
        format!("--extract-hook={SLIMMED}"),
        format!("--include={packages}"),
    ];
    all.extend(without_reading_matter());
    all.push("trixie".to_owned());
    all
}

fn build(image: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("making a scratch folder")?;
    let archive = folder.path().join("root.tar");
    let archive = archive.to_str().context("the scratch folder is no UTF-8")?;
    let mut all = arguments();
    all.push(archive.to_owned());
    all.extend(mirror()?);
    let words: Vec<_> = all.iter().map(String::as_str).collect();
    run("mmdebstrap", &words)?;
    append(folder.path(), archive)?;
    let mut import = vec!["import"];
    for change in CHANGES {
        import.extend(["--change", change]);
    }
    import.extend([archive, image]);
    run("docker", &import)?;
    Ok(())
}

/// The account, its home, and the server.
fn append(folder: &Path, archive: &str) -> Result<()> {
    let root = folder.join("added");
    let passwd = "root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n";
    let server = "usr/local/bin/start-notebook.py";
    let python = "usr/local/bin/python3";
    let training = "usr/local/lib/dcgan-train.py";
    for (path, text) in [
        (python, PYTHON),
        (training, TRAINING),
        ("etc/passwd", passwd),
        ("etc/group", "root:x:0:\nusers:x:100:\n"),
        (server, SERVER),
        ("home/jovyan/work/.keep", ""),
    ] {
        let place = root.join(path);
        let parent = place.parent().context("a file without a folder")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&place, text))
            .with_context(|| format!("writing {}", place.display()))?;
    }
    let Some(root) = root.to_str() else {
        bail!("the scratch folder is no UTF-8");
    };
    let all = ["--append", "--file", archive, "--directory", root];
    for (owner, group, what) in [
        ("0", "0", "etc/passwd"),
        ("0", "0", "etc/group"),
        ("0", "0", server),
        ("0", "0", python),
        ("0", "0", training),
        ("1000", "100", "home/jovyan"),
    ] {
        let owner = format!("--owner=+{owner}");
        let group = format!("--group=+{group}");
        let these = ["--mode=a+rX,u+w,a+x", &owner, &group, what];
        run("tar", &[&all[..], &these].concat())?;
    }
    Ok(())
}
