//! From a session that is prepared to one that runs.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};

use super::Running;
use super::clerk::Clerk;
use super::prepare::{Prepared, Venue};
use crate::accounting;
use crate::live::priority::{Urgent, go_first};
use crate::live::{Feed, Host, Inbox, Line, REQUEST_PAUSES, Received, Shown, Told};
use crate::runtime::core::Core;
use crate::runtime::house::House;
use crate::runtime::reply::Refusal;
use crate::session::{Output, Recorder, SessionVenue};
use crate::settings::Key;

/// Lets a session run: from here on it trades. `due`: executions of it that may not be booked yet; `first`: what a
/// process before this one may not have heard of it.
///
/// # Errors
/// The system gives no thread.
pub fn begin(
    core: Weak<Core>,
    house: &mut House,
    prepared: Prepared,
    due: Vec<accounting::Event>,
    first: Vec<Output>,
) -> Result<(), Refusal> {
    let Prepared { id, folder, venue, inbox } = prepared;
    let settings = house.settings()?.settings.clone();
    let broker = settings.text(Key::BrokerName).to_string();
    let (told, heard) = channel();
    if !first.is_empty() {
        // The receiver is here.
        let _ = told.send(Told::Outputs(first));
    }
    let (shown, thread) = match venue {
        Venue::Played(recorder, day) => thread(*recorder, *day, None, inbox.1, told, Vec::new()),
        Venue::Paper(recorder, link) => {
            let (line, feed) = *link;
            thread(*recorder, feed, Some((line, None)), inbox.1, told, Vec::new())
        }
        Venue::Live(recorder, link, requests) => {
            let (line, feed) = *link;
            let desk = Some((line, Some(inbox.0.clone())));
            thread(*recorder, feed, desk, inbox.1, told, requests)
        }
    };
    let status = shown.status();
    let held: BTreeMap<String, f64> = status.positions.iter().cloned().collect();
    let clerk = Clerk { core, told: heard, shown: Arc::clone(&shown), id: id.clone(), folder, broker, due, held };
    let no_thread = |_| Refusal::internal("The system gives no thread.");
    std::thread::Builder::new().name("clerk".to_string()).spawn(move || clerk.run()).map_err(no_thread)?;
    house.trading.run(Running { id, shown, inbox: inbox.0 }, &settings);
    // The clerk hears that nobody speaks, and ends the session.
    std::thread::Builder::new().name("trading".to_string()).spawn(thread).map_err(no_thread)?;
    Ok(())
}

/// What the trading thread is to do. `line`: the connection to a broker, which lives as long as the thread, and the inbox
/// for answers if the session's orders lie there.
fn thread<V: SessionVenue + Send + 'static, F: Feed + 'static>(
    recorder: Recorder<V>,
    feed: F,
    line: Option<(Line, Option<Inbox>)>,
    inbox: Received,
    told: Sender<Told>,
    first: Vec<Output>,
) -> (Arc<Shown>, Box<dyn FnOnce() + Send>) {
    let session = recorder.session();
    let shown = Shown::new(session.status(), session.is_open());
    let seen = Arc::clone(&shown);
    let run = move || {
        // A day that is played takes what is left of the machine; a market does not wait.
        if let Some((line, _)) = &line {
            line.go_first();
            if let Err(why) = go_first(Urgent::Trading) {
                tracing::info!("the session runs without real-time priority: {why:?}");
            }
        }
        let (line, answers) = line.unzip();
        let desk = line.as_ref().zip(answers.flatten()).map(|(line, inbox)| line.desk(&inbox, REQUEST_PAUSES));
        Host::new(recorder, feed, desk, inbox, told, shown).run(first);
        drop(line);
    };
    (seen, Box::new(run))
}
