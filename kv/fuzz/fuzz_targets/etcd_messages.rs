//! Any bytes as messages of etcd's API, sent to a server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kv_fuzz::any_message::run(bytes));
