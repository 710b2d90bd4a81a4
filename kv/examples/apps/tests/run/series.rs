//! Summaries are those of the samples, and each table keeps what it is to keep.

use std::collections::BTreeMap;
use std::path::Path;

use kv_testkit::Random;

const NOON: u64 = 1_700_006_400;

fn series(file: &Path, arguments: &[&str], input: &str) -> String {
    crate::run(env!("CARGO_BIN_EXE_series"), file, arguments, input)
}

fn show(file: &Path, name: &str, from: u64, until: u64) -> String {
    series(file, &["show", name, &from.to_string(), &until.to_string()], "")
}

/// What `show` has to print, from the samples alone.
fn expected(samples: &BTreeMap<u64, f64>, width: u64, from: u64, until: u64) -> String {
    let mut groups: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (second, value) in samples {
        groups.entry(second - second % width).or_default().push(*value);
    }
    let lines: Vec<String> = groups
        .range(from - from % width..until)
        .map(|(begin, values)| {
            let (min, max) =
                values.iter().fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)));
            let count = values.len();
            let mean = values.iter().sum::<f64>() / f64::from(u32::try_from(count).unwrap());
            format!("{begin} +{width}: {count} of {min} to {max}, mean {mean:.2}\n")
        })
        .collect();
    lines.concat()
}

#[test]
fn samples_minutes_and_hours() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("climate.db");
    let mut random = Random::new(3);
    let mut halls: BTreeMap<&str, BTreeMap<u64, f64>> = BTreeMap::new();
    let mut input = Vec::new();
    for name in ["attic", "hall"] {
        let samples = halls.entry(name).or_default();
        // Two days, a sample every two minutes or so. Halves are exact, in whatever order they are added.
        for step in 0..1440 {
            let second = NOON - 2 * 86_400 + step * 120 + random.below(50) as u64;
            let value = f64::from(u32::try_from(random.below(100)).unwrap()) / 2.0;
            samples.insert(second, value);
            input.push(format!("{name} {second} {value:?}\n"));
        }
    }
    series(&file, &["record"], &input.concat());
    assert_eq!(series(&file, &["names"], ""), "attic\nhall\n");

    let check = || {
        for (name, samples) in &halls {
            for (back, width) in [(3600, 1), (3601, 60), (86_400, 60), (86_401, 3600), (2 * 86_400, 3600)] {
                let from = NOON - back;
                assert_eq!(show(&file, name, from, NOON), expected(samples, width, from, NOON), "{name} {back}");
            }
        }
    };
    check();
    let deleted = series(&file, &["expire", &NOON.to_string()], "");
    let samples_before = |until: u64| halls.values().map(|samples| samples.range(..until).count()).sum::<usize>();
    // Of each minute there is one sample, so that the tables of samples and of minutes have equally many rows.
    assert_eq!(deleted, format!("{} rows deleted\n", samples_before(NOON - 3600) + samples_before(NOON - 86_400)));
    check();
    assert_eq!(series(&file, &["expire", &NOON.to_string()], ""), "0 rows deleted\n");
}
