//! How the shared library is linked, on the systems that need to be told.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The name programs linked with it look for at their start. There is no version in it: later
    // libraries serve programs linked with earlier ones.
    const NAME: &str = "-Wl,-soname,libzt.so";
    const PATH: &str = "-Wl,-install_name,@rpath/libzt.dylib";
    // Devices with pages of 16 KiB load it, and those of 4 KiB as well.
    const PAGES: &str = "-Wl,-z,max-page-size=16384";
    // What the oldest Android lacks is refused by the linker, and not by the first such phone.
    const COMPLETE: &str = "-Wl,--no-undefined";

    let system = std::env::var("CARGO_CFG_TARGET_OS");
    let arguments: &[&str] = match system.as_deref() {
        Ok("linux") => &[NAME],
        Ok("android") => &[NAME, PAGES, COMPLETE],
        Ok("macos" | "ios") => &[PATH],
        _ => &[],
    };
    for argument in arguments {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
