//! The DCGAN training service: the image of JupyterLab, a volume, a card.

use anyhow::Result;
use lab_machine::section::dcgan::Strategy;

use super::Subject;
use crate::TargetTree;
use crate::container::{Container, words};
use crate::unit::{Unit, Variable};

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let dcgan = &machine.dcgan;
    if !dcgan.enabled {
        return Ok(None);
    }
    let strategy = match dcgan.strategy {
        Strategy::Single => "single",
        Strategy::Mirrored => "mirrored",
    };
    let number = |name: &str, value: u32| [format!("--{name}"), value.to_string()];
    let mut command: Vec<String> = [
        "python3",
        "-m",
        "dcgan",
        "serve",
        "--host",
        "0.0.0.0",
        "--port",
        "8890",
        "--strategy",
        strategy,
    ]
    .map(str::to_owned)
    .to_vec();
    command.extend(number("epochs", dcgan.epochs));
    command.extend(number("batch", dcgan.batch));
    command.extend(number("checkpoint-every", dcgan.checkpoint_every));
    command.extend(number("seed", dcgan.seed));
    let container = Container {
        name: "dcgan",
        title: "DCGAN training",
        image: &machine.jupyter.image,
        gpus: &dcgan.gpus,
        options: words(&[
            ("publish", format!("127.0.0.1:{}:8890", dcgan.port)),
            ("volume", "/usr/share/lab/dcgan:/opt/dcgan:ro".to_owned()),
            ("volume", "/var/lib/lab/dcgan:/var/lib/dcgan".to_owned()),
            ("env", "PYTHONPATH=/opt/dcgan".to_owned()),
            ("env", "TF_FORCE_GPU_ALLOW_GROWTH=true".to_owned()),
            ("env", "CUDA_DEVICE_ORDER=PCI_BUS_ID".to_owned()),
            ("env", "NVIDIA_VISIBLE_DEVICES=void".to_owned()),
            ("workdir", "/var/lib/dcgan".to_owned()),
        ]),
        command,
    };
    let inputs = container.lay_down(tree)?;
    Ok(Some(Unit {
        name: "dcgan",
        title: "the DCGAN training".to_owned(),
        needs: vec!["toolkit"],
        // They share an image of gigabytes.
        follows: vec!["jupyter"],
        minutes: 120,
        variables: vec![
            ("image", Variable::text(&machine.jupyter.image)),
            ("gpus", Variable::list(&dcgan.gpus)),
            ("port", Variable::text(&dcgan.port)),
        ],
        inputs,
        packages: Vec::new(),
    }))
}
