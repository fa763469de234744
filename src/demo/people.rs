//! Who lives in the demo: four users with names, numbers, passwords and money.

use super::diary::{self, Errand};
use super::manner::{Span, seconds};

/// A user of the demo.
pub struct Person {
    /// User name.
    pub name: &'static str,
    /// A number of his own: a DID, and what those he calls see.
    pub number: &'static str,
    /// How he pays, as `user add` takes it.
    pub terms: &'static [&'static str],
    /// Whom his phone calls; nobody has no phone here.
    pub errands: &'static [Errand],
    /// From the begin of one call to that of the next.
    pub pause: Span,
}

/// All of them.
pub const PEOPLE: [Person; 4] = [
    Person {
        name: "alice",
        number: "3615550101",
        terms: &["--prepaid", "--credit", "20.00"],
        errands: diary::ALICE,
        pause: seconds(12, 25),
    },
    Person {
        name: "bob",
        number: "3615550102",
        terms: &["--prepaid", "--credit", "10.00"],
        errands: diary::BOB,
        pause: seconds(15, 30),
    },
    Person {
        name: "carol",
        number: "3615550103",
        terms: &["--postpaid", "--credit-limit", "50.00"],
        errands: &[],
        pause: seconds(0, 0),
    },
    Person {
        name: "dave",
        number: "3615550104",
        terms: &["--prepaid", "--credit", "1.00"],
        errands: diary::DAVE,
        pause: seconds(30, 50),
    },
];

/// Who is left to the visitor's softphone.
pub const VISITOR: &Person = &PEOPLE[2];
/// The DID that the carrier calls: Bob's.
pub const CALLED_FROM_OUTSIDE: &[Errand] = &[Errand { to: PEOPLE[1].number, talk: seconds(8, 30) }];

impl Person {
    /// Known to everybody: it opens nothing but a demo.
    pub fn password(&self) -> String {
        format!("{}-demo-2468", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_call_people_and_numbers_that_there_are() {
        for person in &PEOPLE {
            assert!(person.password().len() >= 12, "{}", person.name);
            for errand in person.errands {
                let is_number = errand.to.bytes().all(|byte| byte.is_ascii_digit()) && errand.to.len() > 6;
                assert!(is_number || PEOPLE.iter().any(|other| other.name == errand.to), "{}", errand.to);
                assert_ne!(errand.to, person.name);
            }
        }
    }
}
