//! What pulled something in.

use lab_sbom::why;

use crate::fixture::{lock, wanted};

fn said(name: &str) -> String {
    why(&wanted(), &lock(), name).unwrap()
}

#[test]
fn a_package_has_a_way_from_each_unit() {
    assert_eq!(
        said("libc6"),
        "libc6 2.39-0ubuntu8.6 is installed by\n  docker: docker-ce > libc6\n  \
         driver: nvidia-utils-580-server > libstdc++6 > libc6\n"
    );
    assert_eq!(
        said("docker-ce"),
        "docker-ce 5:29.1.0-1~ubuntu.24.04~noble is installed by\n  docker: docker-ce\n"
    );
}

#[test]
fn whatever_else_is_locked_says_who_wants_it() {
    let cases = [
        (
            "ollama",
            "ollama 0.35.1 is a file that is used by\n  ollama\n",
        ),
        (
            "gemma3:1b",
            "gemma3:1b is a model that is used by\n  ollama\n",
        ),
        (
            "images.example.org/jupyter/Note:2025",
            "images.example.org/jupyter/Note:2025 is an image that is used by\n  dcgan\n  jupyter\n",
        ),
        (
            "docker",
            "the key 9DC858229FC7DD38854AE2D88D81803C0EBFCD88 signs the repository docker, from which 2 packages come\n",
        ),
        (
            "24.04.5",
            "ubuntu-24.04.5-live-server-amd64.iso (24.04.5) is what the machine is installed from\n",
        ),
    ];
    for (name, text) in cases {
        assert_eq!(said(name), text);
    }
}

#[test]
fn what_the_lock_and_the_description_do_not_share_is_said() {
    let mut less = wanted();
    less.packages.retain(|one| one.unit != "driver");
    let text = why(&less, &lock(), "libstdc++6").unwrap();
    assert!(
        text.contains("nothing asks for it any more: `cargo xtask lock`"),
        "{text}"
    );
    let mut more = wanted();
    more.packages[0].name = "new".into();
    let text = why(&more, &lock(), "new").unwrap();
    assert_eq!(
        text,
        "new is asked for by docker, but not locked yet: `cargo xtask lock`\n"
    );
}

#[test]
fn a_model_that_is_not_locked_yet_has_its_unit() {
    let mut more = wanted();
    more.models[0].name = "new:1b".into();
    more.images.clear();
    assert_eq!(
        why(&more, &lock(), "new:1b").unwrap(),
        "new:1b is asked for by ollama, but not locked yet: `cargo xtask lock`\n"
    );
    for gone in ["gemma3:1b", "images.example.org/jupyter/Note:2025"] {
        let text = why(&more, &lock(), gone).unwrap();
        assert!(text.contains("nothing asks for it any more"), "{text}");
    }
}

#[test]
fn an_unknown_name_gives_those_like_it() {
    let error = why(&wanted(), &lock(), "docker-ec").unwrap_err();
    assert_eq!(error.closest, ["docker-ce"]);
    assert_eq!(
        error.to_string(),
        "nothing called \"docker-ec\" is locked; did you mean docker-ce?"
    );
    let error = why(&wanted(), &lock(), "zzz").unwrap_err().to_string();
    assert!(
        error.ends_with("`cargo xtask sbom` lists everything that is"),
        "{error}"
    );
}
