//! Countries and how numbers are dialled there.

mod table;

use std::fmt;
use std::str::FromStr;

use tollgate_types::E164;

/// A country by its ISO 3166 code, one whose dialling we know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// How numbers are dialled in a country.
#[derive(Debug)]
pub struct Plan {
    iso: [u8; 2],
    /// Its code, such as 36.
    code: u16,
    /// What is dialled before a country code, such as 00; several with spaces between.
    international: &'static str,
    /// What is dialled before an area code, such as 06; may be empty.
    national: &'static str,
    /// Bit n is set where national numbers of n digits exist.
    lengths: u32,
}

/// Not a country we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no country code such as HU or US")]
pub struct UnknownCountry(pub String);

impl Country {
    /// As ISO writes it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// Its country calling code, such as `36`.
    pub fn calling_code(self) -> u16 {
        self.plan().code
    }

    /// What is dialled before an area code, such as `06`; may be empty.
    pub fn national_prefix(self) -> &'static str {
        self.plan().national
    }

    /// What is dialled before a country code, the usual one, such as `00`.
    pub fn international_prefix(self) -> &'static str {
        self.plan().international.split(' ').next().unwrap_or("00")
    }

    /// The full number that `digits`, dialled here without a plus sign, stand for. Nothing is refused for its shape: what
    /// fits no rule gets the country code in front. `None` if that is no number of 1 to 15 digits.
    pub fn complete(self, digits: &str) -> Option<E164> {
        let plan = self.plan();
        for prefix in plan.international.split(' ').filter(|prefix| !prefix.is_empty()) {
            // No number begins with 0, so `00 0…` is something else.
            if let Some(rest) = digits.strip_prefix(prefix).filter(|rest| rest.len() > 3 && !rest.starts_with('0')) {
                return rest.parse().ok();
            }
        }
        let code = Digits::of(plan.code);
        let rest = digits.strip_prefix(plan.national).filter(|_| !plan.national.is_empty());
        let national = match rest {
            Some(rest) if plan.exists(rest) => rest,
            _ if plan.exists(digits) => digits,
            // Dialled in full, only without its plus sign.
            _ if digits.strip_prefix(code.as_str()).is_some_and(|rest| plan.exists(rest)) => {
                return digits.parse().ok();
            }
            Some(rest) if !rest.is_empty() => rest,
            _ => digits,
        };
        if national.is_empty() {
            return None;
        }
        format!("{}{national}", plan.code).parse().ok()
    }

    /// `number` as it is dialled inside the country, with its national prefix; `None` if it lies elsewhere.
    pub fn national(self, number: &E164) -> Option<String> {
        let plan = self.plan();
        let rest = number.digits().strip_prefix(Digits::of(plan.code).as_str()).filter(|rest| !rest.is_empty())?;
        Some(format!("{}{rest}", plan.national))
    }

    fn plan(self) -> &'static Plan {
        let place = table::PLANS.binary_search_by_key(&self.0, |plan| plan.iso);
        &table::PLANS[place.expect("a country is made only from the table")]
    }
}

impl Plan {
    fn exists(&self, national: &str) -> bool {
        national.len() < 32 && self.lengths & (1 << national.len()) != 0
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;
    fn from_str(text: &str) -> Result<Country, UnknownCountry> {
        let unknown = || UnknownCountry(text.chars().take(20).collect());
        let iso: [u8; 2] = text.trim().to_ascii_uppercase().as_bytes().try_into().map_err(|_| unknown())?;
        table::PLANS.binary_search_by_key(&iso, |plan| plan.iso).map(|_| Country(iso)).map_err(|_| unknown())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A country code in digits, without an allocation.
struct Digits {
    ascii: [u8; 3],
    len: usize,
}

impl Digits {
    fn of(code: u16) -> Digits {
        let all = [b'0' + (code / 100 % 10) as u8, b'0' + (code / 10 % 10) as u8, b'0' + (code % 10) as u8];
        let len = if code >= 100 {
            3
        } else if code >= 10 {
            2
        } else {
            1
        };
        let mut ascii = [0; 3];
        ascii[..len].copy_from_slice(&all[3 - len..]);
        Digits { ascii, len }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.ascii[..self.len]).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use phonenumber::metadata::DATABASE;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_completed_as_people_dial_them() {
        for (country, dialled, full) in [
            ("HU", "06301234567", "36301234567"),
            ("HU", "301234567", "36301234567"),
            ("HU", "36301234567", "36301234567"),
            ("HU", "0044201234567", "44201234567"),
            ("HU", "1414", "361414"),
            ("US", "2125551234", "12125551234"),
            ("US", "12125551234", "12125551234"),
            ("US", "01136301234567", "36301234567"),
            ("US", "5551234", "15551234"),
            ("GB", "02079460000", "442079460000"),
            ("DE", "03012345", "493012345"),
            ("IT", "0612345678", "390612345678"),
            ("IT", "3123456789", "393123456789"),
            ("RU", "88005553535", "78005553535"),
            ("RU", "8005553535", "78005553535"),
            ("RU", "81036301234567", "36301234567"),
            ("RU", "79161234567", "79161234567"),
            ("JP", "01036301234567", "36301234567"),
            ("AU", "001136301234567", "36301234567"),
        ] {
            let country: Country = country.parse().unwrap();
            assert_eq!(country.complete(dialled).unwrap().digits(), full, "{country} {dialled}");
        }
        let hungary: Country = "hu".parse().unwrap();
        assert_eq!(hungary.complete(""), None);
        assert_eq!(hungary.complete("06"), "3606".parse().ok());
        assert_eq!(hungary.complete("12345678901234567890"), None);
        assert_eq!(hungary.national(&"36301234567".parse().unwrap()).as_deref(), Some("06301234567"));
        assert_eq!(hungary.national(&"44301234567".parse().unwrap()), None);
        assert!("XX".parse::<Country>().is_err() && "HUN".parse::<Country>().is_err());
    }

    /// The table against the metadata it stands in for: code, prefixes, and an example of each kind in three spellings.
    #[test]
    fn the_table_agrees_with_the_published_metadata() {
        let mut tried = 0;
        for plan in table::PLANS {
            let country = Country(plan.iso);
            let known = DATABASE.by_id(country.as_str()).unwrap();
            assert_eq!(known.country_code(), plan.code, "{country}");
            assert_eq!(known.national_prefix().unwrap_or(""), plan.national, "{country}");
            if let Some(pattern) = known.international_prefix() {
                for prefix in plan.international.split(' ') {
                    assert!(pattern.is_match(prefix), "{country} {prefix}");
                }
            }
            let kinds = [known.descriptors().fixed_line(), known.descriptors().mobile()];
            for example in kinds.into_iter().flatten().filter_map(|kind| kind.example()) {
                let full = format!("{}{example}", plan.code);
                for dialled in [
                    example.to_owned(),
                    format!("{}{example}", plan.national),
                    format!("{}{full}", country.international_prefix()),
                ] {
                    assert_eq!(country.complete(&dialled).unwrap().digits(), full, "{country} {dialled}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 1000, "{tried} examples");
    }

    proptest! {
        #[test]
        fn nothing_panics(place in 0usize..1000, digits in "[0-9]{0,25}") {
            let country = Country(table::PLANS[place % table::PLANS.len()].iso);
            if let Some(number) = country.complete(&digits) {
                let _ = country.national(&number);
            }
        }
    }
}
