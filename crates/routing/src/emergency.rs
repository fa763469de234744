//! Numbers that save lives, by country. They win over everything else a person may dial.

use tollgate_types::{Map, Seed};

use crate::country::Country;
use crate::rows;
use tollgate_settings::Values;

/// Emergency numbers: the built-in ones, and what the operator says.
#[derive(Clone, Debug)]
pub struct Emergencies {
    everywhere: Vec<Box<str>>,
    replaced: Map<Country, Vec<Box<str>>>,
}

impl Emergencies {
    /// From the setting `numbers.emergency`: `112` adds a number everywhere, `HU:112` replaces those of a country, and
    /// `HU:none` removes them.
    pub fn from_values(values: &Values) -> Emergencies {
        Emergencies::new(values.list(&rows::EMERGENCY).iter().map(|entry| &**entry))
    }

    /// From the setting's entries; what is no entry is left out.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Emergencies {
        let mut all = Emergencies { everywhere: Vec::new(), replaced: Seed([0; 4]).map() };
        for entry in entries {
            match entry.split_once(':') {
                None if is_number(entry) => all.everywhere.push(entry.into()),
                Some((country, number)) => {
                    let Ok(country) = country.parse() else { continue };
                    let numbers = all.replaced.entry(country).or_default();
                    if is_number(number) {
                        numbers.push(number.into());
                    }
                }
                None => {}
            }
        }
        all
    }

    /// Is `digits`, dialled in `country`, an emergency number?
    pub fn is(&self, country: Option<Country>, digits: &str) -> bool {
        if self.everywhere.iter().any(|number| **number == *digits) {
            return true;
        }
        match country.and_then(|country| self.replaced.get(&country)) {
            Some(numbers) => numbers.iter().any(|number| **number == *digits),
            None => built_in(country).contains(&digits),
        }
    }

    /// The number that stands for "help" in `country`: what `urn:service:sos` becomes (RFC 5031).
    pub fn first(&self, country: Option<Country>) -> &str {
        let replaced = country.and_then(|country| self.replaced.get(&country)).and_then(|numbers| numbers.first());
        replaced.or(self.everywhere.first()).map_or(built_in(country)[0], |number| number)
    }
}

/// Is this an entry of the setting?
pub(crate) fn is_entry(entry: &str) -> bool {
    match entry.split_once(':') {
        None => is_number(entry),
        Some((country, number)) => country.parse::<Country>().is_ok() && (number == "none" || is_number(number)),
    }
}

/// Is `uri` the service of emergency calls (RFC 5031 §4.2)?
pub fn is_service(uri: &str) -> bool {
    const SOS: &str = "urn:service:sos";
    uri.get(..SOS.len()).is_some_and(|start| start.eq_ignore_ascii_case(SOS))
        && matches!(uri.as_bytes().get(SOS.len()), None | Some(b'.'))
}

/// Could `uri` ask for help anywhere in the world, for some caller of some country? Told at a glance: a short number, or the
/// service.
pub fn may_be(uri: &str) -> bool {
    let after_scheme = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = after_scheme.split(['@', ';', '?']).next().unwrap_or_default();
    let digits = user.bytes().filter(u8::is_ascii_digit).count();
    is_service(uri) || ((2..=LONGEST).contains(&digits) && !user.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

/// Digits of the longest number of help.
const LONGEST: usize = 8;

fn is_number(text: &str) -> bool {
    (2..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Police, fire and ambulance numbers, the general one first. Where the country is unknown: what every mobile phone
/// takes for an emergency (3GPP TS 22.101 §10.1).
fn built_in(country: Option<Country>) -> &'static [&'static str] {
    let Some(country) = country else { return &["112", "911"] };
    match country.as_str() {
        "AD" => &["112", "110", "116", "118"],
        "AE" => &["999", "112", "997", "998"],
        "AL" => &["112", "127", "128", "129"],
        "AM" => &["112", "911", "101", "102", "103"],
        "AR" => &["911", "112", "100", "101", "107"],
        "AT" => &["112", "122", "133", "144"],
        "AU" | "CC" | "CX" | "NF" => &["000", "112", "106"],
        "AZ" => &["112", "101", "102", "103"],
        "BA" => &["112", "122", "123", "124"],
        "BD" => &["999"],
        "BE" => &["112", "100", "101"],
        "BG" => &["112", "150", "160", "166"],
        "BH" => &["999"],
        "BR" => &["190", "192", "193", "112", "911"],
        "BY" => &["112", "101", "102", "103"],
        "CH" | "LI" => &["112", "117", "118", "144"],
        "CL" => &["133", "131", "132"],
        "CN" => &["110", "119", "120", "122"],
        "CO" => &["123", "112"],
        "CR" => &["911", "112"],
        "CY" => &["112", "199"],
        "CZ" => &["112", "150", "155", "158"],
        "DE" => &["112", "110"],
        "DK" | "FO" | "GL" => &["112"],
        "DZ" => &["17", "14", "112"],
        "EC" => &["911", "112"],
        "EE" => &["112", "110"],
        "EG" => &["122", "123", "180", "112"],
        "ES" => &["112", "061", "062", "080", "091", "092"],
        "FI" | "AX" => &["112"],
        "FR" | "GF" | "GP" | "MQ" | "RE" | "YT" | "PM" | "BL" | "MF" => &["112", "15", "17", "18", "114"],
        "GB" | "GG" | "IM" | "JE" => &["999", "112"],
        "GE" => &["112"],
        "GI" => &["112", "999", "190", "199"],
        "GR" => &["112", "100", "166", "199"],
        "HK" | "MO" => &["999", "112"],
        "HR" => &["112", "192", "193", "194"],
        "HU" => &["112", "104", "105", "107"],
        "ID" => &["112", "110", "113", "118", "119"],
        "IE" => &["112", "999"],
        "IL" => &["112", "100", "101", "102"],
        "IN" => &["112", "100", "101", "102", "108"],
        "IQ" => &["112", "104", "115", "122"],
        "IR" => &["112", "110", "115", "125"],
        "IS" => &["112"],
        "IT" | "SM" | "VA" => &["112", "113", "115", "118"],
        "JO" => &["911", "112"],
        "JP" => &["110", "119", "118"],
        "KE" => &["999", "112", "911"],
        "KG" | "TJ" | "TM" | "UZ" => &["112", "101", "102", "103"],
        "KR" => &["112", "119"],
        "KW" => &["112"],
        "KZ" => &["112", "101", "102", "103"],
        "LB" => &["112", "140", "175"],
        "LK" => &["119", "110", "112"],
        "LT" => &["112"],
        "LU" => &["112", "113"],
        "LV" => &["112", "110", "113"],
        "MA" => &["19", "15", "112", "190"],
        "MC" => &["112", "15", "17", "18"],
        "MD" => &["112"],
        "ME" => &["112", "122", "123", "124"],
        "MK" => &["112", "192", "193", "194"],
        "MT" => &["112"],
        "MX" => &["911", "112"],
        "MY" => &["999", "112"],
        "NG" => &["112", "199"],
        "NL" => &["112"],
        "NO" | "SJ" => &["112", "110", "113"],
        "NZ" => &["111", "112"],
        "PE" => &["105", "106", "116", "112"],
        "PH" => &["911", "112", "117"],
        "PK" => &["15", "16", "115", "1122", "112"],
        "PL" => &["112", "997", "998", "999"],
        "PT" => &["112"],
        "QA" => &["999", "112"],
        "RO" => &["112"],
        "RS" | "XK" => &["112", "192", "193", "194"],
        "RU" => &["112", "101", "102", "103"],
        "SA" => &["911", "112", "997", "998", "999"],
        "SE" => &["112"],
        "SG" => &["999", "995", "112"],
        "SI" => &["112", "113"],
        "SK" => &["112", "150", "155", "158"],
        "TH" => &["191", "199", "1669", "112"],
        "TN" => &["197", "190", "198", "112"],
        "TR" => &["112", "110", "155"],
        "TW" => &["110", "119", "112"],
        "TZ" | "UG" => &["112", "999"],
        "UA" => &["112", "101", "102", "103"],
        "UY" => &["911", "112"],
        "VE" => &["911", "112", "171"],
        "VN" => &["113", "114", "115", "112"],
        "ZA" => &["112", "10111", "10177"],
        // The North American plan and what follows it.
        _ if country.calling_code() == 1 => &["911", "112"],
        _ => &["112", "911"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_adds_and_replaces() {
        let country = |text: &str| text.parse::<Country>().ok();
        let own = Emergencies::new(["1199", "HU:112", "HU:1830", "DE:none"]);
        for (place, digits, is) in [
            ("HU", "112", true),
            ("HU", "1830", true),
            ("HU", "107", false),
            ("HU", "1199", true),
            ("DE", "112", false),
            ("US", "911", true),
            ("US", "112", true),
            ("US", "107", false),
            ("GB", "999", true),
            ("", "112", true),
            ("", "107", false),
        ] {
            assert_eq!(own.is(country(place), digits), is, "{place} {digits}");
        }
        assert_eq!(Emergencies::new([]).first(country("GB")), "999");
        assert_eq!(Emergencies::new(["HU:1830"]).first(country("HU")), "1830");
    }

    #[test]
    fn what_may_be_a_call_for_help_is_told_at_a_glance() {
        for (uri, may) in [
            ("sip:112@voip.example", true),
            ("sip:9-1-1;phone-context=x@voip.example", true),
            ("tel:112", true),
            ("tel:10111;phone-context=+27", true),
            ("urn:service:sos.fire", true),
            ("sip:12025550123@voip.example", false),
            ("sip:alice@voip.example", false),
            ("sip:192.0.2.1", true),
            ("sip:1@voip.example", false),
            ("", false),
        ] {
            assert_eq!(may_be(uri), may, "{uri}");
        }
    }

    #[test]
    fn entries_are_told_from_mistakes() {
        for (entry, good) in [
            ("112", true),
            ("HU:112", true),
            ("HU:none", true),
            ("XX:112", false),
            ("HU:", false),
            ("help", false),
            ("1", false),
        ] {
            assert_eq!(is_entry(entry), good, "{entry}");
        }
        assert!(is_service("URN:service:sos") && is_service("urn:service:sos.fire") && !is_service("urn:service:sosx"));
    }
}
