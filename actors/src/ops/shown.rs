//! How answers look in JSON: a stable interface.

use serde_json::{Value, json};
use tollgate_types::{Money, Rate, Refusal};

/// A price per minute with six decimals, as all money; what is finer is rounded up.
pub fn price(rate: Rate) -> String {
    let nanos = i128::from(rate.nanos());
    let micros = nanos.div_euclid(1000) + i128::from(nanos.rem_euclid(1000) != 0);
    Money::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)).to_string()
}

/// A refusal with its sentence.
pub fn refusal(refusal: &Refusal) -> Value {
    json!({
        "rule": refusal.rule.id(),
        "setting": refusal.setting,
        "observed": refusal.observed,
        "limit": refusal.limit,
        "text": refusal.text(),
    })
}

/// A list field for people and scripts: nothing as an empty list.
pub fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> Value {
    all.into_iter().map(|item| Value::from(item.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use tollgate_types::Rule;

    use super::*;

    #[test]
    fn money_has_six_decimals_and_refusals_their_sentence() {
        for (rate, shown) in
            [("6", "6.000000"), ("0.0000001", "0.000001"), ("0.012345678", "0.012346"), ("0", "0.000000")]
        {
            assert_eq!(price(rate.parse().unwrap()), shown);
        }
        let refusal = refusal(&Refusal::new(Rule::Lines, "lines.enduser", 5, 5));
        assert_eq!(refusal["text"], "5 of 5 lines are in use");
    }
}
