//! The core as the web asks it: requests in, replies out, with a data folder of its own.

mod asking_the_broker;
mod changing_configuration;
mod changing_settings;
mod configuring;
mod controlling;
mod crashes;
mod erring;
mod following_the_feed;
pub(crate) mod harness;
mod keeping_books;
mod keeping_keys;
mod logging_in;
mod looking_on;
mod managing_users;
mod registering;
mod telling_people;
mod testing;
mod trading;
mod walking_routes;
mod watching_the_float;
