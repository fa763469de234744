//! Header names: the ones we know, their compact forms, and whether a comma parts their values.

use std::fmt;

use super::text::is_token;

macro_rules! names {
    ($($variant:ident $text:literal $shape:ident $($compact:literal)?;)*) => {
        /// A header's name. Case and compact forms are folded in; what we do not know is [`Name::Other`].
        #[derive(Clone, Copy, Debug)]
        pub enum Name<'a> {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A name that we have no variant for, as written.
            Other(&'a str),
        }

        /// Where a message keeps its headers' names: an index into these, or [`OTHER`].
        const KNOWN: &[Name<'static>] = &[$(Name::$variant),*];
        const TEXTS: &[&str] = &[$($text),*];
        const COMPACT: &[(u8, Name<'static>)] = &[$($(($compact, Name::$variant),)?)*];

        /// The same names without the written text, so that each has a number.
        enum Index { $($variant),* }

        impl Name<'_> {
            /// Position in the table; [`OTHER`] for every [`Name::Other`].
            pub(crate) const fn index(&self) -> u8 {
                match self {
                    $(Name::$variant => Index::$variant as u8,)*
                    Name::Other(_) => OTHER,
                }
            }

            /// The long form; for [`Name::Other`] whatever it was written as.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other(text) => text,
                }
            }

            /// May one line hold several values, parted by commas (RFC 3261 §7.3.1)?
            ///
            /// Never for what we do not know, nor for credentials and challenges, whose commas part parameters.
            pub fn is_list(&self) -> bool {
                match self {
                    $(Name::$variant => names!(@$shape),)*
                    Name::Other(_) => false,
                }
            }
        }
    };
    (@list) => { true };
    (@one) => { false };
}

names! {
    Accept "Accept" list;
    AcceptContact "Accept-Contact" list b'a';
    AcceptEncoding "Accept-Encoding" list;
    AcceptLanguage "Accept-Language" list;
    AlertInfo "Alert-Info" list;
    Allow "Allow" list;
    AllowEvents "Allow-Events" list b'u';
    AuthenticationInfo "Authentication-Info" one;
    Authorization "Authorization" one;
    CallId "Call-ID" one b'i';
    CallInfo "Call-Info" list;
    Contact "Contact" list b'm';
    ContentDisposition "Content-Disposition" one;
    ContentEncoding "Content-Encoding" list b'e';
    ContentLanguage "Content-Language" list;
    ContentLength "Content-Length" one b'l';
    ContentType "Content-Type" one b'c';
    CSeq "CSeq" one;
    Date "Date" one;
    Diversion "Diversion" list;
    ErrorInfo "Error-Info" list;
    Event "Event" one b'o';
    Expires "Expires" one;
    FeatureCaps "Feature-Caps" list;
    FlowTimer "Flow-Timer" one;
    From "From" one b'f';
    Geolocation "Geolocation" list;
    HistoryInfo "History-Info" list;
    Identity "Identity" one b'y';
    IdentityInfo "Identity-Info" one b'n';
    InReplyTo "In-Reply-To" list;
    InfoPackage "Info-Package" one;
    Join "Join" one;
    MaxBreadth "Max-Breadth" one;
    MaxForwards "Max-Forwards" one;
    MimeVersion "MIME-Version" one;
    MinExpires "Min-Expires" one;
    MinSe "Min-SE" one;
    Organization "Organization" one;
    PAccessNetworkInfo "P-Access-Network-Info" list;
    PAssertedIdentity "P-Asserted-Identity" list;
    PAssociatedUri "P-Associated-URI" list;
    PCalledPartyId "P-Called-Party-ID" one;
    PChargingVector "P-Charging-Vector" one;
    PPreferredIdentity "P-Preferred-Identity" list;
    Path "Path" list;
    Priority "Priority" one;
    Privacy "Privacy" one;
    ProxyAuthenticate "Proxy-Authenticate" one;
    ProxyAuthenticationInfo "Proxy-Authentication-Info" one;
    ProxyAuthorization "Proxy-Authorization" one;
    ProxyRequire "Proxy-Require" list;
    RAck "RAck" one;
    Reason "Reason" list;
    RecordRoute "Record-Route" list;
    RecvInfo "Recv-Info" list;
    ReferSub "Refer-Sub" one;
    ReferTo "Refer-To" one b'r';
    ReferredBy "Referred-By" one b'b';
    RejectContact "Reject-Contact" list b'j';
    RemotePartyId "Remote-Party-ID" list;
    Replaces "Replaces" one;
    ReplyTo "Reply-To" one;
    RequestDisposition "Request-Disposition" list b'd';
    Require "Require" list;
    RetryAfter "Retry-After" one;
    Route "Route" list;
    RSeq "RSeq" one;
    SecurityClient "Security-Client" list;
    SecurityServer "Security-Server" list;
    SecurityVerify "Security-Verify" list;
    Server "Server" one;
    ServiceRoute "Service-Route" list;
    SessionExpires "Session-Expires" one b'x';
    SessionId "Session-ID" one;
    SipEtag "SIP-ETag" one;
    SipIfMatch "SIP-If-Match" one;
    Subject "Subject" one b's';
    SubscriptionState "Subscription-State" one;
    Supported "Supported" list b'k';
    TargetDialog "Target-Dialog" one;
    Timestamp "Timestamp" one;
    To "To" one b't';
    Unsupported "Unsupported" list;
    UserAgent "User-Agent" one;
    UserToUser "User-to-User" list;
    Via "Via" list b'v';
    Warning "Warning" list;
    WwwAuthenticate "WWW-Authenticate" one;
}

/// The index of a name without a variant.
pub(crate) const OTHER: u8 = u8::MAX;

/// The longest known name is 25 bytes; a name beyond the table is another.
const LENGTHS: usize = 32;

/// First letter (small) and index into [`TEXTS`], by length: at most 16 a length.
static BY_LENGTH: [[(u8, u8); 16]; LENGTHS] = {
    let mut table = [[(0, OTHER); 16]; LENGTHS];
    let mut index = 0;
    while index < TEXTS.len() {
        let row = TEXTS[index].len();
        let mut free = 0;
        while table[row][free].1 != OTHER {
            free += 1;
        }
        table[row][free] = (TEXTS[index].as_bytes()[0] | 0x20, index as u8);
        index += 1;
    }
    table
};

/// Indexes of compact forms, by letter.
const BY_LETTER: [u8; 26] = {
    let mut table = [OTHER; 26];
    let mut at = 0;
    while at < COMPACT.len() {
        table[(COMPACT[at].0 - b'a') as usize] = COMPACT[at].1.index();
        at += 1;
    }
    table
};

/// What `name` is the index of, [`OTHER`] when we do not know it.
pub(crate) fn index_of(name: &[u8]) -> u8 {
    let Some(&first) = name.first() else { return OTHER };
    if name.len() == 1 {
        let letter = first.to_ascii_lowercase();
        return if letter.is_ascii_lowercase() { BY_LETTER[usize::from(letter - b'a')] } else { OTHER };
    }
    let Some(row) = BY_LENGTH.get(name.len()) else { return OTHER };
    let first = first | 0x20;
    let rivals = || row.iter().take_while(|row| row.1 != OTHER).filter(|row| row.0 == first).map(|row| row.1);
    let text = |index: u8| TEXTS[usize::from(index)].as_bytes();
    // Nearly everybody writes the name as the RFC does.
    rivals()
        .find(|&index| text(index) == name)
        .or_else(|| rivals().find(|&index| text(index).eq_ignore_ascii_case(name)))
        .unwrap_or(OTHER)
}

impl<'a> Name<'a> {
    /// Reads a name in any case or compact form; anything unknown is kept as [`Name::Other`].
    pub fn of(text: &'a str) -> Name<'a> {
        Name::at(index_of(text.as_bytes()), text)
    }

    pub(crate) fn at(index: u8, written: &'a str) -> Name<'a> {
        KNOWN.get(usize::from(index)).copied().unwrap_or(Name::Other(written))
    }

    /// Position in the table; [`OTHER`] for what is not in it. An `Other` that spells a known name is that name.
    pub(crate) fn key(&self) -> u8 {
        match self {
            Name::Other(text) => index_of(text.as_bytes()),
            known => known.index(),
        }
    }

    /// May it be written as a header's name (a token, RFC 3261 §25.1)?
    pub fn is_writable(&self) -> bool {
        is_token(self.as_str().as_bytes())
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
