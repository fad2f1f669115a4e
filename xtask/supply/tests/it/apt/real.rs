//! What Debian itself signed, as apt left it on this machine: its keys with their
//! history, its signatures by several subkeys, its text. The lists themselves are not
//! served, so the way ends where they would be asked for; that they come out right is
//! proved by the repositories that are made here.

use std::fs;

use lab_supply::repository::read_lists;
use lab_supply::{Network, Refusal, SigningKey};

use super::{Site, of_key, refusal};
use crate::world::{limits, not_run, quick_key, signing_key};

const KEY_FILE: &str = "/usr/share/keyrings/debian-archive-bookworm-automatic.gpg";
/// Debian's announcement of its bookworm keys, 2023-01-21.
const FINGERPRINT: &str = "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8";

fn in_release() -> Option<Vec<u8>> {
    let lists = fs::read_dir("/var/lib/apt/lists").ok()?;
    let path = lists
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.to_str()
                .is_some_and(|path| path.ends_with("_debian_dists_bookworm_InRelease"))
        })?;
    fs::read(path).ok()
}

#[test]
fn debians_own_inrelease_and_keys() {
    let test = "debians_own_inrelease_and_keys";
    let Some(signed) = in_release() else {
        return not_run(test, "apt has no list of Debian bookworm here");
    };
    let Ok(packet) = fs::read(KEY_FILE) else {
        return not_run(test, "debian-archive-keyring is not installed");
    };
    let fingerprint = hex::decode(FINGERPRINT).unwrap().try_into().unwrap();
    let key = SigningKey {
        fingerprint,
        packet,
    };
    let site = Site::new([("/u/dists/bookworm/InRelease".to_owned(), signed)].into());
    let mut asked = of_key(&site.server.url("/u"), key);
    asked.suite = "bookworm".to_owned();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let found = refusal(read_lists(&Network::new(limits()), &asked, now, None));
    assert!(
        matches!(&found, Refusal::Changed { last, .. } if last.contains("Packages.xz")),
        "{found}"
    );
    asked.keys = vec![signing_key(quick_key(1).public_key())];
    let found = refusal(read_lists(&Network::new(limits()), &asked, now, None));
    assert!(matches!(found, Refusal::Signature(_)), "{found}");
}
