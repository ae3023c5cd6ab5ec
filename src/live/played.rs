//! A recorded session that is played: what arrives, and when.

use std::time::{Duration, Instant};

use super::feed::{Feed, Heard};
use crate::brokers::BrokerEvent;
use crate::market::{Market, Nanos, SECOND};
use crate::session::day::inputs_at;
use crate::session::{Command, Input};

/// The newest session of a data set on a clock that runs `speed` times as fast as time. Between two bar ends its time
/// goes on steadily; before the first and after the last it stands still.
pub struct PlayedDay {
    source: Market,
    day: usize,
    /// Which part comes next: 0 the start, then the bar ends, then the end.
    part: usize,
    /// How many inputs of the next part were taken by a process before this one.
    taken: usize,
    speed: f64,
    /// What the day's clock said at an instant.
    anchor: Option<(Instant, Nanos)>,
}

impl PlayedDay {
    /// The newest session of `source`. `taken`: how many of its inputs a session has taken before, commands not
    /// counted.
    pub fn new(source: Market, speed: f64, taken: usize) -> PlayedDay {
        let day = source.days.len().saturating_sub(1);
        let mut played = PlayedDay { source, day, part: 0, taken: 0, speed, anchor: None };
        let mut left = taken;
        while played.part <= played.steps() {
            let count = played.inputs().iter().filter(|input| !is_command(input)).count();
            if count > left {
                break;
            }
            left -= count;
            played.part += 1;
        }
        played.taken = left;
        played
    }

    /// The days of the source; the last one is played.
    pub fn source(&self) -> (&Market, usize) {
        (&self.source, self.day)
    }

    fn steps(&self) -> usize {
        self.source.days.get(self.day).map_or(0, |day| day.end_step - day.first_step)
    }

    /// What the clock of the day says when the next part arrives.
    fn due(&self) -> Nanos {
        let Some(day) = self.source.days.get(self.day) else { return 0 };
        match self.part {
            0 => day.open - SECOND,
            part if part <= self.steps() => self.source.steps[day.first_step + part - 1],
            _ => self.source.steps[day.end_step - 1] + 3 * SECOND,
        }
    }

    fn inputs(&self) -> Vec<Input> {
        let Some(day) = self.source.days.get(self.day) else { return Vec::new() };
        let time = self.due();
        match self.part {
            0 => vec![Input::Command { time, command: Command::Start }, Input::Timer { time }],
            part if part <= self.steps() => inputs_at(&self.source, self.day, day.first_step + part - 1),
            // As in a backtest, the data end with their last bar.
            _ => vec![Input::Command { time, command: Command::EndOfData }],
        }
    }
}

impl Feed for PlayedDay {
    fn wait(&mut self) -> Duration {
        let due = self.due();
        let (instant, time) = *self.anchor.get_or_insert_with(|| (Instant::now(), due));
        let nanos = (due - time).max(0) as f64 / self.speed;
        Duration::from_nanos(nanos as u64).saturating_sub(instant.elapsed())
    }

    fn now(&self) -> Nanos {
        let Some((instant, time)) = self.anchor else { return self.due() };
        let passed = instant.elapsed().as_nanos() as f64 * self.speed;
        (time + passed as Nanos).min(self.due())
    }

    fn take(&mut self) -> Vec<Input> {
        let mut inputs = self.inputs();
        if self.taken > 0 {
            inputs.retain(|input| !is_command(input));
            inputs.drain(..self.taken.min(inputs.len()));
            self.taken = 0;
        }
        self.part += 1;
        inputs
    }

    /// As in a backtest, the data end with their last bar.
    fn goes_on(&self) -> bool {
        false
    }

    /// Nobody says anything to a recorded day.
    fn hear(&mut self, _: BrokerEvent) -> Heard {
        Heard::default()
    }
}

/// Whether an input comes from somebody instead of from the market.
pub fn is_command(input: &Input) -> bool {
    matches!(input, Input::Command { .. })
}
