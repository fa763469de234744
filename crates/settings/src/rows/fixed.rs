//! What the guide leaves to the operator and this platform decides: each row has one value. Under the guide's name its safe
//! number is taken, so that an old configuration reads as it stands, and the weakening one is refused with the reason.

use crate::alias::Alias;
use crate::row::{Literal, Row};

/// All rows of this file.
pub static ROWS: &[&Row] = &[
    &UNPROVEN_DEVICES,
    &PROOF_OF_KNOWN_USERS,
    &USERS_BY_REGISTER,
    &PASSWORD_ORACLE,
    &REUSED_PROOF,
    &UNPROVEN_CALLS,
    &TRUSTED_LAN,
    &TRUSTED_NEIGHBOURS,
    &TRUSTED_USER_ADDRESSES,
    &TRUSTED_ZONE,
    &CACHED_PROOF,
    &SEALED_PASSWORDS,
    &FORWARDED_ADDRESS,
];

const ALWAYS: Literal = Literal::Word("always");
const NEVER: Literal = Literal::Word("never");

/// Every level of the guide's lets fewer devices ride along than the one before; none is the end of that road.
pub static UNPROVEN_DEVICES: Row = Row::never("auth.unproven_devices")
    .aliases(&[Alias::levels("allownoauthfork", &[(0, NEVER), (1, NEVER), (2, NEVER), (3, NEVER), (4, NEVER)])])
    .because("each device of a user proves itself, whoever registered before it")
    .help("May another device of a user register without proof of its own");

/// No path is so fast that it goes by the proof.
pub static PROOF_OF_KNOWN_USERS: Row = Row::always("auth.proof_of_known_users")
    .aliases(&[Alias::levels("authfastusers", &[(1, ALWAYS)])])
    .because("however lately a user proved himself, a new call is challenged")
    .help("Are users asked for proof who gave it a moment ago");

/// Users are made by administrators.
pub static USERS_BY_REGISTER: Row = Row::never("auth.users_by_register")
    .aliases(&[Alias::levels("autocreatereguserstrict", &[(1, NEVER)])])
    .because("no REGISTER makes a user; an administrator adds him")
    .help("May a REGISTER make the user that it names");

/// A yes or no to a guess is all that a guesser wants.
pub static PASSWORD_ORACLE: Row = Row::never("auth.password_oracle")
    .aliases(&[Alias::levels("uauthverifypwd", &[(0, NEVER)])])
    .because("nothing here tells a right password from a wrong one but a full log-in")
    .help("Can a password be tried outside a log-in");

/// An endpoint's record, its proof, its registration, its parent's.
pub static REUSED_PROOF: Row = Row::never("auth.reused_proof")
    .aliases(&[
        Alias::levels("reuseep", &[(0, NEVER)]),
        Alias::levels("reuseepauth", &[(0, NEVER)]),
        Alias::levels("reusedifferentportreg", &[(0, NEVER)]),
        Alias::levels("reuseuppergep", &[(0, NEVER)]),
    ])
    .because("one address may be many devices, so a proof counts for the request that carries it")
    .help("May a request do with the proof that another port or device of its address gave");

/// RFC 3261 §22: without proof 401.
pub static UNPROVEN_CALLS: Row = Row::never("auth.unproven_calls")
    .aliases(&[Alias::levels("allownoauthcalls", &[(0, NEVER)])])
    .because("somebody pays for each call; trunks and users known by address are named with trunk add or --auth")
    .help("May strangers call out");

/// A guest's laptop is on the LAN too.
pub static TRUSTED_LAN: Row = Row::never("auth.trusted_lan")
    .aliases(&[Alias::levels("trustlanip", &[(0, NEVER)])])
    .because("a private address proves nothing; name the ones that are known with trunk add --auth ip")
    .help("Do private addresses count as proof");

/// Neither the addresses beside a known one nor one that somebody proved himself from.
pub static TRUSTED_NEIGHBOURS: Row = Row::never("auth.trusted_neighbours")
    .aliases(&[Alias::levels("trustsubnet", &[(0, NEVER)]), Alias::levels("trustauthip", &[(0, NEVER)])])
    .because("behind an address, and beside it, are others than the one who proved himself")
    .help("Does a known address vouch for its network, or a proof for its address");

/// Served users are spared by the counters without any switch.
pub static TRUSTED_USER_ADDRESSES: Row = Row::never("auth.trusted_user_addresses")
    .aliases(&[Alias::levels("treatusersasknownip", &[(0, NEVER)])])
    .because("a served user's address spares it bans for floods that others fake, never the proof")
    .help("Do addresses of served users count as proof");

/// The console is a socket that only this machine's administrator can open.
pub static TRUSTED_ZONE: Row = Row::word("auth.trusted_zone", "own", &["own"])
    .aliases(&[Alias::levels("allowtrustedip", &[(0, Literal::Word("own")), (1, Literal::Word("own"))])])
    .because("administrators come by this machine's control socket, never by an address alone")
    .help("From where administration is taken without a log-in: this machine's control socket");

/// The guide's 1 keeps a log-in for the same address and port for a moment: asking again is as quick here.
pub static CACHED_PROOF: Row = Row::never("auth.cached_proof")
    .aliases(&[Alias::levels("cacheregistrations", &[(0, NEVER), (1, NEVER)])])
    .because("each request is judged by the password of that moment, so a change counts at once")
    .help("Is a log-in remembered beyond its request");

/// HA1s, under a key that is not in the database.
pub static SEALED_PASSWORDS: Row = Row::always("auth.sealed_passwords")
    .aliases(&[Alias::levels("securepasswords", &[(1, ALWAYS), (2, ALWAYS)])])
    .because("no password is kept: what digest needs of it is sealed with a key outside the database")
    .help("Is what is kept of passwords useless to who reads the database");

/// A B2BUA writes its own Via, Contact, Call-ID and media addresses.
pub static FORWARDED_ADDRESS: Row = Row::never("auth.forwarded_address")
    .aliases(&[Alias::levels("forwardclientaddress", &[(0, NEVER)])])
    .because("both sides of a call see this platform's address alone")
    .help("Is a caller's address told to the one called");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use crate::rows::digest;

    #[test]
    fn the_safe_value_of_each_guide_name_is_taken_and_the_weakening_one_refused_with_the_reason() {
        let registry = Registry::new(&[ROWS, digest::ROWS]);
        // the guide's name, its safe value, what is kept, a value that would weaken, what the refusal says of it
        for (name, safe, kept, weak, said) in [
            ("allownoauthfork", "0", "auth.unproven_devices = never", "5", "proves itself"),
            ("allownoauthfork", "4", "auth.unproven_devices = never", "-1", "proves itself"),
            ("authfastusers", "1", "auth.proof_of_known_users = always", "0", "a new call is challenged"),
            ("authfastusers", "true", "auth.proof_of_known_users = always", "off", "a new call is challenged"),
            ("autocreatereguserstrict", "1", "auth.users_by_register = never", "0", "an administrator adds him"),
            ("uauthverifypwd", "0", "auth.password_oracle = never", "1", "a full log-in"),
            ("reuseep", "0", "auth.reused_proof = never", "1", "many devices"),
            ("reuseepauth", "false", "auth.reused_proof = never", "2", "many devices"),
            ("reusedifferentportreg", "0", "auth.reused_proof = never", "true", "many devices"),
            ("reuseuppergep", "0", "auth.reused_proof = never", "1", "many devices"),
            ("allownoauthcalls", "0", "auth.unproven_calls = never", "1", "somebody pays"),
            ("trustlanip", "0", "auth.trusted_lan = never", "1", "proves nothing"),
            ("trustsubnet", "false", "auth.trusted_neighbours = never", "true", "are others"),
            ("trustauthip", "false", "auth.trusted_neighbours = never", "1", "are others"),
            ("treatusersasknownip", "0", "auth.trusted_user_addresses = never", "1", "never the proof"),
            ("allowtrustedip", "1", "auth.trusted_zone = own", "4", "control socket"),
            ("allowtrustedip", "0", "auth.trusted_zone = own", "3", "control socket"),
            ("cacheregistrations", "1", "auth.cached_proof = never", "2", "counts at once"),
            ("forwardclientaddress", "0", "auth.forwarded_address = never", "1", "address alone"),
            ("securepasswords", "1", "auth.sealed_passwords = always", "0", "no password is kept"),
            ("auth.unproven_calls", "never", "auth.unproven_calls = never", "always", "somebody pays"),
            ("strongdigestauth", "2", "digest.strictness = replay", "0", "expected one of 1 (signed)"),
            ("strongdigestauth", "3", "digest.strictness = bound", "4", "expected one of 1 (signed)"),
            ("validatepassword", "2", "digest.password_check = strong", "3", "expected one of 0 (none)"),
            ("useshadigestauth", "2", "digest.algorithms = sha", "3", "expected one of 0 (md5)"),
        ] {
            let (row, value) = registry.parse(name, safe).unwrap_or_else(|mistake| panic!("{mistake}"));
            assert_eq!(format!("{} = {}", row.name, value.print(row)), kept, "{name} {safe}");
            let refusal = registry.parse(name, weak).expect_err(name).to_string();
            assert!(refusal.starts_with(&format!("{name} = \"{weak}\": expected ")), "{refusal}");
            assert!(refusal.contains(said) && !refusal.contains('\n'), "{refusal}");
        }
    }

    #[test]
    fn each_row_has_one_value_and_a_reason_in_every_profile() {
        for row in ROWS {
            assert!(matches!(row.kind, crate::row::Kind::Word([_])) && !row.because.is_empty(), "{}", row.name);
            assert!(row.hardened.is_none() && row.loadtest.is_none() && !row.may_be_off, "{}", row.name);
            assert!(crate::describe::describe(row, &row.default_value()).contains(row.because), "{}", row.name);
        }
    }
}
