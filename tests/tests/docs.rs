//! What the pages of `docs/` show is what there is.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The C functions, structs and constants the header declares are those the pages may name.
const HEADER: &str = include_str!("../../ffi/include/zt.h");

/// A program on a page has the name of its file in a comment before it. Other tests compile that, and
/// `tests/abi/run` has those for C and Rust say what their pages promise.
#[test]
fn a_program_on_a_page_is_the_one_in_its_file() {
    let mut programs = 0;
    for (page, text) in pages() {
        for (file, shown) in programs_of(&text) {
            let path = docs().join("..").join(file);
            let there = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{file}: {why}"));
            assert_eq!(shown, there, "{page} does not show {file} as it is");
            programs += 1;
        }
    }
    assert!(programs >= 6, "one for each language, and a whole network: {programs}");
}

#[test]
fn every_language_has_a_page_with_a_program() {
    for (page, text) in pages() {
        let is_about_a_language = !["README.md", "migrating.md"].contains(&&*page);
        assert_eq!(programs_of(&text).next().is_some(), is_about_a_language, "{page}");
    }
}

#[test]
fn links_lead_to_files() {
    for (page, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(docs().join(file).exists(), "{page} links to {target}");
        }
    }
}

#[test]
fn names_of_c_are_those_of_the_header() {
    for (page, text) in pages() {
        for name in text.split('`').skip(1).step_by(2) {
            let is_of_c = ["zt_", "ZT_CONFIG_", "ZT_EVENT_", "ZT_PORT_", "ZT_STANDING_"]
                .iter()
                .any(|start| name.starts_with(start));
            if is_of_c && !name.contains("::") {
                // A struct and its member.
                let is_there = name.split('.').all(|part| HEADER.contains(part));
                assert!(is_there, "{page} names {name}, which zt.h does not");
            }
        }
    }
}

/// Returns the programs a page shows, each with the file it is from.
fn programs_of(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("<!-- ").skip(1).map(|rest| {
        let (file, rest) = rest.split_once(" -->\n```").expect("a comment precedes a program");
        let (_language, rest) = rest.split_once('\n').expect("the fence names a language");
        let (program, _) = rest.split_once("\n```\n").expect("the program ends");
        (file, &rest[..=program.len()])
    })
}

/// Returns the pages by file name, with their text.
fn pages() -> Vec<(String, String)> {
    let entries = fs::read_dir(docs()).expect("there are pages");
    let entries = entries.map(|entry| entry.expect("a page has a name").path());
    let pages: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = |path: &Path| fs::read_to_string(path).expect("a page is text");
    pages.iter().map(|path| (name(path), text(path))).collect()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}
