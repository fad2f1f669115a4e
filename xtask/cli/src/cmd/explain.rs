//! `explain`: tells the story of a rule.

use clap::Args;
use lab_machine::rules::{self, Rule, Severity};

use crate::Done;
use crate::failure::Failure;
use crate::ui::STRONG;

/// Tells why a rule is there and what to do about it; without a rule, lists all.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The rule's id, as `check` prints it in brackets.
    rule: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let Some(id) = arguments.rule.as_deref() else {
        list();
        return Ok(());
    };
    match rules::rule(id) {
        Some(rule) => {
            tell(rule);
            Ok(())
        }
        None => Err(unknown(id)),
    }
}

fn list() {
    for (section, rules) in rules::RULES.iter().filter(|(_, rules)| !rules.is_empty()) {
        anstream::println!("{STRONG}{section}{STRONG:#}");
        for rule in *rules {
            anstream::println!("  {:28} {}", rule.id, rule.title);
        }
    }
}

fn tell(rule: &Rule) {
    let severity = match rule.severity {
        Severity::Error => "an error: nothing is built while it holds",
        Severity::Warning => "a warning",
    };
    anstream::println!(
        "{STRONG}{}{STRONG:#}: {} ({severity})\n",
        rule.id,
        rule.title
    );
    anstream::println!("{}\n", wrap(rule.story));
    anstream::println!("{STRONG}What to do{STRONG:#}\n{}\n", wrap(rule.way_out));
    anstream::println!("{STRONG}Source{STRONG:#}\n{}", wrap(rule.source));
}

fn unknown(id: &str) -> Failure {
    let known: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    let hint = match rules::closest(id, &known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "`cargo xtask explain` lists them all".to_owned(),
    };
    Failure::input(format!("there is no rule `{id}`: {hint}"))
}

/// Breaks a text into lines of at most 88 characters.
fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().filter(|line| line.len() + word.len() < 88);
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
