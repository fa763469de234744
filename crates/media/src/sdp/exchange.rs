//! Offers and answers of a call with a relay in its middle (RFC 3264): what each leg said, what we said to each.
//!
//! ```text
//! offer(A) → [the relay opens ports] → write_offer → B      answer(B) → write_answer → A      plan → relay
//! ```
//! Either leg may offer, in INVITE, 200 (delayed offer), ACK, PRACK or UPDATE: the exchange does not care what carries
//! it. A refused offer leaves everything as it was. A fork that answers by itself gets a clone.

use bytes::Bytes;
use smallvec::SmallVec;

use super::forward::{Draft, Written};
use super::said::{Line, Said};
use super::session::{Malformed, Session};
use crate::plan::{Leg, LineKind, LinePlan, Plan, SidePlan};
use crate::ports::{Ours, Pair};

pub use super::said::Peer;

/// The state of one call's (or one branch's) session descriptions.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What we told each leg.
    voices: [Voice; 2],
    /// What each leg said last, offer or answer, once the two were joined.
    heard: [Option<Said>; 2],
    round: Option<Round>,
    /// The m= lines that exist, in use or not; none ever goes away.
    known: Vec<Line>,
}

/// An offer read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Lines the relay must have ports for.
    pub lines: usize,
    /// The same words as last time: a session refresh.
    pub unchanged: bool,
    /// The offerer does not want to listen.
    pub holds: bool,
}

/// An answer read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// At least one line is in use. If not, nobody will hear anything.
    pub usable: bool,
}

/// Why an offer goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefused {
    /// Not readable: 400.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Every line wants what is not spoken here, such as SRTP alone: 488.
    #[error("no media line of the offer can be relayed")]
    Unsupported,
    /// An offer of `by` waits for its answer: 491 to the other leg, 500 with Retry-After to the same one (RFC 3311 §5.2).
    #[error("an earlier offer waits for its answer")]
    Pending {
        /// Whose offer waits.
        by: Leg,
    },
}

/// Why an answer goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefused {
    /// Not readable.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nobody asked this leg.
    #[error("an answer without an offer")]
    Unasked,
}

/// Our side of the session with one leg.
#[derive(Clone, Debug)]
struct Voice {
    session: u64,
    version: u64,
    last: Option<Bytes>,
}

#[derive(Clone, Debug)]
struct Round {
    from: Leg,
    offer: Said,
    answered: bool,
    /// What was agreed before, should the round come to nothing.
    before: [Option<Said>; 2],
    known_before: Vec<Line>,
}

impl Exchange {
    /// Before any offer. `sessions` are random numbers for our two o= lines.
    pub fn new(sessions: [u64; 2]) -> Exchange {
        let voice = |session: u64| Voice { session: session & 0x7fff_ffff, version: 0, last: None };
        Exchange { voices: sessions.map(voice), heard: [None, None], round: None, known: Vec::new() }
    }

    /// Reads an offer. After it: ports for [`Offered::lines`], then [`Exchange::write_offer`].
    pub fn offer(&mut self, from: Leg, body: &[u8], peer: Peer) -> Result<Offered, OfferRefused> {
        if let Some(round) = self.round.as_ref().filter(|round| !round.answered) {
            return Err(OfferRefused::Pending { by: round.from });
        }
        let session = Session::parse(body)?;
        let unchanged = self.heard[from.index()].as_ref().is_some_and(|said| said.session == session);
        let mut offer = Said::read(session, peer);
        if offer.anything_wanted() && !offer.anything_usable() {
            return Err(OfferRefused::Unsupported);
        }
        offer.pad(&self.known);
        Ok(self.begin(from, offer, unchanged))
    }

    /// The offer as the other leg is to read it.
    pub fn write_offer(&mut self, ours: &Ours) -> Option<Bytes> {
        let Exchange { voices, round, .. } = self;
        let Round { from, offer, .. } = round.as_ref()?;
        let lines = offer.lines.iter().enumerate().map(|(index, line)| {
            let usable = line.usable.then(|| pair(ours, index)).flatten();
            // Muxing is offered where it was offered to us: the other leg then decides for itself.
            open_or_declined(usable, index, line, line, line.mux)
        });
        let draft = |voice: &Voice| Draft {
            source: &offer.session,
            lines: lines.collect(),
            session: voice.session,
            address: ours.address,
        };
        Some(voices[from.other().index()].say(draft))
    }

    /// Reads the answer to the offer that was written to `from`. A second one to the same offer replaces the first: early
    /// media may be answered several times before the final word.
    pub fn answer(&mut self, from: Leg, body: &[u8], peer: Peer) -> Result<Answered, AnswerRefused> {
        let round = self.round.as_mut().filter(|round| round.from != from).ok_or(AnswerRefused::Unasked)?;
        let mut answer = Said::read(Session::parse(body)?, peer);
        answer.pad(&round.offer.lines);
        answer.lines.truncate(round.offer.lines.len());
        for (line, offered) in answer.lines.iter_mut().zip(&round.offer.lines) {
            let fits =
                offered.usable && line.carrier == offered.carrier && line.media.eq_ignore_ascii_case(&offered.media);
            if !fits {
                *line = offered.declined();
            } else if !offered.mux {
                line.unmux();
            }
        }
        round.answered = true;
        let usable = answer.anything_usable();
        self.heard[from.other().index()] = Some(round.offer.clone());
        self.heard[from.index()] = Some(answer);
        Ok(Answered { usable })
    }

    /// The answer as the offerer is to read it.
    pub fn write_answer(&mut self, ours: &Ours) -> Option<Bytes> {
        let Exchange { voices, round, heard, .. } = self;
        let Round { from, offer, .. } = round.as_ref().filter(|round| round.answered)?;
        let answer = heard[from.other().index()].as_ref()?;
        let lines = offer.lines.iter().zip(&answer.lines).enumerate().map(|(index, (offered, line))| {
            let usable = (offered.usable && line.usable).then(|| pair(ours, index)).flatten();
            open_or_declined(usable, index, line, offered, offered.mux)
        });
        let draft = |voice: &Voice| Draft {
            source: &answer.session,
            lines: lines.collect(),
            session: voice.session,
            address: ours.address,
        };
        Some(voices[from.index()].say(draft))
    }

    /// The round came to nothing (a final refusal, CANCEL): all is as before its offer.
    pub fn refuse(&mut self) {
        if let Some(round) = self.round.take() {
            self.heard = round.before;
            self.known = round.known_before;
        }
    }

    /// A leg answered a description that we wrote without asking the other leg, such as an update after a transfer.
    /// Only what it says of itself is taken over.
    pub fn absorb(&mut self, from: Leg, body: &[u8], peer: Peer) -> Result<Answered, AnswerRefused> {
        let mut said = Said::read(Session::parse(body)?, peer);
        said.pad(&self.known);
        said.lines.truncate(self.known.len());
        let usable = said.anything_usable();
        self.heard[from.index()] = Some(said);
        Ok(Answered { usable })
    }

    /// A new party takes `gone`'s place (transfer): what the other leg said last is offered to it. Our session with the
    /// one that stays goes on; `session` is a random number for the new one.
    ///
    /// `None` if the one that stays has said nothing yet.
    pub fn replace(&self, gone: Leg, session: u64) -> Option<(Exchange, Offered)> {
        let mut next = Exchange::new([session, session]);
        let stays = gone.other();
        next.voices[stays.index()] = self.voices[stays.index()].clone();
        next.known = self.known.clone();
        let said = self.heard[stays.index()].clone()?;
        let offered = next.begin(stays, said, false);
        Some((next, offered))
    }

    /// `leg` was last shown what `branch` wrote (early media of a fork that lost): later words to it get later versions.
    pub fn continue_after(&mut self, leg: Leg, branch: &Exchange) {
        let (own, other) = (&mut self.voices[leg.index()], &branch.voices[leg.index()]);
        if other.version >= own.version {
            own.clone_from(other);
        }
    }

    /// What we told `leg` last.
    pub fn told(&self, leg: Leg) -> Option<&Bytes> {
        self.voices[leg.index()].last.as_ref()
    }

    /// Whose offer waits for its answer.
    pub fn pending(&self) -> Option<Leg> {
        self.round.as_ref().filter(|round| !round.answered).map(|round| round.from)
    }

    /// Have both legs spoken?
    pub fn is_joined(&self) -> bool {
        self.heard.iter().all(Option::is_some)
    }

    /// Does `leg` not want to listen, on any line in use?
    pub fn holds(&self, leg: Leg) -> bool {
        self.heard[leg.index()].as_ref().is_some_and(holds)
    }

    /// How many m= lines there are, in use or not.
    pub fn lines(&self) -> usize {
        self.known.len()
    }

    /// What the relay shall do now. While a re-offer waits for its answer: what was agreed before.
    pub fn plan(&self) -> Plan {
        let first_offer = self.round.as_ref().filter(|round| !round.answered && !self.is_joined());
        let said = Leg::BOTH.map(|leg| {
            let offered = first_offer.filter(|round| round.from == leg).map(|round| &round.offer);
            offered.or(self.heard[leg.index()].as_ref())
        });
        let lines = (0..self.known.len()).map(|index| {
            let sides = said.map(|said| said.and_then(|said| said.lines.get(index)));
            line_plan(sides)
        });
        Plan { lines: lines.collect() }
    }

    fn begin(&mut self, from: Leg, offer: Said, unchanged: bool) -> Offered {
        let known_before = std::mem::replace(&mut self.known, offer.lines.clone());
        let offered = Offered { lines: offer.lines.len(), unchanged, holds: holds(&offer) };
        self.round = Some(Round { from, offer, answered: false, before: self.heard.clone(), known_before });
        offered
    }
}

impl Voice {
    /// The same words keep their version, others get the next (RFC 3264 §8).
    fn say<'a>(&mut self, draft: impl FnOnce(&Voice) -> Draft<'a>) -> Bytes {
        let draft = draft(self);
        if let Some(last) = &self.last
            && draft.write(self.version).as_bytes() == last
        {
            return last.clone();
        }
        self.version += 1;
        let text = Bytes::from(draft.write(self.version));
        self.last = Some(text.clone());
        text
    }
}

fn pair(ours: &Ours, index: usize) -> Option<Pair> {
    ours.pairs.get(index).copied().flatten()
}

/// `line` says what it is, `reader` what the one who reads it must find in its place.
fn open_or_declined<'a>(
    usable: Option<Pair>,
    index: usize,
    line: &'a Line,
    reader: &'a Line,
    mux: bool,
) -> Written<'a> {
    match usable {
        Some(pair) => Written::Open { index, line, protocol: &reader.protocol, pair, mux },
        None => Written::Declined { media: &reader.media, protocol: &reader.protocol, formats: &reader.formats },
    }
}

fn holds(said: &Said) -> bool {
    let mut usable = said.lines.iter().filter(|line| line.usable).peekable();
    usable.peek().is_some() && usable.all(|line| !line.direction.receives())
}

fn line_plan(said: [Option<&Line>; 2]) -> LinePlan {
    let spoken: SmallVec<[&Line; 2]> = said.into_iter().flatten().collect();
    let kind = spoken.first().map_or(LineKind::Audio, |line| line.kind());
    let ptime = spoken.iter().map(|line| line.ptime).min().unwrap_or(20);
    let sides = [(said[0], said[1]), (said[1], said[0])].map(|(own, other)| {
        let Some(own) = own else { return SidePlan::default() };
        SidePlan {
            remote: own.remote,
            mux: own.mux,
            receives: own.usable && own.direction.receives(),
            sends: own.usable && own.direction.sends() && other.is_some_and(|other| other.direction.receives()),
            payloads: own.payloads,
        }
    });
    LinePlan {
        kind,
        active: !spoken.is_empty() && spoken.iter().all(|line| line.usable),
        sides,
        nominal_pps: match kind {
            LineKind::Audio => 1000 / ptime,
            LineKind::Video => 500,
            LineKind::Udptl => 50,
        },
    }
}

#[cfg(test)]
mod tests;
