//! A workload that runs in a container: its service, and the words that
//! `/usr/lib/lab/container` starts it with.

use anyhow::Result;
use lab_machine::types::{CardName, ImageReference};
use tera::Context;

use crate::TargetTree;
use crate::template::render;
use crate::unit::{Variable, assignments};

/// A container of the lab.
pub(crate) struct Container<'a> {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) image: &'a ImageReference,
    pub(crate) gpus: &'a [CardName],
    /// Further words for `docker create`.
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
        let words = assignments(&[
            ("image", Variable::text(&self.image)),
            ("gpus", Variable::list(self.gpus)),
            ("options", Variable::list(&self.options)),
            ("command", Variable::list(&self.command)),
        ]);
        tree.file(conf.as_str(), 0o644, words)?;
        let mut context = Context::new();
        context.insert("name", self.name);
        context.insert("title", self.title);
        let service = format!("etc/systemd/system/{}.service", self.name);
        let text = render("etc/systemd/system/lab-container.service", &context)?;
        tree.file(service.as_str(), 0o644, text)?;
        let script = "usr/lib/lab/container";
        if tree.get(script).is_none() {
            tree.file(script, 0o755, crate::template::verbatim(script)?)?;
        }
        Ok(vec![conf, service, script.to_owned()])
    }
}

/// `--option value` pairs as single words, in a form that reads well.
pub(crate) fn words(pairs: &[(&str, String)]) -> Vec<String> {
    pairs
        .iter()
        .flat_map(|(name, value)| [format!("--{name}"), value.clone()])
        .collect()
}
