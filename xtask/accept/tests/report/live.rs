//! The tree that grows while machines are asked.

use std::time::Duration;

use lab_accept::report::live::Tree;
use unicode_width::UnicodeWidthStr as _;

use crate::text::plain;

fn at(tree: &mut Tree, ms: u64) {
    tree.tick(Duration::from_millis(ms));
}

fn two_hosts() -> Tree {
    let mut tree = Tree::new(
        &["gpu-server", "room-02"],
        &["connect", "probe", "facts", "judge"],
    );
    for host in [0, 1] {
        tree.start(host, "connect");
    }
    at(&mut tree, 210);
    tree.done(0, "connect");
    tree.start(0, "probe");
    at(&mut tree, 1_250);
    tree.done(0, "probe");
    tree.start(0, "facts");
    tree.note(0, "facts", "2 of 3");
    at(&mut tree, 5_000);
    tree.failed(1, "connect", "no route to host\u{1b}[2J\nat all");
    tree.skipped(1, "probe", "no connection");
    tree.verdict(1, false, "could not be judged");
    at(&mut tree, 6_400);
    tree
}

#[test]
fn hosts_stand_side_by_side() {
    insta::assert_snapshot!("live-wide", plain(&two_hosts().render(80)));
}

#[test]
fn and_below_each_other_where_there_is_no_room() {
    insta::assert_snapshot!("live-narrow", plain(&two_hosts().render(50)));
}

#[test]
fn no_line_is_wider_than_asked_for() {
    let mut tree = two_hosts();
    tree.note(0, "facts", &"very long ".repeat(40));
    tree.start(0, &"a stage with a long name ".repeat(9));
    tree.note(0, "judge", "漢字漢字漢字漢字漢字漢字漢字漢字");
    for width in [0, 1, 5, 20, 33, 50, 80, 200] {
        for line in plain(&tree.render(width)).lines() {
            assert!(line.width() <= width.max(1), "{width}: {line:?}");
        }
    }
}

#[test]
fn what_the_machine_says_turns_no_terminal() {
    let shown = two_hosts().render(80);
    assert!(!shown.contains("\u{1b}[2J"));
    assert!(shown.contains('✘'));
}

#[test]
fn news_are_told_once() {
    let mut tree = two_hosts();
    assert_eq!(
        tree.news(),
        [
            "gpu-server: connect done in 210 ms",
            "gpu-server: probe done in 1.0 s",
            "room-02: connect failed after 5.0 s: no route to host[2J at all",
            "room-02: probe left out: no connection",
            "room-02: could not be judged",
        ]
    );
    assert!(tree.news().is_empty());
}

#[test]
fn a_host_that_is_not_there_changes_nothing() {
    let mut tree = Tree::new(&[], &["connect"]);
    tree.start(3, "connect");
    tree.failed(3, "connect", "why");
    assert_eq!((tree.render(80), tree.news().len()), (String::new(), 0));
}

#[test]
fn time_does_not_run_backwards() {
    let mut tree = Tree::new(&["a"], &[]);
    at(&mut tree, 5_000);
    tree.start(0, "x");
    at(&mut tree, 1_000);
    tree.done(0, "x");
    assert_eq!(tree.news(), ["a: x done in 0 ms"]);
}
