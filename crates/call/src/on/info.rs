//! INFO and MESSAGE inside the call: a body carried across, such as a key pressed (`application/dtmf-relay`).

use tollgate_sip::transaction::ServerKey;
use tollgate_sip::wire::{Message, Method, Name};
use tollgate_types::Flow;

use crate::call::{Call, Turn};
use crate::errand::{Relayed, To};
use crate::leg::LegId;

impl Call {
    pub(crate) fn on_info(&mut self, turn: &mut Turn<'_>, id: LegId, key: ServerKey, message: Message, flow: Flow) {
        let Some(method) = message.method().cloned() else { return };
        if message.has(Name::InfoPackage) {
            // RFC 6086 §4.2.2: we announced no package.
            return self.simply(turn, id, key, &message, flow, 469);
        }
        let able = self
            .across(id)
            .map(|other| (other.id, if method == Method::Info { other.can.info } else { other.can.message }));
        let Some((other, able)) = able.filter(|_| self.hunt.is_none()) else {
            return self.simply(turn, id, key, &message, flow, 480);
        };
        if !able {
            return self.simply(turn, id, key, &message, flow, 405);
        }
        let body = message.content_type().filter(|_| !message.body().is_empty()).map(|_| {
            let kind = message.header(Name::ContentType).unwrap_or_default().to_owned();
            (kind, message.body().clone())
        });
        let relayed = Relayed {
            from: id,
            key,
            request: message,
            flow,
            method,
            to: To::Leg(other),
            offered: false,
            abandoned: false,
        };
        self.carry(turn, relayed, body);
    }
}
