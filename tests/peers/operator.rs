//! The operator's face: mistakes get one clear line, what works works from files, and the demo shows a platform at once.

use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::network::{Network, SIP};
use crate::server::{Server, lines_of, program, signal, until};
use crate::world::{self, add_user};

/// Runs the binary on a configuration of our own writing.
fn run(folder: &tempfile::TempDir, config: &str, words: &[&str]) -> Output {
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, config).expect("written");
    program()
        .arg("--config")
        .arg(&file)
        .args(words)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the tollgate binary starts")
}

#[test]
fn a_mistake_in_the_configuration_is_named_and_nothing_starts() {
    //  configuration                                      what the line must name
    for (config, names) in [
        ("[sip]\nudpp = [\"127.0.0.1:5060\"]\n", &["udpp"][..]),
        ("[sip]\nudp = [\"not an address\"]\n", &["udp", "not an address"][..]),
        ("[media]\nports = \"30000-20000\"\n", &["ports", "30000-20000"][..]),
        ("[database]\nurl = \"oracle://x\"\n", &["url", "oracle"][..]),
        ("[server]\ndrain_seconds = \"soon\"\n", &["drain_seconds"][..]),
        ("[billing]\ncurrency = \"dollars\"\n", &["currency", "dollars"][..]),
        ("[policy]\n\"credit.nonsense\" = 1\n", &["credit.nonsense"][..]),
        ("[sip\n", &["tollgate.toml"][..]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for command in ["check", "serve"] {
            let output = run(&folder, config, &[command]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(1 | 2)), "{command} {config}: {output:?}");
            for name in names {
                assert!(said.contains(name), "{command} {config} does not name {name}: {said}");
            }
            assert!(!said.contains("panicked"), "{said}");
            assert!(said.lines().filter(|l| !l.trim().is_empty()).count() <= 8, "one clear line: {said}");
        }
        assert!(!folder.path().join("data").join("tollgate.db").exists(), "nothing is made by a mistake");
    }
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let output = program().args(["--config", "nowhere/tollgate.toml", "check"]).output().expect("starts");
    assert!(matches!(output.status.code(), Some(1 | 2)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere/tollgate.toml"));
}

#[test]
fn commands_exit_0_when_done_1_when_refused_2_when_misused() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    world::import_decks(&server);
    //  command                                                  exit
    for (words, exit) in [
        (&["user", "show", "alice"][..], 0),
        (&["user", "show", "nobody"][..], 1),
        (&["user", "add", "alice"][..], 1),
        (&["user", "add", "carol", "--credit", "ten"][..], 2),
        (&["user", "add", "carol", "--deck", "missing"][..], 1),
        (&["user", "fly", "alice"][..], 2),
        (&["credit", "add", "nobody", "1.00"][..], 1),
        (&["deck", "lookup", "sell", "12025550123"][..], 0),
        (&["deck", "show", "missing"][..], 1),
        (&["route", "remove", "999999"][..], 1),
        (&["route", "add", "--prefix", "1", "--trunk", "missing"][..], 1),
        (&["config", "get", "credit.min_talk"][..], 0),
        (&["config", "get", "credit.nonsense"][..], 1),
        (&["config", "set", "credit.min_talk", "a while"][..], 1),
        (&["call", "hangup", "999999"][..], 1),
        (&["did", "add", "1202555", "--user", "nobody"][..], 1),
        (&["cdr", "show", "999999"][..], 1),
        (&["version"][..], 0),
        (&[][..], 2),
    ] {
        let said = server.cli(words);
        // A value that does not parse may be a usage error or a refusal; both are no success.
        let fits = said.status == exit || (exit > 0 && words.contains(&"ten") && said.status == 1);
        assert!(fits, "{words:?} exited {}, not {exit}: {}{}", said.status, said.out, said.err);
        if exit == 1 {
            assert_eq!(said.err.trim().lines().count(), 1, "{words:?} says one line: {}", said.err);
        }
    }
    assert!(server.cli(&["user", "show", "carol"]).status == 1, "what was refused left nothing behind");
}

#[test]
fn a_deck_with_a_mistake_is_not_imported_at_all() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let file = server.folder.path().join("bad.csv");
    let path = file.to_str().expect("UTF-8").to_owned();
    //  file                                                            what is named
    for (text, names) in [
        ("prefix,price_per_minute\n1,0.10\n44,cheap\n", &["3", "price_per_minute"][..]),
        ("prefix,price_per_minute\n1,0.10\n1,0.20\n", &["3", "1"][..]),
        ("prefix,price_per_minute\n12a,0.10\n", &["2", "prefix"][..]),
        ("prefix,price_per_minute\n1,-0.10\n", &["2", "price_per_minute"][..]),
        ("prefix\n1\n", &["price_per_minute"][..]),
        ("", &["bad.csv"][..]),
    ] {
        fs::write(&file, text).expect("written");
        let said = server.cli(&["deck", "import", "bad", &path]);
        assert_eq!(said.status, 1, "{text:?}: {said:?}");
        for name in names {
            assert!(said.err.contains(name), "{text:?} does not name {name}: {}", said.err);
        }
        assert_eq!(server.cli(&["deck", "show", "bad"]).status, 1, "half a deck was left");
    }
    fs::write(&file, "prefix,price_per_minute\n1,0.10\n").expect("written");
    server.ok(&["deck", "import", "good", &path]);
    fs::write(&file, "prefix,price_per_minute\n1,0.20\n").expect("written");
    server.ok(&["deck", "import", "good", &path]);
    assert!(server.ok(&["deck", "lookup", "good", "12025550123"]).contains("0.2"));
    server.ok(&["deck", "rollback", "good"]);
    assert!(server.ok(&["deck", "lookup", "good", "12025550123"]).contains("0.1"));
}

#[test]
fn a_setting_goes_by_its_own_name_and_by_the_guides() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    let described = server.json(&["config", "list"]);
    let rows = described.as_array().expect("a list");
    assert!(rows.len() > 20, "{described:#}");
    let aliased = rows.iter().find(|row| row["aliases"].as_array().is_some_and(|a| !a.is_empty())).expect("an alias");
    let (name, alias) = (aliased["name"].as_str().unwrap(), aliased["aliases"][0].as_str().unwrap());
    assert_eq!(server.json(&["config", "get", &alias.to_uppercase()])["name"], name);
    let pinned = server.cli(&["config", "set", "digest.algorithms", "both"]);
    assert_eq!(pinned.status, 1, "the file pins it: {pinned:?}");
}

#[test]
fn users_are_imported_from_a_file_all_or_none() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::import_decks(&server);
    let file = server.folder.path().join("users.csv");
    let path = file.to_str().expect("UTF-8").to_owned();
    fs::write(&file, "name,password,mode,credit,deck,max_lines\nu1,password-of-u1,prepaid,5.00,sell,3\nu2,password-of-u2,postpaid,0,sell,2\n")
        .expect("written");
    server.ok(&["user", "import", &path]);
    assert_eq!(world::shown(&server, "u1", "balance"), "5.000000");
    assert_eq!(world::shown(&server, "u2", "max_lines"), "2");
    fs::write(&file, "name,password,mode,credit,deck,max_lines\nu3,password-of-u3,prepaid,5.00,sell,3\nu4,password-of-u4,sometimes,0,sell,2\n")
        .expect("written");
    let said = server.cli(&["user", "import", &path]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains('3') && said.err.contains("sometimes"), "{}", said.err);
    assert_eq!(server.cli(&["user", "show", "u3"]).status, 1, "half an import was left");
}

#[test]
fn commands_work_without_a_running_server_and_two_servers_do_not_share_a_folder() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    let second = program().arg("--config").arg(server.config()).arg("serve").output().expect("starts");
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(server.lives());
    assert_eq!(server.terminate().code(), Some(0));
    add_user(&server, "bob", &[]);
    server.ok(&["credit", "add", "bob", "1.50"]);
    assert_eq!(world::shown(&server, "bob", "balance"), "1.500000");
    assert_eq!(server.rows(&["user", "list"]).iter().filter(|u| u["name"] == "alice" || u["name"] == "bob").count(), 2);
}

#[test]
fn health_and_metrics_are_served() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    assert!(server.get(18080, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(server.get(18080, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = server.get(19090, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("tollgate_"), "{metrics}");
    drop(server);
}

#[test]
fn secrets_reach_neither_log_nor_database() {
    let net = Network::lease();
    let mut server = Server::at(&net).start();
    add_user(&server, "alice", &[]);
    crate::sipp::Sipp::new(&server, net.host(10), "register").user("alice").word("expires", 300).run();
    let secret = world::password("alice");
    assert!(server.terminate().success());
    assert!(!server.logged().contains(&secret));
    for entry in fs::read_dir(server.data()).expect("a data folder").flatten() {
        if let Ok(bytes) = fs::read(entry.path()) {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{} holds a password",
                entry.path().display()
            );
        }
    }
}

#[test]
fn the_demo_shows_a_working_platform_at_once() {
    let net = Network::lease();
    let host = net.host(1);
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("demo.sock");
    let surroundings = [
        ("TOLLGATE__SIP__UDP", format!("{host}:{SIP}")),
        ("TOLLGATE__SIP__TCP", format!("{host}:{SIP}")),
        ("TOLLGATE__MEDIA__BIND", host.to_string()),
        ("TOLLGATE__WEB__LISTEN", format!("{host}:18080")),
        ("TOLLGATE__CONTROL__SOCKET", socket.display().to_string()),
    ];
    let mut demo = program()
        .arg("demo")
        .envs(surroundings.clone())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the tollgate binary starts");
    let lines = lines_of(demo.stdout.take().expect("piped"));
    let mut said = Vec::new();
    let ask = |words: &[&str]| {
        let output = program()
            .args(words)
            .arg("--json")
            .envs(surroundings.clone())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output();
        serde_json::from_slice::<serde_json::Value>(&output.expect("starts").stdout).unwrap_or_default()
    };
    until("the demo has live calls and CDRs", Duration::from_secs(60), || {
        said.extend(lines.try_iter());
        let count = |words: &[&str]| ask(words).as_array().map_or(0, Vec::len);
        count(&["call", "list"]) > 0 && count(&["cdr", "list"]) > 0
    });
    assert!(said.iter().any(|line| line.trim() == "ready"), "{said:?}");
    assert!(ask(&["user", "list"]).as_array().map_or(0, Vec::len) >= 4);
    signal("TERM", demo.id());
    until("the demo ends", Duration::from_secs(45), || demo.try_wait().is_ok_and(|status| status.is_some()));
    assert_eq!(demo.wait().expect("a status").code(), Some(0));
}
