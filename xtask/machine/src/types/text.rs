//! Names and other short texts.

use super::{checked_text, made_of};

checked_text!(
    /// A card's name within the description, such as `gtx1050ti`.
    CardName, pattern "^[a-z0-9][a-z0-9-]{0,31}$", example "gtx1050ti",
    |text| {
        let fits = made_of(text, 32, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits && !text.starts_with('-') && text != "auto" {
            return Ok(());
        }
        Err(format!("`{text}` is no name for a card: small letters, digits and `-` are, such as gtx1050ti (`auto` has a meaning of its own)"))
    }
);

checked_text!(
    /// A PCI function: domain, bus, device and function, as `lspci -D` and
    /// `nvidia-smi` print it.
    Bdf, pattern "^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$", example "0000:01:00.0",
    |text| {
        let hex = |part: &str, len: usize| part.len() == len && part.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        let parts: Vec<&str> = text.split([':', '.']).collect();
        let fits = text.matches(':').count() == 2 && matches!(
            parts.as_slice(),
            [domain, bus, device, function]
                if hex(domain, 4) && hex(bus, 2) && hex(device, 2) && *device < "20" && hex(function, 1) && *function < "8"
        );
        if fits {
            return Ok(());
        }
        Err(format!("`{text}` is no PCI address: expected domain:bus:device.function in small hex digits, such as 0000:01:00.0 (`lspci -D` prints it)"))
    }
);

checked_text!(
    /// What the firmware says of itself in a DMI field, compared to the letter.
    DmiText, pattern "^[ -~]{1,64}$", example "HP Z440 Workstation",
    |text| {
        if made_of(text, 64, |c| (' '..='~').contains(&c)) && text.trim() == text && !text.contains(['"', '\'', '\\', '`', '$']) {
            return Ok(());
        }
        Err(format!("`{text}` cannot be a DMI text: 1 to 64 printable ASCII characters without quotes, `$` or blanks at the ends (`cat /sys/class/dmi/id/product_name` prints it)"))
    }
);

checked_text!(
    /// A release of Ubuntu with its point release.
    UbuntuRelease, pattern "^[0-9]{2}\\.04(\\.[0-9]{1,2})?$", example "24.04.5",
    |text| {
        let parts: Vec<&str> = text.split('.').collect();
        let number = |part: &str| made_of(part, 2, |c| c.is_ascii_digit());
        match parts.as_slice() {
            [year, "04"] if number(year) && year.len() == 2 => Ok(()),
            [year, "04", point] if number(year) && year.len() == 2 && number(point) => Ok(()),
            _ => Err(format!("`{text}` is no release: expected year.04.point of a long-term release, such as 24.04.5")),
        }
    }
);

checked_text!(
    /// A locale of the C library.
    Locale, pattern "^[a-z]{2,3}_[A-Z]{2}(\\.UTF-8)?(@[a-z]+)?$|^C\\.UTF-8$", example "en_US.UTF-8",
    |text| {
        let (base, _) = text.split_once('@').unwrap_or((text, ""));
        let known_shape = match base.strip_suffix(".UTF-8").unwrap_or(base).split_once('_') {
            Some((language, country)) => {
                (2..=3).contains(&language.len()) && made_of(language, 3, |c| c.is_ascii_lowercase())
                    && country.len() == 2 && made_of(country, 2, |c| c.is_ascii_uppercase())
            }
            None => base == "C.UTF-8",
        };
        if known_shape && made_of(text, 32, |c| c.is_ascii_alphanumeric() || "_.-@".contains(c)) {
            return Ok(());
        }
        Err(format!("`{text}` is no locale: expected language_COUNTRY.UTF-8, such as en_US.UTF-8 (`locale -a` lists them)"))
    }
);

checked_text!(
    /// A keyboard layout of XKB.
    KeyboardLayout, pattern "^[a-z]{2,8}$", example "us",
    |text| {
        if text.len() >= 2 && made_of(text, 8, |c| c.is_ascii_lowercase()) {
            return Ok(());
        }
        Err(format!("`{text}` is no keyboard layout: expected XKB's name in small letters, such as us, de or fr"))
    }
);

checked_text!(
    /// A time zone of the tz database.
    Timezone, pattern "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", example "Europe/Berlin",
    |text| {
        let part = |part: &str| made_of(part, 32, |c| c.is_ascii_alphanumeric() || "_+-".contains(c));
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() <= 3 && parts.iter().all(|p| part(p)) && text.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Ok(());
        }
        Err(format!("`{text}` is no time zone: expected Area/City, such as Europe/Berlin, or Etc/UTC (`timedatectl list-timezones` lists them)"))
    }
);

checked_text!(
    /// A container image with its tag or digest.
    ImageReference,
    pattern "^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]{1,128})?(@sha256:[0-9a-f]{64})?$",
    example "quay.io/jupyter/tensorflow-notebook:cuda-2025-07-14",
    |text| {
        let (name, digest) = text.split_once("@sha256:").unwrap_or((text, ""));
        let digest_fits = digest.is_empty() && !text.contains('@') || digest.len() == 64 && digest.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        let slash = name.rfind('/').unwrap_or(0);
        let (path, tag) = match name[slash..].split_once(':') {
            Some((_, tag)) => (&name[..name.len() - tag.len() - 1], Some(tag)),
            None => (name, None),
        };
        let path_fits = slash > 0 && made_of(path, 200, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "./_-:".contains(c)) && path.split('/').all(|p| !p.is_empty());
        let tag_fits = tag.is_none_or(|tag| made_of(tag, 128, |c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        if path_fits && tag_fits && digest_fits && (tag.is_some() || !digest.is_empty()) {
            return Ok(());
        }
        Err(format!("`{text}` names no container image: expected registry/name:tag or registry/name@sha256:digest, such as quay.io/jupyter/tensorflow-notebook:cuda-2025-07-14"))
    }
);

checked_text!(
    /// A model of Ollama's library with its tag.
    ModelName, pattern "^[a-z0-9._-]+(/[a-z0-9._-]+)*:[A-Za-z0-9._-]+$", example "gemma3:1b",
    |text| {
        let part = |part: &str| made_of(part, 80, |c| c.is_ascii_alphanumeric() || "._-".contains(c)) && part != ".." && part != ".";
        match text.split_once(':') {
            Some((name, tag)) if name.split('/').all(part) && part(tag) => Ok(()),
            _ => Err(format!("`{text}` names no model: expected name:tag, such as gemma3:1b (a tag is needed, because the one left out moves)")),
        }
    }
);

checked_text!(
    /// A moment of the Ubuntu archive's snapshot service.
    SnapshotId, pattern "^[0-9]{8}T[0-9]{6}Z$", example "20261101T000000Z",
    |text| {
        let digits = |range: std::ops::Range<usize>| text.get(range).is_some_and(|part| part.chars().all(|c| c.is_ascii_digit()));
        if text.len() == 16 && digits(0..8) && text.get(8..9) == Some("T") && digits(9..15) && text.ends_with('Z') {
            return Ok(());
        }
        Err(format!("`{text}` is no snapshot: expected YYYYMMDDTHHMMSSZ, such as 20261101T000000Z"))
    }
);

checked_text!(
    /// A time of day.
    ClockTime, pattern "^([01][0-9]|2[0-3]):[0-5][0-9]$", example "04:00",
    |text| {
        let number = |part: &str| (part.len() == 2 && part.chars().all(|c| c.is_ascii_digit())).then(|| part.parse::<u8>().ok()).flatten();
        match text.split_once(':').map(|(hours, minutes)| (number(hours), number(minutes))) {
            Some((Some(0..=23), Some(0..=59))) => Ok(()),
            _ => Err(format!("`{text}` is no time of day: expected HH:MM, such as 04:00")),
        }
    }
);

checked_text!(
    /// An absolute path on the machine.
    TargetPath, pattern "^(/[A-Za-z0-9._-]+)+$", example "/var/lib/docker",
    |text| {
        let part = |part: &str| made_of(part, 100, |c| c.is_ascii_alphanumeric() || "._-".contains(c)) && part != ".." && part != ".";
        if text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part)) {
            return Ok(());
        }
        Err(format!("`{text}` is no path on the machine: expected an absolute one of letters, digits, `.`, `_` and `-`, such as /var/lib/docker"))
    }
);
