//! A tone as a phone would send it: G.711 (ITU-T G.711), 20 ms a packet, in RTP (RFC 3550, RFC 3551 §4.5.14).

use tollgate_types::Seed;

/// Samples in one packet: 20 ms at 8 kHz.
pub const SAMPLES: usize = 160;

/// Which of G.711's two curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0.
    Mu,
    /// PCMA, payload type 8.
    A,
}

impl Law {
    /// The one that a payload type stands for.
    pub fn of_payload(number: u8) -> Option<Law> {
        match number {
            0 => Some(Law::Mu),
            8 => Some(Law::A),
            _ => None,
        }
    }

    /// Its static payload type (RFC 3551 §6).
    pub fn payload(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    /// As `a=rtpmap` names it.
    pub fn name(self) -> &'static str {
        match self {
            Law::Mu => "PCMU",
            Law::A => "PCMA",
        }
    }

    /// One 16-bit sample, compressed.
    pub fn compress(self, sample: i16) -> u8 {
        match self {
            Law::Mu => mu_law(sample),
            Law::A => a_law(sample),
        }
    }
}

/// One stream of packets: its numbers go on over pauses and calls, as RFC 3550 wants them.
pub struct Stream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Samples of the tone so far.
    phase: u32,
    fresh: bool,
}

impl Stream {
    /// A stream with numbers of its own.
    pub fn new(seed: Seed) -> Stream {
        let luck = seed.child(1).0;
        Stream { ssrc: luck[0] as u32, sequence: luck[1] as u16 >> 1, timestamp: luck[2] as u32, phase: 0, fresh: true }
    }

    /// Speech begins: the next packet carries the marker (RFC 3551 §4.1).
    pub fn begin(&mut self) {
        self.fresh = true;
    }

    /// The next 20 ms of a tone of `hertz`.
    pub fn tone(&mut self, law: Law, hertz: u16) -> Vec<u8> {
        let mut packet = self.header(law.payload());
        for _ in 0..SAMPLES {
            packet.push(law.compress(sine(self.phase, hertz)));
            self.phase = (self.phase + 1) % 8000;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        packet
    }

    /// The same packet on its way back, from us. `None` where it is no RTP.
    pub fn echo(&self, packet: &[u8]) -> Option<Vec<u8>> {
        tollgate_media::rtp::read(packet).ok()?;
        let mut back = packet.to_vec();
        back.get_mut(8..12)?.copy_from_slice(&self.ssrc.to_be_bytes());
        Some(back)
    }

    fn header(&mut self, payload: u8) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + SAMPLES);
        let marker = u8::from(std::mem::take(&mut self.fresh)) << 7;
        packet.extend_from_slice(&[0x80, marker | payload]);
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&self.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet
    }
}

/// A sample of a quiet tone (a quarter of full scale), `at` samples after its begin.
fn sine(at: u32, hertz: u16) -> i16 {
    let turn = f64::from(at) * f64::from(hertz) / 8000.0;
    ((turn * std::f64::consts::TAU).sin() * 8000.0) as i16
}

/// G.711 table 2a: 14 bits of sign and magnitude, a bias that makes segments powers of two, all bits inverted.
fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 132;
    let segment = (magnitude >> 7).ilog2() as u8;
    let step = (magnitude >> (segment + 3)) as u8 & 0x0f;
    !(sign | segment << 4 | step)
}

/// G.711 table 1a: 13 bits, even bits inverted.
fn a_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // One's complement, so that -1 and 0 are the same magnitude.
    let magnitude = if sample < 0 { !sample } else { sample } as u16 >> 4;
    let code = match magnitude >> 5 {
        0 => magnitude as u8,
        high => {
            let segment = high.ilog2() as u8 + 2;
            segment << 4 | (magnitude >> (segment - 1)) as u8 & 0x0f
        }
    };
    (sign | code) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_gives_the_codes_of_its_tables() {
        //   sample   mu     A
        for (sample, mu, a) in [
            (0, 0xff, 0xd5),
            (-1, 0x7f, 0x55),
            (8, 0xfe, 0xd5),
            (132, 0xef, 0xdd),
            (1_000, 0xce, 0xfa),
            (-1_000, 0x4e, 0x7a),
            (8_000, 0xa0, 0x8a),
            (32_767, 0x80, 0xaa),
            (-32_768, 0x00, 0x2a),
        ] {
            assert_eq!((Law::Mu.compress(sample), Law::A.compress(sample)), (mu, a), "{sample}");
        }
    }

    #[test]
    fn louder_never_gets_quieter() {
        for law in [Law::Mu, Law::A] {
            let order = |sample: i16| match law {
                Law::Mu => i32::from(!law.compress(sample)),
                Law::A => i32::from(law.compress(sample) ^ 0x55) & 0x7f,
            };
            assert!((0..32_767).all(|sample| order(sample) <= order(sample + 1)), "{law:?}");
        }
    }

    #[test]
    fn packets_follow_each_other() {
        let mut stream = Stream::new(Seed([1, 2, 3, 4]));
        let packets: Vec<_> = (0..3).map(|_| stream.tone(Law::A, 440)).collect();
        let read: Vec<_> = packets.iter().map(|packet| tollgate_media::rtp::read(packet).unwrap()).collect();
        assert!(packets.iter().all(|packet| packet.len() == 12 + SAMPLES));
        assert_eq!(read.iter().map(|header| header.marker).collect::<Vec<_>>(), [true, false, false]);
        for pair in read.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
            assert_eq!((pair[1].ssrc, pair[1].payload_type), (pair[0].ssrc, 8));
        }
    }

    #[test]
    fn an_echo_is_the_same_voice_from_another_mouth() {
        let (mut caller, callee) = (Stream::new(Seed([1; 4])), Stream::new(Seed([2; 4])));
        let packet = caller.tone(Law::Mu, 300);
        let back = callee.echo(&packet).unwrap();
        assert_eq!((&back[..8], &back[12..]), (&packet[..8], &packet[12..]));
        assert_ne!(back[8..12], packet[8..12]);
        assert_eq!(callee.echo(b"no RTP at all"), None);
        assert_eq!(callee.echo(b""), None);
    }
}
