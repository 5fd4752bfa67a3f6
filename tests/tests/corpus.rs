//! Every file of every fuzzer's corpus, through the entry that the fuzzer feeds.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use zt_protocol::rng::Rng;
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

/// What a fuzzer does for hours, for seconds. Set `ZT_FUZZ_ROUNDS` for more.
#[test]
fn no_damaged_file_of_a_corpus_breaks_a_promise() {
    let rounds = std::env::var("ZT_FUZZ_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::from_seed([4; 32]);
    for (target, entry) in ENTRIES {
        for name in names(&corpora().join(target)) {
            let input = fs::read(corpora().join(target).join(&name)).unwrap();
            for _ in 0..rounds {
                let damaged = damage(input.clone(), &mut rng);
                let sound = catch_unwind(|| entry(&damaged)).is_ok();
                assert!(sound, "{target} breaks a promise on {}", hex::encode(&damaged));
            }
        }
    }
}

/// Changes, removes or repeats a few bytes.
fn damage(mut input: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    for _ in 0..=rng.below(4) {
        let at = rng.below(input.len().max(1));
        let end = (at + 1 + rng.below(8)).min(input.len());
        match rng.below(5) {
            0 => input.truncate(at),
            1 => drop(input.drain(at.min(end)..end)),
            2 => input.extend_from_within(at.min(end)..end),
            _ => {
                let changed: [u8; 8] = rng.bytes();
                for (byte, changed) in
                    input.iter_mut().skip(at).take(end - at.min(end)).zip(changed)
                {
                    *byte = changed;
                }
            }
        }
    }
    input
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
