//! Gives the shared library the name by which programs linked with it look for it at start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS");
    let name = match system.as_deref() {
        // Later versions serve programs linked with earlier ones, so it has no version in it.
        Ok("linux" | "android") => "-Wl,-soname,libzt.so",
        Ok("macos" | "ios") => "-Wl,-install_name,@rpath/libzt.dylib",
        _ => return,
    };
    println!("cargo::rustc-cdylib-link-arg={name}");
}
