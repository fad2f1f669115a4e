//! Why there is no answer, as a paragraph: out of the solver's proof, the shortest chain from
//! a request to what cannot be, or the two chains to what cannot be together.

use std::collections::{HashMap, VecDeque};

use resolvo::conflict::{Conflict, ConflictCause, ConflictEdge, ConflictNode};
use resolvo::{ArenaId as _, Requirement, Solver};

use crate::provider::Provider;
use crate::relation::Relations;
use crate::search::join;
use crate::universe::{EntryId, Universe};

/// A longer chain is shown without its middle.
const LONGEST_CHAIN: usize = 8;

/// The proof as a graph: nodes by number, 0 being the requests.
struct Proof<'g> {
    edges: Vec<(usize, usize, &'g ConflictEdge)>,
    /// `None` for the requests and for what nothing provides.
    entries: HashMap<usize, EntryId>,
    root: usize,
    /// How each node is reached from the root: from where, and by which requirement.
    reached: HashMap<usize, (usize, Requirement)>,
    order: Vec<usize>,
}

/// Tells the conflict in words.
pub(crate) fn conflict(conflict: &Conflict, solver: &Solver<Provider<'_, '_, '_, '_>>) -> String {
    let provider = solver.provider();
    let graph = conflict.graph(solver);
    let mut proof = Proof {
        edges: Vec::new(),
        entries: HashMap::new(),
        root: graph.root_node.index(),
        reached: HashMap::new(),
        order: Vec::new(),
    };
    for edge in graph.graph.raw_edges() {
        proof
            .edges
            .push((edge.source().index(), edge.target().index(), &edge.weight));
    }
    for node in graph.graph.node_indices() {
        let weight = graph.graph.node_weight(node);
        if let Some(id) = weight.and_then(entry) {
            proof.entries.insert(node.index(), id);
        }
    }
    proof.reach();
    let unresolved = match graph.unresolved_node {
        Some(node) => proof.nothing_provides(node.index(), provider),
        None => None,
    };
    unresolved
        .or_else(|| proof.not_together(provider))
        .unwrap_or_else(|| "the requests cannot be met together".to_owned())
}

fn entry(node: &ConflictNode) -> Option<EntryId> {
    match node {
        ConflictNode::Solvable(id) => Some(id.solvable()?.to_usize()),
        _ => None,
    }
}

impl Proof<'_> {
    /// Breadth first, so that the chains are the shortest.
    fn reach(&mut self) {
        let mut open = VecDeque::from([self.root]);
        while let Some(node) = open.pop_front() {
            self.order.push(node);
            for (from, to, edge) in &self.edges {
                let ConflictEdge::Requires(requirement) = edge else {
                    continue;
                };
                if *from == node && *to != self.root && !self.reached.contains_key(to) {
                    self.reached.insert(*to, (node, *requirement));
                    open.push_back(*to);
                }
            }
        }
    }

    fn nothing_provides(
        &self,
        unresolved: usize,
        provider: &Provider<'_, '_, '_, '_>,
    ) -> Option<String> {
        let (from, requirement) = self.reached.get(&unresolved)?;
        let text = provider.text(requirement);
        let there = what_there_is(provider.universe(), &text);
        Some(format!(
            "{} needs {text}, and {there}",
            self.chain(*from, provider)
        ))
    }

    /// The first two nodes, in the order in which they are reached, that exclude each other.
    fn not_together(&self, provider: &Provider<'_, '_, '_, '_>) -> Option<String> {
        let place = |node: &usize| self.order.iter().position(|other| other == node);
        let excluding = self.edges.iter().filter_map(|(from, to, edge)| match edge {
            ConflictEdge::Conflict(cause) => {
                Some((place(from)?.max(place(to)?), *from, *to, *cause))
            }
            ConflictEdge::Requires(_) => None,
        });
        let (_, from, to, cause) =
            excluding.min_by_key(|(place, from, to, _)| (*place, *from, *to))?;
        let second = self.wanted_by(to, provider);
        Some(match cause {
            ConflictCause::ForbidMultipleInstances => format!(
                "{}, but {second}, and there can be only one of them",
                self.wanted_by(from, provider)
            ),
            _ => format!(
                "{} conflicts with {}, but {second}",
                self.chain(from, provider),
                self.name(to, provider)
            ),
        })
    }

    fn name(&self, node: usize, provider: &Provider<'_, '_, '_, '_>) -> String {
        let package = self
            .entries
            .get(&node)
            .map(|id| &provider.universe().entry(*id).package);
        package
            .map(|package| format!("{} {}", package.name, package.version))
            .unwrap_or_default()
    }

    /// `a 1 needs b; b 2`: the way from a request to a node, which is the subject of what follows.
    fn chain(&self, node: usize, provider: &Provider<'_, '_, '_, '_>) -> String {
        let mut links = vec![self.name(node, provider)];
        let mut at = node;
        while let Some((from, requirement)) = self.reached.get(&at) {
            if *from == self.root {
                break;
            }
            let needs = provider.text(requirement);
            links.push(format!("{} needs {needs}", self.name(*from, provider)));
            at = *from;
        }
        links.reverse();
        if links.len() > LONGEST_CHAIN {
            let left_out = links.len() - LONGEST_CHAIN + 1;
            links.splice(
                2..2 + left_out,
                [format!("and so on over {left_out} packages")],
            );
        }
        links.join("; ")
    }

    fn wanted_by(&self, node: usize, provider: &Provider<'_, '_, '_, '_>) -> String {
        let name = self.name(node, provider);
        let installed = self
            .entries
            .get(&node)
            .is_some_and(|id| provider.is_installed(*id));
        match self.reached.get(&node) {
            Some((from, _)) if *from == self.root && installed => {
                format!("{name} is installed and stays")
            }
            Some((from, _)) if *from == self.root => format!("{name} is asked for"),
            Some((from, requirement)) => {
                format!(
                    "{} needs {}, which is {name}",
                    self.chain(*from, provider),
                    provider.text(requirement)
                )
            }
            None => format!("{name} is asked for"),
        }
    }
}

/// What the indexes have of the names in `text`.
fn what_there_is(universe: &Universe<'_>, text: &str) -> String {
    let relations = Relations::parse(text).unwrap_or_default();
    let names = relations.0.iter().flatten().map(|atom| atom.name);
    let mut have = Vec::new();
    for name in names {
        let group = universe.find(name);
        let versions = group
            .map(|group| universe.versions(group))
            .unwrap_or_default();
        have.extend(
            versions
                .into_iter()
                .take(3)
                .map(|version| format!("{name} {version}")),
        );
    }
    match have.as_slice() {
        [] => "no index has that".to_owned(),
        have => format!("there is only {}", join(have, "and")),
    }
}
