//! TLS, with and without certificates of clients: etcdctl connects as it does to etcd.

use std::path::Path;
use std::process::Command;

use kv_etcd::server::{Options, Server, TlsFiles};
use kv_testkit::etcd_release::Release;
use kv_testkit::found::found;

/// Makes an authority, and a certificate for the server and for a client.
fn certificates(directory: &Path) {
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
            printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile ext
        done";
    let made = Command::new("sh").args(["-c", script]).current_dir(directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn put(directory: &Path, url: &str, credentials: &[&str]) -> bool {
    let args = ["--endpoints", url, "--command-timeout", "5s", "--dial-timeout", "3s"];
    let command = &mut Command::new("etcdctl");
    let command = command.current_dir(directory).env("ETCDCTL_API", "3").args(args).args(credentials);
    command.args(["put", "k", "v"]).output().unwrap().status.success()
}

#[test]
fn clients_are_spoken_to_by_tls() {
    let Some(_debians) = Release::V3_4.programs() else { return };
    if !found("openssl", "openssl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    certificates(directory.path());
    for with_clients in [false, true] {
        let mut options = Options::new(at("data"));
        options.listen_client_urls = vec!["https://127.0.0.1:0".parse().unwrap()];
        let client_authorities = with_clients.then(|| at("ca.pem"));
        options.tls = Some(TlsFiles { certificate: at("server.pem"), key: at("server.key"), client_authorities });
        let server = Server::start(&options).unwrap();
        let url = server.client_urls()[0].to_string();
        assert_eq!(put(directory.path(), &url, &["--cacert", "ca.pem"]), !with_clients);
        let certificate = ["--cacert", "ca.pem", "--cert", "client.pem", "--key", "client.key"];
        assert!(put(directory.path(), &url, &certificate));
        assert!(!put(directory.path(), &url.replace("https", "http"), &[]), "not without TLS");
        server.stop();
    }
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("server.pem"), directory.path().join("server.key"));
    let mut options = Options::new(directory.path().join("data"));
    options.listen_client_urls = vec!["https://127.0.0.1:0".parse().unwrap()];
    assert!(Server::start(&options).unwrap_err().to_string().contains("needs a certificate"));
    options.tls = Some(TlsFiles { certificate: certificate.clone(), key, client_authorities: None });
    assert!(Server::start(&options).unwrap_err().to_string().contains("server.pem"));
    std::fs::write(&certificate, "no certificate").unwrap();
    assert!(Server::start(&options).unwrap_err().to_string().contains("server.pem"));
}
