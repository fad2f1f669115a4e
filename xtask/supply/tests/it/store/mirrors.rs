//! What is asked instead of a URL.

use lab_supply::Cache;
use lab_supply::store::{FetchAll, Mirrors, Store, fetch_all};

use super::fetch::server_of;
use super::{World, how, wanted};
use crate::nginx::Nginx;
use crate::world::{content, not_run};

#[test]
fn a_mirror_is_asked_first_and_the_url_itself_where_it_has_nothing() {
    let (world, files) = (World::new(), [content(1, 900), content(2, 900)]);
    let (itself, mirror) = (server_of(&files), server_of(&files[..1]));
    let text = format!("[mirrors]\n{:?} = {:?}\n", itself.url("/"), mirror.url(""));
    let how = FetchAll {
        mirrors: Mirrors::parse(&text).unwrap(),
        ..how()
    };
    let all = [
        wanted("a", &files[0], &[itself.url("/0")]),
        wanted("b", &files[1], &[itself.url("/1")]),
    ];
    fetch_all(&world.store, &all, &how, &|_| {}).unwrap();
    assert_eq!((mirror.requests().len(), itself.requests().len()), (2, 1));
}

#[test]
fn with_only_the_url_itself_is_never_asked() {
    let (world, files) = (World::new(), [content(1, 900)]);
    let (itself, mirror) = (server_of(&files), server_of(&[]));
    let text = format!(
        "only = true\n[mirrors]\n{:?} = {:?}\n",
        itself.url(""),
        mirror.url("")
    );
    let how = FetchAll {
        mirrors: Mirrors::parse(&text).unwrap(),
        ..how()
    };
    let all = [wanted("a", &files[0], &[itself.url("/0")])];
    let failed = fetch_all(&world.store, &all, &how, &|_| {}).unwrap_err();
    assert!(failed.to_string().contains(&mirror.url("/0")), "{failed}");
    assert_eq!((mirror.requests().len(), itself.requests().len()), (1, 0));
}

/// The objects of another store, as nginx serves them.
#[test]
fn a_served_store_is_asked_by_digest() {
    let test = "a_served_store_is_asked_by_digest";
    let Some(server) = Nginx::start("", "", "") else {
        return not_run(test, "nginx is not installed");
    };
    let (world, bytes) = (World::new(), content(1, 900));
    server.serve("up", b"");
    let other = Store::open(&Cache::open(server.files()).unwrap()).unwrap();
    other.put(&bytes).unwrap();
    let text = format!(
        "only = true\nobjects = [\"http://127.0.0.1:{}/objects/\"]",
        server.port
    );
    let how = FetchAll {
        mirrors: Mirrors::parse(&text).unwrap(),
        ..how()
    };
    let itself = server_of(&[]);
    let one = wanted("a", &bytes, &[itself.url("/0")]);
    fetch_all(&world.store, &[one], &how, &|_| {}).unwrap();
    assert!(world.holds(&bytes) && itself.requests().is_empty());
}

#[test]
fn a_mirror_that_is_down_is_tried_once() {
    let (world, files) = (World::new(), [content(1, 900), content(2, 900)]);
    let (itself, down) = (server_of(&[]), "http://127.0.0.1:9".to_owned());
    let how = FetchAll {
        mirrors: Mirrors::new(vec![(itself.url(""), down)], false),
        jobs: 1,
        ..how()
    };
    let all = [0, 1].map(|n| wanted("a", &files[n], &[itself.url(&format!("/{n}"))]));
    let failed = fetch_all(&world.store, &all, &how, &|_| {}).unwrap_err();
    let passed_over = failed
        .to_string()
        .matches("nor was there one before")
        .count();
    assert_eq!((passed_over, itself.requests().len()), (1, 2), "{failed}");
}
