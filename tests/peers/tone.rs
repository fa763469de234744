//! Tones in and out of WAV files: the proof that a voice arrived, and whose.
//!
//! Each side of a call plays a frequency of its own; what the other side recorded must contain that one and not its own.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// Samples a second: telephone quality.
const RATE: u32 = 8000;

/// Writes `seconds` of a sine of `hertz` as 16-bit mono PCM.
pub fn write(path: &Path, hertz: f64, seconds: u32) {
    let samples = RATE * seconds;
    let bytes = samples * 2;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    for half in [2_u16, 16] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    for n in 0..samples {
        let value = (f64::from(n) * hertz * TAU / f64::from(RATE)).sin() * 12_000.0;
        file.extend_from_slice(&(value as i16).to_le_bytes());
    }
    fs::write(path, file).expect("a WAV file");
}

/// The samples of a mono or stereo 16-bit WAV file and its rate. A file still being written is read as far as it goes.
pub fn read(path: &Path) -> (Vec<i16>, u32) {
    let file = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let u16_at = |at: usize| u16::from_le_bytes([file[at], file[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
    let (mut at, mut channels, mut rate) = (12, 1, RATE);
    while at + 8 <= file.len() {
        let (name, length) = (&file[at..at + 4], u32_at(at + 4) as usize);
        match name {
            b"fmt " => (channels, rate) = (usize::from(u16_at(at + 10)), u32_at(at + 12)),
            b"data" => {
                let end = if length == 0 { file.len() } else { (at + 8 + length).min(file.len()) };
                let samples = file[at + 8..end].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
                return (samples.step_by(channels.max(1)).collect(), rate);
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
    (Vec::new(), rate)
}

/// How much of the energy in `samples` lies at `hertz`: 0 none, 1 all (Goertzel's algorithm, one bin).
pub fn share(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    if samples.is_empty() || energy == 0.0 {
        return 0.0;
    }
    let coefficient = 2.0 * (TAU * hertz / f64::from(rate)).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        (before, last) = (last, f64::from(*sample) + coefficient * last - before);
    }
    let power = last * last + before * before - coefficient * last * before;
    power * 2.0 / (energy * samples.len() as f64)
}

/// How many of the recording's 100 ms slices are mostly `hertz`, and how many there are.
pub fn slices(path: &Path, hertz: f64) -> (usize, usize) {
    let (samples, rate) = read(path);
    let chunks: Vec<&[i16]> = samples.chunks_exact(rate as usize / 10).collect();
    (chunks.iter().filter(|chunk| share(chunk, rate, hertz) > 0.8).count(), chunks.len())
}

#[test]
fn a_tone_is_found_and_another_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    write(&path, 440.0, 2);
    let (samples, rate) = read(&path);
    assert_eq!((samples.len(), rate), (16_000, RATE));
    assert!(share(&samples, rate, 440.0) > 0.95, "{}", share(&samples, rate, 440.0));
    assert!(share(&samples, rate, 1000.0) < 0.01);
    assert_eq!(slices(&path, 440.0), (20, 20));
    assert_eq!(slices(&path, 1000.0), (0, 20));
}
