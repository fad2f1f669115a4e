//! Opens an image, lists it, reads from it and checks it.
//!
//! `cargo +nightly fuzz run iso_open -- -max_len=2097152`, best begun with a
//! corpus of one small image in `fuzz/corpus/iso_open/`.

#![no_main]

use std::io::Cursor;

use lab_image::{Image, Scope, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut image) = Image::open(Cursor::new(bytes), "fuzzed") else {
        return;
    };
    for tree in 0..image.trees().len() {
        for file in image.files(tree) {
            // What is held is bounded by the input, whatever it claims.
            let _ = image.read_in(tree, &file.path, bytes.len() as u64);
        }
    }
    let _ = verify(&mut image, Scope::Everything);
});
