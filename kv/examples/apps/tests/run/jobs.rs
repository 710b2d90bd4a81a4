//! Each job is done once, whatever happens to the workers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn jobs(file: &Path, arguments: &[&str]) -> String {
    crate::run(env!("CARGO_BIN_EXE_jobs"), file, arguments, "")
}

/// The results by job, and those that there have to be.
fn results(file: &Path) -> BTreeMap<u64, u64> {
    let printed = jobs(file, &["results"]);
    let rows: Vec<(u64, u64)> = printed
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(job, result)| (job.parse().unwrap(), result.parse().unwrap()))
        .collect();
    let results: BTreeMap<u64, u64> = rows.iter().copied().collect();
    assert_eq!(results.len(), rows.len());
    results
}

#[test]
fn workers_share_the_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.db");
    jobs(&file, &["add", "200"]);
    assert_eq!(jobs(&file, &["status"]), "200 waiting, 0 done, 0 given up\n");
    let printed = jobs(&file, &["work", "8"]);
    assert_eq!(printed.lines().count(), 200, "each is done by one of them");
    assert_eq!(results(&file), (1..=200).map(|job| (job, 1 + (job - 1) % 50)).collect());
    jobs(&file, &["add", "1"]);
    jobs(&file, &["work"]);
    assert_eq!(results(&file).len(), 201, "numbers are not given twice");
}

#[test]
fn jobs_that_fail_are_tried_again_and_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.db");
    jobs(&file, &["fail", "3"]);
    jobs(&file, &["add", "5"]);
    assert_eq!(jobs(&file, &["work", "2"]).lines().count(), 5);
    assert_eq!(jobs(&file, &["status"]), "0 waiting, 5 done, 3 given up\n");
}

/// The process dies with jobs in work, again and again. What it said to be done is done, and in the end each job has one
/// result.
#[test]
fn no_job_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.db");
    jobs(&file, &["add", "400"]);
    let mut said: Vec<u64> = Vec::new();
    for life in 1..=3 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
        let mut worker = command.arg(&file).args(["work", "4"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        said.extend(lines.by_ref().take(1 + 5 * (life - 1)).map(|line| done(line.unwrap())));
        worker.kill().unwrap();
        worker.wait().unwrap();
        said.extend(lines.map_while(Result::ok).map(done));
        let results = results(&file);
        assert!(said.iter().all(|job| results.contains_key(job)), "what was said to be done is there");
        assert!(life > 1 || results.len() < 400, "it was killed in the middle");
    }
    said.extend(jobs(&file, &["work", "4"]).lines().map(done));
    assert_eq!(jobs(&file, &["status"]), "0 waiting, 400 done, 0 given up\n");
    said.sort_unstable();
    assert!(said.is_sorted_by(|one, next| one < next), "none is done twice");
    assert_eq!(results(&file), (1..=400).map(|job| (job, 1 + (job - 1) % 50)).collect());
}

fn done(line: impl AsRef<str>) -> u64 {
    line.as_ref().strip_prefix("done ").unwrap().parse().unwrap()
}
