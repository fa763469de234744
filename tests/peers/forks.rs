//! Answers before and beside the answer: reliable provisional ones, a second 2xx of a fork, UPDATE to a phone that knows it.

use std::time::Duration;

use crate::network::Network;
use crate::phone::Phone;
use crate::server::Server;
use crate::world::{self, CARRIER, NUMBER, add_prepaid, add_user, assert_books_balance};

#[test]
fn a_reliable_ringing_is_acknowledged_on_both_sides() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &["Supported: 100rel".to_owned()], &offer);
    let asked = bob.await_request("INVITE");
    assert!(asked.all("Supported").any(|line| line.contains("100rel")), "{asked:#?}");
    bob.answer(&asked, 183, &["Require: 100rel".to_owned(), "RSeq: 41".to_owned()], &bob.sdp());
    let prack = bob.await_request("PRACK");
    assert_eq!(prack.header("RAck"), format!("41 {} INVITE", asked.cseq()), "{prack:#?}");
    bob.answer(&prack, 200, &[], "");
    let progress = alice.await_status(183, "INVITE");
    assert!(progress.all("Require").any(|line| line.contains("100rel")), "{progress:#?}");
    assert!(!progress.body.is_empty());
    // Until it is acknowledged it is repeated (RFC 3262 §3).
    let again = alice.await_status(183, "INVITE");
    assert_eq!(again.header("RSeq"), progress.header("RSeq"));
    let mut early = alice.dialog_by(&invite, &progress);
    let rack = format!("RAck: {} {} INVITE", progress.header("RSeq"), invite.cseq);
    assert_eq!(alice.within(&mut early, "PRACK", &[rack], "").status(), 200);
    alice.expect_none("one more 183", Duration::from_millis(1500), |m| m.status() == 183);
    bob.answer(&asked, 200, &[], "");
    bob.await_request("ACK");
    let (mut dialog, _) = alice.await_answer(&invite);
    dialog.cseq = early.cseq;
    alice.hang_up(&mut dialog);
    bob.await_bye();
}

#[test]
fn a_second_answer_of_a_fork_is_acknowledged_and_hung_up() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    world::open_roads(&server, net.sip(CARRIER));
    add_prepaid(&server, "alice", "10.00");
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut carrier = Phone::udp(&server, net.host(CARRIER), "carrier");
    let offer = alice.sdp();
    let invite = alice.invite(NUMBER, &[], &offer);
    let asked = carrier.await_request("INVITE");
    carrier.answer(&asked, 200, &[], &carrier.sdp());
    let first = carrier.await_request("ACK");
    let copied = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}", asked.header(name)));
    let own = [format!("To: {};tag=second-fork", asked.header("To")), format!("Contact: {}", carrier.contact())];
    carrier.send("SIP/2.0 200 OK", &[&copied[..], &own[..]].concat(), &carrier.sdp());
    let is_second = |m: &crate::message::Sip| m.header("To").contains("tag=second-fork");
    carrier.await_message("the second fork's ACK", |m| m.method() == "ACK" && is_second(m));
    let bye = carrier.await_message("the second fork's BYE", |m| m.method() == "BYE" && is_second(m));
    carrier.answer(&bye, 200, &[], "");
    let (mut dialog, _) = alice.await_answer(&invite);
    alice.expect_none("an end of the call", Duration::from_millis(500), |m| m.method() == "BYE");
    alice.hang_up(&mut dialog);
    let bye = carrier.await_bye();
    assert_eq!(bye.header("To"), first.header("To"));
    server.await_quiet();
    assert_eq!(server.only_cdr()["status"], "answered");
    assert_books_balance(&server, "alice");
}

#[test]
fn an_update_reaches_a_phone_that_knows_it_as_it_is() {
    let net = Network::lease();
    let server = Server::at(&net).start();
    for user in ["alice", "bob"] {
        add_user(&server, user, &[]);
    }
    let mut alice = Phone::udp(&server, net.host(10), "alice");
    let mut bob = Phone::udp(&server, net.host(11), "bob");
    bob.register();
    let offer = alice.sdp();
    let invite = alice.invite("bob", &[], &offer);
    let asked = bob.await_request("INVITE");
    bob.answer(&asked, 200, &["Allow: INVITE, ACK, CANCEL, BYE, UPDATE".to_owned()], &bob.sdp());
    bob.await_request("ACK");
    let (mut dialog, _) = alice.await_answer(&invite);
    let hold = alice.sdp_with("RTP/AVP", "a=sendonly\r\n");
    alice.send_within(&mut dialog, "UPDATE", &[], &hold);
    let update = bob.await_request("UPDATE");
    assert!(update.body.contains("a=sendonly"), "{update:#?}");
    bob.answer(&update, 200, &[], &bob.sdp_with("RTP/AVP", "a=recvonly\r\n"));
    let agreed = alice.await_status(200, "UPDATE");
    assert!(agreed.body.contains("a=recvonly"), "{agreed:#?}");
    alice.hang_up(&mut dialog);
    bob.await_bye();
}
