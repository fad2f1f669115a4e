//! `explain`: tells the story of a rule or a check.

use clap::Args;
use lab_accept::{Check, Effort, check};
use lab_machine::rules::{self, Rule, Severity};

use crate::Done;
use crate::failure::Failure;
use crate::ui::STRONG;

/// Tells why a rule or a check is there and what to do about it; without one, lists all.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The rule's id, as `check` prints it in brackets, or the check's, as `accept` does.
    rule: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let Some(id) = arguments.rule.as_deref() else {
        list();
        return Ok(());
    };
    // A check's name may come with what it was about: `gpu.bound[gt1030]`.
    let plain = id.split('[').next().unwrap_or(id);
    if let Some(rule) = rules::rule(id) {
        tell(rule);
    } else if let Some(check) = check::all().find(|check| check.id == plain) {
        tell_check(check);
    } else {
        return Err(unknown(id));
    }
    Ok(())
}

fn list() {
    for (section, rules) in rules::RULES.iter().filter(|(_, rules)| !rules.is_empty()) {
        anstream::println!("{STRONG}{section}{STRONG:#}");
        for rule in *rules {
            anstream::println!("  {:28} {}", rule.id, rule.title);
        }
    }
    let mut group = "";
    for check in check::all() {
        if check.group() != group {
            group = check.group();
            anstream::println!("{STRONG}{group}, proved by accept{STRONG:#}");
        }
        anstream::println!("  {:28} {}", check.id, check.title);
    }
}

fn tell_check(check: &Check) {
    let effort = match check.effort {
        Effort::Quick => "looked at by every `accept`",
        Effort::Workload => "needs `accept --workloads`",
        Effort::Disruptive => "needs `accept --disruptive`",
    };
    anstream::println!(
        "{STRONG}{}{STRONG:#}: {} ({effort})\n",
        check.id,
        check.title
    );
    anstream::println!("{}\n", wrap(check.story));
    anstream::println!("{STRONG}When it fails{STRONG:#}\n{}\n", wrap(check.cause));
    anstream::println!("{STRONG}What to do{STRONG:#}\n{}\n", wrap(check.remedy));
    anstream::println!("{STRONG}Read on{STRONG:#}\n{}", wrap(check.reference));
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
    let ids = rules::all().map(|rule| rule.id);
    let known: Vec<&str> = ids.chain(check::all().map(|check| check.id)).collect();
    let hint = match rules::closest(id, &known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "`cargo xtask explain` lists them all".to_owned(),
    };
    Failure::input(format!("there is no rule and no check `{id}`: {hint}"))
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
