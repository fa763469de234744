//! The one place that reads time. A stepped clock stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tollgate_types::{Mono, Wall};

/// Tells both times; cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// The machine's clocks.
    Real { born: Instant },
    /// Microseconds since birth, moved by [`Clock::advance`]; the wall moves along from where it was set.
    Stepped { elapsed: Arc<AtomicU64>, wall_at_birth: Wall },
}

impl Clock {
    /// The machine's clocks, from now on.
    pub fn real() -> Clock {
        Clock(Source::Real { born: Instant::now() })
    }

    /// A clock that stands at `wall` until it is advanced.
    pub fn stepped(wall: Wall) -> Clock {
        Clock(Source::Stepped { elapsed: Arc::new(AtomicU64::new(1_000_000)), wall_at_birth: wall })
    }

    /// Monotonic time.
    pub fn mono(&self) -> Mono {
        match &self.0 {
            Source::Real { born } => Mono::START + born.elapsed() + Duration::from_secs(1),
            Source::Stepped { elapsed, .. } => Mono::from_micros(elapsed.load(Ordering::Acquire)),
        }
    }

    /// Wall-clock time.
    pub fn wall(&self) -> Wall {
        match &self.0 {
            Source::Real { .. } => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Wall::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Stepped { elapsed, wall_at_birth } => {
                *wall_at_birth + Duration::from_micros(elapsed.load(Ordering::Acquire))
            }
        }
    }

    /// Moves a stepped clock on. On a real one it does nothing: nobody moves that.
    pub fn advance(&self, span: Duration) {
        if let Source::Stepped { elapsed, .. } = &self.0 {
            elapsed.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::AcqRel);
        }
    }

    /// Does it stand until it is moved?
    pub fn is_stepped(&self) -> bool {
        matches!(self.0, Source::Stepped { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_moves_both_times_together() {
        let clock = Clock::stepped(Wall::from_secs(1_000));
        let (mono, wall) = (clock.mono(), clock.wall());
        clock.advance(Duration::from_secs(7));
        assert_eq!(clock.mono().since(mono), Duration::from_secs(7));
        assert_eq!(clock.wall().since(wall), Duration::from_secs(7));
    }

    #[test]
    fn a_real_clock_moves_by_itself() {
        let clock = Clock::real();
        let before = clock.mono();
        std::thread::yield_now();
        assert!(clock.mono() >= before && clock.mono() > Mono::START);
    }
}
