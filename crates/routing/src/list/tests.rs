use tollgate_types::Wall;

use super::*;

const NOW: Wall = Wall::from_secs(1_800_000_000);

fn entry(color: Color, numbers: &str, certainty: u8) -> Entry {
    Entry {
        id: 1,
        color,
        numbers: Numbers::parse(numbers).unwrap(),
        side: Side::Callee,
        certainty,
        account: None,
        until: None,
        source: "fixed".into(),
    }
}

fn word(lists: &Lists, level: Level) -> &'static str {
    match lists.judge(Side::Callee, &"36301234567".parse().unwrap(), &[], level, NOW) {
        Verdict::Passes(_) => "-",
        Verdict::Black(_) => "black",
        Verdict::Unknown => "unknown",
    }
}

/// The seven levels against the five certainties, on either list.
#[test]
fn levels_and_certainties() {
    //                      level: 0    1        2        3        4        5        6
    let black: [(u8, [&str; 7]); 5] = [
        (0, ["-", "-", "-", "-", "black", "black", "black"]),
        (1, ["-", "-", "-", "black", "black", "black", "black"]),
        (2, ["-", "-", "black", "black", "black", "black", "black"]),
        (3, ["-", "black", "black", "black", "black", "black", "black"]),
        (6, ["-", "black", "black", "black", "black", "black", "black"]),
    ];
    let white: [(u8, [&str; 7]); 5] = [
        (0, ["-", "-", "-", "-", "-", "-", "unknown"]),
        (1, ["-", "-", "-", "-", "-", "-", "unknown"]),
        (2, ["-", "-", "-", "-", "-", "-", "unknown"]),
        (3, ["-", "-", "-", "-", "-", "-", "unknown"]),
        (6, ["-", "-", "-", "-", "-", "-", "-"]),
    ];
    for (color, table) in [(Color::Black, black), (Color::White, white)] {
        for (certainty, verdicts) in table {
            let lists = Lists::new(vec![entry(color, "36301234567", certainty)]);
            let got: Vec<&str> = (0..=6).map(|level| word(&lists, level)).collect();
            assert_eq!(got, verdicts, "{} {certainty}", color.name());
        }
    }
    let nobody: Vec<&str> = (0..=6).map(|level| word(&Lists::default(), level)).collect();
    assert_eq!(nobody, ["-", "-", "-", "-", "-", "unknown", "unknown"]);
}

#[test]
fn the_particular_wins_over_the_general() {
    for (black, white, verdict) in [
        ("3630*", "36301234567", "-"),
        ("36301234567", "3630*", "black"),
        ("36301000000-36301999999", "3630*", "black"),
        ("3630*", "36301000000-36301999999", "-"),
        ("3630*", "3630*", "-"),
        ("363012*", "3630*", "black"),
        ("36302*", "44*", "-"),
        ("3630123456", "44*", "-"),
        ("363012345678", "44*", "-"),
    ] {
        let lists = Lists::new(vec![entry(Color::Black, black, 3), entry(Color::White, white, 3)]);
        assert_eq!(word(&lists, 2), verdict, "{black} against {white}");
    }
}

#[test]
fn an_entry_holds_for_its_side_its_account_and_its_time() {
    let mut one = entry(Color::Black, "36301234567", 3);
    let judge = |entry: &Entry, side, chain: &[AccountId], at: Wall| {
        let lists = Lists::new(vec![entry.clone()]);
        matches!(lists.judge(side, &"36301234567".parse().unwrap(), chain, 2, at), Verdict::Black(_))
    };
    assert!(judge(&one, Side::Callee, &[], NOW) && !judge(&one, Side::Caller, &[], NOW));
    one.account = Some(AccountId(7));
    assert!(judge(&one, Side::Callee, &[AccountId(1), AccountId(7)], NOW));
    assert!(!judge(&one, Side::Callee, &[AccountId(1)], NOW));
    one.account = None;
    one.until = Some(NOW);
    assert!(!judge(&one, Side::Callee, &[], NOW) && judge(&one, Side::Callee, &[], Wall::from_secs(1_799_999_999)));
}
