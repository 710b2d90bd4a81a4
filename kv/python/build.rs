//! macOS has to be told that the interpreter's symbols come when Python loads the library.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
