//! The component of docs/src/how-to/add-a-component.md: a folder for everybody.

use anyhow::Result;

use super::Subject;
use crate::TargetTree;
use crate::unit::{Unit, Variable};

pub(crate) fn lay_down(subject: &Subject<'_>, _tree: &mut TargetTree) -> Result<Option<Unit>> {
    Ok(Some(Unit {
        name: "scratch",
        title: "a folder for everybody".to_owned(),
        needs: vec!["base"],
        follows: Vec::new(),
        minutes: 5,
        variables: vec![
            ("folder", Variable::text("/srv/scratch")),
            ("owner", Variable::text(&subject.machine.access.user)),
        ],
        inputs: Vec::new(),
        packages: Vec::new(),
        held: false,
    }))
}
