//! JupyterLab with TensorFlow, in a container, on loopback.

use anyhow::Result;

use super::Subject;
use crate::TargetTree;
use crate::container::{Container, words};
use crate::template::verbatim;
use crate::unit::{Unit, Variable};

/// The notebook that trains the tutorial's network by hand.
const NOTEBOOK: &str = "usr/share/lab/notebooks/dcgan.ipynb";

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let jupyter = &machine.jupyter;
    if !jupyter.enabled {
        return Ok(None);
    }
    let container = Container {
        name: "jupyter",
        title: "JupyterLab with TensorFlow",
        image: &jupyter.image,
        gpus: &jupyter.gpus,
        options: words(&[
            ("publish", format!("127.0.0.1:{}:8888", jupyter.port)),
            (
                "volume",
                "/var/lib/lab/jupyter/notebooks:/home/jovyan/work".to_owned(),
            ),
            // Not by `env`, which everybody who may ask Docker reads.
            (
                "volume",
                "/run/lab/secrets/jupyter-token:/run/jupyter-token:ro".to_owned(),
            ),
            ("env", "JUPYTER_TOKEN_FILE=/run/jupyter-token".to_owned()),
            // Else TensorFlow takes all memory of the card at once.
            ("env", "TF_FORCE_GPU_ALLOW_GROWTH=true".to_owned()),
            ("env", "CUDA_DEVICE_ORDER=PCI_BUS_ID".to_owned()),
            // NVIDIA's variable would have the legacy hook add every card.
            ("env", "NVIDIA_VISIBLE_DEVICES=void".to_owned()),
        ]),
        command: vec![
            "start-notebook.py".to_owned(),
            "--ServerApp.root_dir=/home/jovyan/work".to_owned(),
        ],
    };
    let mut inputs = container.lay_down(tree)?;
    tree.file(NOTEBOOK, 0o644, verbatim(NOTEBOOK)?)?;
    inputs.push(NOTEBOOK.to_owned());
    Ok(Some(Unit {
        name: "jupyter",
        title: "JupyterLab with TensorFlow".to_owned(),
        needs: vec!["toolkit"],
        follows: Vec::new(),
        minutes: 120,
        variables: vec![
            ("image", Variable::text(&jupyter.image)),
            ("gpus", Variable::list(&jupyter.gpus)),
            ("port", Variable::text(&jupyter.port)),
        ],
        inputs,
        packages: Vec::new(),
    }))
}
