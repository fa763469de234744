//! Obeying a REGISTER, all of it or nothing (RFC 3261 §10.3 items 6 to 8).

use std::time::Duration;

use tollgate_types::{Mono, Transport};

use super::register::{Register, Wanted, Wish};
use super::{Binding, Bindings, Change, Gone, Outcome, Parts, Policy, REPEAT_SPAN, REPEATS_MAX};
use crate::header::NameAddr;
use crate::uri::Uri;

/// What becomes of one contact, found out before anything is touched.
struct Step<'a> {
    wish: &'a Wish,
    /// Which binding it means, if there is one.
    at: Option<usize>,
    /// Seconds granted; 0 removes.
    seconds: u32,
}

impl Bindings {
    /// Is this the very request that was answered a moment ago? It is answered again by [`Bindings::apply`] and changes nothing; its
    /// nonce count is spent, but it is no replay: the answer was lost, and no transaction is kept for a REGISTER.
    pub fn is_repeat(&self, register: &Register, now: Mono) -> bool {
        self.repeats.iter().any(|(digest, at)| *digest == register.digest && now.since(*at) < REPEAT_SPAN)
    }

    /// Decides about a REGISTER whose sender has proved itself, and obeys it.
    pub fn apply(&mut self, register: &Register, now: Mono, policy: &Policy) -> Outcome {
        if self.is_repeat(register, now) {
            return self.answer(now, Vec::new());
        }
        let mut changes = self.expire(now);
        let outcome = match &register.wanted {
            Wanted::Fetch => Ok(()),
            Wanted::Clear => self.clear(register, &mut changes),
            Wanted::Contacts(wishes) => self.set(wishes, register, now, policy, &mut changes),
        };
        match outcome {
            Ok(()) => {
                self.remember(register, now);
                self.answer(now, changes)
            }
            // Nothing has changed: what had ended is told of when it is next taken out.
            Err(refusal) => {
                for change in changes {
                    if let Change::Removed(binding, Gone::Expired) = change {
                        self.list.push(*binding);
                    }
                }
                refusal
            }
        }
    }

    fn clear(&mut self, register: &Register, changes: &mut Vec<Change>) -> Result<(), Outcome> {
        self.list.iter().try_for_each(|binding| in_order(binding, register))?;
        changes.extend(self.take(Gone::Asked, |_| true));
        Ok(())
    }

    fn set(
        &mut self,
        wishes: &[Wish],
        register: &Register,
        now: Mono,
        policy: &Policy,
        changes: &mut Vec<Change>,
    ) -> Result<(), Outcome> {
        let mut steps: Vec<Step<'_>> = Vec::with_capacity(wishes.len().min(policy.bindings_max));
        let mut added = 0;
        let mut removed = 0;
        for wish in wishes {
            let seconds = granted(wish, register, policy)?;
            let at = self.find(wish);
            if let Some(at) = at {
                in_order(&self.list[at], register)?;
            }
            // The same contact twice in one request: the later word counts.
            let same = |step: &Step<'_>| {
                if at.is_some() { step.at == at } else { step.at.is_none() && alike(wish, step.wish) }
            };
            if let Some(step) = steps.iter_mut().find(|step| same(step)) {
                (step.wish, step.seconds) = (wish, seconds);
                continue;
            }
            steps.push(Step { wish, at, seconds });
            added = steps.iter().filter(|step| step.at.is_none() && step.seconds > 0).count();
            removed = steps.iter().filter(|step| step.at.is_some() && step.seconds == 0).count();
            // Not only fewer after all is done: nobody makes us compare a thousand contacts.
            if steps.len() > 2 * policy.bindings_max {
                return Err(Outcome::TooMany { wanted: wishes.len(), max: policy.bindings_max });
            }
        }
        let wanted = (self.list.len() + added).saturating_sub(removed);
        if added > 0 && wanted > policy.bindings_max {
            return Err(Outcome::TooMany { wanted, max: policy.bindings_max });
        }
        let mut leaving = Vec::new();
        for step in &steps {
            match (step.at, step.seconds) {
                (None, 0) => {}
                (Some(at), 0) => leaving.push(self.list[at].number),
                (Some(at), seconds) => {
                    let old = &self.list[at];
                    let new = renewed(step.wish, register, now, seconds, Some(old.since));
                    let binding = Binding::new(old.number, &new);
                    let moved = old.flow != binding.flow
                        || old.contact() != binding.contact()
                        || old.paths().ne(binding.paths());
                    changes.push(if moved { Change::Moved(old.number) } else { Change::Refreshed(old.number) });
                    self.list[at] = binding;
                }
                (None, seconds) => {
                    let number = self.restore(renewed(step.wish, register, now, seconds, None));
                    changes.push(Change::Added(number));
                }
            }
        }
        changes.extend(self.take(Gone::Asked, |binding| leaving.contains(&binding.number)));
        Ok(())
    }

    /// The binding that a contact means: of the same device and flow (RFC 5626 §6), else of the same URI (RFC 3261 §10.3 item 7).
    fn find(&self, wish: &Wish) -> Option<usize> {
        let same_device = |binding: &Binding| {
            !wish.instance.is_empty()
                && wish.reg_id.is_some()
                && binding.reg_id == wish.reg_id
                && *binding.instance() == *wish.instance
        };
        let uri = Uri::parse(&wish.uri).ok();
        let same_uri = |binding: &Binding| {
            *binding.contact() == *wish.uri
                || uri.as_ref().zip(Uri::parse(binding.contact()).ok()).is_some_and(|(one, other)| one.matches(&other))
        };
        self.list.iter().position(same_device).or_else(|| self.list.iter().position(same_uri))
    }

    fn remember(&mut self, register: &Register, now: Mono) {
        if self.repeats.len() >= REPEATS_MAX {
            self.repeats.remove(0);
        }
        self.repeats.push((register.digest, now));
    }

    fn answer(&self, now: Mono, changes: Vec<Change>) -> Outcome {
        let living = self.list.iter().filter(|binding| binding.expires_at > now);
        Outcome::Answer { contacts: living.map(|binding| contact_value(binding, now)).collect(), changes }
    }
}

/// Seconds that a contact gets.
fn granted(wish: &Wish, register: &Register, policy: &Policy) -> Result<u32, Outcome> {
    let asked = wish.expires.or(register.expires).unwrap_or(policy.expires_default);
    // RFC 3261 §10.3 item 7: no 423 to who asks for an hour or more, whatever the operator's minimum.
    let min = policy.expires_min.min(3600);
    if asked > 0 && asked < min {
        return Err(Outcome::IntervalTooBrief { asked, min });
    }
    let behind_nat = wish.behind_nat && register.flow.transport == Transport::Udp;
    let nat = policy.expires_nat.filter(|_| behind_nat).map_or(u32::MAX, |nat| nat.max(min));
    Ok(asked.min(policy.expires_max).min(nat))
}

/// A device's requests are obeyed in the order it made them.
fn in_order(binding: &Binding, register: &Register) -> Result<(), Outcome> {
    if *binding.call_id() == *register.call_id && register.cseq <= binding.cseq {
        return Err(Outcome::StaleCSeq { got: register.cseq, known: binding.cseq });
    }
    Ok(())
}

/// Do two contacts of one request mean the same?
fn alike(one: &Wish, other: &Wish) -> bool {
    let device = !one.instance.is_empty() && one.reg_id.is_some();
    one.uri == other.uri || device && one.instance == other.instance && one.reg_id == other.reg_id
}

fn renewed<'a>(wish: &'a Wish, register: &'a Register, now: Mono, seconds: u32, since: Option<Mono>) -> Parts<'a> {
    Parts {
        flow: register.flow,
        contact: &wish.uri,
        instance: &wish.instance,
        reg_id: wish.reg_id,
        call_id: &register.call_id,
        cseq: register.cseq,
        user_agent: &register.user_agent,
        paths: &register.paths,
        q: wish.q,
        since: since.unwrap_or(now),
        refreshed_at: now,
        expires_at: now + Duration::from_secs(u64::from(seconds)),
    }
}

/// A binding as its device knows it, with what is left of its time.
fn contact_value(binding: &Binding, now: Mono) -> String {
    let expires = binding.seconds_left(now).to_string();
    let q = format!("{}.{:03}", binding.q / 1000, binding.q % 1000);
    let instance = format!("<{}>", binding.instance());
    let reg_id = binding.reg_id.unwrap_or_default().to_string();
    let mut params = Vec::with_capacity(4);
    if binding.q < 1000 {
        params.push(("q", q.as_str()));
    }
    if !binding.instance().is_empty() {
        params.push(("+sip.instance", instance.as_str()));
    }
    if binding.reg_id.is_some() {
        params.push(("reg-id", reg_id.as_str()));
    }
    params.push(("expires", expires.as_str()));
    NameAddr::write(None, binding.contact(), &params)
}
