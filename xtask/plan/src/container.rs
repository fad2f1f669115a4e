//! A workload that runs in a container: its service, and the words that
//! `/usr/lib/lab/container` starts it with.

use anyhow::Result;
use lab_machine::types::CardName;
use tera::Context;

use crate::TargetTree;
use crate::template::render;
use crate::unit::{Variable, assignments};

/// What TensorFlow must be told on a machine with several cards: without the first it
/// takes all memory of a card at once, without the second it counts the fastest first.
/// The third is NVIDIA's: without it the legacy hook would add every card.
const TENSORFLOW: [&str; 3] = [
    "TF_FORCE_GPU_ALLOW_GROWTH=true",
    "CUDA_DEVICE_ORDER=PCI_BUS_ID",
    "NVIDIA_VISIBLE_DEVICES=void",
];

/// When a container ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It serves somebody, and an end is an error.
    Never,
    /// Its work has an end; the service is active beyond it.
    WhenDone,
}

/// How often work may end with an error that is none of those it knows, before it is
/// left alone: who looks then finds a reason and no machine that tries all night.
const TRIES: u32 = 5;

/// A container of the lab.
pub(crate) struct Container<'a> {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The unit that starts it; the image is the one that this pulled.
    pub(crate) unit: &'static str,
    pub(crate) gpus: &'a [CardName],
    pub(crate) ending: Ending,
    /// Words for `docker create`, besides [`TENSORFLOW`].
    pub(crate) options: Vec<String>,
    /// What runs in it.
    pub(crate) command: Vec<String>,
}

impl Container<'_> {
    /// Lays down the service and its words; says which files these are.
    ///
    /// # Errors
    ///
    /// When a path is taken.
    pub(crate) fn lay_down(&self, tree: &mut TargetTree) -> Result<Vec<String>> {
        let conf = format!("etc/lab/containers/{}.conf", self.name);
        let mut options = self.options.clone();
        options.extend(words(&TENSORFLOW.map(|one| ("env", one.to_owned()))));
        let words = assignments(&[
            ("image_of", Variable::text(self.unit)),
            ("gpus", Variable::list(self.gpus)),
            ("options", Variable::list(&options)),
            ("command", Variable::list(&self.command)),
            ("tries", Variable::text(&self.tries())),
        ]);
        tree.file(conf.as_str(), 0o644, words)?;
        let mut context = Context::new();
        context.insert("name", self.name);
        context.insert("title", self.title);
        context.insert("unit", self.unit);
        context.insert("ends", &(self.ending == Ending::WhenDone));
        let service = format!("etc/systemd/system/{}.service", self.name);
        let text = render("etc/systemd/system/lab-container.service", &context)?;
        tree.file(service.as_str(), 0o644, text)?;
        let script = "usr/lib/lab/container";
        if tree.get(script).is_none() {
            tree.file(script, 0o755, crate::template::verbatim(script)?)?;
        }
        Ok(vec![conf, service, script.to_owned()])
    }

    /// How often it may fail before it is left alone; 0 is for ever.
    fn tries(&self) -> u32 {
        match self.ending {
            Ending::Never => 0,
            Ending::WhenDone => TRIES,
        }
    }
}

/// `--option value` pairs as single words, in a form that reads well.
pub(crate) fn words(pairs: &[(&str, String)]) -> Vec<String> {
    pairs
        .iter()
        .flat_map(|(name, value)| [format!("--{name}"), value.clone()])
        .collect()
}
