//! Licences out of copyright files and out of models' terms.

use std::fs;

use lab_sbom::{Licence, licence_of_copyright, licence_of_model};

const FORMAT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n";

/// What a Files stanza with that synopsis gives.
fn short(synopsis: &str) -> String {
    let text = format!("{FORMAT}\nFiles: *\nCopyright: 2020 X\nLicense: {synopsis}\n Text.\n");
    licence_of_copyright(&text).unwrap().to_string()
}

/// Debian's copyright format 1.0, sections 7.1 and 7.2.
#[test]
fn short_names_become_identifiers() {
    let cases = [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("gpl-2.0+", "GPL-2.0-or-later"),
        ("GPL-2.0.0", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL", "GPL-1.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("LGPL-3", "LGPL-3.0-only"),
        ("AGPL-3+", "AGPL-3.0-or-later"),
        ("GFDL-1.3", "GFDL-1.3-only"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("BSD 3-clause", "BSD-3-Clause"),
        ("Artistic", "Artistic-1.0-Perl"),
        ("Artistic-2", "Artistic-2.0"),
        ("Apache-2", "Apache-2.0"),
        ("MPL-1.1", "MPL-1.1"),
        ("zlib", "Zlib"),
        ("Zope-2.1", "ZPL-2.1"),
        ("CC0", "CC0-1.0"),
        ("CC-BY-SA-3", "CC-BY-SA-3.0"),
        ("public-domain", "LicenseRef-public-domain"),
        ("BSD-3-google", "LicenseRef-BSD-3-google"),
        ("Foo_2+", "LicenseRef-Foo-2-or-later"),
        ("", "LicenseRef-unnamed"),
        ("Our Terms", "LicenseRef-Our-Terms"),
    ];
    for (from, to) in cases {
        assert_eq!(short(from), to, "{from}");
    }
}

#[test]
fn conjunctions_and_exceptions_are_read_as_the_format_says() {
    let cases = [
        (
            "GPL-1+ or Artistic",
            "Artistic-1.0-Perl OR GPL-1.0-or-later",
        ),
        (
            "GPL-2+ and BSD-3-clause",
            "BSD-3-Clause AND GPL-2.0-or-later",
        ),
        ("Expat or ISC and Zlib", "MIT OR ISC AND Zlib"),
        ("Expat or ISC, and Zlib", "Zlib AND (ISC OR MIT)"),
        ("Expat, ISC", "ISC AND MIT"),
        (
            "GPL-2+ with Font exception",
            "GPL-2.0-or-later WITH Font-exception-2.0",
        ),
        (
            "Apache-2.0 with LLVM exception",
            "Apache-2.0 WITH LLVM-exception",
        ),
        (
            "GPL-2 with Linux-syscall-note exception",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        // SPDX has a form of it for each of several programs, and none for all.
        (
            "GPL-2+ with OpenSSL exception",
            "LicenseRef-GPL-2-or-later-with-OpenSSL-exception",
        ),
    ];
    for (from, to) in cases {
        assert_eq!(short(from), to, "{from}");
    }
}

#[test]
fn a_sentence_is_no_name() {
    for sentence in [
        "Permission to use, copy, modify, and distribute this software and its",
        "Redistribution and use in source and binary forms, with or without",
        "This software is provided 'as-is', without any express or implied",
    ] {
        assert_eq!(short(sentence), "LicenseRef-unnamed", "{sentence}");
    }
}

#[test]
fn each_licence_of_a_file_stands_once_and_stanzas_of_texts_do_not_count() {
    let text = format!(
        "{FORMAT}License: ISC\n\nFiles: *\nLicense: GPL-2+\n\nFiles: a\n b\nLicense: Expat\n Text\n\n\
         Files: c\nLICENSE: GPL-2.0+\n\nLicense: Zlib\n A text that stands alone.\n"
    );
    assert_eq!(
        licence_of_copyright(&text).unwrap().as_str(),
        "GPL-2.0-or-later AND MIT"
    );
    let header = format!("{FORMAT}License: ISC\n\nLicense: Zlib\n Text\n");
    assert_eq!(licence_of_copyright(&header).unwrap().as_str(), "ISC");
    assert_eq!(licence_of_copyright(FORMAT), None);
}

#[test]
fn free_words_give_what_they_point_at() {
    let later = "it under the terms of the GNU General Public License as published by the Free\n\
                 Software Foundation; either version 2 of the License, or (at your option) any\n\
                 later version. The text is in /usr/share/common-licenses/GPL-2.";
    let only = "under version 2 of the GNU GPL: see '/usr/share/common-licenses/GPL-2'";
    let cases = [
        (later.to_owned(), Some("GPL-2.0-or-later")),
        (later.replace("GPL-2.", "GPL'"), Some("GPL-2.0-or-later")),
        (only.to_owned(), Some("GPL-2.0-only")),
        (
            only.replace("version 2", "version 3"),
            Some("LicenseRef-common-licenses-GPL-2"),
        ),
        (
            only.replace("version 2 of ", ""),
            Some("LicenseRef-common-licenses-GPL-2"),
        ),
        (
            "see /usr/share/common-licenses/GPL".to_owned(),
            Some("LicenseRef-common-licenses-GPL"),
        ),
        (
            "all of them are in /usr/share/common-licenses/.".to_owned(),
            Some("LicenseRef-unnamed"),
        ),
        (
            "in /usr/share/common-licenses/Apache-2.0.".to_owned(),
            Some("Apache-2.0"),
        ),
        (
            "in /usr/share/common-licenses/Artistic and".to_owned(),
            Some("Artistic-1.0-Perl"),
        ),
        (
            format!(
                "{later}\n{}",
                later
                    .replace("version 2", "version 2.1")
                    .replace("/GPL-2", "/LGPL-2.1")
            ),
            Some("GPL-2.0-or-later AND LGPL-2.1-or-later"),
        ),
        (
            format!("{later}\nPermission is hereby granted, free of charge"),
            Some("GPL-2.0-or-later AND LicenseRef-unnamed"),
        ),
        (
            "Permission is hereby granted, free of charge".to_owned(),
            None,
        ),
        ("All rights reserved.".to_owned(), None),
    ];
    for (text, licence) in cases {
        let found = licence_of_copyright(&text);
        assert_eq!(found.as_ref().map(Licence::as_str), licence, "{text}");
    }
}

#[test]
fn a_models_terms_are_known_by_their_title_only() {
    let cases = [
        (
            "Gemma Terms of Use \n\nLast modified: February 21, 2024",
            Some("LicenseRef-Gemma-Terms-of-Use"),
        ),
        (
            "# Gemma Terms of Use",
            Some("LicenseRef-Gemma-Terms-of-Use"),
        ),
        ("MIT License\n\nCopyright (c) 2023", Some("MIT")),
        (
            "\n                                 Apache License\n                           Version 2.0, January 2004\n",
            Some("Apache-2.0"),
        ),
        (
            "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date",
            Some("LicenseRef-Llama-3.2-Community-License"),
        ),
        (
            "**Llama 3.2** **Community License Agreement**",
            Some("LicenseRef-Llama-3.2-Community-License"),
        ),
        (
            "META LLAMA 3 COMMUNITY LICENSE AGREEMENT",
            Some("LicenseRef-Llama-3-Community-License"),
        ),
        ("Some Terms\nunlike the MIT License", None),
        ("MIT Licensed code is not in this", None),
        ("", None),
    ];
    for (text, licence) in cases {
        let found = licence_of_model(text);
        assert_eq!(found.as_ref().map(Licence::as_str), licence, "{text}");
    }
}

#[test]
fn expressions_have_one_form() {
    let cases = [
        ("mit or apache-2.0", Some("Apache-2.0 OR MIT")),
        ("(MIT OR MIT) AND (ISC)", Some("ISC AND MIT")),
        ("GPL-2.0+", Some("GPL-2.0-or-later")),
        ("GPL-2.0", Some("GPL-2.0-only")),
        ("Apache-2.0+", Some("Apache-2.0+")),
        ("MIT AND", None),
        ("(MIT", None),
        ("MIT)", None),
        ("Custom", None),
        ("MIT WITH MIT", None),
        ("LicenseRef-", None),
        ("", None),
    ];
    for (from, to) in cases {
        let found = from.parse::<Licence>().ok();
        assert_eq!(found.as_ref().map(Licence::as_str), to, "{from}");
    }
    assert!("(".repeat(100_000).parse::<Licence>().is_err());
    assert_eq!(
        Licence::stated("My licence").unwrap().as_str(),
        "LicenseRef-My-licence"
    );
    assert_eq!(Licence::stated("???"), None);
}

/// The copyright files that Debian's packagers really wrote, as far as this machine has them.
#[test]
fn what_is_read_out_of_this_machines_packages_is_sound() {
    let (mut files, mut known, mut most) = (0, 0, 0);
    for entry in fs::read_dir("/usr/share/doc")
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(bytes) = fs::read(entry.path().join("copyright")) else {
            continue;
        };
        files += 1;
        if let Some(licence) = licence_of_copyright(&String::from_utf8_lossy(&bytes)) {
            known += 1;
            most = most.max(licence.as_str().matches(" AND ").count() + 1);
            let again: Licence = licence.as_str().parse().unwrap();
            assert_eq!(again, licence, "{}", entry.path().display());
        }
    }
    if files == 0 {
        let test = "what_is_read_out_of_this_machines_packages_is_sound";
        return lab_not_run::not_run(test, "/usr/share/doc has no copyright file");
    }
    println!("{known} of {files} copyright files state a licence; the longest has {most} parts");
    assert!(known * 2 > files, "{known} of {files}");
}
