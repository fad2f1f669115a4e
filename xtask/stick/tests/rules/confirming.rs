//! The question: only the whole name or the whole serial is a yes, and the disk must be the
//! same when it is opened.

use lab_stick::{Consent, NotConfirmed, OpenError};

use crate::ask;
use crate::tree::Tree;

/// What comes of an answer about `sdb`.
fn answer(tree: &Tree, consent: &Consent) -> Result<(), NotConfirmed> {
    let survey = tree.host().survey().unwrap();
    ask(tree, "sdb")
        .unwrap()
        .confirm(consent, &survey)
        .map(|_| ())
}

#[test]
fn only_the_name_typed_in_full_is_a_yes() {
    let tree = Tree::with_stick();
    for typed in [
        "", "\n", "y", "yes", "sd", "sdb1", "SDB", "sdbb", " sdb", "sdb ", "sda", "/dev/sdb",
    ] {
        let result = answer(&tree, &Consent::Typed(typed.to_owned()));
        assert!(
            matches!(result, Err(NotConfirmed::OtherName { .. })),
            "{typed:?}"
        );
    }
    assert!(answer(&tree, &Consent::Typed("sdb\n".to_owned())).is_ok());
}

#[test]
fn only_the_whole_serial_is_a_yes_for_a_script() {
    let tree = Tree::with_stick();
    for serial in ["", "4C53", "4c530001", "*", "4C5300011", " 4C530001"] {
        let result = answer(&tree, &Consent::Serial(serial.to_owned()));
        assert!(
            matches!(result, Err(NotConfirmed::OtherSerial { .. })),
            "{serial:?}"
        );
    }
    assert!(answer(&tree, &Consent::Serial("4C530001".to_owned())).is_ok());
}

#[test]
fn a_serial_that_is_empty_or_not_alone_names_nothing() {
    let mut tree = Tree::new();
    tree.stick("sdb", "8:16", "");
    let result = answer(&tree, &Consent::Serial(String::new()));
    assert!(matches!(result, Err(NotConfirmed::NoSerial { .. })));

    let mut tree = Tree::new();
    tree.stick("sdb", "8:16", "0123456789");
    tree.stick("sdc", "8:32", "0123456789");
    let result = answer(&tree, &Consent::Serial("0123456789".to_owned()));
    assert_eq!(
        result,
        Err(NotConfirmed::SameSerial {
            name: "sdb".into(),
            other: "sdc".into()
        })
    );
}

#[test]
fn udevs_record_has_the_serial_where_sysfs_has_none() {
    let mut tree = Tree::new();
    tree.stick("sdb", "8:16", "");
    let record = tree.root().join("run/udev/data/b8:16");
    std::fs::write(
        record,
        "S:disk/by-id/x\nE:ID_SERIAL=SanDisk_9\nE:ID_SERIAL_SHORT=9\n",
    )
    .unwrap();
    assert_eq!(ask(&tree, "sdb").unwrap().device().serial, "9");
}

/// Between the question and the write: each thing that tells another stick.
#[test]
fn a_stick_that_was_swapped_after_the_question_is_not_opened() {
    let changes = [
        ("diskseq", "8"),
        ("size", "15000000"),
        ("device/model", "Other"),
        ("dev", "8:48"),
    ];
    for (attribute, value) in changes {
        let tree = Tree::with_stick();
        let host = tree.host();
        let survey = host.survey().unwrap();
        let yes = Consent::Typed("sdb".to_owned());
        let confirmed = ask(&tree, "sdb").unwrap().confirm(&yes, &survey).unwrap();
        tree.attribute("sdb", attribute, value);
        let result = confirmed.open(&host);
        assert!(
            matches!(result, Err(OpenError::Swapped { .. })),
            "{attribute}: {result:?}"
        );
    }
}

/// And each thing that makes it a disk that is refused.
#[test]
fn a_stick_that_came_into_use_after_the_question_is_not_opened() {
    let mut tree = Tree::with_stick();
    let survey = tree.host().survey().unwrap();
    let yes = Consent::Typed("sdb".to_owned());
    let confirmed = ask(&tree, "sdb").unwrap().confirm(&yes, &survey).unwrap();
    tree.mount("8:17", "/media/stick", "vfat", "/dev/sdb1", "rw");
    assert!(matches!(
        confirmed.open(&tree.host()),
        Err(OpenError::Refused(_))
    ));
}

/// A file in the place of the device's node is not written to.
#[test]
fn a_node_that_is_no_block_device_is_not_opened() {
    let tree = Tree::with_stick();
    let host = tree.host();
    let yes = Consent::Typed("sdb".to_owned());
    let confirmed = ask(&tree, "sdb")
        .unwrap()
        .confirm(&yes, &host.survey().unwrap())
        .unwrap();
    let result = confirmed.open(&host);
    assert!(
        matches!(
            result,
            Err(OpenError::Swapped { .. } | OpenError::Failed { .. })
        ),
        "{result:?}"
    );
}
