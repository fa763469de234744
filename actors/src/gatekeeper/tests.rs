//! How long whom is shut out, by a stepped clock.

use tollgate_guard::Policy;
use tollgate_guard::rows;
use tollgate_settings::{Row, Value, Values};
use tollgate_types::{Flow, Transport};

use super::*;
use crate::caretaker::Caretaker;
use crate::gate::Note;

struct Yard {
    gate: Arc<Gate>,
    keeper: Addr<Gatekeeper>,
    clock: Clock,
}

impl Yard {
    fn with(settings: &[(&'static Row, i64)]) -> Yard {
        let set = |values: Values, (row, value): &(&'static Row, i64)| values.with(row, Value::Integer(*value));
        let values = settings.iter().fold(Values::default(), set);
        let clock = Clock::stepped(Wall::from_secs(1_795_341_600));
        let gate = Arc::new(Gate::new(Policy::of(&values), clock.clone(), Seed([1; 4])));
        let alerter = Alerter::open(clock.clone(), Seed([2; 4]), Caretaker::open(clock.clone()));
        let keeper = Gatekeeper::open(gate.clone(), None, None, alerter, clock.clone(), Seed([3; 4]));
        Yard { gate, keeper, clock }
    }

    /// Is it heard, now that all news has been judged?
    async fn hears(&self, flow: &Flow) -> bool {
        self.keeper.send(Tick(self.clock.mono())).await.unwrap();
        self.gate.hears(flow, b"OPTIONS sip:x SIP/2.0\r\n")
    }
}

fn flow(peer: &str, transport: Transport) -> Flow {
    let (local, peer) = ("192.0.2.200:5060".parse().unwrap(), peer.parse().unwrap());
    Flow { transport, local, peer, conn: Default::default() }
}

const MINUTE: Duration = Duration::from_secs(60);

#[actix::test]
async fn a_ban_for_wrong_passwords_lasts_six_hours_then_twelve_and_counters_begin_anew() {
    let yard = Yard::with(&[(&rows::WRONG_AUTH_PER_IP, 30), (&rows::WRONG_AUTH_PER_PORT, 1000)]);
    let guesser = flow("192.0.2.1:40000", Transport::Udp);
    for hours in [6, 12] {
        (0..29).for_each(|_| yard.gate.note(&guesser, Note::WrongCredentials(None)));
        assert!(yard.hears(&guesser).await, "counted anew");
        yard.clock.advance(Duration::from_secs(1));
        yard.gate.note(&guesser, Note::WrongCredentials(None));
        assert!(!yard.hears(&guesser).await);
        yard.clock.advance(MINUTE * (60 * hours - 1));
        assert!(!yard.hears(&guesser).await, "a minute before the end");
        yard.clock.advance(MINUTE);
        assert!(yard.hears(&guesser).await, "after {hours} h");
    }
}

#[actix::test]
async fn a_flood_by_udp_is_shut_out_for_five_minutes_again_and_again_and_one_by_tcp_for_hours() {
    let yard = Yard::with(&[(&rows::MESSAGES, 100)]);
    let (udp, tcp) = (flow("192.0.2.1:5060", Transport::Udp), flow("192.0.2.2:5060", Transport::Tcp));
    for flow in [&udp, &tcp] {
        (0..100).for_each(|_| _ = yard.gate.hears(flow, b"x"));
        assert!(!yard.hears(flow).await);
    }
    for _ in 0..10 {
        yard.clock.advance(MINUTE * 5 - Duration::from_secs(1));
        assert!(!yard.hears(&udp).await);
        (0..100).for_each(|_| _ = yard.gate.hears(&udp, b"x"));
        yard.clock.advance(Duration::from_secs(1));
        yard.hears(&udp).await;
        assert!(!yard.hears(&udp).await, "it goes on, so the ban does");
    }
    yard.clock.advance(MINUTE * 10);
    assert!(yard.hears(&udp).await, "silence ends it, and it was never longer");
    assert!(!yard.hears(&tcp).await);
    yard.clock.advance(MINUTE * 60 * 6);
    assert!(yard.hears(&tcp).await);
}

#[actix::test]
async fn where_phones_are_registered_a_user_is_shut_out_before_the_address_and_a_resident_never() {
    let yard = Yard::with(&[(&rows::WRONG_AUTH_PER_PORT, 10)]);
    let (resident, victim) = (tollgate_types::UserId(1), tollgate_types::UserId(2));
    let office = "192.0.2.1:5060".parse().unwrap();
    yard.gate.residents.settle(resident, vec![office], yard.clock.wall());
    for user in [resident, victim] {
        for port in 0..20 {
            let guess = flow(&format!("192.0.2.1:{}", 40_000 + port), Transport::Udp);
            yard.gate.note(&guess, Note::WrongCredentials(Some(user)));
        }
    }
    assert!(yard.hears(&flow("192.0.2.1:5060", Transport::Udp)).await);
    assert!(!yard.gate.is_user_banned(resident, office.ip()), "nobody is banned for what others tried");
    assert!(yard.gate.is_user_banned(victim, office.ip()));
    assert!(!yard.gate.is_user_banned(victim, "192.0.2.9".parse().unwrap()));
    yard.keeper.send(Lift(vec![Scope::UserAt(victim, office.ip())])).await.unwrap();
    assert!(!yard.gate.is_user_banned(victim, office.ip()));
}
