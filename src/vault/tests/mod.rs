//! The vault from outside its rooms: crash points, refusals, and what lies on the disk.

mod backups;
mod checks;
mod databases;
pub(crate) mod harness;
mod keys;
mod processes;
mod rotation;
mod secrets;
mod vectors;
mod writing;
