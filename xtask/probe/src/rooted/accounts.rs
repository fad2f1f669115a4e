//! Accounts that somebody could log in with (passwd(5), shadow(5)). No hash leaves this file.

use std::collections::BTreeMap;

use lab_facts::Account;

use crate::root::Root;

/// The most that is read of each file, in bytes.
const MOST: u64 = 4 << 20;

/// Programs that are no shell to log in with.
const NO_SHELLS: [&str; 5] = ["nologin", "false", "sync", "shutdown", "halt"];

/// What of an account's entry in `/etc/shadow` counts.
#[derive(Clone, Copy)]
struct Password {
    opens: bool,
    empty: bool,
}

/// The accounts that have a shell.
pub(crate) fn all(root: &Root) -> Result<Vec<Account>, String> {
    let passwd = root.text("/etc/passwd", MOST)?;
    let shadow = passwords(&root.text("/etc/shadow", MOST)?);
    let account = |line: &str| account(root, line, &shadow);
    Ok(passwd.lines().filter_map(account).collect())
}

fn account(root: &Root, line: &str, shadow: &BTreeMap<String, Password>) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, inline, uid, _, _, home, shell] = fields[..] else {
        return None;
    };
    if NO_SHELLS.contains(&shell.rsplit('/').next()?) {
        return None;
    }
    let password = match inline {
        "x" => shadow.get(name).copied().unwrap_or(password("!")),
        // From before there was a shadow file.
        own => password(own),
    };
    Some(Account {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        password: password.opens,
        empty_password: password.empty,
        ssh_keys: keys(root, home),
    })
}

fn passwords(text: &str) -> BTreeMap<String, Password> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), password(fields.next()?)))
    };
    text.lines().filter_map(entry).collect()
}

/// `!` and `*` are in no hash: with them nothing that is typed fits.
fn password(field: &str) -> Password {
    Password {
        opens: !field.is_empty() && !field.starts_with(['!', '*']),
        empty: field.is_empty(),
    }
}

/// How many keys may log in.
fn keys(root: &Root, home: &str) -> u32 {
    let path = format!("{}/.ssh/authorized_keys", home.trim_end_matches('/'));
    let text = root.text(&path, MOST).unwrap_or_default();
    let key = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    u32::try_from(text.lines().filter(key).count()).unwrap_or(u32::MAX)
}
