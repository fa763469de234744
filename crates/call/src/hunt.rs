//! The search for somebody who answers: candidates one after the other, devices of a user all at once.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;
use tollgate_media::sdp::exchange::Exchange;
use tollgate_sip::dialog::{Dialog, Sprout};

use crate::admission::Candidate;
use crate::event::{Client, Query};
use crate::leg::{Abilities, LegId};
use crate::party::{Login, Place};
use crate::refusal::Reply;

/// A hunt.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub purpose: Purpose,
    pub stage: Stage,
    /// Places in `call.paid`: the leg that pays for this search, and those of redirects on the way.
    pub paid: SmallVec<[u8; 2]>,
    pub candidates: VecDeque<Candidate>,
    /// The one being tried.
    pub current: Option<Candidate>,
    /// Candidates tried.
    pub tried: usize,
    /// Further addresses of the current carrier.
    pub places: VecDeque<Place>,
    pub branches: SmallVec<[Branch; 1]>,
    /// The best refusal so far.
    pub best: Option<Reply>,
    /// The branch whose answer the caller was shown before the final one.
    pub shown: Option<Client>,
    /// What the caller was told last.
    pub told: Option<u16>,
    /// What is offered, where it is not what the caller offered: to the target of a transfer.
    pub exchange: Option<Box<Exchange>>,
    /// Max-Forwards of our INVITEs.
    pub max_forwards: u8,
}

/// Why there is a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For the caller.
    Call,
    /// Somebody was transferred: who stays on the line.
    Transfer { stays: LegId },
}

/// What it waits for.
#[derive(Debug)]
pub(crate) enum Stage {
    /// For the verdict over this place in `call.paid`.
    Planning(Query, u8),
    /// For the ledger.
    Holding(u8),
    /// For addresses.
    Locating(Query),
    /// For ports, to dial these.
    Opening(Vec<Place>),
    /// For an answer.
    Ringing,
}

/// One INVITE of ours.
#[derive(Debug)]
pub(crate) struct Branch {
    pub client: Client,
    pub candidate: Candidate,
    pub sprout: Sprout,
    pub login: Option<Arc<Login>>,
    /// Challenges answered.
    pub challenged: u8,
    /// The realm that our proof was shown to.
    pub proven_to: Option<Box<str>>,
    /// 422s followed.
    pub shortened: bool,
    /// Seconds asked for in Session-Expires; 0 for none.
    pub session: u32,
    /// Some response came.
    pub heard: bool,
    /// It rings.
    pub ringing: bool,
    pub early: SmallVec<[Early; 1]>,
    /// What it answered to our offer; made when it first does.
    pub exchange: Option<Box<Exchange>>,
    /// Our INVITE had an offer.
    pub offered: bool,
    pub body: bytes::Bytes,
}

/// A dialog of a branch before its answer; a fork further on makes several.
#[derive(Debug)]
pub(crate) struct Early {
    pub dialog: Dialog,
    pub can: Abilities,
    /// The last RSeq acknowledged.
    pub rseq: Option<u32>,
}

impl Hunt {
    pub fn new(purpose: Purpose, stage: Stage, max_forwards: u8) -> Hunt {
        Hunt {
            purpose,
            stage,
            paid: SmallVec::new(),
            candidates: VecDeque::new(),
            current: None,
            tried: 0,
            places: VecDeque::new(),
            branches: SmallVec::new(),
            best: None,
            shown: None,
            told: None,
            exchange: None,
            max_forwards,
        }
    }

    pub fn is_transfer(&self) -> bool {
        matches!(self.purpose, Purpose::Transfer { .. })
    }

    pub fn branch(&self, client: Client) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.client == client)
    }

    pub fn branch_mut(&mut self, client: Client) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|branch| branch.client == client)
    }

    pub fn take_branch(&mut self, client: Client) -> Option<Branch> {
        let index = self.branches.iter().position(|branch| branch.client == client)?;
        Some(self.branches.remove(index))
    }

    pub fn shown_branch(&self) -> Option<&Branch> {
        self.branch(self.shown?)
    }

    pub fn shown_branch_mut(&mut self) -> Option<&mut Branch> {
        self.branch_mut(self.shown?)
    }

    /// Keeps the better of two refusals (RFC 3261 §16.7 step 6): a global one, then the lowest class, and within a class
    /// what tells the caller most.
    pub fn weigh(&mut self, reply: Reply) {
        if self.best.as_ref().is_none_or(|best| rank(reply.status) < rank(best.status)) {
            self.best = Some(reply);
        }
    }
}

/// Smaller is better.
fn rank(status: u16) -> (u8, u8) {
    let class = match status / 100 {
        6 => 0,
        4 => 1,
        5 => 2,
        _ => 3,
    };
    let within = match status {
        486 => 0,
        484 | 488 | 415 => 1,
        404 | 410 => 2,
        480 | 408 => 9,
        503 => 9,
        _ => 5,
    };
    (class, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_refusal_is_the_one_that_says_most() {
        for (replies, best) in [
            (&[408, 486, 404][..], 486),
            (&[503, 480], 480),
            (&[486, 603], 603),
            (&[500, 503], 500),
            (&[480, 408], 480),
        ] {
            let mut hunt = Hunt::new(Purpose::Call, Stage::Ringing, 70);
            for status in replies {
                hunt.weigh(Reply::plain(*status));
            }
            assert_eq!(hunt.best.map(|reply| reply.status), Some(best), "{replies:?}");
        }
    }
}
