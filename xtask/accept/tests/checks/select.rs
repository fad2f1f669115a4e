//! Which checks are wanted: `--only` and `--skip`.

use lab_accept::Select;

use crate::fixture::Bench;
use crate::good::set;

fn select(only: &[&str], skip: &[&str]) -> Vec<String> {
    let texts =
        |globs: &[&str]| -> Vec<String> { globs.iter().map(|glob| (*glob).to_owned()).collect() };
    let bench = Bench::new();
    let results = bench.select(&bench.evidence, &Select::new(&texts(only), &texts(skip)));
    results
        .iter()
        .map(lab_accept::report::CheckResult::name)
        .collect()
}

#[test]
fn a_group_an_id_a_subject_and_a_glob() {
    let gpu = select(&["gpu"], &[]);
    assert!(
        gpu.len() > 40 && gpu.iter().all(|name| name.starts_with("gpu.")),
        "{gpu:?}"
    );
    assert_eq!(select(&["gpu.*"], &[]), gpu);
    assert_eq!(
        set(select(&["gpu.bound"], &[])),
        set([
            "gpu.bound[gt1030]",
            "gpu.bound[k2200]",
            "gpu.bound[gtx1050ti]"
        ])
    );
    assert_eq!(select(&["gpu.bound[k2200]"], &[]), ["gpu.bound[k2200]"]);
    assert_eq!(select(&["machine.vend?r"], &[]), ["machine.vendor"]);
    assert_eq!(select(&["no.such"], &[]), Vec::<String>::new());
}

#[test]
fn what_is_skipped_is_skipped_whatever_is_wanted() {
    let all = select(&[], &[]);
    let without = select(&[], &["gpu", "*[lab-dcgan]"]);
    assert!(without.len() < all.len());
    assert!(
        without
            .iter()
            .all(|name| !name.starts_with("gpu.") && !name.ends_with("[lab-dcgan]")),
        "{without:?}"
    );
    assert_eq!(select(&["machine.*"], &["machine.*"]), Vec::<String>::new());
    assert_eq!(select(&["gpu.bound"], &["*[k2200]"]).len(), 2);
}
