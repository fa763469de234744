//! Where a number lies, coarse enough to ask whether somebody ever called there: a country calling code, and within the North
//! American plan each island by itself, for a caller of Chicago is no caller of Jamaica.

use std::fmt;

use tollgate_types::E164;

/// The digits that name a country: 36, 1 (United States and Canada), 1876.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Land(pub u16);

/// Country codes of two digits (ITU-T E.164 list); 1 and 7 have one, all others three.
const TWO_DIGITS: [u8; 43] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95,
];

/// Area codes of the North American plan that are countries or territories of their own, 900 as well: it is a price, not a place.
const ISLANDS: [u16; 27] = [
    242, 246, 264, 268, 284, 340, 345, 441, 473, 649, 658, 664, 670, 671, 684, 721, 758, 767, 784, 787, 809, 829, 849,
    868, 869, 876, 900,
];

impl Land {
    /// Where `number` lies.
    pub fn of(number: &E164) -> Land {
        let digits = number.digits();
        let leading = |count: usize| digits.get(..count).unwrap_or(digits).parse::<u16>().unwrap_or(0);
        match leading(1) {
            1 => {
                let area = digits.get(1..4).and_then(|area| area.parse::<u16>().ok()).unwrap_or(0);
                Land(if ISLANDS.binary_search(&area).is_ok() { 1000 + area } else { 1 })
            }
            7 => Land(7),
            _ => match leading(2) {
                98 => Land(98),
                two if TWO_DIGITS.binary_search(&(two as u8)).is_ok() => Land(two),
                _ => Land(leading(3)),
            },
        }
    }
}

impl fmt::Display for Land {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_in_one_land() {
        for (number, land) in [
            ("3612345678", "+36"),
            ("12025550123", "+1"),
            ("14165550123", "+1"),
            ("18765550123", "+1876"),
            ("19005550123", "+1900"),
            ("79161234567", "+7"),
            ("252612345678", "+252"),
            ("442079460000", "+44"),
            ("88216123456", "+882"),
            ("989121234567", "+98"),
            ("1", "+1"),
            ("25", "+25"),
        ] {
            assert_eq!(Land::of(&number.parse().unwrap()).to_string(), land, "{number}");
        }
        assert!(TWO_DIGITS.is_sorted() && ISLANDS.is_sorted());
    }
}
