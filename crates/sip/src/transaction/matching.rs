//! Which transaction a message belongs to: RFC 3261 §17.1.3 and §17.2.3, and RFC 2543's way for senders that have no
//! unique branch.

use crate::wire::{Message, Name};

/// The name of the client transaction that a request of ours with this branch is, and that its responses find.
pub(super) fn client_index(branch: &str, method: &str) -> Box<str> {
    let mut index = String::with_capacity(branch.len() + 1 + method.len());
    index.push_str(branch);
    index.push('\n');
    index.push_str(method);
    index.into_boxed_str()
}

/// The name of the server transaction that a request belongs to. `method` is the transaction's: INVITE for an ACK, and
/// for a CANCEL that looks for what it cancels.
///
/// By branch, sent-by and method where the branch is unique; else by Request-URI, From-tag, Call-ID, CSeq number and
/// the whole topmost Via. The To-tag of RFC 2543 matching is left out: an ACK carries one that its INVITE had not, and
/// the rest tells them apart.
pub(super) fn server_index(request: &Message, method: &str) -> Box<str> {
    let via = request.via();
    let mut index = String::with_capacity(96);
    // A line break can stand in none of the parts, so that parts cannot be shifted into each other.
    let mut part = |text: &str| {
        index.push_str(text);
        index.push('\n');
    };
    if via.has_unique_branch() {
        part(via.branch().unwrap_or_default());
        part(&via.host.to_ascii_lowercase());
        part(itoa::Buffer::new().format(via.port.unwrap_or(0)));
    } else {
        part("");
        part(request.request_uri());
        part(request.from().tag().unwrap_or_default());
        part(request.call_id());
        part(itoa::Buffer::new().format(request.cseq().number));
        part(request.header(Name::Via).unwrap_or_default());
    }
    part(method);
    index.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::tests::request;

    #[test]
    fn a_request_finds_its_own_transaction_and_no_other() {
        let base = "SIP/2.0/UDP Host.example:5062;branch=z9hG4bKabc;rport";
        let index = |method: &str, via: &str| server_index(&request(method, via, "1"), method);
        let same = index("INVITE", base);
        //  method    Via                                                     same transaction?
        for (method, via, verdict) in [
            ("INVITE", "SIP/2.0/UDP host.example:5062;branch=z9hG4bKabc", true),
            ("INVITE", "SIP/2.0/UDP host.example:5063;branch=z9hG4bKabc", false),
            ("INVITE", "SIP/2.0/UDP other.example:5062;branch=z9hG4bKabc", false),
            ("INVITE", "SIP/2.0/UDP host.example:5062;branch=z9hG4bKabd", false),
            ("OPTIONS", "SIP/2.0/UDP host.example:5062;branch=z9hG4bKabc", false),
            ("INVITE", "SIP/2.0/UDP host.example:5062;branch=z9hG4bK", false),
        ] {
            assert_eq!(index(method, via) == same, verdict, "{method} {via}");
        }
    }

    #[test]
    fn without_a_unique_branch_the_whole_request_names_it() {
        let via = "SIP/2.0/UDP host.example:5062;branch=1";
        let invite = request("INVITE", via, "7");
        let index = |method: &str, via: &str, cseq: &str, class: &str| server_index(&request(method, via, cseq), class);
        let same = server_index(&invite, "INVITE");
        assert_eq!(index("ACK", via, "7", "INVITE"), same);
        assert_eq!(index("CANCEL", via, "7", "INVITE"), same);
        assert_ne!(index("CANCEL", via, "7", "CANCEL"), same);
        assert_ne!(index("INVITE", via, "8", "INVITE"), same);
        assert_ne!(index("INVITE", "SIP/2.0/UDP host.example:5062;branch=2", "7", "INVITE"), same);
    }
}
