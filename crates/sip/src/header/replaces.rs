//! Which dialog a new call takes the place of (RFC 3891).

use super::param::Params;

/// `98732@host;to-tag=r33th4x0r;from-tag=ff87ff`, as the one who sends it sees the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Of the dialog.
    pub call_id: &'a str,
    /// The local tag of whoever receives this.
    pub to_tag: &'a str,
    /// The other tag.
    pub from_tag: &'a str,
    /// Only while it is not answered.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads the header, or, unescaped, the same out of a Refer-To URI.
    pub fn parse(value: &'a str) -> Option<Replaces<'a>> {
        let (call_id, params) = value.split_once(';')?;
        let (call_id, params) = (call_id.trim(), Params::of(params));
        let (to_tag, from_tag) = (params.get("to-tag")?, params.get("from-tag")?);
        (!call_id.is_empty()).then(|| Replaces { call_id, to_tag, from_tag, early_only: params.has("early-only") })
    }
}
