//! Whatever becomes of a text on its way, reading it ends, and what is read is sound.

use lab_sbom::{Inventory, Licence, licence_of_copyright, licence_of_model};

use crate::fixture::list;

const TEXTS: &[&str] = &[
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n\
     Copyright: é 2020\nLicense: GPL-2+ or Artistic, and BSD-3-clause with Font exception\n Text\n .\n\n\
     Files: a\nLicense: LGPLv2.1+ and (MIT or GFDL-NIV-1.3+)\n",
    "either version 2.1 of the License, or (at your option) any later version.\n\
     * see /usr/share/common-licenses/LGPL-2.1, /usr/share/common-licenses/GPL-3 and ü\n",
    "**Llama 3.2** Community License Agreement\nMIT License\n",
    "(MIT OR Apache-2.0 WITH LLVM-exception) AND LicenseRef-é+ AND GPL-2.0+",
];
const PARTS: &[&str] = &[
    "",
    ",",
    " or ",
    " and ",
    " with ",
    " exception",
    "(",
    ")",
    "+",
    "-",
    ".0",
    "\n",
    "\n\n",
    "é",
    "License:",
    "Files:",
    "/usr/share/common-licenses/",
    "version ",
    "GPL",
    "LicenseRef-",
];

/// A generator of numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    fn mutate(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(6) {
            let at = self.below(chars.len() + 1);
            let end = (at + self.below(12)).min(chars.len());
            let part = PARTS[self.below(PARTS.len())].chars();
            chars.splice(at..end, part);
        }
        chars.into_iter().collect()
    }
}

#[test]
fn mutated_texts_give_sound_licences_or_none() {
    let mut numbers = Numbers(11);
    let mut found = 0;
    for round in 0..8000 {
        let text = numbers.mutate(TEXTS[round % TEXTS.len()]);
        let all = [
            licence_of_copyright(&text),
            licence_of_model(&text),
            Licence::stated(&text),
            text.parse().ok(),
        ];
        for licence in all.into_iter().flatten() {
            found += 1;
            assert_eq!(licence.as_str().parse().as_ref(), Ok(&licence), "{text:?}");
        }
    }
    assert!(found > 8000, "{found}");
}

#[test]
fn mutated_lists_are_refused_or_read_back() {
    let mut numbers = Numbers(12);
    let text = serde_json::to_string(&list()).unwrap();
    for _ in 0..500 {
        if let Ok(list) = serde_json::from_str::<Inventory>(&numbers.mutate(&text)) {
            let again = serde_json::to_string(&list).unwrap();
            assert_eq!(serde_json::from_str::<Inventory>(&again).unwrap(), list);
            assert!(!lab_sbom::text(&list).is_empty());
            lab_sbom::cyclonedx(&list, None).unwrap();
        }
    }
}

#[test]
fn long_texts_are_read_in_bounded_time_or_not_at_all() {
    let started = std::time::Instant::now();
    let format = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n";
    let stanzas = "\nFiles: x\nLicense: GPL-2+ or MIT\n".repeat(60_000);
    let licence = licence_of_copyright(&format!("{format}{stanzas}")).unwrap();
    assert_eq!(licence.as_str(), "GPL-2.0-or-later OR MIT");
    let names: String = (0..300)
        .map(|n| format!("\nFiles: x\nLicense: own-{n}\n"))
        .collect();
    assert_eq!(
        licence_of_copyright(&format!("{format}{names}")),
        None,
        "too many"
    );
    assert_eq!(
        licence_of_copyright(&"x".repeat((4 << 20) + 1)),
        None,
        "too long"
    );
    let pointers = "see /usr/share/common-licenses/GPL-2 ".repeat(80_000);
    assert_eq!(
        licence_of_copyright(&pointers).unwrap().as_str(),
        "LicenseRef-common-licenses-GPL-2"
    );
    let one = format!(
        "{format}\nFiles: *\nLicense: {}\n",
        "a, and b or ".repeat(20_000)
    );
    assert_eq!(
        licence_of_copyright(&one).unwrap().as_str(),
        "LicenseRef-unnamed"
    );
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
