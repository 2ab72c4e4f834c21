#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| grevy_sim::fuzz::hello(bytes));
