//! Priorities of threads.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ScheduleParams, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// For what nobody waits for while a session trades: its clerk, its logs, the web.
pub const BESIDE_TRADING: i32 = 5;
/// For what may take as long as it takes.
pub const LOWEST: i32 = 19;

/// Lets this thread, and those that it begins from now on, give way to others: its nice value becomes `nice`, 0 being
/// that of most threads and 19 the lowest priority. One whose priority cannot be changed stays as it is.
pub fn give_way(nice: i32) {
    // On Linux a priority is that of a thread; elsewhere it would be that of the process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, nice);
}

/// A thread that a real market is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgent {
    /// Talks to the broker.
    Connection = 1,
    /// Decides.
    Trading = 2,
}

/// Lets this thread run before all others, a more urgent one aside, as soon as it has something to do. Both wait for
/// what arrives nearly all the time. Threads that it begins from now on do the same. Without this the system lets whoever has the processor finish its turn first, some
/// milliseconds.
///
/// # Errors
/// The system does not allow it: this process has no right to real-time priorities (RLIMIT_RTPRIO). The thread runs as
/// it did.
pub fn go_first(urgent: Urgent) -> Result<(), thread_priority::Error> {
    let priority = ThreadPriority::from_posix(ScheduleParams { sched_priority: urgent as i32 });
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), priority, policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::{get_current_thread_priority, thread_schedule_policy};

    #[test]
    fn an_urgent_thread_goes_first_where_the_system_allows_it_and_is_as_before_otherwise() {
        let of = |urgent: Urgent| {
            let thread = move || {
                let before = thread_schedule_policy().unwrap();
                let allowed = go_first(urgent).is_ok();
                (allowed, before, thread_schedule_policy().unwrap(), get_current_thread_priority().unwrap())
            };
            std::thread::spawn(thread).join().unwrap()
        };
        for urgent in [Urgent::Connection, Urgent::Trading] {
            let (allowed, before, after, priority) = of(urgent);
            if allowed {
                assert_eq!(after, ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin));
                let expected = ThreadPriority::from_posix(ScheduleParams { sched_priority: urgent as i32 });
                assert_eq!(priority, expected);
            } else {
                assert_eq!(after, before);
            }
        }
    }
}
