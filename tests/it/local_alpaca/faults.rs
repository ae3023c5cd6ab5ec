//! What can go wrong, on demand or drawn from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tradebot::stats::philox4x32;

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is carried out, and the connection is cut before the answer.
    LoseAnswer,
    /// The connection is cut before anything is done.
    LoseRequest,
    /// It is answered with this status, these headers and this body. `done` says whether it is carried out before.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: &'static str, done: bool },
    /// It is carried out, and the answer comes late.
    Slow(Duration),
    /// The connection is cut at once, and the request is carried out all the same, after the next one of its kind.
    AfterNext,
}

impl Fault {
    /// A status with a page of a gateway; nothing is done.
    pub fn page(status: u16) -> Fault {
        Fault::Answer { status, headers: vec![], body: "<html><h1>nginx</h1></html>", done: false }
    }

    /// Too many requests. `headers` may say until when.
    pub fn too_many(headers: Vec<(&'static str, String)>) -> Fault {
        let body = r#"{"code":42910000,"message":"rate limit exceeded"}"#;
        Fault::Answer { status: 429, headers, body, done: false }
    }
}

/// What happens to a message of the order stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFault {
    Drop,
    Duplicate,
    /// It comes after the next message.
    Reorder,
    /// The connection is cut instead.
    Cut,
}

/// Faults drawn from a seed: of a thousand requests, and messages, this many go wrong.
#[derive(Debug, Clone, Copy)]
pub struct RandomFaults {
    pub seed: u32,
    pub requests_per_mille: u32,
    pub messages_per_mille: u32,
}

/// The plan.
#[derive(Default)]
pub struct Faults {
    scripted: Vec<(String, Fault, usize)>,
    stream: VecDeque<StreamFault>,
    pub random: Option<RandomFaults>,
    /// How often each text was drawn for.
    draws: BTreeMap<String, u32>,
    /// Nothing is taken.
    pub is_out: bool,
    /// How many requests and messages went wrong.
    pub count: u64,
}

impl Faults {
    pub fn script(&mut self, what: &str, fault: Fault, times: usize) {
        self.scripted.push((what.to_string(), fault, times));
    }

    pub fn script_stream(&mut self, fault: StreamFault) {
        self.stream.push_back(fault);
    }

    /// By what is sent and how often it was, and not by its turn: whatever else is on its way at the same time, a seed
    /// does the same to it.
    fn draw(&mut self, key: &str, seed: u32, per_mille: u32) -> Option<u32> {
        let times = self.draws.entry(key.to_string()).or_default();
        *times += 1;
        // FNV-1a.
        let hash = key.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [chance, which, ..] = philox4x32([*times, hash, 0, 0], [seed, 0]);
        (chance % 1000 < per_mille).then_some(which)
    }

    /// Nothing that was planned goes wrong any more.
    pub fn forget(&mut self) {
        self.scripted.clear();
        self.stream.clear();
        self.random = None;
    }

    /// What goes wrong with a request. `content`: its query and its body.
    pub fn of_request(&mut self, what: &str, content: &str) -> Option<Fault> {
        let fault = self.plan_request(what, content);
        self.count += u64::from(fault.is_some());
        fault
    }

    fn plan_request(&mut self, what: &str, content: &str) -> Option<Fault> {
        if self.is_out {
            let faults = [Fault::page(403), Fault::page(502), Fault::too_many(vec![]), Fault::LoseRequest];
            return Some(faults[self.count as usize % faults.len()].clone());
        }
        let whole = format!("{what} {content}");
        let is_meant = |words: &str| words.split(' ').all(|word| whole.contains(word));
        if let Some(at) = self.scripted.iter().position(|(words, _, times)| *times > 0 && is_meant(words)) {
            self.scripted[at].2 -= 1;
            return Some(self.scripted[at].1.clone());
        }
        let random = self.random?;
        let which = self.draw(&format!("{what} {content}"), random.seed, random.requests_per_mille)?;
        Some(match which % 8 {
            2 if what == "POST /v2/orders" && which & 8 == 0 => Fault::Answer {
                status: 403,
                headers: vec![],
                body: r#"{"code":40310000,"message":"the order is not taken, for no reason"}"#,
                done: false,
            },
            2 if what == "POST /v2/orders" => Fault::AfterNext,
            0 | 1 => Fault::LoseAnswer,
            2 => Fault::LoseRequest,
            3 => Fault::Answer {
                status: 500,
                headers: vec![],
                body: r#"{"code":50010000,"message":"internal server error"}"#,
                done: false,
            },
            4 => Fault::Answer { status: 504, headers: vec![], body: "<html>504</html>", done: true },
            5 => Fault::page(403),
            6 => Fault::Answer { status: 200, headers: vec![], body: "{\"id\": \"cut off", done: true },
            _ => Fault::too_many(vec![]),
        })
    }

    /// What happens to a message.
    pub fn of_message(&mut self, text: &str) -> Option<StreamFault> {
        let fault = self.plan_message(text);
        self.count += u64::from(fault.is_some());
        fault
    }

    fn plan_message(&mut self, text: &str) -> Option<StreamFault> {
        if let Some(fault) = self.stream.pop_front() {
            return Some(fault);
        }
        let random = self.random?;
        let which = self.draw(text, random.seed ^ 0x5555, random.messages_per_mille)?;
        Some(match which % 7 {
            0 | 1 => StreamFault::Drop,
            2 | 3 => StreamFault::Duplicate,
            4 | 5 => StreamFault::Reorder,
            _ => StreamFault::Cut,
        })
    }
}
