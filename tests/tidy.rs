//! The house rules, as a test: which room may lean on which, who may name what, and what is nowhere to be found.
//!
//! ARCHITECTURE.md lists the rules as absences; each is one test below. A rule bends only by a line in its allow-list, with
//! the reason beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What each room of the house may lean on inside the house: the arrows of ARCHITECTURE.md, as they run today.
const ARROWS: &[(&str, &[&str])] = &[
    ("crates/types", &[]),
    ("crates/settings", &["types"]),
    ("crates/guard", &["types", "settings"]),
    ("crates/sip", &["types", "settings"]),
    ("crates/media", &["types", "settings"]),
    ("crates/billing", &["types", "settings"]),
    ("crates/routing", &["types", "settings", "guard", "sip", "media", "billing"]),
    ("crates/call", &["types", "settings", "guard", "sip", "media", "billing", "routing"]),
    ("store", &["types", "settings", "billing", "routing", "migrations"]),
    ("migrations", &[]),
    ("actors", &["types", "settings", "guard", "sip", "media", "billing", "routing", "call", "store", "migrations"]),
    ("web", &["types", "settings", "guard", "sip", "media", "billing", "routing", "call", "store", "actors"]),
    ("benches/load", &["types", "sip"]),
    ("benches/counts", &["types", "sip", "media", "billing"]),
];

/// Everything foreign a thinking room may use: computation and data, nothing that looks at the world.
const PURE: &[&str] = &[
    "ahash",
    "base64",
    "bytes",
    "chrono",
    "chrono-tz",
    "csv",
    "hex",
    "hmac",
    "itoa",
    "md-5",
    "memchr",
    "phonenumber",
    "rand",
    "rsip",
    "serde",
    "serde_json",
    "sha2",
    "slab",
    "smallvec",
    "subtle",
    "thiserror",
];

/// For the tests of thinking rooms.
const PURE_TESTS: &[&str] = &["proptest", "divan", "serde_json", "rsip", "bytes", "hex", "regex-automata"];

/// Files allowed to be longer than [`LINES`], each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Files whose settings nobody reads, each with the reason.
const UNREAD_SETTINGS: &[(&str, &str)] = &[(
    "crates/settings/src/rows/fixed.rs",
    "each may be one value only, which its own tests hold; tests/peers/auth.rs shows it",
)];

/// A file holds one idea; past this many lines it holds two.
const LINES: usize = 600;

/// Files that use `do_send`, which ignores a mailbox's capacity: only where no stranger decides how often, that is for
/// answers to what the receiver asked, for news of an actor's own life, and for orders to what an actor keeps.
const DO_SEND: &[(&str, &str)] = &[
    ("actors/src/call.rs", "orders to its own shard, answers to what it asked; a call exists only once admitted"),
    ("actors/src/alerter.rs", "its own end, told to its keeper"),
    ("actors/src/caretaker.rs", "its own end, told to its keeper"),
    ("actors/src/carrier.rs", "a trunk's own pings and registrations, paced by the wheel"),
    ("actors/src/rater.rs", "its own end, told to its keeper"),
    ("actors/src/ip_limiter.rs", "news of its own life, answers to its shard"),
    ("actors/src/journal.rs", "a batch's end, told to itself"),
    ("actors/src/ledger/commit.rs", "a commit's end, told to itself; its queue is capped before"),
    ("actors/src/ledger/door.rs", "facts, counted on their way and spooled beyond a bound"),
    ("actors/src/media_leg.rs", "what the relay answered it"),
    ("actors/src/placement.rs", "the end of a connection, told once to each user with a device registered by it"),
    ("actors/src/registration.rs", "news of its own life"),
    ("actors/src/sip_shard/call_book.rs", "timers of calls that exist, from the wheel"),
    ("actors/src/sip_shard/orders.rs", "what an operator changed of a trunk"),
    ("actors/src/snapshots.rs", "what an operator changed of a trunk"),
    ("src/platform.rs", "each trunk's carrier and the house's own, once at the start"),
    ("src/platform/recovery.rs", "remembered bindings, once at the start"),
    ("src/platform/workers.rs", "the last order to calls when the platform closes"),
    ("actors/src/sip_shard/front.rs", "the first message of a call that was admitted"),
    ("actors/src/undertaker.rs", "the last orders of a call that died"),
    ("actors/src/user_limiter.rs", "news of its own life, answers to its shard"),
    ("actors/src/watcher.rs", "a batch's end, told to itself"),
];

/// Files that wait by the wall clock, each with the reason.
const SLEEPERS: &[(&str, &str)] = &[
    ("tests/peers/wire.rs", "a wire under test is looked at for new connections"),
    ("tests/peers/server.rs", "polls programs that cannot tell us when they are ready"),
    ("actors/examples/relay_cpu.rs", "a load of packets at a rate, for a measurement"),
    ("benches/load/src/speech.rs", "a load of packets at a rate, for a measurement"),
    ("actors/src/relay_loop.rs", "a poll that fails must not spin a media thread"),
    ("actors/src/edge/tcp.rs", "a connection's task, no actor: a refused accept and a slow sender are waited out"),
    ("actors/src/ops/mod.rs", "a reading command waits until the Ledger has written what calls told it"),
    ("src/platform.rs", "closing: calls end and books are written while it looks on"),
    ("src/platform/recovery.rs", "the start waits until an earlier life's calls are settled"),
    ("src/platform/workers.rs", "a dead node's last second must pass on a shared database"),
    ("src/control.rs", "a refused accept on the control socket must not spin"),
];

/// Files outside store and migrations that name a table or speak SQL, each with the reason.
const SQL_SPEAKERS: &[(&str, &str)] = &[
    ("tests/peers/books.rs", "plays the intruder with the sqlite3 program"),
    ("tests/peers/away.rs", "sits on the write lock with the sqlite3 program"),
];

/// Where no float may be: every room in which an amount or a rate passes.
const NO_FLOATS: &[&str] = &[
    "crates/types/",
    "crates/settings/",
    "crates/billing/",
    "crates/routing/",
    "crates/call/",
    "migrations/",
    "store/",
];

/// Float users inside those rooms, each with the reason it is not money.
const FLOATS: &[(&str, &str)] = &[];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines that are code: comments and doc comments dropped, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter_map(|(n, line)| {
            let line = match line.find("//") {
                Some(at) if !line[..at].ends_with(':') && line[..at].matches('"').count() % 2 == 0 => &line[..at],
                _ => line,
            };
            (!line.trim().is_empty()).then_some((n, line))
        })
    }

    /// The same without what stands under `#[cfg(test)]`, and nothing at all of a file that only tests see.
    fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if is_test(&self.path) { 0 } else { self.text.find("#[cfg(test)]").unwrap_or(self.text.len()) };
        let lines = self.text[..end].lines().count();
        self.code().take_while(move |(n, _)| *n <= lines)
    }

    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// A file that only `#[cfg(test)]` sees.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.contains("/examples/")
        || path.contains("/benches/")
        || path.ends_with("/tests.rs")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every tracked file; without git (a source archive), every file outside target/ and .git/.
fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    if let Ok(output) = listed
        && output.status.success()
        && !output.stdout.is_empty()
    {
        let names = String::from_utf8(output.stdout).expect("paths are UTF-8");
        return names.split('\0').filter(|n| !n.is_empty() && root().join(n).is_file()).map(str::to_owned).collect();
    }
    let mut files = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && name != ".git" && name != "data" {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root()) {
                files.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    files
}

fn sources(ending: &str) -> Vec<Source> {
    tracked()
        .into_iter()
        .filter(|path| path.ends_with(ending))
        .filter_map(|path| fs::read_to_string(root().join(&path)).ok().map(|text| Source { path, text }))
        .collect()
}

fn listed(list: &[(&str, &str)], path: &str) -> bool {
    list.iter().any(|(allowed, _)| *allowed == path)
}

/// Fails with one line a finding, so that one run shows them all.
fn none(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_part)
            && !line[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

/// The names in one dependency table of a manifest.
fn dependencies(manifest: &toml::Table, table: &str) -> Vec<String> {
    manifest.get(table).and_then(|t| t.as_table()).map(|t| t.keys().cloned().collect()).unwrap_or_default()
}

fn manifest(room: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(room).join("Cargo.toml")).expect("every room has a manifest");
    text.parse().unwrap_or_else(|e| panic!("{room}/Cargo.toml: {e}"))
}

#[test]
fn arrows_between_rooms_run_one_way() {
    let mut findings = Vec::new();
    for (room, allowed) in ARROWS {
        let manifest = manifest(room);
        for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for name in dependencies(&manifest, table) {
                if let Some(other) = name.strip_prefix("tollgate-")
                    && !allowed.contains(&other)
                {
                    findings.push(format!("{room} leans on {other} ({table})"));
                }
            }
        }
    }
    none(findings, "an arrow that is not in ARROWS:");
}

#[test]
fn every_room_is_in_the_arrows_and_keeps_the_lints() {
    let workspace = manifest(".");
    let members = workspace["workspace"]["members"].as_array().expect("members is a list");
    let mut findings = Vec::new();
    for member in members.iter().filter_map(|m| m.as_str()) {
        if !ARROWS.iter().any(|(room, _)| *room == member) {
            findings.push(format!("{member} is not in ARROWS"));
        }
        let inherits = manifest(member).get("lints").and_then(|l| l.get("workspace")).and_then(|w| w.as_bool());
        if inherits != Some(true) {
            findings.push(format!("{member}/Cargo.toml does not say [lints] workspace = true"));
        }
    }
    none(findings, "rooms outside the rules:");
}

#[test]
fn thinking_rooms_use_nothing_that_looks_at_the_world() {
    let mut findings = Vec::new();
    for (room, _) in ARROWS.iter().filter(|(room, _)| room.starts_with("crates/")) {
        let manifest = manifest(room);
        for name in dependencies(&manifest, "dependencies") {
            if !name.starts_with("tollgate-") && !PURE.contains(&name.as_str()) {
                findings.push(format!("{room} uses {name}"));
            }
        }
        for name in dependencies(&manifest, "dev-dependencies") {
            if !name.starts_with("tollgate-") && !PURE_TESTS.contains(&name.as_str()) && !PURE.contains(&name.as_str())
            {
                findings.push(format!("{room} uses {name} in tests"));
            }
        }
    }
    none(findings, "nothing under crates/ reads a clock, socket, file, environment or randomness; not in PURE:");
}

/// `rand` may be used in a thinking room as a generator that is given its seed, never as a source of luck.
#[test]
fn thinking_rooms_draw_no_entropy_and_look_at_nothing() {
    let words = [
        "rand::rng()",
        "rand::random(",
        "from_os_rng",
        "OsRng",
        "SysRng",
        "ThreadRng",
        "std::env",
        "std::fs",
        "Instant::now",
        "SystemTime::now",
        "UdpSocket",
        "TcpStream",
        "thread::spawn",
    ];
    let mut findings = Vec::new();
    for source in sources(".rs").iter().filter(|s| s.is_under("crates/") && s.path.contains("/src/")) {
        // Tests may read the messages they are made of.
        for (n, line) in source.product_code() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "time, luck and the world are arguments under crates/:");
}

#[test]
fn only_the_vocabulary_names_rsip() {
    let mut findings = Vec::new();
    for source in sources(".rs") {
        if source.path == "crates/sip/src/vocabulary.rs" || source.path == "tests/tidy.rs" {
            continue;
        }
        for (n, line) in source.code() {
            if line.contains("rsip::") || has_word(line, "use rsip") {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "only crates/sip/src/vocabulary.rs names rsip:");
}

#[test]
fn only_store_and_migrations_speak_sql() {
    let words = ["sea_orm", "sea_orm_migration", "rusqlite", "sqlx"];
    let phrases = ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE ", "CREATE TABLE", "DROP TABLE", "ALTER TABLE"];
    let mut findings = Vec::new();
    for source in sources(".rs") {
        if source.is_under("store/")
            || source.is_under("migrations/")
            || source.path == "tests/tidy.rs"
            || listed(SQL_SPEAKERS, &source.path)
        {
            continue;
        }
        for (n, line) in source.code() {
            let speaks = words.iter().any(|w| has_word(line, w))
                || phrases.iter().any(|p| line.split('"').skip(1).step_by(2).any(|quoted| quoted.starts_with(p)));
            if speaks {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "only store and migrations name tables:");
}

#[test]
fn no_float_touches_money() {
    let mut findings = Vec::new();
    for source in sources(".rs") {
        if !NO_FLOATS.iter().any(|room| source.is_under(room)) || listed(FLOATS, &source.path) {
            continue;
        }
        for (n, line) in source.code() {
            if ["f32", "f64", "as_secs_f64", "as_secs_f32"].iter().any(|word| has_word(line, word)) {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "no float in a room that amounts pass through:");
}

#[test]
fn nothing_bypasses_a_mailbox_or_a_bound() {
    let mut findings = Vec::new();
    for source in &sources(".rs") {
        for (n, line) in source.product_code() {
            if line.contains(".do_send(") && !listed(DO_SEND, &source.path) {
                findings.push(format!("{}:{n}: do_send ignores capacity: {}", source.path, line.trim()));
            }
            if ["unbounded(", "unbounded_channel", "mpsc::channel()"].iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{n}: a queue without a bound: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "no unbounded queue; do_send only where DO_SEND says why:");
}

/// A setting that nothing reads is a promise to the operator that nobody keeps.
#[test]
fn every_setting_is_read_somewhere() {
    let sources = sources(".rs");
    let rooms = || sources.iter().filter(|source| !is_test(&source.path) && !source.path.starts_with("tests/"));
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in rooms().filter(|source| !listed(UNREAD_SETTINGS, &source.path)) {
        for line in source.text.lines() {
            if let Some((name, _)) = line.strip_prefix("pub static ").and_then(|rest| rest.split_once(": Row =")) {
                declared.entry(name.to_owned()).or_default().push(source.path.clone());
            }
        }
    }
    assert!(declared.len() > 60, "{} settings only", declared.len());
    let mut unread = Vec::new();
    for (name, places) in &declared {
        // A reader asks by reference: `values.duration(&rows::NAME)`; the list of a file's rows does not.
        let readers = rooms().filter(|source| !source.path.starts_with("crates/settings/"));
        let reads = readers.flat_map(|source| {
            let text = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            text.match_indices(name.as_str()).map(move |hit| (text, hit.0))
        });
        let reads = reads.filter(|(text, at)| {
            let (before, after) = (&text[..*at], &text[at + name.len()..]);
            let before = before.trim_end_matches(|c: char| c.is_ascii_lowercase() || c == '_' || c == ':');
            before.ends_with("(&") && after.starts_with([')', ','])
        });
        if reads.count() < places.len() {
            unread.push(format!("{name}, declared in {}", places.join(" and ")));
        }
    }
    none(unread, "every setting steers something");
}

#[test]
fn nobody_sleeps() {
    let mut findings = Vec::new();
    for source in sources(".rs").iter().filter(|s| s.path != "tests/tidy.rs" && !listed(SLEEPERS, &s.path)) {
        for (n, line) in source.code() {
            if line.contains("thread::sleep") || line.contains("time::sleep") {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "wait for an event or step the clock; a sleep is either too long or too short:");
}

#[test]
fn nothing_is_left_for_later() {
    let mut findings = Vec::new();
    for source in sources(".rs").iter().filter(|s| s.path != "tests/tidy.rs") {
        for (n, line) in source.text.lines().enumerate().map(|(n, l)| (n + 1, l)) {
            let unfinished = ["todo!", "unimplemented!", "FIXME", "TODO", "XXX:", "dbg!("];
            if unfinished.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
            if line.contains("#[ignore") {
                findings.push(format!("{}:{n}: a test that does not run: {}", source.path, line.trim()));
            }
        }
    }
    none(findings, "done means done:");
}

#[test]
fn a_silenced_lint_says_why() {
    let mut findings = Vec::new();
    for source in sources(".rs").iter().filter(|s| s.path != "tests/tidy.rs") {
        let lines: Vec<&str> = source.text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            if line.trim_start().starts_with("#[allow(") || line.trim_start().starts_with("#![allow(") {
                let above = n.checked_sub(1).map_or("", |n| lines[n].trim_start());
                let whole = lines[n..].iter().take(5).take_while(|l| !l.contains(")]")).any(|l| l.contains("reason"));
                if !line.contains("reason") && !line.contains("//") && !above.starts_with("//") && !whole {
                    findings.push(format!("{}:{}: {}", source.path, n + 1, line.trim()));
                }
            }
        }
    }
    none(findings, "allow(...) carries reason = or a comment:");
}

#[test]
fn files_hold_one_idea() {
    let mut findings = Vec::new();
    for source in sources(".rs") {
        let lines = source.text.lines().count();
        if lines > LINES && !listed(LONG_FILES, &source.path) {
            findings.push(format!("{}: {lines} lines, {LINES} are allowed", source.path));
        }
        let name = Path::new(&source.path).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let folder = Path::new(&source.path).parent().and_then(|p| p.file_name()).and_then(|s| s.to_str());
        for vague in ["utils", "util", "common", "misc", "helpers", "helper"] {
            if name == vague || folder == Some(vague) || name.ends_with(&format!("_{vague}")) {
                findings.push(format!("{}: named after nothing", source.path));
            }
        }
        if !source.text.trim_start().starts_with("//!") && !source.path.ends_with("/tests.rs") {
            findings.push(format!("{}: does not begin by saying what it is (//!)", source.path));
        }
    }
    none(findings, "a file holds one idea that its name and its first line say:");
}

#[test]
fn allow_lists_name_files_that_exist() {
    let mut findings = Vec::new();
    for (path, reason) in [LONG_FILES, UNREAD_SETTINGS, DO_SEND, SLEEPERS, SQL_SPEAKERS, FLOATS].into_iter().flatten() {
        if !root().join(path).is_file() {
            findings.push(format!("{path} is gone ({reason})"));
        }
    }
    none(findings, "an exception outlived its file:");
}

#[test]
fn no_tracked_file_names_a_path_of_one_machine() {
    // Put together here, so that this file does not find itself.
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let mut findings = Vec::new();
    for path in tracked() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (n, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                findings.push(format!("{path}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    none(findings, "a path that exists on one machine only:");
}

#[test]
fn the_documented_configuration_is_the_configuration() {
    let documented: toml::Table = fs::read_to_string(root().join("config/tollgate.toml"))
        .expect("config/tollgate.toml is there")
        .parse()
        .unwrap_or_else(|e| panic!("config/tollgate.toml: {e}"));
    let contract: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("server", &["data_dir", "sip_shards", "media_threads", "drain_seconds", "log"][..]),
        ("database", &["url"][..]),
        ("sip", &["domain", "domains", "udp", "tcp", "tls", "ws", "wss", "advertise", "dns"][..]),
        ("media", &["bind", "advertise", "ports"][..]),
        ("web", &["listen", "public_url"][..]),
        ("control", &["socket"][..]),
        ("mail", &["smtp", "from", "admins", "support"][..]),
        ("billing", &["currency", "country"][..]),
        ("metrics", &["listen"][..]),
        ("policy", &[][..]),
    ]);
    let code: String = sources(".rs").iter().filter(|s| s.is_under("src/config")).map(|s| s.text.as_str()).collect();
    let mut findings = Vec::new();
    for (section, keys) in &contract {
        let Some(table) = documented.get(*section).and_then(|t| t.as_table()) else {
            findings.push(format!("[{section}] is not documented in config/tollgate.toml"));
            continue;
        };
        for key in *keys {
            if !table.contains_key(*key) {
                findings.push(format!("[{section}] {key} is not documented in config/tollgate.toml"));
            }
            if !has_word(&code, key) {
                findings.push(format!("[{section}] {key} is not known to src/config.rs"));
            }
        }
        for key in table.keys().filter(|key| *section != "policy" && !keys.contains(&key.as_str())) {
            findings.push(format!("[{section}] {key} is documented and unknown"));
        }
    }
    for section in documented.keys().filter(|s| !contract.contains_key(s.as_str())) {
        findings.push(format!("[{section}] is documented and unknown"));
    }
    none(findings, "config/tollgate.toml, src/config.rs and the documented keys are one list:");
}

#[test]
fn faults_on_order_are_for_tests_alone() {
    let mut findings = Vec::new();
    for file in tracked().into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let room = file.trim_end_matches("Cargo.toml").trim_end_matches('/');
        let manifest = manifest(if room.is_empty() { "." } else { room });
        for table in ["dependencies", "build-dependencies"] {
            let text = manifest.get(table).map(toml::Value::to_string).unwrap_or_default();
            if text.contains("sabotage") {
                findings.push(format!("{file} names it in [{table}]"));
            }
        }
        let default = manifest.get("features").and_then(|features| features.get("default"));
        if default.is_some_and(|default| default.to_string().contains("sabotage")) {
            findings.push(format!("{file} has it by default"));
        }
    }
    none(findings, "the feature `sabotage` would reach a shipped binary:");
}
