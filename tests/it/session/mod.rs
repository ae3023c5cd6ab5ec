//! Sessions: the same strategies over bars that arrive, their journals, replay, TEST_MODE.

mod drive;
mod journal;
mod parity;
mod stages;
mod test_mode;
