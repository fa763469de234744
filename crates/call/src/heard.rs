//! What a record teaches of the number that was called.

use tollgate_billing::Cdr;
use tollgate_billing::cdr::Status;
use tollgate_routing::list::Heard;
use tollgate_types::E164;

/// Of a call that a carrier was asked to carry: the number, and how it ended there. `None` for all others.
pub fn heard(cdr: &Cdr) -> Option<(E164, Heard)> {
    cdr.trunk_out.as_ref()?;
    let number = cdr.callee.parse().ok()?;
    let heard = match (cdr.status, cdr.sip_status, cdr.q850) {
        (Status::Answered, ..) => Heard::Answered,
        (Status::Refused, ..) => return None,
        // Unallocated, changed, invalid (ITU-T Q.850): the number, not the way to it.
        (Status::Failed, Some(404 | 410 | 484 | 604), _) | (Status::Failed, _, Some(1 | 22 | 28)) => Heard::Unroutable,
        (Status::Failed, Some(408 | 480), _) | (Status::Failed, _, Some(18 | 19)) => Heard::NoAnswer,
        _ => Heard::Neither,
    };
    Some((number, heard))
}

#[cfg(test)]
mod tests {
    use tollgate_billing::CallKind;
    use tollgate_types::{CallId, Refusal, Rule, Wall};

    use super::*;

    #[test]
    fn only_what_a_carrier_said_of_a_number_counts() {
        //  by a trunk, status, SIP, Q.850, what is heard
        for (trunk, status, sip, q850, expected) in [
            (true, Status::Answered, 200, 16, Some(Heard::Answered)),
            (true, Status::Failed, 404, 1, Some(Heard::Unroutable)),
            (true, Status::Failed, 500, 28, Some(Heard::Unroutable)),
            (true, Status::Failed, 480, 19, Some(Heard::NoAnswer)),
            (true, Status::Failed, 486, 17, Some(Heard::Neither)),
            (true, Status::Failed, 487, 16, Some(Heard::Neither)),
            (true, Status::Failed, 503, 34, Some(Heard::Neither)),
            (false, Status::Failed, 404, 1, None),
        ] {
            let mut cdr = Cdr::begin(CallId::from_i64(1), 0, CallKind::Outbound, Wall::from_secs(0));
            cdr.callee = "442079460000".to_owned();
            cdr.trunk_out = trunk.then(|| "carrier".to_owned());
            (cdr.status, cdr.sip_status, cdr.q850) = (status, Some(sip), Some(q850));
            assert_eq!(heard(&cdr).map(|(_, heard)| heard), expected, "{sip} {q850}");
            cdr.callee = "alice".to_owned();
            assert_eq!(heard(&cdr), None);
        }
        let mut refused = Cdr::begin(CallId::from_i64(1), 0, CallKind::Outbound, Wall::from_secs(0));
        refused.trunk_out = Some("carrier".to_owned());
        refused.callee = "442079460000".to_owned();
        refused.refuse(Refusal::new(Rule::Lines, None, 1, 1));
        assert_eq!(heard(&refused), None, "what we refuse says nothing of the number");
    }
}
