//! Sizing, limits, approval, and what is asked of a venue. Only this room can make an approved order.

mod approval;
mod limits;
mod sizing;

pub use approval::{Approved, BarVenue, Venue};
pub use limits::{
    Defense, Halt, Limits, RiskDesk, covers_initial_margin, leaves_whole_shares, loss_threshold, night_costs,
    opens_position,
};
pub use sizing::{Sizing, signed_shares, whole_shares};
