//! What a phone remembers of a call: the INVITE under way, and one side of the dialog it opened.

/// One side of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub target: String,
    pub cseq: u32,
    pub routes: Vec<String>,
}

/// An INVITE under way.
#[derive(Clone, Debug)]
pub struct Invite {
    pub target: String,
    pub call_id: String,
    pub tag: String,
    pub cseq: u32,
    pub headers: Vec<String>,
}

impl Dialog {
    /// Value for a Refer-To that replaces this dialog, as the one who transfers sees it.
    pub fn replaces(&self) -> String {
        let tag = |header: &str| header.rsplit_once(";tag=").map(|(_, tag)| tag.to_owned()).unwrap_or_default();
        format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", self.call_id, tag(&self.remote), tag(&self.local))
    }

    /// Makes the tags those of nobody's dialog.
    pub fn forge(&mut self) {
        self.local.push('x');
        self.remote.push('x');
    }

    /// The headers of a request inside the dialog.
    pub fn headers(&self, via: String, cseq: u32, method: &str) -> Vec<String> {
        let mut headers = vec![
            via,
            format!("From: {}", self.local),
            format!("To: {}", self.remote),
            format!("Call-ID: {}", self.call_id),
            format!("CSeq: {cseq} {method}"),
        ];
        headers.extend(self.routes.iter().map(|route| format!("Route: {route}")));
        headers
    }
}
