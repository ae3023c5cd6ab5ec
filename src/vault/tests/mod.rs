//! The vault from outside its rooms: crash points, refusals, and what lies on the disk.

mod backups;
mod databases;
pub(crate) mod harness;
mod keys;
mod rotation;
mod secrets;
mod vectors;
mod writing;
