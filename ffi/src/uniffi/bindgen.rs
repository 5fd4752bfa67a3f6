//! Writes the Python, Kotlin and Swift sides of the bindings, from the library as it was built:
//!
//! ```text
//! cargo build -p zt-ffi --features uniffi
//! cargo run -p zt-ffi --features bindgen --bin uniffi-bindgen -- \
//!     generate --library target/debug/libzt.so --language python --out-dir out
//! ```

fn main() {
    uniffi::uniffi_bindgen_main();
}
