//! Each kind of actor dies of a panic while two calls are live, and what that costs: at most the one call, charged up to its
//! last second, and never anybody else's.

use tollgate_actors::observe::Observe;
use tollgate_actors::sabotage::{Sabotage, Strike, Victim, arm, is_spent};
use tollgate_types::{AccountId, CallId, Mono, TrunkId, UserId};

use crate::agent::{Manner, State};
use crate::house::{House, Side, Who, minutes, secs, story};

/// Two paid calls, side by side.
struct Evening {
    anna: Who,
    bert: Who,
    carrier: Who,
    /// Anna's, which is the one struck.
    annas: Side,
    berts: Side,
    /// Anna's call as the platform names it.
    id: CallId,
    /// When both were answered.
    since: Mono,
}

async fn evening(house: &mut House) -> Evening {
    house.deck("retail", "49,0.60,1,1").await;
    let carrier = house.carrier("carrier", "").await;
    let terms = "--deck retail --prepaid --credit 10.00 --dynamic-baseline 1000";
    let anna = house.phone("anna", terms).await;
    let bert = house.phone("bert", terms).await;
    let annas = house.calls(anna, "4930111111").await;
    let berts = house.calls(bert, "4930222222").await;
    let since = house.now();
    house.talk(secs(20)).await;
    assert_eq!((house.state(annas), house.state(berts)), (State::Up, State::Up));
    let live = house.ask("call list").await;
    let hers = live.as_array().into_iter().flatten().find(|call| call["user"] == "anna").expect("her call");
    let id = i64::from_str_radix(hers["id"].as_str().expect("an id"), 16).expect("hexadecimal");
    Evening { anna, bert, carrier, annas, berts, id: CallId::from_i64(id), since }
}

impl Evening {
    /// Bert talks on and is charged for every second; then nothing is left of anything.
    async fn goes_on(&self, house: &mut House) {
        house.talk(secs(40)).await;
        assert_eq!(house.state(self.berts), State::Up, "the other call lives");
        let seconds = house.now().since(self.since).as_secs();
        house.hangs_up(self.berts).await;
        if house.state(self.annas) == State::Up {
            house.hangs_up(self.annas).await;
        }
        house.advance(minutes(2)).await;
        let record =
            house.records().await.into_iter().find(|record| record["callee"] == "4930222222").expect("his record");
        assert_eq!((&record["talk_seconds"], &record["billed_seconds"]), (&seconds.into(), &seconds.into()));
        let cents = 1000 - seconds;
        assert_eq!(house.balance("bert").await, format!("{}.{:02}0000", cents / 100, cents % 100));
        assert_eq!(house.left_behind().await, Vec::<String>::new());
        assert!(is_spent(), "the fault was met");
    }

    /// Both users can call and be called.
    async fn is_open(&self, house: &mut House) {
        let call = house.calls(self.anna, "bert").await;
        assert_eq!(house.state(call), State::Waiting, "{:?}", house.line(call).heard);
        let callee = house.last_line(self.bert);
        house.answers(callee).await;
        assert_eq!(house.state(call), State::Up);
        house.hangs_up(call).await;
        let paid = house.calls(self.anna, "4930333333").await;
        assert_eq!(house.state(paid), State::Up, "{:?}", house.line(paid).heard);
        house.hangs_up(paid).await;
    }
}

async fn strike(house: &mut House, victim: Victim) {
    let shards: Vec<_> = house.platform().house.shards().all().cloned().collect();
    let mut struck = false;
    for shard in shards {
        struck |= shard.send(Strike(victim)).await.expect("the shard lives");
    }
    assert!(struck, "{victim:?} is there");
    house.exchange().await;
}

async fn was_told_of_a_death(house: &House) -> bool {
    house.alerts().await.iter().any(|alert| alert[0] == "actor_died")
}

/// Ids as the platform gave them: the admin is the first user.
const ANNA: UserId = UserId(2);
const ANNAS_ACCOUNT: AccountId = AccountId(2);

#[test]
fn a_call_that_dies_is_hung_up_settled_and_told_of() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::Call(evening.id)).await;
        assert_eq!(house.state(evening.annas), State::HungUp);
        let ended =
            (0..2).map(|line| Side { who: evening.carrier, line }).filter(|side| house.state(*side) == State::HungUp);
        assert_eq!(ended.count(), 1, "her far end got its BYE too");
        house.advance(secs(1)).await;
        let record = house.record().await;
        assert_eq!((&record["user"], &record["cause"]), (&"anna".into(), &"internal".into()));
        assert_eq!((&record["talk_seconds"], house.balance("anna").await), (&20.into(), "9.800000".to_owned()));
        assert!(was_told_of_a_death(house).await);
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_media_leg_that_dies_costs_nobody_anything() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::MediaLeg(evening.id, 0)).await;
        assert!(was_told_of_a_death(house).await);
        house.talk(minutes(1)).await;
        assert_eq!(house.state(evening.annas), State::Up);
        house.hangs_up(evening.annas).await;
        house.advance(secs(1)).await;
        assert_eq!(house.balance("anna").await, "9.200000");
        house.hangs_up(evening.berts).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn an_account_that_dies_is_born_again_and_its_calls_go_on_paying() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::Account(ANNA, ANNAS_ACCOUNT)).await;
        assert!(was_told_of_a_death(house).await);
        house.talk(minutes(5)).await;
        assert_eq!(house.state(evening.annas), State::Up, "it was extended through a new account");
        house.hangs_up(evening.annas).await;
        house.advance(secs(1)).await;
        assert_eq!(house.balance("anna").await, "6.800000");
        house.hangs_up(evening.berts).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_user_limiter_that_dies_leaves_its_calls_alive_and_they_are_buried_all_the_same() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::UserLimiter(ANNA)).await;
        assert!(was_told_of_a_death(house).await);
        house.talk(secs(20)).await;
        assert_eq!(house.state(evening.annas), State::Up);
        // Its keeper is dead: the shard buries the call.
        strike(house, Victim::Call(evening.id)).await;
        assert_eq!(house.state(evening.annas), State::HungUp);
        house.advance(secs(1)).await;
        assert_eq!(house.record().await["cause"], "internal");
        assert_eq!(house.balance("anna").await, "9.600000");
        evening.is_open(house).await;
        house.hangs_up(evening.berts).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_call_asked_for_at_the_moment_its_limiter_dies_is_answered() {
    story(async |house| {
        let evening = evening(house).await;
        // The blow lies in the mailbox before the question does.
        let shard = house.platform().house.shards().of_user(ANNA).clone();
        let line = house.person(evening.anna).invite("4930444444");
        house.exchange().await;
        assert_eq!(house.state(Side { who: evening.anna, line }), State::Up);
        let next = house.person(evening.anna).invite("4930555555");
        shard.do_send(Strike(Victim::UserLimiter(ANNA)));
        house.exchange().await;
        let state = house.state(Side { who: evening.anna, line: next });
        assert!(matches!(state, State::Up | State::Refused(503)), "{state:?}");
        for line in [line, next] {
            if house.state(Side { who: evening.anna, line }) == State::Up {
                house.hangs_up(Side { who: evening.anna, line }).await;
            }
        }
        evening.goes_on(house).await;
    });
}

#[test]
fn a_registration_that_dies_is_succeeded_by_one_with_the_same_devices() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::Registration(UserId(3))).await;
        assert!(was_told_of_a_death(house).await);
        assert_eq!(house.ask("registration list --user bert").await.as_array().map(Vec::len), Some(1));
        evening.is_open(house).await;
        house.person(evening.bert).register(600);
        house.exchange().await;
        assert_eq!(house.person(evening.bert).registered, 600);
        assert_eq!(house.ask("registration list --user bert").await.as_array().map(Vec::len), Some(1));
        evening.goes_on(house).await;
        house.advance(secs(601)).await;
        assert_eq!(house.ask("registration list --user bert").await, serde_json::json!([]));
    });
}

#[test]
fn a_source_limiter_that_dies_leaves_its_trunks_calls_alive() {
    story(async |house| {
        let evening = evening(house).await;
        let wholesaler = house.somebody("wholesaler", Manner::Rings);
        let address = house.person(wholesaler).address.ip();
        house.ask("user add wholesaler --password secret-of-wholesaler --kind traffic-sender --deck retail --credit 10.00").await;
        house.ask(&format!("trunk add wholesaler --ingress --address {address} --auth ip --account wholesaler")).await;
        let call = house.calls(wholesaler, "4930666666").await;
        assert_eq!(house.state(call), State::Up, "{:?}", house.line(call).heard);
        strike(house, Victim::IpLimiter(address)).await;
        assert!(was_told_of_a_death(house).await);
        house.talk(secs(5)).await;
        assert_eq!(house.state(call), State::Up);
        let another = house.calls(wholesaler, "4930777777").await;
        assert_eq!(house.state(another), State::Up);
        for call in [call, another] {
            house.hangs_up(call).await;
        }
        house.talk(secs(1)).await;
        house.hangs_up(evening.annas).await;
        house.hangs_up(evening.berts).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}

#[test]
fn a_carrier_that_dies_gets_a_successor_that_watches_its_health() {
    story(async |house| {
        let evening = evening(house).await;
        strike(house, Victim::Carrier(TrunkId(1))).await;
        assert!(was_told_of_a_death(house).await);
        evening.is_open(house).await;
        evening.goes_on(house).await;
        house.person(evening.carrier).manner = Manner::Silent;
        house.advance(minutes(10)).await;
        assert!(!house.platform().house.trunks.health(TrunkId(1)).well, "the successor pings it");
    });
}

#[test]
fn a_rater_that_dies_is_succeeded_before_the_next_call() {
    story(async |house| {
        let evening = evening(house).await;
        house.platform().house.rater(0).try_send(Sabotage).expect("it lives");
        house.exchange().await;
        assert!(was_told_of_a_death(house).await);
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_question_that_the_rater_cannot_stand_costs_that_call() {
    story(async |house| {
        let evening = evening(house).await;
        arm("rater");
        let call = house.calls(evening.anna, "4930888888").await;
        assert!(matches!(house.state(call), State::Refused(503)), "{:?}", house.line(call).heard);
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_journal_that_dies_is_succeeded_and_writes_on() {
    story(async |house| {
        let evening = evening(house).await;
        house.person(evening.bert).register(900);
        house.exchange().await;
        house.platform().house.journal.post.try_send(Sabotage).expect("it lives");
        house.exchange().await;
        assert!(was_told_of_a_death(house).await);
        house.advance(secs(2)).await;
        let journal = house.platform().house.journal.post.addr().expect("a journal");
        assert_eq!(
            journal.send(Observe).await.expect("it lives")["waiting"],
            0,
            "what waited was written by the successor"
        );
        evening.goes_on(house).await;
    });
}

#[test]
fn an_alerter_that_dies_is_succeeded_and_tells_of_it_itself() {
    story(async |house| {
        let evening = evening(house).await;
        house.platform().house.alerter.try_send(Sabotage).expect("it lives");
        house.exchange().await;
        assert!(house.alerts().await.iter().any(|alert| alert[0] == "actor_died" && alert[1] == "alerter"));
        evening.goes_on(house).await;
    });
}

#[test]
fn who_dies_again_and_again_is_waited_with() {
    story(async |house| {
        let evening = evening(house).await;
        let rater = house.platform().house.rater(0).clone();
        for _ in 0..4 {
            if rater.addr().is_some_and(|addr| addr.connected()) {
                let _ = rater.try_send(Sabotage);
            }
            house.exchange().await;
        }
        let refused = house.calls(evening.anna, "4930999999").await;
        assert_eq!(house.state(refused), State::Refused(503), "nobody is there for a moment, and says so");
        house.advance(secs(1)).await;
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_message_that_the_shard_cannot_stand_costs_that_message() {
    story(async |house| {
        let evening = evening(house).await;
        arm("sip_shard.inbound");
        house.person(evening.bert).register(600);
        house.exchange().await;
        assert!(is_spent());
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_wake_up_that_the_shard_cannot_stand_comes_again() {
    story(async |house| {
        let evening = evening(house).await;
        arm("sip_shard.due");
        house.talk(secs(20)).await;
        assert!(is_spent());
        assert_eq!(house.state(evening.annas), State::Up);
        evening.goes_on(house).await;
    });
}

#[test]
fn a_ban_that_the_gatekeeper_cannot_stand_is_lost_alone() {
    story(async |house| {
        let evening = evening(house).await;
        arm("gatekeeper.tick");
        house.talk(secs(5)).await;
        arm("gatekeeper.enforce");
        house.ask("ban add 203.0.113.9 --for 1h").await;
        house.exchange().await;
        assert!(is_spent(), "both faults were met");
        house.ask("ban add 203.0.113.10 --for 1h").await;
        house.exchange().await;
        let scopes: Vec<String> = house.platform().house.gate.bans().iter().map(|ban| ban.scope.to_string()).collect();
        assert_eq!(scopes, ["203.0.113.10"], "the keeper lives and shuts out whom it is told to");
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn an_order_that_the_shard_cannot_stand_ends_that_call_in_order() {
    story(async |house| {
        let evening = evening(house).await;
        arm("sip_shard.order");
        let call = house.calls(evening.anna, "4930121212").await;
        house.advance(secs(1)).await;
        assert!(matches!(house.state(call), State::Refused(_)), "{:?}", house.line(call).heard);
        assert_eq!(house.record().await["cause"], "internal");
        evening.is_open(house).await;
        evening.goes_on(house).await;
    });
}

#[test]
fn a_commit_that_dies_is_rolled_back_and_done_again_one_by_one() {
    story(async |house| {
        let evening = evening(house).await;
        house.hangs_up(evening.annas).await;
        let third = house.calls(evening.anna, "4930131313").await;
        house.person(third.who).hang_up(third.line);
        arm("ledger.commit");
        house.exchange().await;
        house.talk(secs(2)).await;
        assert!(is_spent());
        assert_eq!(house.records().await.len(), 2);
        house.person(evening.anna).lines.truncate(1);
        evening.goes_on(house).await;
    });
}

#[test]
fn an_order_to_the_relay_that_dies_costs_its_call_and_no_port() {
    story(async |house| {
        let evening = evening(house).await;
        arm("relay.order");
        let call = house.calls(evening.anna, "4930141414").await;
        house.advance(secs(30)).await;
        assert!(matches!(house.state(call), State::Refused(_)), "{:?}", house.line(call).heard);
        evening.is_open(house).await;
        house.talk(secs(1)).await;
        assert_eq!(house.state(evening.berts), State::Up);
        house.hangs_up(evening.annas).await;
        house.hangs_up(evening.berts).await;
        house.advance(minutes(2)).await;
        assert_eq!(house.left_behind().await, Vec::<String>::new());
    });
}
