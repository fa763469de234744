//! What a leg sounded like: loss, jitter, and an estimate of how a listener would have judged it.

use tollgate_types::Mono;

use crate::payload::Payloads;
use crate::rtcp::Block;
use crate::rtp::Header;
use crate::source::{Count, Place};

/// Measures one direction of one line as it goes by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// Sixteen times the mean jitter in µs (RFC 3550 A.8).
    jitter_x16: u64,
    jitter_most: u32,
    last: Option<Arrived>,
    /// Payload type that most of the talk used last, events left out.
    payload_type: u8,
    reported: Option<Reported>,
}

#[derive(Clone, Copy, Debug)]
struct Arrived {
    at: Mono,
    timestamp: u32,
    payload_type: u8,
}

/// What the far end says it heard of what we sent it, from its receiver reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Packets lost on the way to it.
    pub lost: u32,
    /// Mean deviation of packet spacing, in µs.
    pub jitter_us: u32,
}

/// The result, as it stands in the CDR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets that were taken from this leg.
    pub packets: u64,
    /// Bytes of UDP payload in them.
    pub bytes: u64,
    /// RTP packets that its sequence numbers promised and that never came.
    pub lost: u64,
    /// Those, in 1/100 of a percent of what was promised.
    pub loss_e4: u32,
    /// Mean deviation of packet spacing at the end, in µs (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// The worst of it.
    pub jitter_most_us: u32,
    /// Estimated mean opinion score in 1/100: 100 (bad) to 450 (excellent); `None` where nothing was heard or it is no audio.
    pub mos_e2: Option<u16>,
    /// How the leg heard us, if it said.
    pub reported: Option<Reported>,
    /// Packets that were dropped, whatever the reason.
    pub dropped: u64,
    /// When the last packet was taken.
    pub last_packet: Option<Mono>,
}

/// A larger step between two packets is a pause in the talk, not jitter.
const PAUSE_US: u64 = 500_000;

impl Meter {
    /// A packet of the stream came in.
    pub fn hear(&mut self, header: &Header, place: Place, payloads: &Payloads, now: Mono) {
        // The timestamp of an event stands still while the event lasts (RFC 4733 §2.5.1.2).
        if payloads.is_event(header.payload_type) {
            return;
        }
        self.payload_type = header.payload_type;
        let last =
            self.last.replace(Arrived { at: now, timestamp: header.timestamp, payload_type: header.payload_type });
        if let Some(last) = last
            && place == Place::Next
            && !header.marker
            && last.payload_type == header.payload_type
        {
            let clock = i64::from(payloads.clock(header.payload_type));
            let ticks = i64::from(header.timestamp.wrapping_sub(last.timestamp) as i32);
            let passed = now.since(last.at).as_micros() as i64;
            let off = (passed - ticks * 1_000_000 / clock).unsigned_abs();
            if off < PAUSE_US {
                self.jitter_x16 = self.jitter_x16 + off - ((self.jitter_x16 + 8) >> 4);
                self.jitter_most = self.jitter_most.max((self.jitter_x16 >> 4) as u32);
            }
        }
    }

    /// The far end reported how it hears us; `clock` is that of what we send it.
    pub fn report(&mut self, block: &Block, clock: u32) {
        let jitter_us = u64::from(block.jitter) * 1_000_000 / u64::from(clock.max(1));
        self.reported =
            Some(Reported { lost: block.lost.max(0) as u32, jitter_us: u32::try_from(jitter_us).unwrap_or(u32::MAX) });
    }

    /// The payload type heard last.
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The result; `audio` says whether a listener's judgement means anything.
    pub fn summary(&self, count: Count, audio: bool) -> Summary {
        let lost = count.expected.saturating_sub(count.received);
        let loss_e4 = (u128::from(lost) * 10_000).checked_div(u128::from(count.expected)).unwrap_or(0) as u32;
        let jitter_us = (self.jitter_x16 >> 4) as u32;
        Summary {
            lost,
            loss_e4,
            jitter_us,
            jitter_most_us: self.jitter_most,
            mos_e2: (audio && count.received > 0).then(|| mos_e2(loss_e4, jitter_us, self.payload_type)),
            reported: self.reported,
            ..Summary::default()
        }
    }
}

/// Mean opinion score in 1/100 by the E-model (ITU-T G.107), reduced to what a relay sees: loss, the delay of a jitter
/// buffer fit for the jitter, and the codec. `loss_e4` is in 1/100 of a percent.
pub fn mos_e2(loss_e4: u32, jitter_us: u32, payload_type: u8) -> u16 {
    // Equipment impairment and robustness against loss (ITU-T G.113 appendix I), the latter in 1/100 of a percent.
    let (impairment, robustness) = match payload_type {
        18 => (11, 1900), // G.729A
        4 => (15, 1610),  // G.723.1
        3 => (20, 1000),  // GSM full rate
        _ => (0, 2510),   // G.711 with concealment; G.722, Opus and the like are no worse
    };
    // All in 1/1000 from here on.
    let loss = i64::from(loss_e4.min(10_000));
    let equipment = impairment * 1000 + (95 - impairment) * 1000 * loss / (loss + robustness);
    let delay_us = 20_000 + 2 * i64::from(jitter_us.min(500_000));
    let delay = delay_us * 24 / 1000 + (delay_us - 177_300).max(0) * 110 / 1000;
    let rating = (93_200 - delay - equipment).clamp(0, 100_000);
    // 1 + 0.035 R + 7e-6 R (R - 60) (100 - R), times one hundred; the product carries 10¹³.
    const SCALE: i64 = 10_000_000_000_000;
    let curve = rating * (rating - 60_000) * (100_000 - rating) * 7;
    let score = 100 * SCALE + rating * 35 * (SCALE / 10_000) + curve;
    ((score + SCALE / 2) / SCALE).clamp(100, 450) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Source;

    #[test]
    fn scores_fall_with_loss_and_jitter() {
        //   loss ‱  jitter µs  codec  MOS×100
        for (loss, jitter, codec, mos) in [
            (0, 0, 0, 440),
            (0, 20_000, 0, 438),
            (100, 0, 0, 432),
            (300, 0, 0, 412),
            (1000, 0, 0, 339),
            (2500, 0, 0, 233),
            (10_000, 500_000, 0, 100),
            (0, 0, 18, 409),
            (100, 0, 18, 393),
            (0, 150_000, 0, 359),
        ] {
            let got = mos_e2(loss, jitter, codec);
            assert!(got.abs_diff(mos) <= 1, "{loss} {jitter} {codec}: {got}, not {mos}");
        }
    }

    fn heard(arrivals: &[(u16, u32, u64)]) -> Summary {
        let (mut source, mut meter, payloads) = (Source::default(), Meter::default(), Payloads::default());
        for (sequence, timestamp, us) in arrivals {
            let header = Header {
                payload_type: 0,
                marker: false,
                sequence: *sequence,
                timestamp: *timestamp,
                ssrc: 1,
                payload_at: 12,
            };
            let now = Mono::from_micros(*us);
            let place = source.hear(&header, now).unwrap();
            meter.hear(&header, place, &payloads, now);
        }
        meter.summary(source.count(), true)
    }

    #[test]
    fn jitter_is_measured_as_the_rfc_says() {
        let even: Vec<_> = (0..200).map(|n| (n, u32::from(n) * 160, u64::from(n) * 20_000)).collect();
        assert_eq!(heard(&even).jitter_us, 0);
        // Every other packet 10 ms late: each step is off by 10 ms, and so is the mean in the end.
        let uneven: Vec<_> =
            (0..400u16).map(|n| (n, u32::from(n) * 160, u64::from(n) * 20_000 + u64::from(n % 2) * 10_000)).collect();
        let got = heard(&uneven);
        assert!(got.jitter_us.abs_diff(10_000) < 100, "{}", got.jitter_us);
        let gaps: Vec<_> =
            (0..1000).filter(|n| n % 10 != 3).map(|n| (n, u32::from(n) * 160, u64::from(n) * 20_000)).collect();
        let got = heard(&gaps);
        assert_eq!((got.lost, got.loss_e4, got.jitter_us), (100, 1000, 0));
    }

    proptest! {
        #[test]
        fn scores_stay_on_the_scale(loss in 0u32..20_000, jitter: u32, codec: u8) {
            let mos = mos_e2(loss, jitter, codec);
            prop_assert!((100..=450).contains(&mos));
            prop_assert!(mos_e2(loss + 100, jitter, codec) <= mos);
        }
    }
}
