use super::*;

const ALL_CLOSED: Closed = Closed([true; 5]);

fn rule(id: i64, account: Option<i64>, words: &str) -> Rule {
    let (verb, target) = words.split_once(' ').unwrap();
    let target = Target::parse(target).unwrap_or_else(|| panic!("{words}"));
    Rule { id, account: account.map(AccountId), target, allows: verb == "allow" }
}

fn laid(rules: &[(Option<i64>, &str)]) -> Laid {
    let rules = rules.iter().enumerate().map(|(id, (account, words))| rule(id as i64 + 1, *account, words)).collect();
    Laid {
        irsf: vec!["25261".parse().unwrap()],
        risks: vec![("CU".parse().unwrap(), Risk::FraudProne), ("4479".parse().unwrap(), Risk::Special)],
        groups: vec![("neighbours".to_owned(), vec!["AT".parse().unwrap(), "421".parse().unwrap()])],
        rules,
    }
}

/// What account 1, a customer of reseller 2, hears.
fn said(rules: &[(Option<i64>, &str)], number: &str) -> String {
    let destinations = Destinations::new(Arc::new(Book::published()), laid(rules), Seed([1; 4]));
    let chain = [AccountId(1), AccountId(2)];
    match destinations.judge(&number.parse().unwrap(), chain, ALL_CLOSED).1 {
        Ok(_) => "may".to_owned(),
        Err(Forbids::Rule(id)) => format!("rule {id}"),
        Err(Forbids::Kind(kind, _)) => kind.to_string(),
    }
}

#[test]
fn the_nearest_scope_and_the_longest_prefix_decide() {
    type Rules = &'static [(Option<i64>, &'static str)];
    //  the rules in order (whose, what), the number, the verdict
    let table: &[(Rules, &str, &str)] = &[
        (&[], "442079460000", "may"),
        (&[], "881612345678", "satellite"),
        (&[], "979123456789", "network"),
        (&[], "36901234567", "premium"),
        (&[], "49180123456", "shared-cost"),
        (&[], "252611234567", "irsf"),
        (&[(Some(1), "allow satellite")], "881612345678", "may"),
        (&[(Some(3), "allow satellite")], "881612345678", "satellite"),
        (&[(Some(2), "allow satellite")], "881612345678", "may"),
        (&[(None, "allow 3690")], "36901234567", "may"),
        (&[(None, "allow HU")], "36901234567", "premium"),
        (&[(Some(1), "allow all")], "36901234567", "premium"),
        // Hungary alone.
        (&[(Some(1), "block all"), (Some(1), "allow HU")], "36301234567", "may"),
        (&[(Some(1), "block all"), (Some(1), "allow HU")], "442079460000", "rule 1"),
        (&[(Some(1), "block all"), (Some(1), "allow HU"), (None, "allow 44")], "442079460000", "rule 1"),
        // A reseller's rule holds for his customers until one of theirs knows as much.
        (&[(Some(2), "block GB")], "442079460000", "rule 1"),
        (&[(Some(2), "block GB"), (Some(1), "allow 44")], "442079460000", "may"),
        (&[(Some(2), "block 4420"), (Some(1), "allow GB")], "442079460000", "rule 1"),
        // Canada is not the United States, though both begin with 1.
        (&[(None, "block CA")], "14165550123", "rule 1"),
        (&[(None, "block CA")], "12125550123", "may"),
        (&[(None, "block US")], "14165550123", "may"),
        (&[(None, "block fraud-prone")], "5371234567", "rule 1"),
        (&[(None, "block special")], "447912345678", "rule 1"),
        (&[(None, "block low")], "442079460000", "rule 1"),
        (&[(None, "block low")], "5371234567", "may"),
        (&[(None, "block group:neighbours")], "43123456", "rule 1"),
        (&[(None, "block group:neighbours")], "421212345", "rule 1"),
        (&[(None, "block group:nobody")], "421212345", "may"),
        // Contradictions forbid.
        (&[(None, "allow 44"), (None, "block 44")], "442079460000", "rule 2"),
        (&[(None, "allow premium"), (None, "block premium")], "36901234567", "rule 2"),
    ];
    for (rules, number, verdict) in table {
        assert_eq!(said(rules, number), *verdict, "{rules:?} {number}");
    }
}

#[test]
fn kinds_that_are_open_block_nothing() {
    let destinations = Destinations::published(Seed([1; 4]));
    for number in ["881612345678", "979123456789", "36901234567", "49180123456"] {
        assert!(destinations.judge(&number.parse().unwrap(), [], Closed([false; 5])).1.is_ok(), "{number}");
    }
}

#[test]
fn targets_are_read_as_they_are_shown() {
    for text in ["all", "44", "HU", "satellite", "shared-cost", "fraud-prone", "group:x"] {
        assert_eq!(Target::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Target::parse("+44").unwrap().to_string(), "44");
    for bad in ["", "x", "HUN", "group:", "4x", "1234567890123456"] {
        assert!(Target::parse(bad).is_none(), "{bad}");
    }
}
