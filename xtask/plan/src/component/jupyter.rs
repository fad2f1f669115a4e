//! JupyterLab with TensorFlow, in a container, on loopback.

use anyhow::Result;
use lab_catalog::Catalog;
use lab_lock::{Wanted, WantedImage};
use lab_machine::Machine;

use super::{Subject, dcgan};
use crate::TargetTree;
use crate::container::{Container, Ending, words};
use crate::locked::{image_variables, name_and_tag};
use crate::template::verbatim;
use crate::unit::{Unit, Variable};
use crate::wanted::digest;

/// Where notebooks lie on the machine.
const NOTEBOOKS: &str = "/var/lib/lab/jupyter/notebooks";
/// Where the token is handed over, in a folder that only root gets into.
const TOKEN: &str = "/run/lab/secrets/jupyter-token";
/// The image's own port.
const PORT: u16 = 8888;
/// The notebook that trains the tutorial's network by hand.
const NOTEBOOK: &str = "usr/share/lab/notebooks/dcgan.ipynb";

pub(crate) fn wants(machine: &Machine, catalog: &Catalog, wanted: &mut Wanted) -> Result<()> {
    if machine.jupyter.enabled {
        want_image(machine, catalog, "jupyter", wanted);
    }
    Ok(())
}

/// Adds the image that TensorFlow runs in, once, for this unit among others.
pub(super) fn want_image(machine: &Machine, catalog: &Catalog, unit: &str, wanted: &mut Wanted) {
    let reference = machine.jupyter.image.as_str();
    let mut images = wanted.images.iter_mut();
    if let Some(image) = images.find(|one| one.reference == reference) {
        image.units.push(unit.to_owned());
        return;
    }
    wanted.images.push(WantedImage {
        reference: reference.to_owned(),
        digest: pinned(reference, catalog),
        units: vec![unit.to_owned()],
    });
}

/// The digest that the reference itself says, or else the catalog of its tag.
fn pinned(reference: &str, catalog: &Catalog) -> Option<lab_lock::Sha256> {
    if let Some((_, said)) = reference.split_once("@sha256:") {
        return said.parse().ok();
    }
    let (name, tag) = name_and_tag(reference);
    let tag = tag?;
    let of_notebook = || catalog.notebook_image(tag).digest;
    let known = match name == catalog.notebook_repository() {
        true => of_notebook(),
        false => catalog.pinned_image(name, tag).map(|one| one.digest),
    };
    known.map(digest)
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let jupyter = &machine.jupyter;
    if !jupyter.enabled {
        return Ok(None);
    }
    let container = Container {
        name: "jupyter",
        title: "JupyterLab with TensorFlow",
        unit: "jupyter",
        gpus: &jupyter.gpus,
        ending: Ending::Never,
        options: words(&[
            ("publish", format!("127.0.0.1:{}:{PORT}", jupyter.port)),
            ("volume", format!("{NOTEBOOKS}:/home/jovyan/work")),
            // Not by `env`, which everybody who may ask Docker reads.
            ("volume", format!("{TOKEN}:/run/jupyter-token:ro")),
            ("env", "JUPYTER_TOKEN_FILE=/run/jupyter-token".to_owned()),
            // The notebook calls the package that trains.
            ("volume", dcgan::MOUNTS[0].to_owned()),
            ("volume", dcgan::MOUNTS[1].to_owned()),
        ]),
        command: vec![
            "start-notebook.py".to_owned(),
            "--ServerApp.root_dir=/home/jovyan/work".to_owned(),
        ],
    };
    let mut inputs = container.lay_down(tree)?;
    dcgan::lay_package(tree)?;
    tree.file(NOTEBOOK, 0o644, verbatim(NOTEBOOK)?)?;
    inputs.push(NOTEBOOK.to_owned());
    let mut variables = vec![
        ("image", Variable::text(&jupyter.image)),
        ("gpus", Variable::list(&jupyter.gpus)),
        ("port", Variable::text(&jupyter.port)),
        ("notebooks", Variable::text(&NOTEBOOKS)),
        ("token_inside", Variable::text(&TOKEN)),
    ];
    variables.extend(image_variables(subject.lock, jupyter.image.as_str()));
    Ok(Some(Unit {
        name: "jupyter",
        title: "JupyterLab with TensorFlow".to_owned(),
        needs: vec!["toolkit"],
        follows: Vec::new(),
        minutes: 120,
        variables,
        inputs,
        packages: Vec::new(),
        held: false,
    }))
}
