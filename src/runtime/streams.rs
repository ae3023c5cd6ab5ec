//! Places for streams of events: each holds a connection, so there are only so many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reply::Refusal;

/// Most streams at once.
pub const MOST: usize = 64;
/// Most streams of one user.
pub const MOST_OF_A_USER: usize = 8;

/// How many streams each user has open.
#[derive(Debug, Default)]
pub struct Streams(Mutex<BTreeMap<i64, usize>>);

impl Streams {
    /// Takes a place until it is dropped.
    ///
    /// # Errors
    /// All places are taken, or all of this user: 429.
    pub fn take(self: &Arc<Self>, user_id: i64) -> Result<Place, Refusal> {
        let mut counts = self.counts();
        let of_user = counts.get(&user_id).copied().unwrap_or(0);
        if of_user >= MOST_OF_A_USER || counts.values().sum::<usize>() >= MOST {
            let why = format!("Too many streams are open: {MOST_OF_A_USER} a user, {MOST} in all.");
            return Err(Refusal::new(429, "too_many_streams", why).retry_after(5));
        }
        counts.insert(user_id, of_user + 1);
        Ok(Place { streams: Arc::clone(self), user_id })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one stream; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    streams: Arc<Streams>,
    user_id: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.streams.counts();
        if let Some(count) = counts.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_eight_streams_and_gets_a_place_back() {
        let streams = Arc::new(Streams::default());
        let mut places: Vec<Place> = (0..MOST_OF_A_USER).map(|_| streams.take(1).unwrap()).collect();
        assert_eq!(streams.take(1).unwrap_err().status, 429);
        streams.take(2).unwrap();
        places.pop();
        streams.take(1).unwrap();
    }

    #[test]
    fn all_users_have_sixty_four_together() {
        let streams = Arc::new(Streams::default());
        let places: Vec<Place> = (0..MOST).map(|k| streams.take(k as i64 / 8).unwrap()).collect();
        assert_eq!(places.len(), MOST);
        assert_eq!(streams.take(99).unwrap_err().retry_after, Some(5));
        drop(places);
        assert!(streams.counts().is_empty());
    }
}
