//! What the benchmarks share: baselines, contestants and data.
#![forbid(unsafe_code)]

pub mod bbolt_array;
pub mod bbolt_hashmap;
pub mod fragmented;
pub mod free_layouts;
pub mod free_pages;
pub mod machine;
pub mod placement;
pub mod store;
pub mod table;
pub mod workload;
