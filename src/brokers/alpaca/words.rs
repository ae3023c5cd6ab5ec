//! Alpaca's words for the states of orders, in common terms.

use crate::brokers::{Overlay, Status};
use crate::trading::OrderState::{Accepted, Canceled, Expired, Filled, PartiallyFilled, Rejected, Replaced, Working};

/// The field `status` of an order.
pub(super) fn status(word: &str) -> Status {
    match word {
        "accepted" | "pending_new" | "accepted_for_bidding" | "held" | "pending_review" => Status::State(Accepted),
        "new" | "stopped" | "suspended" | "calculated" => Status::State(Working),
        "partially_filled" => Status::State(PartiallyFilled),
        "filled" => Status::State(Filled),
        "canceled" => Status::State(Canceled),
        "expired" => Status::State(Expired),
        "rejected" => Status::State(Rejected),
        "replaced" => Status::State(Replaced),
        "pending_cancel" => Status::Overlay(Overlay::PendingCancel),
        "pending_replace" => Status::Overlay(Overlay::PendingReplace),
        "done_for_day" => Status::Overlay(Overlay::DoneForDay),
        word => Status::Unknown(word.to_string()),
    }
}

/// The field `event` of a trade update.
pub(super) fn event(word: &str) -> Status {
    match word {
        "partial_fill" => Status::State(PartiallyFilled),
        "fill" => Status::State(Filled),
        "restated" => Status::State(Working),
        "order_cancel_rejected" | "order_replace_rejected" => Status::RequestRefused,
        word => status(word),
    }
}

/// Whether an event says that an execution was taken back or corrected, which is left to people.
pub(super) fn is_correction(event: &str) -> bool {
    matches!(event, "trade_bust" | "trade_correct")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_the_meaning_of_the_table() {
        for (state, statuses, events) in [
            (
                Status::State(Accepted),
                "accepted pending_new accepted_for_bidding held pending_review",
                "pending_new accepted",
            ),
            (Status::State(Working), "new stopped suspended calculated", "new stopped suspended calculated restated"),
            (Status::State(PartiallyFilled), "partially_filled", "partial_fill"),
            (Status::State(Filled), "filled", "fill"),
            (Status::State(Canceled), "canceled", "canceled"),
            (Status::State(Expired), "expired", "expired"),
            (Status::State(Rejected), "rejected", "rejected"),
            (Status::State(Replaced), "replaced", "replaced"),
            (Status::Overlay(Overlay::PendingCancel), "pending_cancel", "pending_cancel"),
            (Status::Overlay(Overlay::PendingReplace), "pending_replace", "pending_replace"),
            (Status::Overlay(Overlay::DoneForDay), "done_for_day", "done_for_day"),
            (Status::RequestRefused, "", "order_cancel_rejected order_replace_rejected"),
        ] {
            for word in statuses.split_whitespace() {
                assert_eq!(status(word), state, "{word}");
            }
            for word in events.split_whitespace() {
                assert_eq!(event(word), state, "{word}");
            }
        }
    }

    #[test]
    fn a_word_nobody_has_heard_of_is_kept_as_it_is() {
        for word in ["", "FILLED", "pending_sublimation", "fill "] {
            assert_eq!(status(word), Status::Unknown(word.to_string()));
            assert_eq!(event(word), Status::Unknown(word.to_string()));
        }
    }
}
