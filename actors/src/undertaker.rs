//! What is done for a call that died of a panic: its dialogs get their BYE, its money is settled at the last proven second,
//! its ports are closed, and somebody is told. The others never notice.

use tollgate_billing::cdr::Cause;
use tollgate_call::Action;

use crate::alerter::{Raise, Severity};
use crate::call::Line;
use crate::ledger::Order as LedgerOrder;
use crate::sip_shard::{Order, Orders};
use crate::supervision::{Died, contain};

/// Ends what a dead call left. One that stopped in peace left nothing to do.
pub fn bury(died: Died<Line>) {
    let Died { remains: mut line, panicked } = died;
    if !panicked || line.core.is_over() {
        return;
    }
    let call = line.core.id();
    metrics::counter!("tollgate_calls_died_total").increment(1);
    let (now, wall) = (line.house.clock.mono(), line.house.clock.wall());
    let mut actions = Vec::new();
    let ended = contain("undertaker", || line.core.abandon(Cause::Internal, now, wall, &mut actions)).is_some();
    let mut orders = Vec::new();
    for action in actions {
        match action {
            // Nobody is left to hear an outcome; the Ledger keeps trying by itself.
            Action::Ask(ask) => line.house.ledger.order(LedgerOrder { ask: *ask, reply: None }),
            Action::Request { client, flow, bytes, in_dialog } => {
                orders.push(Order::Request { client, flow, bytes, in_dialog, urgent: in_dialog })
            }
            Action::Cancel { client, reason } => orders.push(Order::Cancel { client, reason }),
            Action::SendAck { flow, bytes } => orders.push(Order::SendAck { flow, bytes }),
            Action::Respond { key, status, bytes } => orders.push(Order::Respond { key, status, bytes }),
            _ => {}
        }
    }
    line.release_media();
    orders.push(Order::Over);
    line.shard.do_send(Orders { slot: line.slot, orders });
    let text = match ended {
        true => "a call died of a fault of ours; it was hung up on both sides and charged up to now",
        false => {
            "a call died of a fault of ours and could not be ended in order; its hold is settled at the next start"
        }
    };
    let alert =
        Raise { kind: "actor_died", severity: Severity::Critical, subject: call.to_string(), text: text.into() };
    let _ = line.house.alerter.try_send(alert);
}
