//! `include/zt.h` is what the code says.

use std::path::Path;

/// Writes the header as it should be into `target/zt.h`, to be copied if the change is meant.
#[test]
fn the_header_is_up_to_date() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    config.sort_by = cbindgen::SortKey::None;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for module in [
        "result",
        "structs",
        "config",
        "library",
        "node",
        "events",
        "networks",
        "packets",
        "peers",
        "trust",
        "hosting",
        "hints",
        "storage",
        "statistics",
        "engine",
    ] {
        builder = builder.with_src(crate_dir.join(format!("src/c/{module}.rs")));
    }
    let mut written = Vec::new();
    builder.generate().unwrap().write(&mut written);
    let written = without_safety(&String::from_utf8(written).unwrap());
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zt.h");
    std::fs::write(&place, &written).unwrap();

    let committed = std::fs::read_to_string(crate_dir.join("include/zt.h")).unwrap_or_default();

    assert!(committed == written, "copy {} to ffi/include/zt.h", place.display());
}

/// Turns headings of Rust's documentation into plain words.
fn without_safety(header: &str) -> String {
    header.replace(" * # Safety\n *\n * ", " * Pointers: ")
}
