//! Dependencies point down: no module imports one of its own layer or above.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every module, lowest layer first. Modules of one layer do not know each other, except for the
/// words, which are one vocabulary.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "words",
        &[
            "address", "endpoint", "error", "limits", "memory", "prefix", "rng", "time",
            "transmit", "verb",
        ],
    ),
    ("secrets and fingerprints", &["fingerprint", "secret_key"]),
    ("bytes", &["compress", "dictionary", "wire::cursor"]),
    ("identities", &["identity"]),
    ("physical addresses", &["bonding", "path_rules", "wire::inet"]),
    ("rules and worlds", &["rules", "world"]),
    ("documents", &["command", "credential", "pins", "settings", "status"]),
    ("configurations", &["config"]),
    ("news", &["event"]),
    ("what the host does", &["plan"]),
    ("packets", &["wire"]),
    ("keys", &["nonce", "suite"]),
    ("what the data plane reads", &["fastpath::tables"]),
    ("what subsystems say", &["outbox"]),
    ("data plane", &["fastpath"]),
    ("parts of subsystems", &["neighbor", "roots", "surface"]),
    ("subsystems", &["controller", "network", "peer", "whois"]),
    ("the node", &["node"]),
];

#[test]
fn no_module_imports_its_own_layer_or_one_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are where this test looks for them");

    let mut wrong = Vec::new();
    for file in files {
        let module = module_of(&root, &file);
        // The root names everything; the vectors and tests in files of their own are not shipped.
        if module == "lib" || module == "vectors" || module.ends_with("::tests") {
            continue;
        }
        let from = layer(&module).unwrap_or_else(|| panic!("{module} belongs to no layer"));
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let to = layer(&import).unwrap_or_else(|| panic!("{import} belongs to no layer"));
            if to.rank >= from.rank && !allowed(&from, &to) {
                wrong.push(format!("{module} ({}) imports {import} ({})", from.name, to.name));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Layer {
    rank: usize,
    name: &'static str,
    /// The entry of the table that matched.
    entry: &'static str,
}

/// Returns the layer of a module path, by its longest entry.
fn layer(module: &str) -> Option<Layer> {
    let mut best: Option<Layer> = None;
    for (rank, (name, entries)) in LAYERS.iter().enumerate() {
        for entry in *entries {
            let inside = module == *entry || module.starts_with(&format!("{entry}::"));
            let longer = best.as_ref().is_none_or(|best| best.entry.len() < entry.len());
            if inside && longer {
                best = Some(Layer { rank, name, entry });
            }
        }
    }
    best
}

fn allowed(from: &Layer, to: &Layer) -> bool {
    let same = from.entry == to.entry;
    let words = from.rank == 0 && to.rank == 0;
    same || words
}

/// Returns the modules a source names by `crate::`, outside its tests.
fn imports(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|path| {
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
            path.split(end).next().unwrap_or_default().trim_end_matches(':').to_owned()
        })
        .collect()
}

fn module_of(root: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let parts: Vec<_> = relative.iter().map(|part| part.to_str().unwrap()).collect();
    parts.join("::").trim_end_matches("::mod").to_owned()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
