//! Thousands of calls come and go, and nothing stays.

use crate::agent::State;
use crate::house::{minutes, secs, story};

/// Short calls of the story; ten times as many where the run asked for the long form, as `./tests/long` does.
fn calls() -> usize {
    if std::env::var_os("TOLLGATE_LONG").is_some() { 10_000 } else { 1_000 }
}

#[test]
fn thousands_of_short_calls_leave_nothing_behind() {
    // Each answers a challenge of its own, all within one second: as many as `sip.pending_max` lets wait.
    const AT_ONCE: usize = 200;
    story(async |house| {
        house.deck("retail", "49,0.60,1,1").await;
        // Two seconds each would get her refused.
        house.ask("config set fraud.autoban off").await;
        let carrier = house.carrier("carrier", "").await;
        house.person(carrier).forgetful = true;
        let anna = house
            .phone("anna", "--deck retail --prepaid --credit 5000.00 --dynamic-baseline 5000 --max-lines 300")
            .await;
        for _ in 0..calls() / AT_ONCE {
            let lines: Vec<usize> = (0..AT_ONCE).map(|_| house.person(anna).invite("4930123456")).collect();
            house.exchange().await;
            if let State::Refused(status) = house.person(anna).lines[lines[AT_ONCE - 1]].state {
                panic!("{status}: {:?}", house.records().await.first());
            }
            let up = lines.iter().filter(|line| house.person(anna).lines[**line].state == State::Up).count();
            assert_eq!(up, AT_ONCE);
            house.advance(secs(2)).await;
            for line in lines {
                house.person(anna).hang_up(line);
            }
            house.exchange().await;
            house.person(anna).lines.clear();
            // A port rests for a minute before the next call gets it.
            house.advance(secs(1)).await;
        }
        house.advance(minutes(2)).await;
        assert_eq!(house.person(carrier).answered, calls() as u64);
        assert_eq!(house.left_behind().await, Vec::<String>::new());
        // Two seconds each, a cent a second.
        let cents = 500_000 - 2 * calls();
        assert_eq!(house.balance("anna").await, format!("{}.{:02}0000", cents / 100, cents % 100));
    });
}
