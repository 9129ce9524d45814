//! `server.tls_cert`, `server.tls_key` and `server.trusted_proxies`.

use super::*;

/// Certificates with their keys, and files that are neither.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            let made = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
            std::fs::write(folder.path().join(format!("{name}.crt")), made.cert.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem())
                .unwrap();
        }
        let both = |a: &str, b: &str| {
            let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
            [read(a), read(b)].concat()
        };
        let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("chain.crt", both("one.crt", "two.crt"));
        write("all.pem", both("one.key", "one.crt"));
        write("empty", Vec::new());
        write("large", vec![b'\n'; 300_000]);
        let pem =
            |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
        write("torn.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec());
        write("text.crt", pem("CERTIFICATE"));
        write("text.key", pem("PRIVATE KEY"));
        write("locked.key", pem("ENCRYPTED PRIVATE KEY"));
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn text(&self, cert: &str, key: &str) -> String {
        format!("[server]\ntls_cert = \"{}\"\ntls_key = \"{}\"\n", self.path(cert), self.path(key))
    }

    /// The one mistake, without the folder's name.
    #[track_caller]
    fn check(&self, cert: &str, key: &str, want: &str) {
        let told = mistakes(&self.text(cert, key)).replace(&self.path(""), "");
        assert_eq!(told, want, "{cert} {key}");
    }
}

#[test]
fn a_certificate_and_its_key_make_the_address_https() {
    let files = Files::new();
    for (cert, key) in [("one.crt", "one.key"), ("chain.crt", "one.key"), ("all.pem", "all.pem")] {
        let config = read_text(&files.text(cert, key), &environment()).unwrap();
        assert!(config.settings.tls.is_some());
        assert_eq!(config.catalog.public_url.as_str(), "https://127.0.0.1:8080/");
        assert!(!format!("{:?}", config.settings).contains("PRIVATE"), "the key is shown nowhere");
    }
    let plain = read_text("", &environment()).unwrap().settings;
    let both = read_text(&files.text("one.crt", "one.key"), &environment()).unwrap().settings;
    let other = read_text(&files.text("two.crt", "two.key"), &environment()).unwrap().settings;
    assert_eq!(plain.changed_in(&both), ["server.tls_cert"]);
    assert!(both.changed_in(&other).is_empty(), "another certificate counts at once");
}

#[test]
fn what_is_wrong_with_either_file_is_told() {
    let files = Files::new();
    let gone = "cannot be read: No such file or directory (os error 2)";
    files.check("gone", "one.key", &format!("f:2: server.tls_cert: file `gone` {gone}"));
    files.check("one.crt", "gone", &format!("f:3: server.tls_key: file `gone` {gone}"));
    files.check(
        "gone",
        "gone",
        &format!("f:2: server.tls_cert: file `gone` {gone}\nf:3: server.tls_key: file `gone` {gone}"),
    );
    let none = "holds no certificate: write `-----BEGIN CERTIFICATE-----` and what follows";
    files.check("empty", "one.key", &format!("f:2: server.tls_cert: file `empty` {none}"));
    files.check("one.key", "one.key", &format!("f:2: server.tls_cert: file `one.key` {none}"));
    let none = "holds no private key: write one in PEM (PKCS#8, PKCS#1 or SEC1) that no password protects";
    files.check("one.crt", "one.crt", &format!("f:3: server.tls_key: file `one.crt` {none}"));
    files.check("one.crt", "locked.key", &format!("f:3: server.tls_key: file `locked.key` {none}"));
    files.check(
        "one.crt",
        "two.key",
        "f:3: server.tls_key: file `two.key`: the key is not that of the first certificate: the server's own must \
         stand before those of its issuers",
    );
    files.check("large", "one.key", "f:2: server.tls_cert: file `large` has more than 262144 bytes");

    // What the library says of these is its own.
    for (cert, key, begins) in [
        ("torn.crt", "one.key", "f:2: server.tls_cert: file `torn.crt` is not PEM: "),
        (
            "text.crt",
            "one.key",
            "f:2: server.tls_cert: file `text.crt` the first certificate cannot be read: ",
        ),
        ("one.crt", "text.key", "f:3: server.tls_key: file `text.key` cannot be used: "),
    ] {
        let told = mistakes(&files.text(cert, key)).replace(&files.path(""), "");
        assert!(told.starts_with(begins), "{told}");
    }
}

#[test]
fn both_or_neither() {
    check("[server]\ntls_cert = \"c\"\n", &["f:1: server.tls_key: required where `server.tls_cert` is set"]);
    check("[server]\ntls_key = \"k\"\n", &["f:1: server.tls_cert: required where `server.tls_key` is set"]);
}

#[test]
fn nothing_plain_leads_to_a_listener_that_speaks_tls() {
    let files = Files::new();
    let text = files.text("one.crt", "one.key");
    check(
        &format!("{text}public_url = \"http://127.0.0.1:8080\"\n"),
        &["f:4: server.public_url: must be https where `server.tls_cert` is set"],
    );
    check(&format!("{text}public_url = \"https://pay.example.com\"\n"), &[]);
    // And so fronts may be served to all.
    let open = "http = \"0.0.0.0:443\"\npublic_url = \"https://pay.example.com\"\n[compat]\nfufu = true\n";
    check(&format!("{text}{open}"), &[]);
}

#[test]
fn proxies_are_addresses_or_networks() {
    let config =
        read_text("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n", &environment()).unwrap();
    assert!(!config.settings.proxies.is_empty());
    let none = read_text("", &environment()).unwrap().settings;
    assert!(none.proxies.is_empty());
    assert_eq!(none.changed_in(&config.settings), ["server.trusted_proxies"]);
    check(
        "[server]\ntrusted_proxies = [\"proxy\", \"10.0.0.1/8\", \"10.0.0.1\"]\n",
        &[
            "f:2: server.trusted_proxies[0]: `proxy`: write an address like 10.0.0.7, or a network like 10.0.0.0/8 \
             whose other bits are 0",
            "f:2: server.trusted_proxies[1]: `10.0.0.1/8`: write an address like 10.0.0.7, or a network like \
             10.0.0.0/8 whose other bits are 0",
        ],
    );
    check(
        "[server]\ntrusted_proxies = []\n",
        &["f:2: server.trusted_proxies: name at least one, or remove the key"],
    );
}
