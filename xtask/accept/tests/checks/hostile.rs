//! Evidence that somebody changed, broke or made up: judged all the same, never a panic.

use lab_accept::Evidence;
use serde_json::{Value, json};

use crate::fixture::Bench;
use crate::good::STRICT;

/// A small generator (xorshift), the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

const TEXTS: [&str; 14] = [
    "",
    " ",
    "\u{0}",
    "Zwölf Boxkämpfer 🥊",
    "0000:03:00.0",
    "NVRM: Xid (PCI:",
    "NVRM: Xid (PCI:): ",
    "NVRM: Xid (PCI:0000:03:00): 4294967296,",
    "18446744073709551616.1.2",
    "127.0.0.1:",
    "[::1]:65536",
    "docker-.scope",
    "{\"epoch\":18446744073709551615,\"seconds\":1e308,\"generator_loss\":null,\"discriminator_loss\":1,\"device\":\"\"}",
    "{\"epoch\":0,\"seconds\":-1e308,\"generator_loss\":1e308,\"discriminator_loss\":-1e308,\"device\":\"GPU\"}",
];

/// Turns one thing into another of its kind, mostly.
fn change(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Bool(on) => *on = !*on,
        Value::Number(_) => {
            let numbers = [
                json!(0),
                json!(1),
                json!(65_535),
                json!(u32::MAX),
                json!(u64::MAX),
                json!(i64::MIN),
                json!(i64::MAX),
            ];
            *value = dice.one(&numbers).clone();
        }
        Value::String(text) => (*dice.one(&TEXTS)).clone_into(text),
        Value::Array(items) => match dice.roll(3) {
            0 => items.clear(),
            1 if !items.is_empty() => items.push(items[0].clone()),
            _ => items.reverse(),
        },
        Value::Object(map) if map.len() == 1 && map.contains_key("is") => {
            *value = json!({ "unknown": "" });
        }
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            if !keys.is_empty() {
                map.remove(dice.one(&keys));
            }
        }
        Value::Null => *value = json!([]),
    }
}

/// Walks down to some thing in it and changes that.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let deeper = match value {
        Value::Array(items) if !items.is_empty() => {
            let at = dice.roll(items.len());
            items.get_mut(at)
        }
        Value::Object(map) if !map.is_empty() => {
            let at = dice.roll(map.len());
            map.values_mut().nth(at)
        }
        _ => None,
    };
    match deeper {
        Some(inner) if dice.roll(12) > 0 => mutate(inner, dice),
        _ => change(value, dice),
    }
}

#[test]
fn changed_evidence_is_judged_without_a_panic() {
    let bench = Bench::described(STRICT);
    let mut whole = serde_json::to_value(&bench.evidence).unwrap();
    let first = whole["disruption"]["steps"][0].clone();
    whole["disruption"]["steps"] = json!([first]);
    let mut dice = Dice(0x5eed_2026_1123);
    let mut judged = 0;
    for _ in 0..1500 {
        let mut value = whole.clone();
        for _ in 0..=dice.roll(6) {
            mutate(&mut value, &mut dice);
        }
        if let Ok(evidence) = serde_json::from_value::<Evidence>(value) {
            assert!(!bench.judge(&evidence).is_empty());
            judged += 1;
        }
    }
    assert!(judged > 500, "only {judged} were evidence still");
}

#[test]
fn evidence_of_another_machine_is_judged() {
    let bench = Bench::new();
    let other = Bench::described(&[
        ("branch = 580", "enabled = false"),
        (
            "[ollama]",
            "[docker]\nenabled = false\n\n[toolkit]\nenabled = false\n\n[ollama]\nenabled = false",
        ),
        ("[jupyter]", "[jupyter]\nenabled = false"),
        ("[dcgan]", "[dcgan]\nenabled = false"),
    ]);
    let mut evidence = other.evidence.clone();
    evidence.expected = bench.evidence.expected.clone();
    let results = bench.judge(&evidence);
    let description = results
        .iter()
        .find(|one| one.id == "machine.description")
        .unwrap();
    assert!(
        matches!(
            description.outcome,
            lab_accept::report::Outcome::Failed { .. }
        ),
        "{description:?}"
    );
}
