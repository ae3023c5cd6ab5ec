//! Sessions: the same strategies over bars that arrive, their journals, replay, TEST_MODE.

mod drive;
mod journal;
mod parity;
