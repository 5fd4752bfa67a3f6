//! Every file of every fuzzer's corpus, through the entry that the fuzzer feeds.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use zt_tests::fuzz_entry::{ENTRIES, Entry};

/// Where the corpora are, one directory for each target.
fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("the corpora are part of the repository");
    let names = entries.map(|entry| entry.expect("a directory can be read").file_name());
    names.map(|name| name.into_string().expect("names are ASCII")).collect()
}

/// Feeds the whole corpus of a target; returns how many files that was.
fn replay(target: &str, entry: Entry) -> usize {
    let directory = corpora().join(target);
    let names = names(&directory);
    let breaks_a_promise = |name: &&String| {
        let input = fs::read(directory.join(name)).expect("a file of the corpus can be read");
        catch_unwind(|| entry(&input)).is_err()
    };
    let broken: Vec<_> = names.iter().filter(breaks_a_promise).collect();
    assert!(broken.is_empty(), "{target} breaks a promise on {broken:?}");
    names.len()
}

#[test]
fn no_file_of_a_corpus_breaks_a_promise() {
    for (target, entry) in ENTRIES {
        let files = replay(target, entry);
        assert!(files > 0, "the corpus of {target} is empty");
        println!("{target}: {files} files");
    }
}

#[test]
fn every_corpus_has_its_entry_and_its_fuzz_target() {
    let entries: BTreeSet<_> = ENTRIES.map(|(target, _)| target.to_owned()).into();
    let targets = names(&corpora().with_file_name("fuzz_targets"));
    let targets: BTreeSet<_> =
        targets.iter().filter_map(|name| name.strip_suffix(".rs")).map(str::to_owned).collect();

    assert_eq!(names(&corpora()), entries);
    assert_eq!(targets, entries);
}
