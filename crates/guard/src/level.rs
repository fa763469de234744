//! How much the gate does, in six steps (the guide's `enablefirewall`; its meanings are ours).

/// See the module. Each level does what those below it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is refused.
    Off,
    /// Rules that an admin wrote, and the whitelist.
    Rules,
    /// Bans.
    Bans,
    /// Scanners and user agents.
    Agents,
    /// Strangers are throttled, and asked where they come from.
    Strangers,
    /// Strangers may register and nothing else.
    OnlyKnown,
}

/// What is known of a message's source when it comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A whitelist is set and does not have it.
    pub outside_whitelist: bool,
    /// What the first fitting written rule says: allow or deny.
    pub rule: Option<bool>,
    /// A ban holds.
    pub banned: bool,
    /// It proved itself lately, is registered, or is a listed trunk.
    pub known: bool,
    /// Attack mode holds.
    pub attack: bool,
    /// It is above what strangers may send.
    pub over_rate: bool,
    /// The message is a REGISTER.
    pub registers: bool,
}

/// Why a message is not heard, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unheard {
    /// Not on the whitelist.
    Whitelist,
    /// A written rule.
    Firewall,
    /// A ban.
    Ban,
    /// A stranger during an attack.
    Attack,
    /// A stranger above his rate.
    Throttled,
    /// A stranger who does not register.
    Stranger,
    /// A user agent.
    Agent,
}

impl Level {
    /// The level of that number; past the last, the last.
    pub fn of(number: i64) -> Level {
        match number {
            ..=0 => Level::Off,
            1 => Level::Rules,
            2 => Level::Bans,
            3 => Level::Agents,
            4 => Level::Strangers,
            _ => Level::OnlyKnown,
        }
    }

    /// Is a message heard? The first reason against it wins; a rule that allows is stronger than any ban.
    pub fn judge(self, seen: &Seen) -> Result<(), Unheard> {
        if self >= Level::Rules {
            if seen.outside_whitelist {
                return Err(Unheard::Whitelist);
            }
            match seen.rule {
                Some(true) => return Ok(()),
                Some(false) => return Err(Unheard::Firewall),
                None => {}
            }
        }
        if self >= Level::Bans {
            if seen.banned {
                return Err(Unheard::Ban);
            }
            if seen.attack && !seen.known {
                return Err(Unheard::Attack);
            }
        }
        if self >= Level::Strangers && !seen.known && seen.over_rate {
            return Err(Unheard::Throttled);
        }
        if self >= Level::OnlyKnown && !seen.known && !seen.registers {
            return Err(Unheard::Stranger);
        }
        Ok(())
    }
}

impl Unheard {
    /// As metrics name it.
    pub fn id(self) -> &'static str {
        match self {
            Unheard::Whitelist => "whitelist",
            Unheard::Firewall => "firewall",
            Unheard::Ban => "ban",
            Unheard::Attack => "attack",
            Unheard::Throttled => "throttled",
            Unheard::Stranger => "stranger",
            Unheard::Agent => "agent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_stops_one_kind_more() {
        let denied = Seen { rule: Some(false), ..Seen::default() };
        let banned = Seen { banned: true, ..Seen::default() };
        let in_attack = Seen { attack: true, ..Seen::default() };
        let storming = Seen { over_rate: true, registers: true, ..Seen::default() };
        let stranger = Seen::default();
        let registering = Seen { registers: true, ..Seen::default() };
        let known = Seen { known: true, attack: true, over_rate: true, ..Seen::default() };
        let allowed = Seen { rule: Some(true), banned: true, attack: true, over_rate: true, ..Seen::default() };
        let outside = Seen { outside_whitelist: true, rule: Some(true), ..Seen::default() };
        //  probe, heard at level 0, 1, 2, 3, 4, 5
        for (probe, seen, heard) in [
            ("denied", denied, [true, false, false, false, false, false]),
            ("banned", banned, [true, true, false, false, false, false]),
            ("stranger in an attack", in_attack, [true, true, false, false, false, false]),
            ("storming stranger", storming, [true, true, true, true, false, false]),
            ("stranger", stranger, [true, true, true, true, true, false]),
            ("registering stranger", registering, [true, true, true, true, true, true]),
            ("known peer", known, [true, true, true, true, true, true]),
            ("allowed by rule", allowed, [true, true, true, true, true, true]),
            ("outside the whitelist", outside, [true, false, false, false, false, false]),
        ] {
            let verdicts: Vec<bool> = (0..6).map(|level| Level::of(level).judge(&seen).is_ok()).collect();
            assert_eq!(verdicts, heard, "{probe}");
        }
    }
}
