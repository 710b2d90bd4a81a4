//! Looks into the file of a running etcd that takes puts: each shows all revisions up to its newest, each once, with what
//! clients have put. Once there are more than can be read between two commits, it shows a part of them, and the newest.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kv::{Db, Error};
use kv_testkit::Random;
use kv_testkit::bbolt::left_out;
use kv_testkit::etcd::{Etcd, database};
use kv_testkit::etcd_release::Programs;
use kv_testkit::found::found;

const CLIENTS: usize = 4;
/// Rows that can be read between two commits of etcd's, which it makes ten times a second.
const ROWS: usize = 10_000;
const FIRST: u64 = 2;

fn value(client: usize, n: usize) -> String {
    format!("value {n} of client {client} ").repeat(1 + n % 20)
}

#[test]
fn a_look_beside_etcd() {
    if left_out() || !["etcd", "etcdctl"].into_iter().all(|program| found(program, "etcd-server etcd-client")) {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let etcd = Etcd::start_for(super::seconds() + Duration::from_secs(120), &Programs::debians(), &data);
    let address = etcd.endpoint().trim_start_matches("http://").to_owned();
    let ended = AtomicBool::new(false);
    let peek = Db::peek(database(&data)).expect("etcd has made its file").patience(Duration::from_secs(60));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (address, ended) = (&address, &ended);
                    move || put_on(address, client, ended)
                })
            })
            .collect();
        let (began, mut looks, mut newest, mut tries, mut defragmented) = (Instant::now(), 0u64, 0, 0u64, false);
        let mut random = Random::new(1);
        while began.elapsed() < super::seconds() || newest < 100 {
            let all = newest < ROWS as u64 / 2;
            let from = if all { FIRST } else { FIRST + random.below_u64(newest - FIRST) };
            let seen = peek.view(|tx| {
                tries += 1;
                let bucket = tx.bucket("key")?;
                let rows = bucket.range(&row_key(from)[..]..).take(ROWS);
                let rows = rows.map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())));
                let rows = rows.collect::<Result<Vec<_>, Error>>()?;
                Ok::<_, Error>((rows, bucket.iter().next_back().transpose()?.map(|(key, _)| key.to_vec())))
            });
            let (rows, last) = seen.expect("rows of one state");
            judge(from, &rows);
            let revision = last.map_or(0, |key| number(&key));
            assert!(revision >= newest, "revision {revision} after {newest}");
            let shown = (revision + 1 - from.min(revision + 1)).min(ROWS as u64);
            assert_eq!(rows.len() as u64, shown, "no row is missing from {from} to {revision}");
            (newest, looks) = (revision, looks + 1);
            // Another file takes the name meanwhile.
            if !defragmented && began.elapsed() > super::seconds() / 2 {
                etcd.output(&["defrag"]);
                defragmented = true;
            }
        }
        ended.store(true, Ordering::Relaxed);
        let puts: usize = clients.into_iter().map(|client| client.join().expect("a client")).sum();
        println!(
            "looks beside etcd: {looks} answers of {ROWS} rows or all in {tries} tries, {newest} revisions seen of {puts} puts"
        );
    });
    etcd.stop();
}

/// Checks the rows from a revision on.
fn judge(from: u64, rows: &[(Vec<u8>, Vec<u8>)]) {
    // Of each client, what comes next; where not all is looked at, its first row says it.
    let mut next = [if from == FIRST { Some(0) } else { None }; CLIENTS];
    for (revision, (key, row)) in (from..).zip(rows) {
        assert_eq!(*key, row_key(revision), "each revision once, a put each");
        let (key, value) = key_and_value(row);
        let text = std::str::from_utf8(key).expect("what a client has put");
        let (client, n) = text.split_once('/').expect("client and number");
        let (client, n): (usize, usize) = (client.parse().expect("a number"), n.parse().expect("a number"));
        assert_eq!(n, next[client].unwrap_or(n), "client {client} puts one after the other");
        next[client] = Some(n + 1);
        assert!(value == self::value(client, n).as_bytes(), "the value of {text}");
    }
}

/// The key of the row of a revision with one put.
fn row_key(revision: u64) -> Vec<u8> {
    // The most significant byte first.
    revision.to_le_bytes().into_iter().rev().chain(*b"_").chain([0; 8]).collect()
}

fn number(row_key: &[u8]) -> u64 {
    row_key[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Fields 1 and 5 of a message `mvccpb.KeyValue`.
fn key_and_value(mut row: &[u8]) -> (&[u8], &[u8]) {
    let (mut key, mut value) = (&[][..], &[][..]);
    while !row.is_empty() {
        let tag = varint(&mut row);
        match (tag >> 3, tag & 7) {
            (_, 0) => drop(varint(&mut row)),
            (field, 2) => {
                let len = usize::try_from(varint(&mut row)).expect("a length");
                let (bytes, rest) = row.split_at(len);
                row = rest;
                match field {
                    1 => key = bytes,
                    5 => value = bytes,
                    _ => panic!("field {field}"),
                }
            }
            other => panic!("{other:?}"),
        }
    }
    (key, value)
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a number");
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Puts one key after the other through etcd's JSON interface, and returns how many.
fn put_on(address: &str, client: usize, ended: &AtomicBool) -> usize {
    let mut stream = BufReader::new(TcpStream::connect(address).expect("etcd listens"));
    let mut n = 0;
    while !ended.load(Ordering::Relaxed) {
        let (key, value) = (base64(format!("{client}/{n}").as_bytes()), base64(value(client, n).as_bytes()));
        let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
        let head = format!("POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.get_mut().write_all((head + &body).as_bytes()).expect("a request");
        let (mut status, mut line, mut len) = (String::new(), String::new(), 0);
        stream.read_line(&mut status).expect("an answer");
        assert!(status.contains(" 200 "), "{status}");
        while {
            line.clear();
            stream.read_line(&mut line).expect("a header");
            line != "\r\n"
        } {
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = text.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer).expect("the rest of the answer");
        n += 1;
    }
    n
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63]);
            let _ = text.write_char(if place <= three.len() { digit } else { '=' });
        }
    }
    text
}
