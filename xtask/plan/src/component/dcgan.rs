//! The DCGAN training: a package that stands in the image of JupyterLab by a mount, a
//! container that trains on its cards, and one without a card that shows how it goes.

use anyhow::{Context as _, Result};
use lab_catalog::{Catalog, PinnedFile};
use lab_lock::{Wanted, WantedFile};
use lab_machine::Machine;
use lab_machine::section::dcgan::Dcgan;

use super::{Subject, jupyter};
use crate::TargetTree;
use crate::container::{Container, Ending, words};
use crate::locked::image_variables;
use crate::placed::PlacedFile;
use crate::unit::{Unit, Variable};
use crate::wanted::digest;

/// Where the training keeps what it made.
const VOLUME: &str = "/var/lib/lab/dcgan";
/// Where data sets lie.
const DATA: &str = "/var/lib/lab/data";
/// The folder of the package.
const PACKAGE: &str = "/usr/share/lab/dcgan";
/// The page's port inside.
const PORT: u16 = 8890;
/// What a training needs of the machine's memory, in GiB: TensorFlow with CUDA's libraries, and the
/// images. On a processor alone it took 1.04 GiB (docs/src/reference/training.md).
const LEAST_MEMORY_GIB: u32 = 4;
/// What a machine is taken to have whose description does not say, in GiB.
const USUAL_MEMORY_GIB: u32 = 16;
/// The name of the data set in the catalog, and of its file.
const MNIST: (&str, &str) = ("mnist", "mnist.npz");

/// The package's files: their paths below `images/dcgan`, and what is in them.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dcgan_package.rs"));

/// The folders of the host that a container with the package sees, and where. The second
/// is where the package looks for its data by itself.
pub(super) const MOUNTS: [&str; 2] = [
    "/usr/share/lab/dcgan:/opt/dcgan:ro",
    "/var/lib/lab/data:/opt/dcgan-data:ro",
];

/// What is learned from.
fn data(catalog: &Catalog) -> Result<&PinnedFile> {
    let file = catalog.pinned_file(MNIST.0);
    file.with_context(|| format!("the catalog pins no file `{}`", MNIST.0))
}

/// Where the data set of a lock lies on a machine.
pub(crate) fn placed_data(file: &lab_lock::File) -> Option<PlacedFile> {
    (file.name == MNIST.0).then(|| PlacedFile {
        name: file.name.clone(),
        path: format!("{DATA}/{}", MNIST.1),
        sha256: file.sha256,
        size: file.size,
    })
}

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if machine.dcgan.enabled {
        let data = data(catalog)?;
        wanted.files.push(WantedFile {
            name: data.name.clone(),
            version: None,
            url: data.url.clone(),
            sha256: digest(data.sha256),
            unit: "dcgan".to_owned(),
        });
        jupyter::want_image(machine, catalog, "dcgan", wanted);
    }
    Ok(())
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let dcgan = &machine.dcgan;
    if !dcgan.enabled {
        return Ok(None);
    }
    let data = data(subject.catalog)?;
    let mut inputs = lay_package(tree)?;
    inputs.extend(page(dcgan).lay_down(tree)?);
    let memory = memory(machine.identity.memory_gib);
    inputs.extend(training(dcgan, &data.sha256.to_string(), &memory).lay_down(tree)?);
    let image = &machine.jupyter.image;
    let mut variables = vec![
        ("image", Variable::text(image)),
        ("gpus", Variable::list(&dcgan.gpus)),
        ("port", Variable::text(&dcgan.port)),
        ("volume", Variable::text(&VOLUME)),
        ("data", Variable::text(&format!("{DATA}/{}", MNIST.1))),
        ("data_url", Variable::text(&data.url)),
        ("data_sha256", Variable::text(&data.sha256)),
    ];
    variables.extend(image_variables(subject.lock, image.as_str()));
    Ok(Some(Unit {
        name: "dcgan",
        title: "the DCGAN training".to_owned(),
        needs: vec!["toolkit"],
        // They share an image of gigabytes.
        follows: vec!["jupyter"],
        minutes: 120,
        variables,
        inputs,
        packages: Vec::new(),
        held: false,
    }))
}

/// Lays the package down, once; says which files it is.
///
/// # Errors
///
/// When a path is taken by something else.
pub(super) fn lay_package(tree: &mut TargetTree) -> Result<Vec<String>> {
    let folder = PACKAGE.trim_start_matches('/');
    let mut paths = Vec::new();
    for (name, bytes) in FILES {
        let path = format!("{folder}/{name}");
        if tree.get(&path).is_none() {
            tree.file(path.as_str(), 0o644, *bytes)?;
        }
        paths.push(path);
    }
    Ok(paths)
}

/// The words that both containers are made with.
fn options(volume: &str) -> Vec<String> {
    let mut all = words(&MOUNTS.map(|mount| ("volume", mount.to_owned())));
    all.extend(words(&[
        ("volume", format!("{VOLUME}:/var/lib/dcgan{volume}")),
        ("env", "PYTHONPATH=/opt/dcgan".to_owned()),
        ("workdir", "/var/lib/dcgan".to_owned()),
    ]));
    all
}

fn command(name: &str, arguments: &[(&str, String)]) -> Vec<String> {
    let mut all = ["python3", "-m", "dcgan", name].map(str::to_owned).to_vec();
    all.extend(words(arguments));
    all
}

/// The page reads the volume and writes nothing, so that whoever gets at it gets no further.
fn page(dcgan: &Dcgan) -> Container<'_> {
    let mut all = options(":ro");
    all.extend(words(&[
        ("publish", format!("127.0.0.1:{}:{PORT}", dcgan.port)),
        ("memory", "768m".to_owned()),
        ("cpus", "1".to_owned()),
        ("tmpfs", "/tmp:size=16m".to_owned()),
    ]));
    all.push("--read-only".to_owned());
    let port = PORT.to_string();
    Container {
        name: "dcgan",
        title: "DCGAN page",
        unit: "dcgan",
        gpus: &[],
        ending: Ending::Never,
        options: all,
        command: command("serve", &[("host", "0.0.0.0".to_owned()), ("port", port)]),
    }
}

/// How much memory the training may take, in Docker's words: half of the machine's, so that a
/// training that leaks ends itself and not the machine; never less than it needs.
fn memory(fitted_gib: Option<u32>) -> String {
    let half = fitted_gib.unwrap_or(USUAL_MEMORY_GIB) / 2;
    format!("{}g", half.max(LEAST_MEMORY_GIB))
}

/// It ends when it has trained. Where memory is short it is the first to go, for it goes on
/// from its checkpoint. It may not swap: a training that does is slower than none.
fn training<'a>(dcgan: &'a Dcgan, data_sha256: &str, memory: &str) -> Container<'a> {
    let mut all = options("");
    all.extend(words(&[
        ("memory", memory.to_owned()),
        ("memory-swap", memory.to_owned()),
        ("oom-score-adj", "500".to_owned()),
        ("env", "KERAS_BACKEND=tensorflow".to_owned()),
    ]));
    let number = |value: u32| value.to_string();
    Container {
        name: "dcgan-train",
        title: "DCGAN training",
        unit: "dcgan",
        gpus: &dcgan.gpus,
        ending: Ending::WhenDone,
        options: all,
        command: command(
            "train",
            &[
                ("device", "gpu".to_owned()),
                ("epochs", number(dcgan.epochs)),
                ("batch", number(dcgan.batch)),
                ("samples", number(dcgan.samples.into())),
                ("checkpoint-every", number(dcgan.checkpoint_every)),
                ("seed", number(dcgan.seed)),
                ("recipe", dcgan.recipe.name().to_owned()),
                ("precision", dcgan.precision.name().to_owned()),
                ("strategy", dcgan.strategy.name().to_owned()),
                ("data-sha256", data_sha256.to_owned()),
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use lab_catalog::Catalog;

    use super::*;

    fn text(name: &str) -> &'static str {
        let found = FILES.iter().find(|(other, _)| *other == name);
        let (_, bytes) = found.unwrap_or_else(|| panic!("the package has no {name}"));
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_package_is_whole_and_nothing_else() {
        for name in ["dcgan/__main__.py", "dcgan/train.py", "dcgan/page/app.py"] {
            assert!(!text(name).is_empty());
        }
        assert!(FILES.iter().any(|(name, _)| name.ends_with(".whl")));
        assert!(FILES.iter().all(|(name, _)| !name.contains("__pycache__")));
    }

    #[test]
    fn the_package_and_the_catalog_mean_the_same_digits() {
        let own: serde_json::Value = serde_json::from_str(text("dcgan/mnist.json")).unwrap();
        let catalog = Catalog::builtin();
        let pinned = catalog.pinned_file(MNIST.0).unwrap();
        assert_eq!(own["url"], pinned.url);
        assert_eq!(own["sha256"], pinned.sha256.to_string());
        assert_eq!(own["size"], pinned.size);
    }

    #[test]
    fn the_description_and_the_program_have_the_same_bounds() {
        use lab_machine::section::dcgan::{MAX_BATCH, MAX_EPOCHS};
        let settings = text("dcgan/settings.py");
        for line in [
            format!("MAX_EPOCHS = {MAX_EPOCHS}\n"),
            format!("MAX_BATCH = {MAX_BATCH}\n"),
        ] {
            assert!(settings.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_description_and_the_program_have_the_same_batches() {
        use lab_machine::section::dcgan::Recipe;
        let settings = text("dcgan/settings.py");
        for recipe in [Recipe::Tutorial, Recipe::Fast] {
            let (name, batch) = (recipe.name(), recipe.batch());
            let line = format!("    \"{name}\": Recipe(\n        batch={batch},\n");
            assert!(settings.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_training_gets_half_of_the_memory_and_what_it_needs() {
        for (fitted, given) in [
            (None, "8g"),
            (Some(4), "4g"),
            (Some(8), "4g"),
            (Some(32), "16g"),
            (Some(65), "32g"),
        ] {
            assert_eq!(memory(fitted), given, "{fitted:?}");
        }
    }

    #[test]
    fn the_mounts_are_the_folders() {
        assert!(MOUNTS[0].starts_with(&format!("{PACKAGE}:")));
        assert!(MOUNTS[1].starts_with(&format!("{DATA}:")));
    }
}
