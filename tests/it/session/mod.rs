//! Sessions: the same strategies over bars that arrive, their journals, replay, TEST_MODE.

pub mod drive;
mod exits;
mod journal;
mod live;
mod parity;
mod scripted_broker;
mod sim_broker;
mod stages;
mod test_mode;
