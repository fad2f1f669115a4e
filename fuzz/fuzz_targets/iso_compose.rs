//! Composes a small tree onto whatever opens; what comes out must open again
//! and hold the tree.
//!
//! `cargo +nightly fuzz run iso_compose -- -max_len=2097152`, best begun with
//! a corpus of one small image in `fuzz/corpus/iso_compose/`.

#![no_main]

use std::io::Cursor;

use lab_image::{Entry, Image, Tree, compose_stream};
use libfuzzer_sys::fuzz_target;

fn tree() -> Tree {
    let mut tree = Tree::new();
    for path in ["autoinstall.yaml", "boot/grub/grub.cfg", "lab/a/b/c"] {
        if let Ok(path) = path.parse() {
            let _ = tree.insert(path, Entry::bytes("fuzz"));
        }
    }
    tree
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut image) = Image::open(Cursor::new(bytes), "fuzzed") else {
        return;
    };
    let mut out = Vec::new();
    if compose_stream(&mut image, &tree(), &mut out).is_err() {
        return;
    }
    let mut made = Image::open(Cursor::new(out), "made of fuzz").expect("it opens");
    if image.trees().first().is_some_and(|tree| tree.rock_ridge) {
        let found = made.read("autoinstall.yaml", 16).expect("it can be read");
        assert_eq!(found.as_deref(), Some(b"fuzz".as_slice()));
    }
});
